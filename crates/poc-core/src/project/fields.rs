//! Taking a mapping of project.yml apart, key by key, noting what is wrong on the way.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::check::Fault;
use crate::yaml::{Place, Value};

/// What was noted on the way.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
}

impl Notes {
    pub(super) fn fault(&mut self, place: Place, message: impl Display) {
        self.faults.push((place, message.to_string()));
    }

    pub(super) fn warn(&mut self, place: Place, message: impl Display) {
        self.warnings.push((place, message.to_string()));
    }
}

/// A mapping whose keys are taken out one by one; what is left over is unknown.
#[derive(Debug)]
pub(super) struct Fields {
    map: BTreeMap<String, Value>,
    pub(super) place: Place,
}

impl Fields {
    /// The mapping at a place, or a fault.
    pub(super) fn new(value: Value, place: Place, notes: &mut Notes) -> Option<Self> {
        match value {
            Value::Map(map) => Some(Self { map, place }),
            other => {
                notes.fault(
                    place,
                    format!("a mapping is expected, but this is {}", other.kind()),
                );
                None
            }
        }
    }

    /// A mapping with nothing in it.
    pub(super) const fn empty(place: Place) -> Self {
        Self {
            map: BTreeMap::new(),
            place,
        }
    }

    /// The value of a key; `null` counts as not there.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.remove(key).filter(|value| *value != Value::Null)
    }

    /// The value of a key, left where it is.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| **value != Value::Null)
    }

    pub(super) fn text(&mut self, key: &str, notes: &mut Notes) -> Option<String> {
        match self.take(key)? {
            Value::Text(text) => Some(text),
            other => {
                let kind = other.kind();
                let remedy = if matches!(other, Value::List(_) | Value::Map(_)) {
                    ""
                } else {
                    "; put it in quotes"
                };
                notes.fault(
                    self.place.key(key),
                    format!("text is expected, but NVFlare reads {kind}{remedy}"),
                );
                None
            }
        }
    }

    /// Text that must be there.
    pub(super) fn required_text(&mut self, key: &str, notes: &mut Notes) -> Option<String> {
        let there = self.map.get(key).is_some_and(|value| *value != Value::Null);
        let text = self.text(key, notes);
        if !there {
            notes.fault(self.place.clone(), format!("`{key}` is missing"));
        }
        text
    }

    /// A port, from 1 to 65535.
    pub(super) fn port(&mut self, key: &str, notes: &mut Notes) -> Option<u16> {
        let value = self.take(key)?;
        if let Value::Int(number) = value
            && let Ok(port @ 1..) = u16::try_from(number)
        {
            return Some(port);
        }
        let shown = match value {
            Value::Int(number) => format!("{number}"),
            Value::Text(text) => format!("the text `{}`", text.escape_debug()),
            other => other.kind().to_owned(),
        };
        notes.fault(
            self.place.key(key),
            format!("a port is a number from 1 to 65535, but this is {shown}"),
        );
        None
    }

    pub(super) fn count(&mut self, key: &str, notes: &mut Notes) -> Option<u32> {
        match self.take(key)? {
            Value::Int(number) if u32::try_from(number).is_ok() => u32::try_from(number).ok(),
            other => {
                notes.fault(
                    self.place.key(key),
                    format!("a count is expected, but this is {}", other.kind()),
                );
                None
            }
        }
    }

    pub(super) fn boolean(&mut self, key: &str, notes: &mut Notes) -> Option<bool> {
        match self.take(key)? {
            Value::Bool(value) => Some(value),
            other => {
                notes.fault(
                    self.place.key(key),
                    format!("true or false is expected, but this is {}", other.kind()),
                );
                None
            }
        }
    }

    /// A list of texts; one text alone counts as a list of one.
    pub(super) fn texts(&mut self, key: &str, notes: &mut Notes) -> Vec<String> {
        let items = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Text(text)) => return vec![text],
            Some(Value::List(items)) => items,
            Some(other) => {
                notes.fault(
                    self.place.key(key),
                    format!("a list of texts is expected, but this is {}", other.kind()),
                );
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Value::Text(text) => texts.push(text),
                other => {
                    let place = self.place.key(key).index(index);
                    notes.fault(
                        place,
                        format!("text is expected, but NVFlare reads {}", other.kind()),
                    );
                }
            }
        }
        texts
    }

    /// A mapping inside this one.
    pub(super) fn fields(&mut self, key: &str, notes: &mut Notes) -> Option<Self> {
        let value = self.take(key)?;
        Self::new(value, self.place.key(key), notes)
    }

    /// A list of anything; a fault where it is something else.
    pub(super) fn list(&mut self, key: &str, notes: &mut Notes) -> Vec<Value> {
        match self.take(key) {
            None => Vec::new(),
            Some(Value::List(items)) => items,
            Some(other) => {
                notes.fault(
                    self.place.key(key),
                    format!("a list is expected, but this is {}", other.kind()),
                );
                Vec::new()
            }
        }
    }

    pub(super) fn put(&mut self, key: &str, value: Value) {
        self.map.insert(key.to_owned(), value);
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }

    pub(super) fn into_rest(self) -> BTreeMap<String, Value> {
        self.map
    }
}
