//! Files that somebody damaged: never a panic, and accepted or refused as NVFlare's readers do, both
//! ways. What is judged otherwise is listed, with the reason, here and in
//! docs/design/settings-and-hocon.md.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::Line;
use poc_core::config_file::ConfigFile;
use poc_core::project::Project;
use poc_tests::poc_test;
use serde_json::{Value, json};

use super::cases;
use super::judge::{Judge, Verdict};
use super::seeded::Seeded;

/// Bits that mean something to a parser.
const BITS: [&str; 44] = [
    "\n",
    " ",
    "\t",
    "\r\n",
    ",",
    ":",
    "=",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "\"\"\"",
    "#",
    "//",
    "-",
    "- ",
    "|",
    ">",
    "&a ",
    "*a",
    "!!str ",
    "!!python/object:os.system ",
    "%",
    "@",
    "`",
    "?",
    "${a}",
    "${?b}",
    "+=",
    "include \"x\"\n",
    "\\",
    "\u{feff}",
    "é",
    "\u{0}",
    "../",
    "~",
    "null",
    "no",
    "0x1f",
    "1e3",
    "\u{2028}",
    "---\n",
];

/// The files of a folder of `corpora`.
fn corpus(folder: &str) -> Vec<String> {
    let directory = Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpora")
        .join(folder);
    let mut files: Vec<Utf8PathBuf> = directory
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().into_path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| fs_err::read_to_string(file).unwrap())
        .collect()
}

/// One of the files, damaged in a few places.
fn damaged(chance: &mut Seeded, corpus: &[String]) -> String {
    let mut text: Vec<char> = corpus[chance.below(corpus.len())].chars().collect();
    for _ in 0..=chance.below(2) {
        let at = chance.below(text.len() + 1);
        let length = chance.below(12).min(text.len() - at);
        match chance.below(8) {
            0 => drop(text.drain(at..at + length)),
            1 => text.truncate(at),
            2 => {
                let copy: Vec<char> = text[at..at + length].to_vec();
                let to = chance.below(text.len() + 1);
                text.splice(to..to, copy);
            }
            3 => {
                let other: Vec<char> = corpus[chance.below(corpus.len())].chars().collect();
                let from = chance.below(other.len());
                let end = (from + chance.below(60)).min(other.len());
                text.splice(at..at, other[from..end].iter().copied());
            }
            4 if at < text.len() => {
                text[at] = char::from(u8::try_from(32 + chance.below(95)).unwrap());
            }
            5 => {
                let mut lines: Vec<String> = String::from_iter(&text)
                    .split_inclusive('\n')
                    .map(str::to_owned)
                    .collect();
                if lines.len() > 1 {
                    let (one, other) = (chance.below(lines.len()), chance.below(lines.len()));
                    lines.swap(one, other);
                }
                text = lines.concat().chars().collect();
            }
            _ => drop(text.splice(at..at, chance.pick(&BITS).chars())),
        }
    }
    text.into_iter().collect()
}

/// What both say of many files: how often they agree, and where they do not.
#[derive(Default)]
struct Tally {
    both_accept: usize,
    both_refuse: usize,
    /// How often each listed difference came.
    listed: BTreeMap<&'static str, usize>,
    unlisted: Vec<String>,
}

impl Tally {
    fn note(
        &mut self,
        seed: u64,
        text: &str,
        ours: &Result<(), String>,
        theirs: &Result<(), String>,
        reason: Option<&'static str>,
    ) {
        match (ours, theirs) {
            (Ok(()), Ok(())) => self.both_accept += 1,
            (Err(_), Err(_)) => self.both_refuse += 1,
            _ => match reason {
                Some(reason) => *self.listed.entry(reason).or_default() += 1,
                None => self.unlisted.push(format!(
                    "seed {seed}\nours: {ours:?}\ntheirs: {theirs:?}\n{text}\n────"
                )),
            },
        }
    }

    #[track_caller]
    fn conclude(self, cases: usize) {
        let summary = format!(
            "both accept {}, both refuse {}, listed differences {:#?}",
            self.both_accept, self.both_refuse, self.listed
        );
        assert!(
            self.unlisted.is_empty(),
            "{} unlisted differences; {summary}\n{}",
            self.unlisted.len(),
            self.unlisted
                .iter()
                .take(12)
                .cloned()
                .collect::<Vec<_>>()
                .join("\n")
        );
        // Both ways have been tried.
        assert!(
            self.both_accept > cases / 20 && self.both_refuse > cases / 20,
            "{summary}"
        );
    }
}

fn plain(verdict: &Verdict) -> Option<Result<(), String>> {
    match verdict {
        Verdict::Ok(_) => Some(Ok(())),
        Verdict::Error(error) => Some(Err(error.clone())),
        Verdict::TooSlow => None,
    }
}

/// Why a config.conf may be judged otherwise than by pyhocon.
fn config_reason(text: &str, ours: Option<&str>, theirs: Option<&str>) -> Option<&'static str> {
    match (ours, theirs) {
        (None, Some(theirs)) if theirs.contains("Substitution") => {
            Some("a reference that leads nowhere: an error here only where the value is needed")
        }
        // What is included is not looked at here, so neither is whether it is there.
        (None, Some(theirs))
            if theirs.contains("'NoneType' object") && text.contains("include") =>
        {
            Some("an `include` with a `*` that fits no file")
        }
        (None, Some(theirs)) if theirs.contains("FileNotFoundError") => {
            Some("an `include` of a file that must be there and is not")
        }
        _ => None,
    }
}

