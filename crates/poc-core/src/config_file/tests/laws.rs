//! What must hold for every file.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::config_file::lookup::assignments;

const KEYS: [&str; 6] = ["a", "b", "poc", "startup_kit", "m@x.org", "x y"];

/// A file that parses: comments, blank lines, line ends and styles of all kinds; with gaps, some keys
/// have no value.
fn files(with_gaps: bool) -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "\"[a-z /é@#{}=]{0,8}\"",
        "/[a-z]{1,5}( [a-z]{1,3})?",
        Just("null".to_owned()),
        Just("[1, \"x\"]".to_owned()),
        Just("\"\"\"x\n}\"\"\"".to_owned()),
        if with_gaps {
            Just(String::new())
        } else {
            Just("x".to_owned())
        },
    ];
    let key = prop::sample::select(&["a", "b", "poc", "startup_kit", "\"m@x.org\"", "\"x y\""][..]);
    let end = prop_oneof![
        Just("\n"),
        Just("\r\n"),
        Just(" # note\n"),
        Just(",\n"),
        Just("\n\n  // x\n")
    ];
    let field = (
        key.clone(),
        prop_oneof![Just(" = "), Just(":"), Just("=")],
        value,
        end.clone(),
    )
        .prop_map(|(key, separator, value, end)| {
            // A value that is not there must not take the next line for one.
            let value = if value.is_empty() { "," } else { &value };
            format!("{key}{separator}{value}{end}")
        });
    let object = (key, prop::collection::vec(field.clone(), 0..4), end)
        .prop_map(|(key, fields, end)| format!("{key} {{\n  {}}}{end}", fields.join("  ")));
    (
        prop::collection::vec(prop_oneof![2 => field, 1 => object], 0..6),
        any::<bool>(),
    )
        .prop_map(|(items, braces)| {
            let text = items.concat();
            if braces {
                format!("{{\n{text}}}\n")
            } else {
                text
            }
        })
        .prop_filter("a plain value and an object of one name", |text| {
            checked(text).is_ok()
        })
}

fn keys() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(&KEYS[..]), 1..4)
}

fn all_values(file: &ConfigFile) -> BTreeMap<Vec<String>, String> {
    assignments(&file.root)
        .into_iter()
        .filter_map(|assignment| {
            let key: Vec<&str> = assignment.key.iter().map(String::as_str).collect();
            Some((assignment.key.clone(), file.get(&key)?.text))
        })
        .collect()
}

fn comments(text: &str) -> Vec<&str> {
    text.lines()
        .map(str::trim)
        .filter(|line| line.starts_with('#') || line.starts_with("//"))
        .collect()
}

fn overlaps(one: &[String], other: &[&str]) -> bool {
    one.iter().zip(other).all(|(left, right)| left == right)
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[ab{}\\[\\]=:,\"$#/\\\\\n\r\t .é@+]{0,40}") {
        if let Ok(file) = ConfigFile::parse(Utf8Path::new("x"), &text) {
            prop_assert_eq!(file.text(), text);
        }
    }

    #[test]
    fn a_quoted_text_reads_back(text in "\\PC{0,30}|[\"\\\\\n\r\t${}#]{0,10}") {
        prop_assert_eq!(get(&format!("a = {}", quote(&text)), &["a"]), Some(text));
    }

    #[test]
    fn what_is_set_is_read_and_the_rest_stays(text in files(true), key in keys(), value in "[a-z/ é\"\\\\]{0,12}") {
        let mut file = parse(&text);
        let mut expected = all_values(&file);
        file.set(&key, &value);
        prop_assert_eq!(&file.spoiled, &None);
        prop_assert_eq!(file.get(&key).map(|value| value.text), Some(value.clone()));
        // What lies above or below the key had to give way.
        expected.retain(|other, _| !overlaps(other, &key));
        let mut found = all_values(&parse(file.text()));
        found.retain(|other, _| !overlaps(other, &key));
        prop_assert_eq!(found, expected);
        // Only what gives way to the new key takes the comments in it with it.
        if assignments(&parse(&text).root).iter().all(|assignment| assignment.key[0] != key[0]) {
            let kept = comments(file.text());
            prop_assert!(comments(&text).iter().all(|comment| kept.contains(comment)));
        }

        let once = file.text().to_owned();
        file.set(&key, &value);
        prop_assert_eq!(file.text(), once, "twice is once");
    }

    #[test]
    fn what_is_removed_is_gone_and_the_rest_stays(text in files(true), key in keys()) {
        let mut file = parse(&text);
        let mut expected = all_values(&file);
        let there = assignments(&file.root).iter().any(|a| a.key.len() >= key.len() && overlaps(&a.key, &key));
        prop_assert_eq!(file.remove(&key), there);
        prop_assert_eq!(&file.spoiled, &None);
        expected.retain(|other, _| other.len() < key.len() || !overlaps(other, &key));
        prop_assert_eq!(all_values(&parse(file.text())), expected);
        if !there {
            prop_assert_eq!(file.text(), text);
        }
    }

    #[test]
    fn adding_and_removing_a_key_gives_the_text_back(text in files(false), value in "[a-z]{0,6}") {
        let mut file = parse(&text);
        file.set(&["fresh", "key"], &value);
        file.remove(&["fresh", "key"]);
        // But for the line end of a last line that had none.
        prop_assert_eq!(file.text().trim_end(), text.trim_end());
    }

    /// The two parsers agree on what both can read: everything in quotes.
    #[test]
    fn hocon_reads_the_same(entries in prop::collection::btree_map("[a-z]{1,4}", "[a-zé /@#=:{}$\"\\\\\n]{0,10}", 1..5)) {
        let lines: Vec<String> = entries.iter().map(|(key, value)| format!("k {{ {key} = {} }}\n", quote(value))).collect();
        let text = lines.concat();
        let file = parse(&text);
        let theirs = hocon::HoconLoader::new().no_system().strict().load_str(&text).unwrap().hocon().unwrap();
        for (key, value) in &entries {
            prop_assert_eq!(file.get(&["k", key]).map(|value| value.text), Some(value.clone()));
            prop_assert_eq!(theirs["k"][key.as_str()].as_string(), Some(value.clone()));
        }
    }

    #[test]
    fn references_are_joined_as_text(parts in prop::collection::vec(("[a-z/]{0,5}", "[a-zé/ ]{0,5}"), 1..5)) {
        let referred: Vec<String> =
            parts.iter().enumerate().map(|(index, (_, text))| format!("r{index} = {}\n", quote(text))).collect();
        let literal = |text: &str| if text.is_empty() { String::new() } else { quote(text) };
        let value: Vec<String> =
            parts.iter().enumerate().map(|(index, (text, _))| format!("{}${{r{index}}}", literal(text))).collect();
        let expected: Vec<String> = parts.iter().map(|(literal, referred)| format!("{literal}{referred}")).collect();
        let (text, value, expected) = (referred.concat(), value.concat(), expected.concat());
        prop_assert_eq!(get(&format!("{text}a = {value}\n"), &["a"]), Some(expected));
    }
}
