use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::device::MigInstance;
use crate::{Inherited, Inventory};

/// A host with so many GPUs, of which GPU `mig` (if any) is in MIG mode with two instances.
fn gpus(n: u32, mig: Option<u32>) -> Vec<Device> {
    (0..n)
        .map(|index| {
            let mut device = Device::new(Vendor::Nvidia, index, "NVIDIA A100", "test");
            device.uuid = Some(format!("GPU-{index:04}-aaaa"));
            if mig == Some(index) {
                device.mig_enabled = true;
                device.mig = (0..2)
                    .map(|instance| MigInstance {
                        index: instance,
                        uuid: format!("MIG-{index}{instance}-bbbb"),
                        profile: "3g.20gb".to_owned(),
                    })
                    .collect();
            }
            device
        })
        .collect()
}

fn present(devices: Vec<Device>) -> Host {
    Host::Present(Inventory::new(devices, "test", &Inherited::default()))
}

fn host(n: u32) -> Host {
    present(gpus(n, None))
}

fn inherited(n: u32, list: &str) -> Host {
    let inherited = Inherited {
        cuda_visible_devices: Some(list.to_owned()),
        ..Inherited::default()
    };
    Host::Present(Inventory::new(gpus(n, None), "test", &inherited))
}

fn sites(n: usize) -> Vec<String> {
    (1..=n).map(|i| format!("site-{i}")).collect()
}

/// `site-1 0,2; site-2 1`
fn shown(assignment: &Assignment) -> String {
    let shares: Vec<String> = assignment
        .iter()
        .map(|(site, share)| {
            let what = match share {
                Share::Untouched => "untouched".to_owned(),
                Share::Hidden { .. } => "hidden".to_owned(),
                Share::Gpus(gpus) => gpus
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(","),
            };
            format!("{site} {what}")
        })
        .collect();
    shares.join("; ")
}

/// Deals what `-gpu`'s words ask to all of so many sites.
fn dealt(words: &str, n_sites: usize, host: &Host) -> Result<Assignment, Error> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let sites = sites(n_sites);
    deal(&Request::parse(&words)?, &sites, &sites, host)
}

fn ok(words: &str, n_sites: usize, host: &Host) -> String {
    shown(&dealt(words, n_sites, host).unwrap())
}

#[test]
fn the_documented_example() {
    assert_eq!(
        ok("1 0 0 2", 4, &host(3)),
        "site-1 1; site-2 0; site-3 0; site-4 2"
    );
}

#[test]
fn round_both_ways() {
    assert_eq!(ok("0 1 2", 2, &host(3)), "site-1 0,2; site-2 1");
    assert_eq!(ok("1 0", 3, &host(2)), "site-1 1; site-2 0; site-3 1");
    assert_eq!(ok("0", 2, &host(1)), "site-1 0; site-2 0");
    // Once within a site, by whatever name.
    assert_eq!(ok("0 0 0", 1, &host(1)), "site-1 0");
    assert_eq!(ok("0 1 GPU-0000 00", 2, &host(2)), "site-1 0; site-2 1,0");
}

#[test]
fn no_word_deals_all_of_the_host() {
    assert_eq!(ok("", 2, &host(4)), "site-1 0,2; site-2 1,3");
    assert_eq!(ok("", 3, &host(2)), "site-1 0; site-2 1; site-3 0");
    assert_eq!(ok("", 2, &host(0)), "site-1 untouched; site-2 untouched");
    assert_eq!(
        ok("", 2, &Host::NoDriver),
        "site-1 untouched; site-2 untouched"
    );
    let assignment = dealt("", 2, &Host::NoDriver).unwrap();
    assert!(assignment.is_empty());
    assert_eq!(assignment.environment("site-1"), []);
}

#[test]
fn none_hides_everything() {
    assert_eq!(ok("none", 2, &host(4)), "site-1 hidden; site-2 hidden");
    let assignment = dealt("none", 1, &host(4)).unwrap();
    assert_eq!(
        assignment.environment("site-1"),
        [("CUDA_VISIBLE_DEVICES".to_owned(), String::new())]
    );
}

#[test]
fn pinning_by_name() {
    assert_eq!(
        ok("site-2=2 site-1=0,1,0", 2, &host(3)),
        "site-1 0,1; site-2 2"
    );
    let partly = dealt("site-2=1 site-3=none", 3, &host(3)).unwrap();
    assert_eq!(shown(&partly), "site-1 hidden; site-2 1; site-3 hidden");
    insta::assert_snapshot!(partly.warnings.join("\n"), @"site-1 is not named among the pinned sites, and sees no GPU");
}

#[test]
fn ids_go_over_the_selected_sites_and_automatic_dealing_over_all() {
    let all = sites(4);
    let selected = ["site-4", "site-2"].map(String::from);
    let of = |request| shown(&deal(&request, &all, &selected, &host(4)).unwrap());
    assert_eq!(
        of(Request::Ids(vec!["3".to_owned(), "0".to_owned()])),
        "site-2 3; site-4 0"
    );
    assert_eq!(of(Request::Automatic), "site-2 1; site-4 3");
    assert_eq!(of(Request::None), "site-2 hidden; site-4 hidden");
    let pins = BTreeMap::from([
        ("site-1".to_owned(), vec!["0".to_owned()]),
        ("site-4".to_owned(), vec!["1".to_owned()]),
    ]);
    assert_eq!(of(Request::Pinned(pins)), "site-2 hidden; site-4 1");
}