#[test]
fn damaged_config_files() {
    let world = poc_test!().with_flare();
    let mut judge = Judge::new(&world);
    let corpus = corpus("config");
    let directory = world.root().join("sandbox/home/.nvflare");
    fs_err::create_dir_all(&directory).unwrap();
    let file = directory.join("config.conf");
    let mut tally = Tally::default();
    for seed in cases() {
        let mut chance = Seeded::new(seed);
        let text = damaged(&mut chance, &corpus);
        let parsed = catch_unwind(AssertUnwindSafe(|| {
            let parsed = ConfigFile::parse(&file, &text);
            if let Ok(parsed) = &parsed {
                // All that is read of it, and all that is written to it.
                for key in [
                    &ConfigFile::PYTHON_KEY,
                    &ConfigFile::ACTIVE_KEY,
                    &ConfigFile::WORKSPACE_KEYS[0],
                ] {
                    let _ = parsed.evaluate(key, &poc_core::env::Env::default());
                }
                let mut edited = parsed.clone();
                edited.forget(Utf8Path::new("/tmp/nvflare/poc"), false);
                edited.set_workspace(Utf8Path::new("/tmp/nvflare/poc"));
            }
            parsed
        }));
        let Ok(parsed) = parsed else {
            panic!("seed {seed}: a panic over\n{text}");
        };
        // Not each on the disk, which would be slow, but many.
        if seed % 16 == 0 {
            fs_err::write(&file, &text).unwrap();
            let _ = ConfigFile::edit(&file, |config| {
                config.set_workspace(Utf8Path::new("/tmp/nvflare/poc"));
                Ok(())
            });
            let names: Vec<_> = poc_core::fsio::entries(&directory).unwrap();
            assert_eq!(names, ["config.conf"], "seed {seed}");
            if parsed.is_err() {
                assert_eq!(fs_err::read_to_string(&file).unwrap(), text, "seed {seed}");
            }
        }
        let ours = parsed.map(drop).map_err(|error| error.to_string());
        let Some(theirs) = plain(&judge.ask(&json!({"op": "config", "text": text}))) else {
            continue;
        };
        let reason = config_reason(
            &text,
            ours.as_ref().err().map(String::as_str),
            theirs.as_ref().err().map(String::as_str),
        );
        tally.note(seed, &text, &ours, &theirs, reason);
    }
    tally.conclude(cases().count());
}

/// Why a project.yml may be judged otherwise than by NVFlare.
fn project_reason(text: &str, ours: Option<&str>, theirs: Option<&str>) -> Option<&'static str> {
    match (ours, theirs) {
        (None, Some(theirs)) => {
            if theirs.contains("found character '\\t' that cannot start any token")
                && text.contains('\t')
            {
                return Some("a tab between two words: poc writes the file anew, without");
            }
            if theirs.contains("listening_host") {
                return Some("a `listening_host`: poc refuses any when it makes the kits");
            }
            None
        }
        (Some(ours), None) => {
            const STRICTER: [(&str, &str); 9] = [
                (
                    "comes twice",
                    "a key that comes twice: NVFlare takes the last, and one of them is not meant",
                ),
                (
                    "name: `",
                    "a project's name, which NVFlare does not check, and cuts where it is long",
                ),
                (
                    "is not one of server, client, admin, relay",
                    "an unknown type, which NVFlare 2.9 leaves out",
                ),
                (
                    "default_host: `",
                    "a `default_host` that is none, which NVFlare's POC overwrites unread",
                ),
                (
                    "a port is a number",
                    "a port that is none, which NVFlare does not check",
                ),
                ("NVFlare reads the key", "a key that is no text"),
                ("a key that is no text", "a key that is no text"),
                (
                    "text is expected, but NVFlare reads",
                    "something else where only text makes sense",
                ),
                (
                    "is reserved",
                    "a name that means something else to poc or to NVFlare's certificate store",
                ),
            ];
            STRICTER
                .iter()
                .find(|(words, _)| ours.contains(words))
                .map(|(_, reason)| *reason)
        }
        _ => None,
    }
}

#[test]
fn damaged_projects() {
    let world = poc_test!().with_flare();
    let mut judge = Judge::new(&world);
    let mut corpus = corpus("project");
    for line in Line::ALL {
        let project = Project::poc_default(line, &Project::default_client_names(2)).unwrap();
        corpus.push(project.to_yaml(line));
    }
    let mut tally = Tally::default();
    for seed in cases() {
        let mut chance = Seeded::new(seed);
        let text = damaged(&mut chance, &corpus);
        let Ok(parsed) = catch_unwind(|| Project::parse(&text, Utf8Path::new("project.yml")))
        else {
            panic!("seed {seed}: a panic over\n{text}");
        };
        let verdict = judge.ask(&json!({"op": "project", "text": text}));
        if let (Ok(loaded), Verdict::Ok(theirs)) = (&parsed, &verdict) {
            let mut members: Vec<Value> = loaded
                .project
                .participants()
                .iter()
                .map(|one| json!([one.name, one.role().as_str(), one.org]))
                .collect();
            members.sort_by_key(ToString::to_string);
            let mut theirs = theirs.as_array().unwrap().clone();
            theirs.sort_by_key(ToString::to_string);
            assert_eq!(members, theirs, "seed {seed}\n{text}");
            for name in loaded
                .project
                .participants()
                .iter()
                .map(|one| &one.name)
                .chain([&loaded.project.name])
            {
                let path = Utf8Path::new(name);
                assert!(
                    path.file_name() == Some(name) && path.components().count() == 1,
                    "seed {seed}: {name:?}"
                );
            }
        }
        let Some(theirs) = plain(&verdict) else {
            continue;
        };
        let ours = parsed.map(drop).map_err(|error| error.to_string());
        let reason = project_reason(
            &text,
            ours.as_ref().err().map(String::as_str),
            theirs.as_ref().err().map(String::as_str),
        );
        tally.note(seed, &text, &ours, &theirs, reason);
    }
    tally.conclude(cases().count());
}
