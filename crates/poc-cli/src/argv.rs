//! From the words that NVFlare users type to the words that clap reads.
//!
//! NVFlare's own tools are written with Python's argparse, which knows long options with a single
//! dash (`-gpu 0 1`, `-ex admin@nvidia.com`) and, depending on the version, underscores or hyphens
//! in option names. clap reads `-gpu` as `-g -p -u`. So a small pass over the words comes first:
//!
//! - an option word of the list below, for the command that has it, becomes its long option; an
//!   attached value stays attached (`-gpu=0` becomes `--gpu=0`);
//! - in the name of a long option, underscores become hyphens (`--project_input=x_y.yml` becomes
//!   `--project-input=x_y.yml`);
//! - from `--` on nothing is touched.
//!
//! Words are matched whole, never by prefix, so a value such as `-gpux` or `gpu` passes as it is. The
//! pass is idempotent, and it is the identity on command lines without such words.

use std::ffi::{OsStr, OsString};

use clap::CommandFactory as _;

use crate::args::Cli;

/// NVFlare's single-dash words: the word, the long option, and the commands that have it (none: all).
const WORDS: &[(&str, &str, &[&str])] = &[
    ("-debug", "--debug", &[]),
    ("-he", "--he", &["prepare", "up"]),
    ("-gpu", "--gpu", &["start", "up"]),
    ("-ex", "--exclude", &["start", "stop", "up", "down"]),
    ("-pw", "--poc-workspace-dir", &["config"]),
];

/// Global options that take a value: the word after them is no command.
const GLOBAL_WITH_VALUE: &[&str] = &["--format", "--workspace", "--color"];

/// Options that stood in place of commands up to NVFlare 2.3, with today's command.
const OLD_COMMANDS: &[(&str, &str)] = &[
    ("--prepare", "prepare"),
    ("--prepare-jobs-dir", "prepare-jobs-dir"),
    ("--start", "start"),
    ("--stop", "stop"),
    ("--clean", "clean"),
];

/// Rewrites the words of a command line (the program's name first) into the spellings that clap
/// knows.
pub(crate) fn normalise(argv: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let argv: Vec<OsString> = argv.into_iter().collect();
    let command = command(&argv);
    let mut literal = false;
    argv.iter()
        .enumerate()
        .map(|(index, word)| {
            literal |= word == "--";
            let rewritten = if index == 0 || literal {
                None
            } else {
                rewrite(word, command)
            };
            rewritten.unwrap_or_else(|| word.clone())
        })
        .collect()
}

/// Where a command line uses an option for a command, as NVFlare did up to 2.3: that option, and the
/// command of today.
pub(crate) fn old_command(argv: &[OsString]) -> Option<(&'static str, &'static str)> {
    // `--stop -n 2`: the 2 looks like a command, but is none.
    if command(argv).is_some_and(|word| Cli::command().find_subcommand(word).is_some()) {
        return None;
    }
    options(argv).find_map(|word| {
        let word = hyphenated(word).unwrap_or_else(|| word.to_owned());
        OLD_COMMANDS.iter().copied().find(|(old, _)| *old == word)
    })
}

/// The last value of a global option, read without clap: errors of the command line itself are to be
/// shown in the asked-for format and colour.
pub(crate) fn early_value<'a>(argv: &'a [OsString], option: &str) -> Option<&'a str> {
    let mut words = options(argv).peekable();
    let mut found = None;
    while let Some(word) = words.next() {
        if word == option {
            found = words.peek().copied().or(found);
        } else if let Some(value) = word
            .strip_prefix(option)
            .and_then(|rest| rest.strip_prefix('='))
        {
            found = Some(value);
        }
    }
    found
}

/// Whether a flag is given anywhere before `--`.
pub(crate) fn early_flag(argv: &[OsString], flag: &str) -> bool {
    options(argv).any(|word| word == flag)
}

/// The command that a command line is about, as one would type it: `poc start`, or `poc` alone.
pub(crate) fn command_line(argv: &[OsString]) -> String {
    let cli = Cli::command();
    match command(argv).filter(|word| cli.find_subcommand(word).is_some()) {
        Some(command) => format!("poc {command}"),
        None => "poc".to_owned(),
    }
}

