//! `poc doctor`: what `poc` needs on this machine, each finding with its remedy.

use poc_core::Hint;
use poc_core::settings::Settings;
use poc_core::workspace::{Prepared, Recognised, Workspace};
use poc_launch::{Federation, PocState, kit_check, ports, runtime};
use serde::Serialize;

use crate::commands::gpus;
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::{style, words};
use crate::setting::Setting;

/// Arguments of `poc doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Good,
    /// `poc` works, but something may surprise.
    Warning,
    /// `poc` will not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    message: String,
    hint: Option<String>,
}

impl Finding {
    fn good(check: &'static str, message: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Good,
            message: message.into(),
            hint: None,
        }
    }

    fn warning(check: &'static str, message: impl Into<String>, hint: Option<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Warning,
            message: message.into(),
            hint,
        }
    }

    fn problem(check: &'static str, error: &CliError) -> Self {
        Self {
            check,
            verdict: Verdict::Problem,
            message: error.full_message(),
            hint: error.hints().first().map(|hint| (*hint).to_owned()),
        }
    }
}

#[derive(Serialize)]
struct Data {
    findings: Vec<Finding>,
}

pub(crate) fn run(context: &Context, _args: &Args) -> Result<u8, CliError> {
    let mut findings = Vec::new();
    match context.settings() {
        Ok(settings) => {
            findings.push(Finding::good("config.conf", config_file(&settings)));
            findings.push(python(context, &settings));
            findings.extend(workspace(&settings));
        }
        Err(error) => findings.push(Finding::problem("config.conf", &error)),
    }
    findings.extend(graphics(context));
    let data = Data { findings };
    let problems = data
        .findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Problem)
        .count();
    if problems == 0 || context.printer.is_for_people() {
        context.printer.result(&data, text)?;
    }
    if problems == 0 {
        return Ok(0);
    }
    Err(CliError::new(
        ErrorCode::ProblemsFound,
        format!("{} found", words::count(problems, "problem")),
    )
    .with_data(&data))
}

fn config_file(settings: &Settings) -> String {
    let path = &settings.config_path;
    if path.exists() {
        path.to_string()
    } else {
        format!("{path}: not there yet (`poc prepare` writes it)")
    }
}

fn python(context: &Context, settings: &Settings) -> Finding {
    let found = runtime::managed::data_dir(&context.env).and_then(|data_dir| {
        runtime::find(None, settings.python.as_ref(), &context.env, &data_dir)
    });
    match found {
        Ok(found) => Finding::good(
            "python",
            format!(
                "{} with NVFlare {} ({})",
                found.python,
                found.flare_version,
                Setting::from(&found).origin()
            ),
        ),
        Err(error) => {
            // Not having one yet is no fault: `poc demo` and `poc up` install it.
            let hint = error.hints().into_iter().next();
            match error {
                poc_launch::Error::RuntimeMissing { .. } => {
                    Finding::warning("python", error.to_string(), hint)
                }
                error => Finding::problem("python", &error.into()),
            }
        }
    }
}

fn workspace(settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "workspace";
    let workspace = Workspace::new(&settings.workspace.value);
    let root = workspace.root();
    match workspace.recognise() {
        Err(error) | Ok(Recognised::Broken { error }) => {
            vec![Finding::problem(CHECK, &error.into())]
        }
        Ok(Recognised::Absent | Recognised::Empty) => {
            vec![Finding::good(
                CHECK,
                format!("{root}: nothing prepared yet (`poc prepare`)"),
            )]
        }
        Ok(Recognised::Foreign { reason }) => {
            let error = poc_core::Error::Foreign {
                workspace: root.to_owned(),
                reason,
            };
            vec![Finding::problem(CHECK, &error.into())]
        }
        Ok(Recognised::Poc(prepared)) => prepared_poc(&prepared),
    }
}

