//! Editing config.conf: whatever the file, pyhocon reads what we set as set, and all the rest as it
//! did before.

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::config_file::ConfigFile;
use poc_tests::poc_test;
use serde_json::json;

use super::cases;
use super::judge::{Judge, Verdict};
use super::seeded::Seeded;

/// Keys that are nobody's of ours.
const FOREIGN: [&str; 9] = [
    "a",
    "b",
    "proxy",
    "job_template.path",
    "münchen",
    "\"x y\"",
    "\"a.b\"",
    "\"é@x\"",
    "c.d",
];

/// Keys of ours, or around them.
const OWNED: [&str; 10] = [
    "version",
    "poc.workspace",
    "poc_workspace.path",
    "startup_kit.path",
    "startup_kits.active",
    "poc.python",
    "poc",
    "startup_kit",
    "\"poc_workspace\"",
    "startup_kits",
];

const INCLUDED: &str = "included.conf";

/// A file as a person might have written it.
fn by_hand(chance: &mut Seeded) -> String {
    let newline = chance.pick(&["\n", "\n", "\r\n"]);
    let mut text = String::new();
    // For references to lead somewhere.
    text += "base = /srv";
    text += newline;
    for _ in 0..chance.below(9) {
        let line = match chance.below(12) {
            0 => "# a comment, with { and \" in it".to_owned(),
            1 => "// another".to_owned(),
            2 => String::new(),
            3 => format!("include \"{INCLUDED}\""),
            4 | 5 => object(chance, newline),
            6..=8 => field(chance, &OWNED),
            _ => field(chance, &FOREIGN),
        };
        text += &line;
        if chance.once_in(6) && !line.contains("include") && !line.is_empty() {
            text += chance.pick(&[" # note", "  // note", ","]);
        }
        text += newline;
    }
    if chance.once_in(6) {
        text = format!("{{{newline}{text}}}{newline}");
    }
    if chance.once_in(8) {
        text.truncate(text.trim_end().len());
    }
    text
}

fn field(chance: &mut Seeded, keys: &[&str]) -> String {
    let key = chance.pick(keys);
    let separator = chance.pick(&[" = ", "=", ": ", " : ", " += "]);
    let separator = if separator == " += " && !chance.once_in(4) {
        " = "
    } else {
        separator
    };
    let mut value = value(chance, 2);
    // An object that such a reference overrides, or not, is lost when a key is set in it: see
    // docs/design/settings-and-hocon.md.
    if value.starts_with("${?") && !key.contains('.') {
        "/w".clone_into(&mut value);
    }
    format!("{key}{separator}{value}")
}

fn value(chance: &mut Seeded, depth: usize) -> String {
    match chance.below(if depth == 0 { 9 } else { 12 }) {
        0 => "\"/a b/é # x\"".to_owned(),
        1 => "/tmp/nvflare/poc".to_owned(),
        2 => "two words".to_owned(),
        3 => chance
            .pick(&["12", "1.5", "true", "no", "null", "10 seconds"])
            .to_string(),
        4 => "\"\"\"several\n lines\"\"\"".to_owned(),
        5 => chance
            .pick(&[
                "${base}",
                "${base}/poc",
                "\"x \"${base}\" y\"",
                "${?NOWHERE}",
                "${HOME}/poc",
            ])
            .to_string(),
        6 => "\"a\\\"b\\\\c\\n\"".to_owned(),
        7 => "\"\"".to_owned(),
        8 => "/w".to_owned(),
        9 => format!("[{}, {}]", value(chance, 0), value(chance, 0)),
        _ => format!("{{ {} }}", field_inside(chance, depth - 1)),
    }
}

fn field_inside(chance: &mut Seeded, depth: usize) -> String {
    let key = chance.pick(&["path", "workspace", "active", "host", "\"é x\"", "port"]);
    format!("{key} = {}", value(chance, depth))
}

fn object(chance: &mut Seeded, newline: &str) -> String {
    let key = chance.pick(&[
        "poc",
        "poc_workspace",
        "startup_kit",
        "startup_kits",
        "proxy",
        "münchen",
        "a",
    ]);
    let mut text = format!("{key}{}{{", chance.pick(&[" ", " = ", ""]));
    if chance.once_in(4) {
        return format!("{text} {} }}", field_inside(chance, 1));
    }
    text += newline;
    for _ in 0..chance.below(4) {
        text += "  ";
        let line = match chance.below(6) {
            0 => "# inside".to_owned(),
            1 if key == "startup_kits" => {
                "entries { \"admin@nvidia.com\" = \"/old/p/prod_00/admin@nvidia.com\", \"x@y.z\" = /elsewhere }".to_owned()
            }
            2 if !chance.once_in(3) => String::new(),
            3 if chance.once_in(3) => format!("include \"{INCLUDED}\""),
            _ => field_inside(chance, 1),
        };
        text.extend([line.as_str(), newline]);
    }
    text + "}"
}

/// What an edit is to have done, in the judge's words.
#[derive(Default)]
struct Expected {
    set: Vec<(Vec<String>, String)>,
    gone: Vec<Vec<String>>,
    touched: Vec<Vec<String>>,
}

impl Expected {
    fn set(&mut self, key: &[&str], value: &str) {
        let key: Vec<String> = key.iter().map(|part| (*part).to_owned()).collect();
        self.touched.push(key.clone());
        self.set.push((key, value.to_owned()));
    }

