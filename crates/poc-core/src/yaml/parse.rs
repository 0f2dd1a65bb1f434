//! A text to a document.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, EnumAccess, MapAccess, SeqAccess, Visitor};

use super::locate::{byte_at, line_at, place_at, value_at};
use super::resolve::{is_ambiguous, resolve};
use super::{Place, Value};

/// A document with what was odd about it.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    text: &'t str,
    pub(crate) root: Value,
    /// What PyYAML would refuse, or take in a way that nobody means.
    pub(crate) faults: Vec<(Place, String)>,
}

/// A text that is no YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct YamlError {
    /// The line, from 1, where it is known.
    pub(crate) line: Option<usize>,
    pub(crate) reason: String,
}

impl<'t> Document<'t> {
    pub(crate) fn parse(text: &'t str) -> Result<Self, YamlError> {
        let node =
            Node::deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| {
                let offset = error
                    .location()
                    .and_then(|location| byte_at(text, location.index()));
                let line = offset.map(|offset| line_at(text, offset));
                let reason = match error.to_string() {
                    many if many.contains("more than one document") => {
                        "there is more than one document".to_owned()
                    }
                    // The position is said by whoever shows the line.
                    reason => reason
                        .split(" at line ")
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                };
                YamlError { line, reason }
            })?;
        let mut reader = Reader {
            text,
            faults: Vec::new(),
        };
        let root = reader.value(node, &Place::default());
        Ok(Self {
            text,
            root,
            faults: reader.faults,
        })
    }

    /// The line of a place, from 1.
    pub(crate) fn line_of(&self, place: &Place) -> Option<usize> {
        place_at(self.text, place).map(|offset| line_at(self.text, offset))
    }
}

/// What `serde_yaml` makes of the text, with keys in order and repeated ones kept.
enum Node {
    /// It took a plain scalar for something other than text.
    Resolved(Value),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
    /// With a tag such as `!x`.
    Tagged,
}

struct Reader<'t> {
    text: &'t str,
    faults: Vec<(Place, String)>,
}

