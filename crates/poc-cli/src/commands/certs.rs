//! `poc certs`: who has which certificate until when; and new ones.

use camino::Utf8PathBuf;
use poc_core::workspace::Workspace;
use poc_provision::{Certificate, Certificates};
use serde::Serialize;

use crate::commands::{LOCK_WAIT, prepare};
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Look, Progress, Table, style, words};

/// From so many days before its end on, a certificate is warned about.
const SOON: i64 = 30;
const SECONDS_A_DAY: i64 = 86_400;

/// Arguments of `poc certs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Clone, Copy, Debug, clap::Subcommand)]
enum Action {
    /// Issue all certificates anew, the root included, with the same keys and names
    Renew,
}

/// How a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Valid,
    /// Not for much longer.
    Expiring,
    Expired,
    /// Not from this authority, say: see the problems.
    Broken,
}

#[derive(Debug, Serialize)]
struct One {
    name: String,
    /// `authority`, `server`, `client` or `admin`.
    role: String,
    org: Option<String>,
    admin_role: Option<String>,
    state: State,
    not_before: String,
    not_after: String,
    /// Whole days until it expires; negative when it has.
    days_left: i64,
    /// SHA-256, as OpenSSL shows it.
    fingerprint: String,
    file: Utf8PathBuf,
}

#[derive(Debug, Serialize)]
struct Problem {
    name: String,
    problem: String,
}

