//! From what a person or a scheduler writes to the GPU it means.

use crate::device::{Device, MigInstance};

/// What a text means on a host.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Named<'a> {
    Gpu(&'a Device),
    Mig(&'a Device, &'a MigInstance),
    /// The beginning of several UUIDs.
    Several(Vec<String>),
    Nothing,
}

/// Finds the GPU that an index, a UUID, the beginning of a UUID or a MIG UUID names, by CUDA's
/// rules: any unique beginning will do, its `GPU-` or `MIG-` included.
///
/// `devices` are those of one vendor, since each counts its own from 0.
pub(crate) fn resolve<'a>(devices: &[&'a Device], text: &str) -> Named<'a> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text
            .parse::<u32>()
            .ok()
            .and_then(|index| devices.iter().find(|device| device.index == index))
            .map_or(Named::Nothing, |device| Named::Gpu(device));
    }
    let bare = |prefix: &str| text.len() > prefix.len() && begins(text, prefix);
    if !bare("GPU-") && !bare("MIG-") {
        return Named::Nothing;
    }

    let mut found: Vec<(&str, Named<'a>)> = Vec::new();
    for &device in devices {
        if let Some(uuid) = &device.uuid {
            found.push((uuid, Named::Gpu(device)));
        }
        for instance in &device.mig {
            found.push((&instance.uuid, Named::Mig(device, instance)));
        }
    }
    if let Some(at) = found
        .iter()
        .position(|(uuid, _)| uuid.eq_ignore_ascii_case(text))
    {
        return found.swap_remove(at).1;
    }
    found.retain(|(uuid, _)| begins(uuid, text));
    if found.len() > 1 {
        return Named::Several(found.iter().map(|(uuid, _)| (*uuid).to_owned()).collect());
    }
    found.pop().map_or(Named::Nothing, |(_, named)| named)
}

fn begins(text: &str, beginning: &str) -> bool {
    text.get(..beginning.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Vendor;

    fn host() -> Vec<Device> {
        let mut devices: Vec<Device> = ["GPU-8932f937-d72c", "GPU-8932aaaa-d72c", "GPU-89"]
            .iter()
            .zip(0..)
            .map(|(uuid, index)| {
                let mut device = Device::new(Vendor::Nvidia, index, "test", "test");
                device.uuid = Some((*uuid).to_owned());
                device
            })
            .collect();
        devices[2].mig_enabled = true;
        devices[2].mig = ["MIG-1111", "MIG-1122", "MIG-GPU-89/1/0"]
            .iter()
            .zip(0..)
            .map(|(uuid, index)| MigInstance {
                index,
                uuid: (*uuid).to_owned(),
                profile: "1g.5gb".to_owned(),
            })
            .collect();
        devices
    }

    #[test]
    fn every_way_to_name_a_gpu() {
        let devices = host();
        let devices: Vec<&Device> = devices.iter().collect();
        let mig = |at: usize| Named::Mig(devices[2], &devices[2].mig[at]);
        for (text, named) in [
            ("0", Named::Gpu(devices[0])),
            ("01", Named::Gpu(devices[1])),
            (" 2 ", Named::Gpu(devices[2])),
            ("3", Named::Nothing),
            ("99999999999", Named::Nothing),
            ("-1", Named::Nothing),
            ("+1", Named::Nothing),
            ("", Named::Nothing),
            ("GPU-", Named::Nothing),
            ("8932f937", Named::Nothing),
            ("GPU-8932f937-d72c", Named::Gpu(devices[0])),
            ("gpu-8932F", Named::Gpu(devices[0])),
            ("GPU-8932a", Named::Gpu(devices[1])),
            // Whole, though it is also the beginning of others.
            ("GPU-89", Named::Gpu(devices[2])),
            (
                "GPU-8932",
                Named::Several(vec![
                    "GPU-8932f937-d72c".to_owned(),
                    "GPU-8932aaaa-d72c".to_owned(),
                ]),
            ),
            ("GPU-7", Named::Nothing),
            ("MIG-1111", mig(0)),
            ("MIG-112", mig(1)),
            ("MIG-GPU-89/1/0", mig(2)),
            (
                "MIG-11",
                Named::Several(vec!["MIG-1111".to_owned(), "MIG-1122".to_owned()]),
            ),
            ("GPU-é", Named::Nothing),
        ] {
            assert_eq!(resolve(&devices, text), named, "{text:?}");
        }
    }
}