#[test]
fn the_pool_is_what_was_inherited() {
    assert_eq!(ok("", 2, &inherited(4, "3,1")), "site-1 3; site-2 1");
    assert_eq!(ok("1", 1, &inherited(4, "3,1")), "site-1 1");
    assert_eq!(ok("", 1, &inherited(4, "")), "site-1 untouched");
}

#[test]
fn mig_instances() {
    let host = present(gpus(2, Some(1)));
    assert_eq!(
        ok("", 3, &host),
        "site-1 0; site-2 MIG-10-bbbb; site-3 MIG-11-bbbb"
    );
    assert_eq!(ok("MIG-11 0", 2, &host), "site-1 MIG-11-bbbb; site-2 0");
    // The whole GPU, by its index as NVFlare would have it.
    assert_eq!(ok("1", 1, &host), "site-1 1");
}

#[test]
fn what_the_host_lacks() {
    let text = |words: &str, host: &Host| dealt(words, 2, host).unwrap_err();
    for (words, host, message) in [
        ("0 1", host(1), "[0]"),
        ("7", host(3), "[0, 1, 2]"),
        ("-1", host(2), "[0, 1]"),
        ("99999999999", host(1), "[0]"),
        ("x", host(1), "[0]"),
        ("GPU-9", host(1), "[0]"),
        ("0", host(0), "[]"),
        ("0", Host::NoDriver, "[]"),
        ("0", inherited(4, "3,1"), "[3, 1]"),
        ("site-1=0,5", host(1), "[0]"),
        (
            "MIG-99",
            present(gpus(2, Some(1))),
            "[0, MIG-10-bbbb, MIG-11-bbbb]",
        ),
    ] {
        assert_eq!(
            text(words, &host).to_string(),
            format!(
                "gpu_id provided is not available in the host machine, available GPUs are \
                 {message}"
            ),
            "{words}"
        );
    }
}