    fn touch(&mut self, key: &[&str]) {
        self.touched
            .push(key.iter().map(|part| (*part).to_owned()).collect());
    }
}

/// One of the edits that `poc` makes, or a plain one.
fn edit(chance: &mut Seeded, file: &mut ConfigFile) -> Expected {
    let mut expected = Expected::default();
    let workspace = Utf8Path::new("/tmp/nvflare/poc é");
    let prod = workspace.join("p/prod_00");
    match chance.below(8) {
        0 | 1 => {
            let names = ["admin@nvidia.com", "lead@nvidia.com"];
            let count = 1 + chance.below(2);
            let admins: Vec<(String, Utf8PathBuf)> = names[..count]
                .iter()
                .map(|name| ((*name).to_owned(), prod.join(name)))
                .collect();
            let pointed = file.point_at(workspace, &prod, &admins, names[0]);
            expected.set(&["poc", "workspace"], workspace.as_str());
            expected.set(&["poc_workspace", "path"], workspace.as_str());
            expected.set(&["startup_kits", "active"], &pointed.active);
            let kit = if count == 1 {
                prod.clone()
            } else {
                prod.join(names[0])
            };
            expected.set(&["startup_kit", "path"], kit.as_str());
            for (name, kit) in &admins {
                expected.set(&["startup_kits", "entries", name], kit.as_str());
            }
            expected.touch(&["startup_kits", "entries"]);
            expected.touch(&["version"]);
        }
        2 => {
            file.set_workspace(workspace);
            expected.set(&["poc", "workspace"], workspace.as_str());
            expected.set(&["poc_workspace", "path"], workspace.as_str());
            expected.touch(&["version"]);
        }
        3 => {
            file.set_startup_kit(&prod);
            expected.set(&["startup_kit", "path"], prod.as_str());
            expected.touch(&["version"]);
        }
        4 => {
            file.set_python(Utf8Path::new("/venv/bin/python"));
            expected.set(&["poc", "python"], "/venv/bin/python");
        }
        5 => {
            file.forget(Utf8Path::new("/w"), false);
            for key in [
                &["poc", "workspace"],
                &["poc_workspace", "path"],
                &["startup_kit", "path"],
                &["startup_kits", "active"],
                &["startup_kits", "entries"],
            ] {
                expected.touch(key);
            }
        }
        6 => {
            let key = chance.pick(&[
                &["proxy", "host"][..],
                &["fresh"],
                &["a"],
                &["münchen"],
                &["x y"],
                &["c", "d"],
            ]);
            let value = chance.pick(&["", "plain", "é # { } = \" \\ $", "two\nlines", "${base}"]);
            file.set(key, value);
            expected.set(key, value);
        }
        _ => {
            let key = chance.pick(&[
                &["proxy"][..],
                &["a"],
                &["münchen"],
                &["poc"],
                &["startup_kits", "entries"],
            ]);
            file.remove(key);
            expected.touch(key);
            // What an included file says is not ours to remove.
            if key == ["poc"] && !file.include_lines().is_empty() {
                return expected;
            }
            expected
                .gone
                .push(key.iter().map(|part| (*part).to_owned()).collect());
        }
    }
    expected
}

/// pyhocon's own writer, and files by hand.
#[test]
fn pyhocon_reads_what_was_set_as_set_and_the_rest_as_before() {
    let world = poc_test!().with_flare();
    let mut judge = Judge::new(&world);
    let directory = world.root().join("home");
    // It speaks of a key of ours as well: what is set must win.
    let included = "from = \"elsewhere\"
poc { workspace = /included, color = red }
";
    fs_err::write(directory.join(INCLUDED), included).unwrap();
    let (mut judged, mut unreadable, mut failures) = (0, 0, Vec::new());
    for seed in cases() {
        let mut chance = Seeded::new(seed);
        let mut text = by_hand(&mut chance);
        if chance.once_in(4)
            && let Verdict::Ok(written) = judge.ask(&json!({"op": "written", "text": text}))
        {
            written.as_str().unwrap().clone_into(&mut text);
        }
        let Ok(mut file) = ConfigFile::parse(Utf8Path::new("config.conf"), &text) else {
            // Whether pyhocon refuses it as well is the other test's question.
            continue;
        };
        let expected = edit(&mut chance, &mut file);
        let request = json!({
            "op": "edited",
            "before": text,
            "after": file.text(),
            "directory": directory,
            "set": expected.set,
            "gone": expected.gone,
            "touched": expected.touched,
        });
        match judge.ask(&request) {
            Verdict::Ok(verdict) if verdict["unreadable"].is_string() => unreadable += 1,
            Verdict::Ok(_) => judged += 1,
            Verdict::TooSlow => {}
            Verdict::Error(why) => failures.push(format!(
                "seed {seed}: {why}\n──── before\n{text}\n──── after\n{}",
                file.text()
            )),
        }
    }
    let few: Vec<String> = failures.iter().take(4).cloned().collect();
    assert!(
        failures.is_empty(),
        "{} fail\n{}",
        failures.len(),
        few.join("\n")
    );
    assert!(
        judged > cases().count() / 2,
        "{judged} judged, {unreadable} unreadable"
    );
}