#[derive(Debug, Serialize)]
struct Data {
    workspace: Utf8PathBuf,
    certificates: Vec<One>,
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct RenewData {
    workspace: Utf8PathBuf,
    renewed: Vec<String>,
    /// RFC 3339.
    certificates_until: String,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    match args.action {
        None => list(context),
        Some(Action::Renew) => renew(context),
    }
}

fn list(context: &Context) -> Result<u8, CliError> {
    let prepared = context.prepared()?;
    let found = poc_provision::certificates(&prepared)?;
    let data = data(prepared.workspace.root().to_owned(), found);
    for warning in warnings(&data) {
        context.printer.warning(&warning);
    }
    let width = context.printer.width();
    context.printer.result(&data, |data| text(data, width))?;
    Ok(0)
}

fn renew(context: &Context) -> Result<u8, CliError> {
    let settings = context.settings()?;
    let workspace = Workspace::new(&settings.workspace.value);
    workspace.load()?;
    let lock = workspace.lock(LOCK_WAIT)?;
    let prepared = workspace.load()?;
    // Who runs would go on with the old ones, and a job of theirs begin with the new: both would be
    // good, but which is in use could not be told.
    prepare::refuse_running(&prepared)
        .map_err(|error| error.hint("then `poc certs renew` and `poc start`"))?;
    let renewed = {
        let _progress = Progress::spinner(&context.printer, "issuing certificates");
        poc_provision::renew_certificates(&prepared, &context.cancel, &lock)?
    };
    let data = RenewData {
        workspace: workspace.root().to_owned(),
        renewed: renewed.names,
        certificates_until: renewed.until,
    };
    context.printer.result(&data, |data| {
        format!(
            "{} Renewed the certificates of the authority, {}\n\n  valid until {}; keys and names are the old ones, and kits that were copied elsewhere go on working\n  until their own certificates expire\n\nNext: {}\n",
            style::good("✓"),
            words::list(&data.renewed),
            words::day(&data.certificates_until),
            style::literal("`poc start`"),
        )
    })?;
    Ok(0)
}

fn data(workspace: Utf8PathBuf, found: Certificates) -> Data {
    let problems: Vec<Problem> = found
        .flaws
        .iter()
        .map(|flaw| Problem {
            name: flaw.name.clone(),
            problem: flaw.kind.to_string(),
        })
        .collect();
    let one = |certificate: Certificate| {
        let broken = problems.iter().any(|it| it.name == certificate.name);
        let days_left = certificate.seconds_left.div_euclid(SECONDS_A_DAY);
        One {
            state: match days_left {
                _ if broken && certificate.role.is_some() => State::Broken,
                ..0 => State::Expired,
                0..SOON => State::Expiring,
                _ => State::Valid,
            },
            role: certificate
                .role
                .map_or_else(|| "authority".to_owned(), |role| role.to_string()),
            name: certificate.name,
            org: certificate.org,
            admin_role: certificate.admin_role,
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            days_left,
            fingerprint: certificate.fingerprint,
            file: certificate.file,
        }
    };
    let all = std::iter::once(found.authority).chain(found.issued);
    Data {
        workspace,
        certificates: all.map(one).collect(),
        problems,
    }
}

/// What the user should do something about.
fn warnings(data: &Data) -> Vec<String> {
    let names = |state: State| -> Vec<&str> {
        let all = data.certificates.iter().filter(|it| it.state == state);
        all.map(|it| it.name.as_str()).collect()
    };
    let mut warnings = Vec::new();
    for (state, what) in [
        (State::Expired, "have expired".to_owned()),
        (State::Expiring, format!("expire within {SOON} days")),
    ] {
        let names = names(state);
        if !names.is_empty() {
            warnings.push(format!(
                "the certificates of {} {what}; `poc certs renew` makes new ones",
                words::list(&names)
            ));
        }
    }
    let problems = data.problems.iter();
    warnings.extend(problems.map(|problem| format!("{}: {}", problem.name, problem.problem)));
    warnings
}

fn text(data: &Data, width: Option<u16>) -> String {
    let mut table = Table::new(
        &[
            "name",
            "role",
            "state",
            "valid until",
            "days",
            "SHA-256 fingerprint",
        ],
        width,
    );
    for one in &data.certificates {
        let look = match one.state {
            State::Valid => Look::Good,
            State::Expiring => Look::Doubtful,
            State::Expired | State::Broken => Look::Bad,
        };
        let state = match one.state {
            State::Valid => "valid",
            State::Expiring => "expiring",
            State::Expired => "expired",
            State::Broken => "broken",
        };
        // As long as needed to tell them apart; programs get all of it.
        let fingerprint = one.fingerprint.get(..23).unwrap_or(&one.fingerprint);
        table.styled_row([
            (one.name.clone(), Look::Plain),
            (
                one.admin_role.clone().unwrap_or_else(|| one.role.clone()),
                Look::Plain,
            ),
            (state.to_owned(), look),
            (words::day(&one.not_after).to_owned(), Look::Plain),
            (one.days_left.to_string(), Look::Plain),
            (format!("{fingerprint}…"), Look::Dim),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use poc_core::project::Role;
    use poc_provision::{Flaw, FlawKind};

    fn certificate(name: &str, role: Option<Role>, days: i64) -> Certificate {
        Certificate {
            name: name.to_owned(),
            role,
            org: role.map(|_| "nvidia".to_owned()),
            admin_role: (role == Some(Role::Admin)).then(|| "lead".to_owned()),
            not_before: "2026-11-24T12:00:00Z".to_owned(),
            not_after: "2027-11-19T12:00:00Z".to_owned(),
            seconds_left: days * SECONDS_A_DAY + 60,
            fingerprint: "5F:1C:00:A2:".repeat(8).trim_end_matches(':').to_owned(),
            file: format!("/w/{name}.crt").into(),
        }
    }

    #[test]
    fn ages_and_flaws() {
        let found = Certificates {
            authority: certificate("example_project", None, 359),
            issued: vec![
                certificate("server", Some(Role::Server), 29),
                certificate("lead@nvidia.com", Some(Role::Admin), -1),
                certificate("site-1", Some(Role::Client), 359),
            ],
            flaws: vec![Flaw {
                name: "site-1".to_owned(),
                kind: FlawKind::OtherRoot,
            }],
        };
        let data = data("/w".into(), found);
        let shown = text(&data, None) + &warnings(&data).join("\n");
        insta::assert_snapshot!(anstream::adapter::strip_str(&shown).to_string(), @r"
        name             role       state     valid until  days  SHA-256 fingerprint
        example_project  authority  valid     2027-11-19   359   5F:1C:00:A2:5F:1C:00:A2…
        server           server     expiring  2027-11-19   29    5F:1C:00:A2:5F:1C:00:A2…
        lead@nvidia.com  lead       expired   2027-11-19   -1    5F:1C:00:A2:5F:1C:00:A2…
        site-1           client     broken    2027-11-19   359   5F:1C:00:A2:5F:1C:00:A2…
        the certificates of lead@nvidia.com have expired; `poc certs renew` makes new ones
        the certificates of server expire within 30 days; `poc certs renew` makes new ones
        site-1: the kit trusts another certificate authority
        ");
        insta::assert_json_snapshot!(data.certificates[2], @r#"
        {
          "name": "lead@nvidia.com",
          "role": "admin",
          "org": "nvidia",
          "admin_role": "lead",
          "state": "expired",
          "not_before": "2026-11-24T12:00:00Z",
          "not_after": "2027-11-19T12:00:00Z",
          "days_left": -1,
          "fingerprint": "5F:1C:00:A2:5F:1C:00:A2:5F:1C:00:A2:5F:1C:00:A2:5F:1C:00:A2:5F:1C:00:A2:5F:1C:00:A2:5F:1C:00:A2",
          "file": "/w/lead@nvidia.com.crt"
        }
        "#);
    }
}