impl Reader<'_> {
    fn value(&mut self, node: Node, place: &Place) -> Value {
        if let Some(tag) = self.unknown_tag(place) {
            let message = format!("NVFlare reads nothing of the tag `{tag}`");
            self.faults.push((place.clone(), message));
        }
        match node {
            // Where the two YAMLs may differ about it, its letters decide.
            Node::Resolved(value @ (Value::Null | Value::Bool(_))) => value,
            // Of the whole numbers only `0o17` is another matter.
            Node::Resolved(value @ Value::Int(_)) if !self.text.contains("0o") => value,
            Node::Resolved(value) => self.plain_letters(place).map_or(value, |raw| resolve(&raw)),
            Node::Text(text) if is_ambiguous(&text) && self.is_plain(place, &text) => {
                resolve(&text)
            }
            Node::Text(text) => Value::Text(text),
            Node::List(nodes) => {
                let nodes = nodes.into_iter().enumerate();
                Value::List(
                    nodes
                        .map(|(index, node)| self.value(node, &place.index(index)))
                        .collect(),
                )
            }
            Node::Map(entries) => self.map(entries, place),
            Node::Tagged => {
                self.faults.push((
                    place.clone(),
                    "a tag such as `!x` is nothing that NVFlare reads".to_owned(),
                ));
                Value::Null
            }
        }
    }

    fn map(&mut self, entries: Vec<(Node, Node)>, place: &Place) -> Value {
        let mut map = BTreeMap::new();
        let mut merged = BTreeMap::new();
        for (key, node) in entries {
            let Node::Text(key) = key else {
                self.faults
                    .push((place.clone(), "a key that is no text".to_owned()));
                continue;
            };
            let at = place.key(key.clone());
            if is_ambiguous(&key) && self.is_plain_key(&at, &key) {
                let kind = resolve(&key).kind();
                self.faults.push((
                    at.clone(),
                    format!("NVFlare reads the key `{key}` as {kind}; put it in quotes"),
                ));
            }
            let value = self.value(node, &at);
            if key == "<<" {
                self.merge(value, &mut merged, &at);
            } else if map.insert(key.clone(), value).is_some() {
                self.faults
                    .push((at, format!("the key `{key}` comes twice")));
            }
        }
        // What the mapping says itself beats what it merges in.
        merged.append(&mut map);
        Value::Map(merged)
    }

    /// `<<: *other` or `<<: [*one, *other]`, of which the first wins.
    fn merge(&mut self, value: Value, merged: &mut BTreeMap<String, Value>, at: &Place) {
        let sources = match value {
            Value::List(sources) => sources,
            single => vec![single],
        };
        for source in sources {
            match source {
                Value::Map(source) => {
                    for (key, value) in source {
                        merged.entry(key).or_insert(value);
                    }
                }
                other => self.faults.push((
                    at.clone(),
                    format!("`<<` merges mappings, but this is {}", other.kind()),
                )),
            }
        }
    }

    /// Whether a text stands there without quotes.
    fn is_plain(&self, place: &Place, text: &str) -> bool {
        // Nothing without quotes is no text to begin with.
        !text.is_empty()
            && self
                .at(value_at(self.text, place))
                .is_some_and(|rest| rest.starts_with(text))
    }

    fn is_plain_key(&self, place: &Place, key: &str) -> bool {
        !key.is_empty()
            && self
                .at(place_at(self.text, place))
                .is_some_and(|rest| rest.starts_with(key))
    }

    /// The letters of a plain scalar.
    fn plain_letters(&self, place: &Place) -> Option<String> {
        let rest = self.at(value_at(self.text, place))?;
        let letter =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '+' | '-');
        let end = rest.find(|c| !letter(c)).unwrap_or(rest.len());
        Some(rest[..end].trim_end_matches(':').to_owned())
    }

    /// A tag of YAML's own kind (`!!x`) that PyYAML's safe reader does not know, and `serde_yaml` passes
    /// over: one that would have Python make an object, say.
    fn unknown_tag(&self, place: &Place) -> Option<String> {
        const KNOWN: [&str; 13] = [
            "str",
            "int",
            "float",
            "bool",
            "null",
            "seq",
            "map",
            "binary",
            "timestamp",
            "omap",
            "pairs",
            "set",
            "merge",
        ];
        // To look for the place of every value takes time, and tags are rare.
        if !self.text.contains("!!") {
            return None;
        }
        let rest = &self.text[value_at(self.text, place)?..];
        let mut words =
            rest.split(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}'));
        let tag = words.by_ref().take(2).find(|word| !word.starts_with('&'))?;
        let name = tag.strip_prefix("!!")?;
        (!KNOWN.contains(&name)).then(|| tag.to_owned())
    }

    /// The text from a value on, behind its anchor; of an alias, from the anchor's value on.
    fn at(&self, offset: Option<usize>) -> Option<&str> {
        let mut rest = &self.text[offset?..];
        if rest.starts_with('&') {
            rest = rest.split_once(char::is_whitespace)?.1.trim_start();
        }
        // With a tag, its type is said, and not ours to judge.
        (!rest.starts_with('!')).then_some(rest)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Resolved(Value::Bool(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Resolved(Value::Int(value)))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(i64::try_from(value).map_or_else(
            |_| Node::Text(value.to_string()),
            |value| Node::Resolved(Value::Int(value)),
        ))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Resolved(Value::Float(value)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Resolved(Value::Null))
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Resolved(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = sequence.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Node, A::Error> {
        let (_tag, content) = data.variant::<String>()?;
        de::VariantAccess::newtype_variant::<de::IgnoredAny>(content)?;
        Ok(Node::Tagged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> Value {
        let document = Document::parse(text).unwrap();
        assert_eq!(document.faults, [], "{text:?}");
        document.root
    }

    fn value(text: &str) -> Value {
        match root(text) {
            Value::Map(mut map) => map.remove("a").unwrap(),
            other => other,
        }
    }

    #[test]
    fn scalars_without_quotes_mean_what_pyyaml_takes_them_for() {
        for (text, expected) in [
            ("a: yes", Value::Bool(true)),
            ("a: 'yes'", Value::from("yes")),
            ("a: \"NO\"", Value::from("NO")),
            ("a: &x on # note", Value::Bool(true)),
            ("a: &x 'on'", Value::from("on")),
            ("b: &x on\na: *x", Value::Bool(true)),
            ("b: &x \"on\"\na: *x", Value::from("on")),
            (
                "é: é\na: {b: 1, a: 010}",
                Value::Map(BTreeMap::from([
                    ("b".to_owned(), Value::Int(1)),
                    ("a".to_owned(), Value::Int(8)),
                ])),
            ),
            (
                "a: [é, 0o17, 1e3, 1.5e+3, off]",
                Value::List(vec![
                    Value::from("é"),
                    Value::from("0o17"),
                    Value::from("1e3"),
                    Value::Float(1500.0),
                    Value::Bool(false),
                ]),
            ),
            ("a: 1e3 # note", Value::from("1e3")),
            ("a: |\n  yes\n", Value::from("yes\n")),
            ("a: \"\\x79es\"", Value::from("yes")),
            ("a: !!int '3'", Value::Int(3)),
            ("a: &x !!str yes", Value::from("yes")),
            ("a: yes\n  sir", Value::from("yes sir")),
            ("a:", Value::Null),
            ("a: 8002", Value::Int(8002)),
            ("a: '8002'", Value::from("8002")),
            ("a: 12:30", Value::Int(750)),
            ("a: server:8002:8003", Value::from("server:8002:8003")),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn merged_mappings_fill_what_is_not_said() {
        let text = "base: &b {org: nvidia, type: client}\nmore: &m {org: other, x: 1}\na:\n  <<: [*b, *m]\n  type: admin\n";
        let Value::Map(map) = value(text) else {
            panic!("no mapping")
        };
        let shown: Vec<String> = map
            .iter()
            .map(|(key, value)| format!("{key}={value:?}"))
            .collect();
        assert_eq!(
            shown,
            ["org=Text(\"nvidia\")", "type=Text(\"admin\")", "x=Int(1)"]
        );
    }

    #[test]
    fn faults_have_a_place() {
        let text = "a: 1\nb:\n  c: 1\n  c: 2\nd: !x y\ne: {<<: 3}\n1: x\non: y\n\"off\": z\n";
        let document = Document::parse(text).unwrap();
        let shown: Vec<String> = document
            .faults
            .iter()
            .map(|(place, fault)| format!("{:?} {place}: {fault}", document.line_of(place)))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        Some(3) b.c: the key `c` comes twice
        Some(5) d: a tag such as `!x` is nothing that NVFlare reads
        Some(6) e.<<: `<<` merges mappings, but this is a number
        Some(1) : a key that is no text
        Some(8) on: NVFlare reads the key `on` as a boolean; put it in quotes
        ");
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        let error = |text: &str| {
            Document::parse(text)
                .map(|document| document.root)
                .unwrap_err()
        };
        let cases = [
            "a: 1\nb: [",
            "a: 1\n\tb: 2",
            "a: *nope",
            "---\na: 1\n---\nb: 2\n",
            "a: \"x",
        ];
        let shown: Vec<String> = cases
            .iter()
            .map(|text| format!("{text:?}: {:?}", error(text)))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        "a: 1\nb: [": YamlError { line: Some(2), reason: "did not find expected node content" }
        "a: 1\n\tb: 2": YamlError { line: Some(2), reason: "found a tab character that violates indentation" }
        "a: *nope": YamlError { line: Some(1), reason: "unknown anchor" }
        "---\na: 1\n---\nb: 2\n": YamlError { line: None, reason: "there is more than one document" }
        "a: \"x": YamlError { line: Some(1), reason: "found unexpected end of stream" }
        "#);
    }
}
