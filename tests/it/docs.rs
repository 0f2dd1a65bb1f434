//! The documentation holds: its links lead somewhere, its commands are commands, and every page can be
//! reached from the README.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::env;
use poc_tests::poc_test;

fn repository() -> &'static Utf8Path {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(page: &Utf8Path) -> String {
    fs_err::read_to_string(repository().join(page)).unwrap()
}

/// Every Markdown file of the repository, relative to it.
fn pages() -> Vec<Utf8PathBuf> {
    fn collect(directory: &Utf8Path, pages: &mut Vec<Utf8PathBuf>) {
        for entry in directory.read_dir_utf8().unwrap() {
            let path = entry.unwrap().into_path();
            let name = path.file_name().unwrap();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    collect(&path, pages);
                }
            } else if path.extension() == Some("md") {
                pages.push(path.strip_prefix(repository()).unwrap().to_owned());
            }
        }
    }
    let mut pages = Vec::new();
    collect(repository(), &mut pages);
    pages.sort();
    assert!(pages.contains(&"README.md".into()), "{pages:?}");
    pages
}

/// The targets of a page's links into the repository, as `](target)`, with their anchors.
fn links(text: &str) -> Vec<(String, Option<String>)> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .filter(|target| {
            !target.contains("://") && !target.starts_with("mailto:") && !target.contains(' ')
        })
        .map(|target| match target.split_once('#') {
            Some((path, anchor)) => (path.to_owned(), Some(anchor.to_owned())),
            None => (target.to_owned(), None),
        })
        .collect()
}

/// A path without `.` and `..`.
fn tidy(path: &Utf8Path) -> Utf8PathBuf {
    let mut parts = Vec::new();
    for part in path.components() {
        match part.as_str() {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.iter().collect()
}

/// The anchors that GitHub makes of a page's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| {
            line.strip_prefix('#')
                .map(|rest| rest.trim_start_matches('#').trim())
        })
        .map(|heading| {
            let letters = heading.to_lowercase();
            letters
                .chars()
                .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
                .map(|letter| if letter == ' ' { '-' } else { letter })
                .collect()
        })
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let mut dead = Vec::new();
    for page in pages() {
        for (target, anchor) in links(&read(&page)) {
            let path = if target.is_empty() {
                page.clone()
            } else {
                tidy(&page.parent().unwrap().join(&target))
            };
            let there = repository().join(&path).exists();
            let heading = anchor.as_ref().is_none_or(|anchor| {
                path.extension() != Some("md") || (there && anchors(&read(&path)).contains(anchor))
            });
            if !there || !heading {
                dead.push(format!(
                    "{page}: {target}{}",
                    anchor
                        .map(|anchor| format!("#{anchor}"))
                        .unwrap_or_default()
                ));
            }
        }
    }
    assert!(dead.is_empty(), "dead links: {dead:#?}");
}

#[test]
fn every_page_of_docs_is_reached_from_the_readme() {
    let mut reached: BTreeSet<Utf8PathBuf> = BTreeSet::new();
    let mut ahead = vec![Utf8PathBuf::from("README.md")];
    while let Some(page) = ahead.pop() {
        if page.extension() == Some("md")
            && repository().join(&page).exists()
            && reached.insert(page.clone())
        {
            let targets = links(&read(&page)).into_iter();
            ahead.extend(targets.map(|(target, _)| tidy(&page.parent().unwrap().join(target))));
        }
    }
    let lost: Vec<_> = pages()
        .into_iter()
        .filter(|page| page.starts_with("docs") && !reached.contains(page))
        .collect();
    assert!(lost.is_empty(), "not reached from README.md: {lost:?}");
}

/// The `poc …` lines of a page's code blocks, with where they are.
fn commands(page: &Utf8Path) -> Vec<(String, Vec<String>)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, line) in read(page).lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if !fenced && !line.starts_with("    ") {
            continue;
        }
        let line = line.trim().trim_start_matches("$ ");
        let line = line
            .strip_prefix("cargo run --release -- ")
            .map(|rest| format!("poc {rest}"))
            .unwrap_or(line.to_owned());
        let Some(rest) = line.strip_prefix("poc ") else {
            continue;
        };
        // Up to a comment, a column of explanation, a pipe, or another command.
        let end = ["  ", " #", " |", " &", " >", ";"]
            .iter()
            .filter_map(|mark| rest.find(mark))
            .min();
        let rest = &rest[..end.unwrap_or(rest.len())];
        // Syntax, not a command.
        if rest.contains(['[', '…', '<', '(', '\\']) || rest.contains("...") {
            continue;
        }
        let words = rest
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'']).to_owned())
            .collect();
        found.push((format!("{page}:{}", number + 1), words));
    }
    found
}

#[test]
fn commands_are_commands() {
    let world = poc_test!();
    let mut seen = 0;
    for page in pages() {
        for (place, words) in commands(&page) {
            seen += 1;
            // Read as if it were to run, and then only explained.
            let output = world.poc(&words).args(["--help"]).run();
            assert_eq!(
                output.exit,
                Some(0),
                "{place}: `poc {}`\n{}",
                words.join(" "),
                output.transcript()
            );
        }
    }
    assert!(
        seen >= 10,
        "only {seen} commands in all pages: is their form still read?"
    );
}

#[test]
fn every_variable_is_explained() {
    let all: String = pages().iter().map(|page| read(page)).collect();
    // Those that poc itself brings; the others are everybody's.
    let ours = env::ALL
        .iter()
        .map(|variable| variable.name)
        .filter(|name| name.starts_with("POC_") || name.starts_with("NVFLARE_"));
    let silent: Vec<_> = ours.filter(|name| !all.contains(name)).collect();
    assert!(silent.is_empty(), "in no page: {silent:?}");
}

#[test]
fn the_changelog_knows_this_version_or_what_comes() {
    let changelog = read("CHANGELOG.md".into());
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        changelog.contains("## Unreleased") || changelog.contains(&format!("## {version}")),
        "{version}"
    );
}

#[test]
fn completions_and_the_man_page_are_made() {
    let world = poc_test!();
    for shell in ["bash", "zsh", "fish"] {
        let script = world.poc(["completions", shell]).success().stdout;
        assert!(script.contains("prepare-jobs-dir"), "{shell}: {script}");
    }
    let script = world.poc(["completions", "bash"]).success().stdout;
    fs_err::write(world.root().join("poc.bash"), script).unwrap();
    world
        .program("/bin/bash")
        .args(["-n", "poc.bash"])
        .success();
    let page = world.poc(["man"]).success().stdout;
    assert!(page.contains(".TH") && page.contains("prepare"), "{page}");
}

#[test]
fn every_command_has_help() {
    let world = poc_test!();
    let help = world.poc(["--help"]).success().stdout;
    for command in [
        "prepare",
        "prepare-jobs-dir",
        "start",
        "stop",
        "clean",
        "config",
        "status",
        "logs",
        "events",
        "gpus",
        "up",
        "down",
        "demo",
        "runtime",
        "prune",
        "doctor",
        "completions",
        "man",
    ] {
        assert!(
            help.contains(&format!("\n  {command} ")),
            "{command} is not in the help:\n{help}"
        );
        let own = world.poc([command, "--help"]).success().stdout;
        assert!(own.contains("Usage: poc"), "{own}");
        assert_eq!(world.poc([command, "-h"]).success().exit, Some(0));
    }
    let version = world.poc(["-V"]).success().stdout;
    assert_eq!(version, format!("poc {}\n", env!("CARGO_PKG_VERSION")));
}