fn prepared_poc(prepared: &Prepared) -> Vec<Finding> {
    let root = prepared.workspace.root();
    let status = match Federation::open(prepared).status() {
        Ok(status) => status,
        Err(error) => return vec![Finding::problem("workspace", &error.into())],
    };
    let state = status.state;
    let mut findings = vec![Finding::good(
        "workspace",
        format!(
            "{root}: {} is prepared, and {}",
            prepared.project.name,
            match state {
                PocState::Running => "running",
                PocState::Partial => "partly running",
                PocState::Stopped => "not running",
            }
        ),
    )];
    for warning in status.warnings {
        findings.push(Finding::warning("workspace", warning, None));
    }
    findings.extend(kits(prepared));
    if state == PocState::Stopped {
        findings.extend(server_ports(prepared));
    }
    findings
}

/// Whether NVFlare finds in the startup kits what it needs.
fn kits(prepared: &Prepared) -> Vec<Finding> {
    const CHECK: &str = "kits";
    let damages = kit_check::damages(prepared);
    if damages.is_empty() {
        let whole = format!("{} whole", words::are(prepared.kits().len(), "startup kit"));
        return vec![Finding::good(CHECK, whole)];
    }
    damages
        .into_iter()
        .map(|error| Finding::problem(CHECK, &error.into()))
        .collect()
}

/// Whether the server would find its ports free.
fn server_ports(prepared: &Prepared) -> Vec<Finding> {
    const CHECK: &str = "ports";
    let project = &prepared.project;
    let mut wanted = vec![project.fed_learn_port()];
    wanted.extend(prepared.line.map(|line| project.admin_port(line)));
    wanted.dedup();
    wanted
        .into_iter()
        .map(|port| match ports::holder(port) {
            Ok(None) => Finding::good(CHECK, format!("{port} is free")),
            Ok(Some(holder)) => Finding::warning(
                CHECK,
                format!("{port} is taken by {holder}"),
                Some(
                    "end that process, or take other ports with `poc prepare --force --ports auto`"
                        .to_owned(),
                ),
            ),
            Err(error) => Finding::problem(CHECK, &error.into()),
        })
        .collect()
}

fn graphics(context: &Context) -> Vec<Finding> {
    const CHECK: &str = "gpu";
    let host = gpus::host(context);
    let hint = host.hint().map(str::to_owned);
    let warnings = host.warnings();
    if !warnings.is_empty() {
        return warnings
            .into_iter()
            .map(|warning| Finding::warning(CHECK, warning, hint.clone()))
            .collect();
    }
    vec![match host.devices() {
        [] => Finding::good(CHECK, "none: sites train on the CPU"),
        devices => Finding::good(
            CHECK,
            devices
                .iter()
                .map(|device| device.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        ),
    }]
}

fn text(data: &Data) -> String {
    let mut text = String::new();
    for finding in &data.findings {
        let mark = match finding.verdict {
            Verdict::Good => style::good("✓"),
            Verdict::Warning => style::doubtful("!"),
            Verdict::Problem => style::bad("✗"),
        };
        text += &format!("{mark} {:<12} {}\n", finding.check, finding.message);
        if let Some(hint) = &finding.hint {
            text += &format!("{:15}{} {hint}\n", "", style::literal("hint:"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_with_their_remedies() {
        let error = CliError::new(ErrorCode::ConfigInvalid, "line 3: a quote is missing")
            .hint("correct that line");
        let data = Data {
            findings: vec![
                Finding::problem("config.conf", &error),
                Finding::good("gpu", "none: sites train on the CPU"),
                Finding::warning(
                    "ports",
                    "8002 is taken by python3 (PID 4711)",
                    Some("end it".to_owned()),
                ),
            ],
        };
        insta::assert_snapshot!(anstream::adapter::strip_str(&text(&data)), @r"
        ✗ config.conf  line 3: a quote is missing
                       hint: correct that line
        ✓ gpu          none: sites train on the CPU
        ! ports        8002 is taken by python3 (PID 4711)
                       hint: end it
        ");
    }
}
