//! The GPUs that a site offers, written into its kit before it starts.

use std::io;

use camino::Utf8Path;
use poc_core::gpu_offer::{self, Settled};
use serde_json::Value;

use super::Driver;
use super::record::replace;
use crate::plan::ParticipantPlan;

impl Driver<'_> {
    /// Makes `local/resources.json` say what the plan says. A site that cannot offer its GPUs can
    /// still run what asks for none, so a failure is told and no more.
    pub(super) fn settle_offer(&mut self, plan: &ParticipantPlan) {
        let Some(offer) = plan.offer else {
            return;
        };
        let local = plan.directory.join("local");
        let own = local.join("resources.json");
        match settle(&local.join("resources.json.default"), &own, offer) {
            Ok(Settled::Own(count)) if count < u64::from(offer.count) => {
                self.trouble(format_args!(
                    "{own} is your own and stays: it offers jobs {count} of the {} GPUs of {}",
                    offer.count, plan.name
                ));
            }
            Ok(_) => {}
            Err(error) => self.trouble(format_args!(
                "{} offers jobs no GPUs: {own}: {error}",
                plan.name
            )),
        }
    }
}

fn settle(default: &Utf8Path, own: &Utf8Path, offer: gpu_offer::GpuOffer) -> io::Result<Settled> {
    let Some(default) = read(default)? else {
        // A kit of somebody else's making, in which nothing is ours to write.
        return Ok(Settled::Keep);
    };
    let settled = gpu_offer::settle(&default, read(own)?.as_ref(), offer);
    match &settled {
        Settled::Write(document) => {
            let mut text = serde_json::to_vec_pretty(document)?;
            text.push(b'\n');
            replace(own, &text, 0o644)?;
        }
        Settled::Remove => fs_err::remove_file(own)?,
        Settled::Keep | Settled::Own(_) => {}
    }
    Ok(settled)
}

fn read(path: &Utf8Path) -> io::Result<Option<Value>> {
    match fs_err::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
