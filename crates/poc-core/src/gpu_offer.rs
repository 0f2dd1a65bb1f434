//! What a site tells NVFlare's job scheduler about its GPUs, in `local/resources.json`.
//!
//! A job whose `resource_spec` asks for GPUs goes only to sites whose GPU resource manager has as
//! many. The manager's number stands in the kit's `local/resources.json.default`, and is 0 there; the
//! GPUs are dealt later, at start. NVFlare reads `local/resources.json` in place of the default where
//! there is one, so that is where the number goes: a copy of the default with the number in it.
//!
//! Such a copy says so in a key of its own, which NVFlare does not read, and differs from the default
//! in these numbers alone. Any other file there is somebody's own and never touched.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The last part of the class path of NVFlare's GPU resource manager, in every line.
const MANAGER: &str = ".GPUResourceManager";
const COUNT: &str = "num_of_gpus";
const MEMORY: &str = "mem_per_gpu_in_GiB";
/// What marks a file as ours, and tells a reader what to do about it.
const MARK: (&str, &str) = (
    "written_by",
    "poc start, for the site's GPUs; remove this line to make the file your own",
);

/// The GPUs that a site has for jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuOffer {
    /// How many; 0 offers none.
    pub count: u32,
    /// Memory of each in GiB, of which jobs may ask for a part.
    pub memory_gib: u32,
}

/// What is to happen to `local/resources.json`.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled {
    /// It is right as it is, or there is no GPU resource manager.
    Keep,
    /// It is to hold this.
    Write(Value),
    /// The default is right: it is to go.
    Remove,
    /// It is somebody's own and stays as it is; it offers so many GPUs.
    Own(u64),
}

/// What is to happen so that a site offers its GPUs: `default` is `local/resources.json.default`,
/// `current` is `local/resources.json` where there is one. Numbers other than 0 in the default were
/// asked for in project.yml (`capacity`) and stay.
pub fn settle(default: &Value, current: Option<&Value>, offer: GpuOffer) -> Settled {
    let Some(asked) = numbers(default) else {
        return Settled::Keep;
    };
    if let Some(current) = current
        && !is_an_offer(default, current)
    {
        return numbers(current).map_or(Settled::Keep, |own| {
            Settled::Own(own.count.as_u64().unwrap_or(0))
        });
    }
    let wanted = if offer.count == 0 || asked.count != 0 {
        asked.clone()
    } else {
        Numbers {
            count: offer.count.into(),
            memory: if asked.memory == 0 {
                offer.memory_gib.into()
            } else {
                asked.memory.clone()
            },
        }
    };
    match (current, wanted == asked) {
        (None, true) => Settled::Keep,
        (Some(_), true) => Settled::Remove,
        (Some(current), false) if numbers(current).as_ref() == Some(&wanted) => Settled::Keep,
        (_, false) => Settled::Write(marked(with(default, &wanted))),
    }
}

/// Whether `current` is the work of [`settle`]: the default but for the numbers, and marked.
pub fn is_an_offer(default: &Value, current: &Value) -> bool {
    numbers(default).is_some_and(|asked| with(current, &asked) == marked(default.clone()))
}

fn marked(mut document: Value) -> Value {
    if let Some(object) = document.as_object_mut() {
        object.insert(MARK.0.to_owned(), MARK.1.into());
    }
    document
}

/// The manager's numbers, as they stand there.
#[derive(Clone, Debug, PartialEq)]
struct Numbers {
    count: Value,
    memory: Value,
}

fn numbers(document: &Value) -> Option<Numbers> {
    let components = document.get("components")?.as_array()?;
    let manager = components.iter().find(|component| is_manager(component))?;
    let number = |key: &str| manager.get("args")?.get(key).cloned();
    Some(Numbers {
        count: number(COUNT)?,
        memory: number(MEMORY)?,
    })
}

fn is_manager(component: &Value) -> bool {
    let path = component.get("path").and_then(Value::as_str);
    path.is_some_and(|path| path.ends_with(MANAGER))
}

/// The document with other numbers; unchanged where it has no manager with both of them.
fn with(document: &Value, numbers: &Numbers) -> Value {
    let mut document = document.clone();
    if let Some(args) = arguments(&mut document) {
        for (key, value) in [(COUNT, &numbers.count), (MEMORY, &numbers.memory)] {
            if let Some(number) = args.get_mut(key) {
                number.clone_from(value);
            }
        }
    }
    document
}

fn arguments(document: &mut Value) -> Option<&mut Map<String, Value>> {
    let components = document.get_mut("components")?.as_array_mut()?;
    let manager = components
        .iter_mut()
        .find(|component| is_manager(component))?;
    manager.get_mut("args")?.as_object_mut()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TWO: GpuOffer = GpuOffer {
        count: 2,
        memory_gib: 79,
    };
    const NONE: GpuOffer = GpuOffer {
        count: 0,
        memory_gib: 0,
    };

    fn document(count: u32, memory: u32) -> Value {
        json!({
            "format_version": 2,
            "components": [
                {"id": "other", "path": "a.B", "args": {}},
                {
                    "id": "resource_manager",
                    "path": "nvflare.app_common.resource_managers.gpu_resource_manager.GPUResourceManager",
                    "args": {"num_of_gpus": count, "mem_per_gpu_in_GiB": memory, "expiration_period": 300},
                },
            ],
        })
    }

    #[test]
    fn an_offer_is_written_kept_changed_and_taken_back() {
        let default = document(0, 0);
        let written = |count, memory| marked(document(count, memory));
        assert_eq!(settle(&default, None, NONE), Settled::Keep);
        assert_eq!(settle(&default, None, TWO), Settled::Write(written(2, 79)));
        assert_eq!(settle(&default, Some(&written(2, 79)), TWO), Settled::Keep);
        assert_eq!(
            settle(&default, Some(&written(1, 24)), TWO),
            Settled::Write(written(2, 79))
        );
        assert_eq!(
            settle(&default, Some(&written(2, 79)), NONE),
            Settled::Remove
        );
    }

    #[test]
    fn what_the_project_asks_for_stays() {
        let default = document(1, 8);
        assert_eq!(settle(&default, None, TWO), Settled::Keep);
        assert_eq!(
            settle(&document(0, 8), None, TWO),
            Settled::Write(marked(document(2, 8)))
        );
    }

    #[test]
    fn somebodys_own_file_is_left_alone() {
        let default = document(0, 0);
        let mut own = marked(document(0, 0));
        own["client"] = json!({"retry_timeout": 5});
        assert_eq!(settle(&default, Some(&own), TWO), Settled::Own(0));
        assert!(!is_an_offer(&default, &own));
        assert_eq!(
            settle(&default, Some(&document(1, 0)), NONE),
            Settled::Own(1),
            "only the numbers differ, but it is not marked"
        );
        assert!(is_an_offer(&default, &marked(document(3, 3))));
    }

    #[test]
    fn without_a_manager_there_is_nothing_to_tell() {
        let docker = json!({"components": [{"path": "a.PassthroughResourceManager", "args": {}}]});
        assert_eq!(settle(&docker, None, TWO), Settled::Keep);
        for odd in [
            json!(null),
            json!({"components": 1}),
            json!({"components": [1]}),
        ] {
            assert_eq!(settle(&odd, Some(&odd), TWO), Settled::Keep);
        }
    }
}
