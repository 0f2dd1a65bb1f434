//! Values that refer to other keys or to the environment, worked out by the `hocon` crate.
//!
//! The crate (0.9.0, no longer maintained) panics on letters outside ASCII without quotes, turns an
//! unknown reference into nothing and a circle into `null`, and lets the blank before a comment or a
//! brace into the value. So it never sees the user's text: what a value needs is gathered from our
//! own parse, judged (unknown names and circles are errors here), and handed over in a form that the
//! crate gets right, with every string in quotes and nothing that the value does not need.

use std::collections::BTreeMap;
use std::panic;

use hocon::HoconLoader;

use super::lookup::effective;
use super::quoting::quote;
use super::tree::{Block, Field, Part};
use crate::env::Env;

/// The key under which the value is asked for: no key of a user's file is written with blanks.
const ANSWER: &str = " answer ";

/// Works the value of a field out; an error is a reason for the user.
pub(super) fn evaluate(
    root: &Block,
    key: &[&str],
    field: &Field,
    env: &Env,
) -> Result<String, String> {
    let mut needed = Needed {
        root,
        env,
        lines: BTreeMap::new(),
    };
    needed.add(ANSWER, field, &[key.join(".")])?;
    let document: String = needed.lines.values().cloned().collect();
    // Nothing is known to make it panic on such a document; a config file must not end the program
    // where something unknown does.
    let answer = panic::catch_unwind(|| {
        let document = HoconLoader::new()
            .no_system()
            .strict()
            .load_str(&document)?
            .hocon()?;
        Ok::<_, hocon::Error>(document[alias(ANSWER).as_str()].as_string())
    });
    match answer {
        Ok(Ok(Some(text))) => Ok(text),
        Ok(Ok(None)) => Err("it is not text".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it is beyond what can be read here".to_owned()),
    }
}

/// What a value needs, as lines of a document for the crate, by the name that references use.
struct Needed<'d> {
    root: &'d Block,
    env: &'d Env,
    lines: BTreeMap<String, String>,
}

impl Needed<'_> {
    fn add(&mut self, name: &str, field: &Field, stack: &[String]) -> Result<(), String> {
        if field.append {
            return Err("`+=` is not supported here".to_owned());
        }
        let mut value = Rendered::default();
        let last = field.parts.len().saturating_sub(1);
        for (index, part) in field.parts.iter().enumerate() {
            let trailing = |blanks: &str| {
                if index == last {
                    String::new()
                } else {
                    blanks.to_owned()
                }
            };
            match part {
                Part::Quoted { text, blanks } => value.text(&(text.clone() + &trailing(blanks))),
                Part::Word(word) if index == last => value.text(word.trim_end_matches([' ', '\t'])),
                Part::Word(word) => value.text(word),
                Part::Reference {
                    name,
                    optional,
                    blanks,
                } => {
                    if self.refer(name, *optional, stack)? {
                        value.reference(name);
                    }
                    value.text(&trailing(blanks));
                }
                Part::Object(_) | Part::List => return Err("it is not text".to_owned()),
            }
        }
        self.define(name, &value.finish());
        Ok(())
    }

    fn define(&mut self, name: &str, value: &str) {
        self.lines.insert(
            name.to_owned(),
            format!("{} = {value}\n", quote(&alias(name))),
        );
    }

    /// Takes in what a reference leads to; whether it leads to anything.
    fn refer(&mut self, name: &str, optional: bool, stack: &[String]) -> Result<bool, String> {
        if stack.iter().any(|above| above == name) {
            return Err(format!("`{name}` refers to itself"));
        }
        if self.lines.contains_key(name) {
            return Ok(true);
        }
        let parts = key_of(name);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match effective(self.root, &parts) {
            Some(field) if field.is_null() => Ok(false),
            Some(field) => {
                let stack = [stack, &[name.to_owned()]].concat();
                self.add(name, field, &stack)?;
                Ok(true)
            }
            None => match self.env.text(name) {
                Some(text) => {
                    self.lines.insert(
                        name.to_owned(),
                        format!("{} = {}\n", quote(&alias(name)), quote(text)),
                    );
                    Ok(true)
                }
                None if optional => Ok(false),
                None => Err(format!(
                    "`{name}` is neither a key of the file nor an environment variable"
                )),
            },
        }
    }
}

/// A value in the form for the crate. Text in a row is joined before it is quoted: two pairs of quotes
/// side by side would look like the start of a multi-line string.
#[derive(Default)]
struct Rendered {
    done: String,
    text: String,
}

impl Rendered {
    fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn reference(&mut self, name: &str) {
        self.flush();
        self.done.extend(["${", &quote(&alias(name)), "}"]);
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.done += &quote(&std::mem::take(&mut self.text));
        }
    }

    fn finish(mut self) -> String {
        self.flush();
        if self.done.is_empty() {
            quote("")
        } else {
            self.done
        }
    }
}

/// What stands for a key in the document: without dots, so that it is one key.
fn alias(name: &str) -> String {
    name.chars()
        .flat_map(char::escape_unicode)
        .filter(char::is_ascii_alphanumeric)
        .collect()
}

fn key_of(name: &str) -> Vec<String> {
    match name
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(quoted) => vec![quoted.to_owned()],
        None => name
            .split('.')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect(),
    }
}
