//! A value to a text, in the form that PyYAML itself writes: block style, keys sorted.

use std::collections::BTreeMap;

use super::Value;
use super::resolve::is_ambiguous;

/// The text of a document. Every string is in quotes and in ASCII, so that neither the reader's YAML
/// version nor its locale can change it.
pub(crate) fn emit(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Writes a value from the beginning of a line on, or, if it is short, as one word.
fn block(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Map(map) if !map.is_empty() => mapping(map, indent, text),
        Value::List(items) if !items.is_empty() => {
            for item in items {
                margin(indent, text);
                text.push_str("- ");
                // The item's first line goes on behind the dash; the others line up with it.
                let mut inner = String::new();
                block(item, indent + 2, &mut inner);
                text.push_str(inner.trim_start_matches(' '));
                if !text.ends_with('\n') {
                    text.push('\n');
                }
            }
        }
        scalar => text.push_str(&word(scalar)),
    }
}

fn mapping(map: &BTreeMap<String, Value>, indent: usize, text: &mut String) {
    for (name, value) in map {
        margin(indent, text);
        text.push_str(&key(name));
        text.push(':');
        match value {
            Value::Map(inner) if !inner.is_empty() => {
                text.push('\n');
                block(value, indent + 2, text);
            }
            // PyYAML does not indent a list under its key.
            Value::List(items) if !items.is_empty() => {
                text.push('\n');
                block(value, indent, text);
            }
            short => {
                text.push(' ');
                text.push_str(&word(short));
                text.push('\n');
            }
        }
    }
}

fn margin(indent: usize, text: &mut String) {
    text.extend(std::iter::repeat_n(' ', indent));
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => float(*number),
        Value::Text(text) => quoted(text),
        Value::List(_) => "[]".to_owned(),
        Value::Map(_) => "{}".to_owned(),
    }
}

/// A float as YAML 1.1 knows it: with a point, without an exponent.
fn float(number: f64) -> String {
    if number.is_nan() {
        ".nan".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { ".inf" } else { "-.inf" }.to_owned()
    } else {
        let text = number.to_string();
        if text.contains('.') {
            text
        } else {
            text + ".0"
        }
    }
}

/// A key: bare where no reader takes it for anything but these letters.
fn key(name: &str) -> String {
    let bare = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && !is_ambiguous(name)
        // A boolean to some readers of YAML 1.1, though not to PyYAML.
        && !matches!(name, "y" | "Y" | "n" | "N");
    if bare { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            ' '..='~' => quoted.push(c),
            c => match u32::from(c) {
                code @ 0..=0xff => quoted.extend(["\\x", &format!("{code:02X}")]),
                code @ 0x100..=0xffff => quoted.extend(["\\u", &format!("{code:04X}")]),
                code => quoted.extend(["\\U", &format!("{code:08X}")]),
            },
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Document;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "\\PC{0,12}",
            "[a-z0-9:.#\\[{}&*!|>'\"%@` \n\t\\\\-]{0,10}",
            prop::sample::select(
                &[
                    "yes", "NO", "on", "010", "1e3", "~", "null", "", "<<", "=", "- x", "1_0", "é"
                ][..]
            )
            .prop_map(str::to_owned),
        ];
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            prop::num::f64::NORMAL.prop_map(Value::Float),
            text.clone().prop_map(Value::Text),
        ];
        scalar.prop_recursive(4, 24, 5, move |inner| {
            let key = text
                .clone()
                .prop_filter("merges are another matter", |key| key != "<<");
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::btree_map(key, inner, 0..4).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in values()) {
            let text = emit(&value);
            prop_assert!(text.is_ascii());
            let document = Document::parse(&text).unwrap();
            prop_assert_eq!(&document.faults, &[], "{}", text);
            prop_assert_eq!(document.root, value, "{}", text);
        }
    }

    #[test]
    fn the_form_is_pyyaml_s() {
        let list = |items: &[Value]| Value::List(items.to_vec());
        let map = |entries: &[(&str, Value)]| {
            Value::Map(
                entries
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), value.clone()))
                    .collect(),
            )
        };
        let value = map(&[
            (
                "a",
                list(&[map(&[
                    ("x", Value::Int(1)),
                    ("y", list(&[Value::from("NO"), list(&[Value::Null])])),
                ])]),
            ),
            ("b", map(&[])),
            ("yes", list(&[])),
            (
                "c",
                map(&[("d", Value::Float(1.0)), ("e", Value::from("é\u{1F600}\""))]),
            ),
        ]);
        insta::assert_snapshot!(emit(&value), @r#"
        a:
        - x: 1
          "y":
          - "NO"
          - - null
        b: {}
        c:
          d: 1.0
          e: "\xE9\U0001F600\""
        "yes": []
        "#);
    }
}
