//! All help texts in one place, so that a change in any of them is seen.

use clap::{Command, CommandFactory as _};

use crate::args::Cli;

fn collect(command: &mut Command, path: &str, texts: &mut String) {
    for (form, help) in [
        ("-h", command.render_help()),
        ("--help", command.render_long_help()),
    ] {
        *texts += &format!("$ {path} {form}\n{help}\n");
    }
    let names: Vec<String> = command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set())
        .map(|sub| sub.get_name().to_owned())
        .collect();
    for name in names {
        if let Some(sub) = command.find_subcommand_mut(&name) {
            collect(sub, &format!("{path} {name}"), texts);
        }
    }
}

#[test]
fn every_help_text() {
    let mut cli = Cli::command().term_width(100).version("0.0.0");
    cli.build();
    let mut texts = String::new();
    collect(&mut cli, "poc", &mut texts);
    insta::assert_snapshot!("help", texts);
}

#[test]
fn help_fits_a_narrow_terminal_and_has_no_loose_ends() {
    let mut cli = Cli::command().term_width(80);
    cli.build();
    let mut texts = String::new();
    collect(&mut cli, "poc", &mut texts);
    for line in texts.lines() {
        assert!(
            line.chars().count() <= 80 || line.starts_with("Usage:") || line.starts_with('$'),
            "{line}"
        );
    }
    for command in cli.get_subcommands() {
        assert!(
            command.get_about().is_some(),
            "{} has no description",
            command.get_name()
        );
        for arg in command.get_arguments() {
            assert!(
                arg.get_help().is_some(),
                "{} {} has no help",
                command.get_name(),
                arg.get_id()
            );
        }
    }
}