#[test]
fn errors_say_what_to_do() {
    let broken = Host::Broken {
        reason: "Driver/library version mismatch".to_owned(),
        source: "nvml",
    };
    let mut report = Vec::new();
    for (words, host) in [
        ("5", host(1)),
        ("0", Host::NoDriver),
        ("0", host(0)),
        ("0", broken),
        ("0", inherited(4, "3,1")),
        ("GPU-00", host(3)),
        ("site-9=0", host(1)),
    ] {
        let error = dealt(words, 2, &host).unwrap_err();
        report.push(format!(
            "{words}: {error}\n  {}",
            error.hint().unwrap_or_default()
        ));
    }
    insta::assert_snapshot!(report.join("\n"), @r"
    5: gpu_id provided is not available in the host machine, available GPUs are [0]
      `5` is not among them
    0: gpu_id provided is not available in the host machine, available GPUs are []
      `0` is not among them: this host has no GPU driver
    0: gpu_id provided is not available in the host machine, available GPUs are []
      `0` is not among them: no GPU was found here; leave the ids out to start without
    0: gpu_id provided is not available in the host machine, available GPUs are []
      `0` is not among them: the GPU driver is broken: Driver/library version mismatch
    0: gpu_id provided is not available in the host machine, available GPUs are [3, 1]
      `0` is not among them: the inherited CUDA_VISIBLE_DEVICES leaves 2 of the 4 GPUs of this host
    GPU-00: `GPU-00` is the beginning of several UUIDs: GPU-0000-aaaa, GPU-0001-aaaa, GPU-0002-aaaa
      give more of the UUID, or the GPU's index
    site-9=0: there is no site `site-9`, only site-1, site-2
    ");
}

#[test]
fn a_site_that_is_not_there() {
    let all = sites(2);
    let error = deal(&Request::Automatic, &all, &["site-3".to_owned()], &host(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no site `site-3`, only site-1, site-2"
    );
}

#[test]
fn an_assignment_is_json_in_the_projects_order() {
    let host = present(gpus(2, Some(1)));
    let sites = ["site-10", "site-2"].map(String::from);
    let assignment = deal(&Request::Automatic, &sites, &sites, &host).unwrap();
    assert_eq!(
        serde_json::to_string(&assignment).unwrap(),
        r#"{"site-10":[0,"MIG-11-bbbb"],"site-2":["MIG-10-bbbb"]}"#
    );
}

/// What `client_gpu_assignments` of NVFlare 2.9.0 returned for each of these calls, recorded by
/// calling it: clients, ids, ids by client.
const NVFLARE: &str = include_str!("nvflare-2.9.0.json");

#[test]
fn as_nvflare_deals_but_each_gpu_once_a_site() {
    type Call = (Vec<String>, Vec<u32>, BTreeMap<String, Vec<u32>>);
    let recorded: Vec<Call> = serde_json::from_str(NVFLARE).unwrap();
    assert!(recorded.len() > 50);
    for (clients, ids, mut expected) in recorded {
        let words = ids.iter().map(ToString::to_string).collect();
        let assignment = deal(&Request::Ids(words), &clients, &clients, &host(16)).unwrap();
        let ours: BTreeMap<String, Vec<u32>> = assignment
            .iter()
            .map(|(site, share)| {
                let ids = share.gpus().iter().map(|id| match id {
                    GpuId::Nvidia(index) => *index,
                    other => panic!("{other:?}"),
                });
                (site.to_owned(), ids.collect())
            })
            .collect();
        for ids in expected.values_mut() {
            *ids = once_each(std::mem::take(ids));
        }
        assert_eq!(ours, expected, "{clients:?} {ids:?}");
    }
}

/// Sites in an order that is not that of their names, some of them selected, ids of a host.
fn case() -> impl Strategy<Value = (Vec<String>, Vec<String>, Vec<u32>, u32)> {
    (1_usize..9, 1_u32..9).prop_flat_map(|(n_sites, n_gpus)| {
        let all = Just(sites(n_sites)).prop_shuffle();
        let ids = prop::collection::vec(0..n_gpus, 1..20);
        (all, ids).prop_flat_map(move |(all, ids)| {
            let selected = prop::sample::subsequence(all.clone(), 1..=all.len()).prop_shuffle();
            (Just(all), selected, Just(ids), Just(n_gpus))
        })
    })
}

fn words(ids: &[u32]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

proptest! {
    #[test]
    fn explicit_ids((all, selected, ids, n_gpus) in case()) {
        let host = host(n_gpus);
        let request = Request::Ids(words(&ids));
        let dealt = deal(&request, &all, &selected, &host).unwrap();

        // Every selected site, and no other, in the project's order, whatever the selection's.
        let order: Vec<&str> = dealt.iter().map(|(site, _)| site).collect();
        let expected: Vec<&String> = all.iter().filter(|site| selected.contains(site)).collect();
        prop_assert_eq!(&order, &expected);
        for (at, (_, share)) in dealt.iter().enumerate() {
            // No site goes without, and its first is the one that falls to it in the round.
            prop_assert_eq!(share.gpus().first(), Some(&GpuId::Nvidia(ids[at % ids.len()])));
            // An id comes once within a site.
            let mut once = share.gpus().to_vec();
            once.sort();
            once.dedup();
            prop_assert_eq!(once.len(), share.gpus().len());
        }
        // Every id is used when there are at least as many as sites.
        if ids.len() >= selected.len() {
            for id in &ids {
                prop_assert!(dealt.iter().any(|(_, s)| s.gpus().contains(&GpuId::Nvidia(*id))));
            }
        }
        // The same again.
        prop_assert_eq!(deal(&request, &all, &selected, &host).unwrap(), dealt);
    }

    #[test]
    fn one_by_one_is_as_together((all, selected, _, n_gpus) in case()) {
        let host = host(n_gpus);
        let together = deal(&Request::Automatic, &all, &all, &host).unwrap();
        let part = deal(&Request::Automatic, &all, &selected, &host).unwrap();
        for (site, share) in part.iter() {
            prop_assert_eq!(share, together.share(site));
        }
    }

    #[test]
    fn explicit_ids_of_the_whole_host_are_as_automatic((all, _, _, n_gpus) in case()) {
        let host = host(n_gpus);
        let ids = Request::Ids(words(&(0..n_gpus).collect::<Vec<_>>()));
        prop_assert_eq!(
            deal(&ids, &all, &all, &host).unwrap(),
            deal(&Request::Automatic, &all, &all, &host).unwrap()
        );
    }

    #[test]
    fn names_of_a_gpu_are_one((all, selected, ids, n_gpus) in case()) {
        let host = host(n_gpus);
        let by_uuid = ids.iter().map(|id| format!("gpu-{id:04}")).collect();
        prop_assert_eq!(
            deal(&Request::Ids(by_uuid), &all, &selected, &host).unwrap(),
            deal(&Request::Ids(words(&ids)), &all, &selected, &host).unwrap()
        );
    }

    #[test]
    fn the_environment_says_what_was_dealt((all, selected, ids, n_gpus) in case()) {
        let dealt = deal(&Request::Ids(words(&ids)), &all, &selected, &host(n_gpus)).unwrap();
        for (site, share) in dealt.iter() {
            let environment = dealt.environment(site);
            let listed: Vec<GpuId> = environment[0]
                .1
                .split(',')
                .map(|id| GpuId::Nvidia(id.parse().unwrap()))
                .collect();
            prop_assert_eq!(&environment[0].0, "CUDA_VISIBLE_DEVICES");
            prop_assert_eq!(listed, share.gpus());
            prop_assert_eq!(&environment[1].0, "CUDA_DEVICE_ORDER");
        }
    }

    #[test]
    fn no_request_panics(list in prop::collection::vec("[0-9a-zA-Z=,-]{0,10}", 0..5), n in 0_u32..4) {
        if let Ok(request) = Request::parse(&list) {
            let _ = deal(&request, &sites(3), &sites(2), &host(n));
        }
    }
}
