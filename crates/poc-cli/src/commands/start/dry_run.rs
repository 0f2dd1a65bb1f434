//! `poc start --dry-run`: the launch plan, to read and to compare.

use std::fmt::Write as _;

use camino::Utf8PathBuf;
use poc_launch::plan::{LaunchPlan, ParticipantPlan};
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::output::{GpuRef, style};

#[derive(Serialize)]
struct Data<'a> {
    workspace: Utf8PathBuf,
    project: &'a str,
    server_address: &'a str,
    admin_address: &'a str,
    python: Utf8PathBuf,
    flare_version: &'a str,
    participants: Vec<Participant<'a>>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Participant<'a> {
    name: &'a str,
    role: String,
    argv: &'a [String],
    /// Variables set on top of the inherited ones.
    environment: &'a std::collections::BTreeMap<String, String>,
    /// Variables taken out of the inherited ones.
    unset: &'a [String],
    directory: Utf8PathBuf,
    log: Utf8PathBuf,
    gpus: Vec<GpuRef>,
}

impl<'a> From<&'a ParticipantPlan> for Participant<'a> {
    fn from(plan: &'a ParticipantPlan) -> Self {
        Self {
            name: &plan.name,
            role: plan.role.to_string(),
            argv: &plan.argv,
            environment: &plan.environment,
            unset: &plan.unset,
            directory: plan.directory.clone(),
            log: plan.log.clone(),
            gpus: GpuRef::all(&plan.gpus),
        }
    }
}

/// Shows what would be started.
pub(super) fn print(
    context: &Context,
    plan: &LaunchPlan,
    warnings: &[String],
) -> Result<u8, CliError> {
    for warning in warnings {
        context.printer.warning(warning);
    }
    let data = Data {
        workspace: plan.workspace.clone(),
        project: &plan.project,
        server_address: &plan.server_address,
        admin_address: &plan.admin_address,
        python: plan.python.clone(),
        flare_version: &plan.flare_version,
        participants: plan.participants.iter().map(Participant::from).collect(),
        warnings,
    };
    context
        .printer
        .result(&data, |data| data.participants.iter().map(text).collect())?;
    Ok(0)
}

/// Shows which console would be opened.
pub(super) fn print_console(context: &Context, plan: &ParticipantPlan) -> Result<u8, CliError> {
    context.printer.result(&Participant::from(plan), text)?;
    Ok(0)
}

/// A participant as lines that a shell understands.
fn text(participant: &Participant<'_>) -> String {
    let mut text = format!(
        "{}\n",
        style::strong(format_args!(
            "# {} ({})",
            participant.name, participant.role
        ))
    );
    // Writing to a String cannot fail.
    let _ = writeln!(text, "cd {}", quoted(participant.directory.as_str()));
    if !participant.unset.is_empty() {
        let _ = writeln!(text, "unset {}", participant.unset.join(" "));
    }
    let variables = participant
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={}", quoted(value)));
    let words = participant.argv.iter().map(|word| quoted(word));
    let _ = writeln!(
        text,
        "{}\n",
        variables.chain(words).collect::<Vec<_>>().join(" ")
    );
    text
}

/// The word as a POSIX shell takes it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '/' | '.' | '-' | '_' | '=' | ':' | ',' | '@' | '+' | '%')
    };
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_participant_can_be_pasted_into_a_shell() {
        let argv = [
            "/opt/my venv/bin/python",
            "-u",
            "-m",
            "nvflare.x",
            "-m",
            "/tmp/poc/it's/site-1",
        ]
        .map(str::to_owned);
        let environment = [
            ("CUDA_VISIBLE_DEVICES", ""),
            ("PYTHONPATH", "/local/custom:"),
        ];
        let environment = environment
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let participant = Participant {
            name: "site-1",
            role: "client".into(),
            argv: &argv,
            environment: &environment,
            unset: &["NVFL_WORKSPACE".to_owned()],
            directory: "/tmp/poc/it's/site-1".into(),
            log: "/tmp/poc/it's/site-1/poc_console.log".into(),
            gpus: vec![],
        };
        insta::assert_snapshot!(anstream::adapter::strip_str(&text(&participant)), @r"
        # site-1 (client)
        cd '/tmp/poc/it'\''s/site-1'
        unset NVFL_WORKSPACE
        CUDA_VISIBLE_DEVICES='' PYTHONPATH=/local/custom: '/opt/my venv/bin/python' -u -m nvflare.x -m '/tmp/poc/it'\''s/site-1'
        ");
    }

    proptest! {
        #[test]
        fn a_shell_reads_back_what_was_quoted(word in "[^\\x00]{0,20}") {
            let output = std::process::Command::new("sh").arg("-c").arg(format!("printf %s {}", quoted(&word))).output();
            prop_assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), word);
        }
    }
}
