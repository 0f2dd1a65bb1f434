//! Who gets which GPU: a pure function of the request, the sites and the host.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::device::{Device, GpuId, Vendor};
use crate::notice;
use crate::resolve::{Named, resolve};
use crate::{Error, Host, Request, Share};

/// What [`deal`] decided: a share for each selected site, in the project's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    shares: Vec<(String, Share)>,
    /// What the user should know: shared and busy GPUs, ones that drive a display, MIG.
    pub warnings: Vec<String>,
}

impl Assignment {
    /// Each site and its share, in the project's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Share)> {
        self.shares
            .iter()
            .map(|(site, share)| (site.as_str(), share))
    }

    /// A site's share; one that was not selected is left alone.
    pub fn share(&self, site: &str) -> &Share {
        self.shares
            .iter()
            .find(|(name, _)| name == site)
            .map_or(&Share::Untouched, |(_, share)| share)
    }

    /// A site's GPUs.
    pub fn gpus(&self, site: &str) -> &[GpuId] {
        self.share(site).gpus()
    }

    /// The variables to set for a site's process, see [`Share::environment`].
    pub fn environment(&self, site: &str) -> Vec<(String, String)> {
        self.share(site).environment()
    }

    /// The variables to take out of its environment, see [`Share::unset`].
    pub fn unset(&self, site: &str) -> &'static [&'static str] {
        self.share(site).unset()
    }

    /// Whether no site was given a GPU.
    pub fn is_empty(&self) -> bool {
        self.shares.iter().all(|(_, share)| share.gpus().is_empty())
    }
}

/// A map from each site to the list of its ids.
impl Serialize for Assignment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.shares.len()))?;
        for (site, share) in &self.shares {
            map.serialize_entry(site, share)?;
        }
        map.end()
    }
}

/// Deals the host's GPUs to the sites of a project.
///
/// `all_sites` is the project's order, which decides who comes first whatever the order of
/// `selected`, the sites to be started now.
///
/// - [`Request::Automatic`]: the pool goes round over *all* sites, so that a site gets the same
///   whether it is started alone or with the others. With no GPU nothing is assigned.
/// - [`Request::Ids`]: the ids go round over the *selected* sites: the documented
///   `-gpu 1 0 0 2` gives site-1 the 1, site-2 and site-3 the 0 and site-4 the 2. Ids left over
///   start again at the first site, sites left over at the first id.
/// - [`Request::Pinned`]: each site gets what it is named with, and one that is not named sees
///   none.
/// - [`Request::None`]: every site sees none.
///
/// A GPU comes once within a site, since a repeated one makes CUDA hide all of them. The same GPU
/// may go to several sites; the warnings say so.
///
/// # Errors
///
/// For an id that the pool lacks or that is not unique, and for a site that the project lacks.
///
/// ```
/// use poc_gpu::{Device, Host, Inherited, Inventory, Request, Vendor, deal};
///
/// let gpus = (0..3).map(|i| Device::new(Vendor::Nvidia, i, "NVIDIA L4", "example")).collect();
/// let host = Host::Present(Inventory::new(gpus, "example", &Inherited::default()));
/// let sites = ["site-1", "site-2", "site-3", "site-4"].map(String::from);
///
/// let dealt = deal(&Request::parse(&["1", "0", "0", "2"])?, &sites, &sites, &host)?;
/// let ids: Vec<String> = sites.iter().map(|site| dealt.gpus(site)[0].to_string()).collect();
/// assert_eq!(ids, ["1", "0", "0", "2"]);
/// # Ok::<(), poc_gpu::Error>(())
/// ```
pub fn deal(
    request: &Request,
    all_sites: &[String],
    selected: &[String],
    host: &Host,
) -> Result<Assignment, Error> {
    let known = |site: &str| {
        if all_sites.iter().any(|known| known == site) {
            return Ok(());
        }
        Err(Error::UnknownSite {
            site: site.to_owned(),
            sites: all_sites.to_vec(),
        })
    };
    selected.iter().try_for_each(|site| known(site))?;
    let in_order: Vec<&String> = all_sites
        .iter()
        .filter(|site| selected.contains(site))
        .collect();

    let hidden = || Share::Hidden {
        amd: host
            .devices()
            .iter()
            .any(|device| device.vendor == Vendor::Amd),
    };
    let mut unnamed = Vec::new();
    let shares: Vec<(String, Share)> = match request {
        Request::None => in_order
            .into_iter()
            .map(|site| (site.clone(), hidden()))
            .collect(),
        Request::Automatic => {
            let hands = round(host.pool(), all_sites.len());
            all_sites
                .iter()
                .zip(hands)
                .filter(|(site, _)| selected.contains(site))
                .map(|(site, hand)| (site.clone(), share(hand)))
                .collect()
        }
        Request::Ids(ids) => {
            let ids = find_all(ids, host)?;
            let hands = round(&ids, in_order.len());
            in_order
                .into_iter()
                .cloned()
                .zip(hands.into_iter().map(share))
                .collect()
        }
        Request::Pinned(pins) => {
            // Every pin is checked, those of sites that are not started now too.
            let mut hands = std::collections::BTreeMap::new();
            for (site, ids) in pins {
                known(site)?;
                hands.insert(site.as_str(), once_each(find_all(ids, host)?));
            }
            in_order
                .into_iter()
                .map(|site| {
                    let share = match hands.remove(site.as_str()) {
                        Some(hand) if !hand.is_empty() => Share::Gpus(hand),
                        Some(_) => hidden(),
                        None => {
                            unnamed.push(site.as_str());
                            hidden()
                        }
                    };
                    (site.clone(), share)
                })
                .collect()
        }
    };

    let mut warnings = notice::about(&shares, host.devices());
    if !unnamed.is_empty() {
        warnings.push(format!(
            "{} not named among the pinned sites, and {} no GPU",
            notice::listed(&unnamed, "is", "are"),
            if unnamed.len() == 1 { "sees" } else { "see" },
        ));
    }
    Ok(Assignment { shares, warnings })
}

