//! Where in the text a part of a document stands.
//!
//! `serde_yaml` gives no positions with its values, but its errors have one. So a part is found by
//! walking to it once more and failing there on purpose. That is slow, and asked for only where
//! there is something to tell the user.

use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// A part of a document: the steps that lead to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(Vec<Step>);

impl Place {
    pub(crate) fn key(&self, key: impl Into<String>) -> Self {
        self.step(Step::Key(key.into()))
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    fn step(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

/// `participants[2].name`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if index == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(number) => write!(f, "[{number}]")?,
            }
        }
        Ok(())
    }
}

/// The byte at which the value of a place begins.
pub(super) fn value_at(text: &str, place: &Place) -> Option<usize> {
    find(
        text,
        Seek {
            steps: &place.0,
            at_key: false,
        },
    )
}

/// The byte at which a place begins: its key where it is the value of one. Of a place that is not there (it came
/// through a merge, say) the nearest thing around it that is.
pub(super) fn place_at(text: &str, place: &Place) -> Option<usize> {
    (0..=place.0.len()).rev().find_map(|length| {
        find(
            text,
            Seek {
                steps: &place.0[..length],
                at_key: true,
            },
        )
    })
}

fn find(text: &str, seek: Seek<'_>) -> Option<usize> {
    let error = seek
        .deserialize(serde_yaml::Deserializer::from_str(text))
        .err()?;
    byte_at(text, error.location()?.index())
}

/// The byte of a position that `serde_yaml` gives. (Its lines are none to count by: it ends them at
/// U+2028 as well.)
pub(super) fn byte_at(text: &str, index: usize) -> Option<usize> {
    text.is_char_boundary(index).then_some(index)
}

/// The line of a byte, from 1.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    1 + text[..offset].matches('\n').count()
}

/// Fails at the place that it seeks.
#[derive(Clone, Copy)]
struct Seek<'p> {
    steps: &'p [Step],
    /// Fail at the last step's key rather than at its value.
    at_key: bool,
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.steps.split_first() else {
            return self.arrive();
        };
        let fail = self.at_key && rest.is_empty();
        while let Some(found) = map.next_key_seed(Key { wanted, fail })? {
            if found {
                map.next_value_seed(Seek {
                    steps: rest,
                    ..self
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let Some((Step::Index(wanted), rest)) = self.steps.split_first() else {
            return self.arrive();
        };
        for _ in 0..*wanted {
            if sequence.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        sequence.next_element_seed(Seek {
            steps: rest,
            ..self
        })?;
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.arrive()
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.arrive()
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.arrive()
    }

    fn visit_i128<E: serde::de::Error>(self, _: i128) -> Result<(), E> {
        self.arrive()
    }

    fn visit_u128<E: serde::de::Error>(self, _: u128) -> Result<(), E> {
        self.arrive()
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.arrive()
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.arrive()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.arrive()
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.arrive()
    }
}

impl Seek<'_> {
    /// The walk is where it can go: fail if that is the place, else pass it by.
    fn arrive<E: serde::de::Error>(self) -> Result<(), E> {
        if self.steps.is_empty() {
            Err(E::custom("here"))
        } else {
            Ok(())
        }
    }
}

/// A key: whether it is the one that is wanted.
struct Key<'p> {
    wanted: &'p str,
    fail: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<bool, E> {
        match key == self.wanted {
            true if self.fail => Err(E::custom("here")),
            found => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# é\nname: x\nparticipants:\n  - name: \"é\"\n    port: 1\n\n  - {name: b, port: 2}\nempty:\n";

    fn at(place: &Place) -> (usize, usize) {
        let offset = place_at(TEXT, place).unwrap();
        let line_start = TEXT[..offset].rfind('\n').map_or(0, |newline| newline + 1);
        (line_at(TEXT, offset), offset - line_start + 1)
    }

    #[test]
    fn places_are_found_by_their_keys() {
        let top = Place::default();
        let participants = top.key("participants");
        assert_eq!(at(&top.key("name")), (2, 1));
        assert_eq!(at(&participants), (3, 1));
        assert_eq!(at(&participants.index(0).key("name")), (4, 5));
        assert_eq!(at(&participants.index(0).key("port")), (5, 5));
        assert_eq!(at(&participants.index(1)), (7, 5));
        assert_eq!(at(&participants.index(1).key("port")), (7, 15));
        let value = value_at(TEXT, &participants.index(0).key("name")).unwrap();
        assert!(TEXT[value..].starts_with("\"é\""));
    }

    #[test]
    fn what_is_not_there_is_placed_by_what_is_around_it() {
        let participants = Place::default().key("participants");
        assert_eq!(at(&participants.index(0).key("nope").key("deeper")), (4, 5));
        assert_eq!(at(&participants.index(7)), (3, 1));
        assert_eq!(at(&Place::default().key("empty").key("x")), (8, 1));
        assert_eq!(value_at(TEXT, &participants.index(7)), None);
    }

    #[test]
    fn letters_of_all_kinds_do_not_shift_places() {
        for before in [
            "\u{feff}",
            "# é日\n",
            "x: \"\u{2028}\"\n",
            "x: \"\u{85}\"\r\n",
            "x: 'é\n\n  y'\n",
        ] {
            let text = format!("{before}a: {{b: c}}\n");
            let value = value_at(&text, &Place::default().key("a").key("b")).unwrap();
            assert_eq!(&text[value..], "c}\n", "{before:?}");
        }
    }

    #[test]
    fn places_are_shown_as_in_programs() {
        assert_eq!(
            Place::default().key("a").index(3).key("b").to_string(),
            "a[3].b"
        );
    }
}