/// The command of a command line: its first word that is neither an option nor a global option's
/// value.
fn command(argv: &[OsString]) -> Option<&str> {
    let mut words = options(argv);
    while let Some(word) = words.next() {
        if GLOBAL_WITH_VALUE.contains(&word) {
            words.next();
        } else if !word.starts_with('-') {
            return Some(word);
        }
    }
    None
}

/// The words after the program's name and before `--`; one that is not UTF-8 counts as a dash, which
/// is neither option nor command.
fn options(argv: &[OsString]) -> impl Iterator<Item = &str> {
    argv.iter()
        .skip(1)
        .map(|word| word.to_str().unwrap_or("-"))
        .take_while(|word| *word != "--")
}

fn rewrite(word: &OsStr, command: Option<&str>) -> Option<OsString> {
    let word = word.to_str()?;
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let has = |commands: &[&str]| {
        commands.is_empty() || command.is_some_and(|name| commands.contains(&name))
    };
    let long = WORDS
        .iter()
        .find(|(short, _, commands)| *short == name && has(commands))
        .map(|(_, long, _)| (*long).to_owned())
        .or_else(|| hyphenated(name))?;
    Some(match value {
        Some(value) => format!("{long}={value}").into(),
        None => long.into(),
    })
}

/// `--docker_image` as `--docker-image`; `None` for what is no long option or has no underscore.
fn hyphenated(name: &str) -> Option<String> {
    let body = name.strip_prefix("--")?;
    let is_name = body.starts_with(|c: char| c.is_ascii_alphabetic())
        && body
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    (is_name && body.contains('_')).then(|| format!("--{}", body.replace('_', "-")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<OsString> {
        std::iter::once("poc")
            .chain(line.split_whitespace())
            .map(OsString::from)
            .collect()
    }

    fn normalised(line: &str) -> String {
        let words = normalise(words(line));
        words[1..]
            .iter()
            .map(|word| word.to_str().unwrap())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn nvflares_spellings() {
        for (typed, read) in [
            ("prepare -n 2 -he", "prepare -n 2 --he"),
            (
                "prepare --number_of_clients 3 --docker_image",
                "prepare --number-of-clients 3 --docker-image",
            ),
            (
                "prepare --project_input=a_b.yml -debug",
                "prepare --project-input=a_b.yml --debug",
            ),
            (
                "prepare-jobs-dir --jobs_dir my_jobs",
                "prepare-jobs-dir --jobs-dir my_jobs",
            ),
            (
                "start -gpu 1 0 -gpu=2 -ex admin@nvidia.com",
                "start --gpu 1 0 --gpu=2 --exclude admin@nvidia.com",
            ),
            ("--format json start -gpu", "--format json start --gpu"),
            (
                "--workspace /w --color=never stop -ex site-1",
                "--workspace /w --color=never stop --exclude site-1",
            ),
            (
                "config -pw /tmp/poc -debug",
                "config --poc-workspace-dir /tmp/poc --debug",
            ),
            (
                "config --poc_workspace_dir /a_b --startup_kit_dir d_e",
                "config --poc-workspace-dir /a_b --startup-kit-dir d_e",
            ),
            ("-debug up -gpu none", "--debug up --gpu none"),
        ] {
            assert_eq!(normalised(typed), read);
        }
    }

    #[test]
    fn what_belongs_to_another_command_or_to_nobody_stays() {
        for line in [
            "start -pw",
            "prepare -gpu 0",
            "config -ex x",
            "start -gpux -p ex gpu -h",
            "start -- -gpu --dry_run -debug",
            "prepare -c site_1 --=x_y ---a_b --_x",
            "-gpu",
            "",
        ] {
            assert_eq!(normalised(line), line);
        }
    }

    #[test]
    fn the_lists_name_commands_and_options_that_exist() {
        let cli = Cli::command();
        for (_, long, commands) in WORDS {
            for name in *commands {
                let command = cli
                    .find_subcommand(name)
                    .unwrap_or_else(|| panic!("no command {name}"));
                let takes = |arg: &clap::Arg| {
                    arg.get_long_and_visible_aliases()
                        .is_some_and(|all| all.contains(&&long[2..]))
                };
                assert!(command.get_arguments().any(takes), "{name} has no {long}");
            }
        }
        for (_, name) in OLD_COMMANDS {
            assert!(cli.find_subcommand(name).is_some(), "no command {name}");
        }
        let with_value: Vec<_> = cli
            .get_arguments()
            .filter(|arg| arg.is_global_set() && arg.get_action().takes_values())
            .map(|arg| format!("--{}", arg.get_long().unwrap()))
            .collect();
        assert_eq!(with_value, GLOBAL_WITH_VALUE);
    }

    #[test]
    fn a_word_that_is_not_utf8_passes() {
        use std::os::unix::ffi::OsStringExt;
        let argv = vec![
            OsString::from("poc"),
            "start".into(),
            OsString::from_vec(vec![b'-', 0xff]),
        ];
        assert_eq!(normalise(argv.clone()), argv);
    }

    #[test]
    fn commands_of_old() {
        assert_eq!(
            old_command(&words("--prepare -n 2")),
            Some(("--prepare", "prepare"))
        );
        assert_eq!(old_command(&words("-n 2 --stop")), Some(("--stop", "stop")));
        assert_eq!(
            old_command(&words("--prepare_jobs_dir")),
            Some(("--prepare-jobs-dir", "prepare-jobs-dir"))
        );
        assert_eq!(old_command(&words("start --clean")), None);
        assert_eq!(old_command(&words("-- --clean")), None);
        assert_eq!(old_command(&words("--help")), None);
    }

    #[test]
    fn globals_are_read_before_clap() {
        let argv =
            words("start --format json --color=never --format=jsonl -n -- --format txt --debug");
        assert_eq!(early_value(&argv, "--format"), Some("jsonl"));
        assert_eq!(early_value(&argv, "--color"), Some("never"));
        assert_eq!(early_value(&argv, "--workspace"), None);
        assert!(!early_flag(&argv, "--debug"));
        assert_eq!(early_value(&words("start --format"), "--format"), None);
    }

    /// Words as they come in command lines: commands, options in every spelling, values, nonsense.
    fn any_word() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("--".to_owned()),
            prop::sample::select(WORDS).prop_map(|(word, _, _)| word.to_owned()),
            prop::sample::select(WORDS).prop_map(|(word, _, _)| format!("{word}=a_b")),
            prop::sample::select(&["prepare", "start", "stop", "config", "up", "logs"][..])
                .prop_map(str::to_owned),
            "--[a-z_-]{0,12}(=[a-z_]{0,3})?",
            "-{0,2}[a-z0-9@._=-]{0,10}",
        ]
    }

    fn plain_word() -> impl Strategy<Value = String> {
        any_word().prop_filter("no word that is rewritten", |word| {
            let name = word.split('=').next().unwrap_or_default();
            let rewritten = WORDS.iter().any(|(known, _, _)| *known == name);
            let underscored = name.starts_with("--") && name.contains('_');
            !rewritten && !underscored
        })
    }

    proptest! {
        #[test]
        fn idempotent(words in prop::collection::vec(any_word(), 0..12)) {
            let once = normalise(std::iter::once("poc".into()).chain(words.into_iter().map(OsString::from)));
            prop_assert_eq!(normalise(once.clone()), once);
        }

        #[test]
        fn identity_without_the_words(words in prop::collection::vec(plain_word(), 0..12)) {
            let argv: Vec<OsString> = std::iter::once("poc".into()).chain(words.into_iter().map(OsString::from)).collect();
            prop_assert_eq!(normalise(argv.clone()), argv);
        }

        #[test]
        fn never_more_or_fewer_words_and_never_another_command(words in prop::collection::vec(any_word(), 0..12)) {
            let argv: Vec<OsString> = std::iter::once("poc".into()).chain(words.into_iter().map(OsString::from)).collect();
            let after = normalise(argv.clone());
            prop_assert_eq!(after.len(), argv.len());
            prop_assert_eq!(command(&after), command(&argv));
        }
    }
}