/// Deals ids round over so many sites. No fewer ids than sites: each id goes to one site, in turn.
/// Fewer: the ids go round. This is NVFlare's `client_gpu_assignments`, but that an id comes once
/// within a site.
fn round<T: Clone + PartialEq>(ids: &[T], sites: usize) -> Vec<Vec<T>> {
    let mut hands = vec![Vec::new(); sites];
    if ids.is_empty() || sites == 0 {
        return hands;
    }
    for at in 0..ids.len().max(sites) {
        hands[at % sites].push(ids[at % ids.len()].clone());
    }
    hands.into_iter().map(once_each).collect()
}

fn once_each<T: PartialEq>(ids: Vec<T>) -> Vec<T> {
    let mut once = Vec::with_capacity(ids.len());
    for id in ids {
        if !once.contains(&id) {
            once.push(id);
        }
    }
    once
}

fn share(hand: Vec<GpuId>) -> Share {
    if hand.is_empty() {
        Share::Untouched
    } else {
        Share::Gpus(hand)
    }
}

/// The GPUs that the texts name, as far as they are in the pool.
fn find_all(texts: &[String], host: &Host) -> Result<Vec<GpuId>, Error> {
    let pool = host.pool();
    let vendor = pool.first().map(GpuId::vendor);
    let devices: Vec<&Device> = host
        .devices()
        .iter()
        .filter(|device| Some(device.vendor) == vendor)
        .collect();
    let missing = |id: &str| Error::NotAvailable {
        id: id.to_owned(),
        available: pool.to_vec(),
        reason: host.shortage(),
    };
    texts
        .iter()
        .map(|text| match resolve(&devices, text) {
            // The whole of a GPU in MIG mode is not itself in the pool, but stands for all of its
            // instances where all of them are.
            Named::Gpu(device) => {
                let parts = device.dealable();
                if !parts.is_empty() && parts.iter().all(|part| pool.contains(part)) {
                    Ok(device.id())
                } else {
                    Err(missing(text))
                }
            }
            Named::Mig(_, instance) if pool.contains(&instance.id()) => Ok(instance.id()),
            Named::Several(matches) => Err(Error::AmbiguousId {
                id: text.clone(),
                matches,
            }),
            Named::Mig(..) | Named::Nothing => Err(missing(text)),
        })
        .collect()
}

#[cfg(test)]
mod tests;
