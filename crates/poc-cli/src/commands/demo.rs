//! `poc demo`: the main job, end to end, in a workspace of its own.

use std::time::Instant;

use camino::Utf8Path;
use poc_core::settings::Settings;
use poc_launch::runtime::{self, Runtime, managed};

use crate::commands::runtime::install;
use crate::context::Context;
use crate::demo::outcome::{Outcome, Training};
use crate::demo::poc::{LINE, Poc};
use crate::demo::show::comparison;
use crate::demo::split::MAX_SITES;
use crate::demo::{Size, train};
use crate::error::{CliError, ErrorCode};
use crate::output::{style, words};

/// The licence of the data asks for it (see `demo/data/README.md`).
const CREDIT: &str = "Data: Breast Cancer Wisconsin (Diagnostic) by W. Wolberg, O. Mangasarian, \
    N. Street and W. Street, UCI Machine Learning Repository, \
    https://doi.org/10.24432/C5DW2B, CC BY 4.0";

/// Arguments of `poc demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = CREDIT)]
pub(crate) struct Args {
    /// How many sites train, each on records of its own
    #[arg(long, value_name = "N", default_value_t = 3, allow_negative_numbers = true,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SITES)))]
    sites: u32,

    /// How many rounds of federated averaging
    #[arg(long, value_name = "N", default_value_t = 10, allow_negative_numbers = true,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    /// Leave everything running at the end, and say how to look at it and how to stop it
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let began = Instant::now();
    let settings = context.settings()?;
    let runtime = find_runtime(context, &settings)?;
    let mut poc = Poc::create(context, &settings, &runtime)?;
    let size = Size {
        sites: args.sites,
        rounds: args.rounds,
    };
    let trained = train(context, &mut poc, &size);

    let workspace = poc.root().to_owned();
    let kept = args.keep && is_worth_a_look(&trained);
    let torn_down = if kept { Ok(()) } else { poc.tear_down() };
    let training = match (trained, torn_down) {
        (Ok(training), Ok(())) => training,
        (Ok(_), Err(left)) => return Err(left),
        (Err(error), Ok(())) => return Err(advised(error, kept, &workspace)),
        (Err(error), Err(left)) => {
            context.printer.warning(&left.full_message());
            return Err(error);
        }
    };

    let outcome = Outcome {
        training,
        workspace,
        kept,
        flare_version: runtime.flare_version.to_string(),
        duration_s: began.elapsed().as_secs_f64(),
    };
    let bars = context.printer.width().is_some();
    context.printer.result(&outcome, |outcome| {
        comparison(&outcome.training, bars) + &closing(outcome, &|path| context.short(path))
    })?;
    Ok(0)
}

/// Whether `--keep` means this one as well: there is a job, good or bad. What could not be started, or
/// was interrupted, goes.
fn is_worth_a_look(trained: &Result<Training, CliError>) -> bool {
    trained
        .as_ref()
        .err()
        .is_none_or(|error| error.code() == ErrorCode::JobFailed)
}

/// A Python with the NVFlare that the job is written for, installed where there is none.
///
/// # Errors
///
/// For a Python that the user named and that does not work; when none can be installed.
fn find_runtime(context: &Context, settings: &Settings) -> Result<Runtime, CliError> {
    let data_dir = managed::data_dir(&context.env)?;
    let named = settings.python.as_ref();
    let found = match runtime::find(Some(LINE), named, &context.env, &data_dir) {
        // The user's own POC is for another NVFlare. The demo leaves both alone and looks further.
        Err(poc_launch::Error::RuntimeMismatch { .. }) => {
            runtime::find(Some(LINE), None, &context.env, &data_dir)
        }
        found => found,
    };
    match found {
        Err(poc_launch::Error::RuntimeMissing { .. }) => {
            context.printer.note(&format!(
                "No Python with NVFlare {LINE} was found: installing one"
            ));
            install(context, Some(&LINE.to_string()))
        }
        found => Ok(found?),
    }
}

/// What is left of the demo, and what is not.
fn closing(outcome: &Outcome, short: &dyn Fn(&Utf8Path) -> String) -> String {
    let job = &outcome.training.job;
    let mut text = format!(
        "\n{} NVFlare {} says {} of job {}; all of it took {}\n",
        style::good("✓"),
        outcome.flare_version,
        job.status,
        job.id,
        words::seconds(outcome.duration_s)
    );
    let files = &outcome.training.result;
    for (what, file) in [
        ("global model", &files.model),
        ("held-out records", &files.held_out),
    ] {
        text += &line(what, 18, short(file));
    }
    if !outcome.kept {
        return text + "  Every process has ended, and the workspace is gone.\n";
    }
    text += "\nIt goes on running.\n";
    let workspace = quoted(&outcome.workspace);
    for (what, command) in [
        ("Look at it", "status"),
        ("Read along", "logs -f"),
        ("Open the FLARE console", "start -p admin@nvidia.com"),
        ("Stop and remove it", "down --clean"),
    ] {
        text += &line(what, 24, format!("poc --workspace {workspace} {command}"));
    }
    text
}

/// An indented line with something to copy at its end.
fn line(what: &str, width: usize, literal: String) -> String {
    format!("  {what:<width$}{}\n", style::literal(literal))
}

/// The error with how to look at what failed.
fn advised(error: CliError, kept: bool, workspace: &Utf8Path) -> CliError {
    if kept {
        let poc = format!("poc --workspace {}", quoted(workspace));
        return error.hint(format!(
            "it is still running: look with `{poc} logs`, end it with `{poc} down --clean`"
        ));
    }
    if error.code() == ErrorCode::JobFailed {
        return error.hint("`poc demo --keep` leaves everything in place, to be looked at");
    }
    error
}

/// A path as one can paste it into a shell.
fn quoted(path: &Utf8Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
    if path.as_str().bytes().all(plain) {
        path.to_string()
    } else {
        format!("'{}'", path.as_str().replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::demo::outcome::sample;

    #[derive(Debug, clap::Parser)]
    struct Typed {
        #[command(flatten)]
        args: Args,
    }

    fn closed(kept: bool) -> String {
        let outcome = Outcome {
            training: sample(0.976, &[0.947, 0.935]),
            workspace: "/tmp/a place/poc-demo-x".into(),
            kept,
            flare_version: "2.9.0".to_owned(),
            duration_s: 25.4,
        };
        let text = closing(&outcome, &|path| path.as_str().replace("/home/me", "~"));
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn the_end_says_what_is_left() {
        insta::assert_snapshot!(closed(false), @r"
        ✓ NVFlare 2.9.0 says FINISHED:COMPLETED of job ccfe3c1d; all of it took 25 s
          global model      ~/.local/share/poc/demo/global-model.json
          held-out records  ~/.local/share/poc/demo/held-out.csv
          Every process has ended, and the workspace is gone.
        ");
        insta::assert_snapshot!(closed(true), @r"
        ✓ NVFlare 2.9.0 says FINISHED:COMPLETED of job ccfe3c1d; all of it took 25 s
          global model      ~/.local/share/poc/demo/global-model.json
          held-out records  ~/.local/share/poc/demo/held-out.csv

        It goes on running.
          Look at it              poc --workspace '/tmp/a place/poc-demo-x' status
          Read along              poc --workspace '/tmp/a place/poc-demo-x' logs -f
          Open the FLARE console  poc --workspace '/tmp/a place/poc-demo-x' start -p admin@nvidia.com
          Stop and remove it      poc --workspace '/tmp/a place/poc-demo-x' down --clean
        ");
    }

    #[test]
    fn numbers_that_cannot_be() {
        for wrong in [
            "--sites=0",
            "--sites=33",
            "--sites=-3",
            "--sites=x",
            "--rounds=0",
            "--rounds=1001",
            "--rounds=99999999999",
        ] {
            assert!(Typed::try_parse_from(["demo", wrong]).is_err(), "{wrong}");
        }
        let args = Typed::try_parse_from(["demo"]).unwrap().args;
        assert_eq!((args.sites, args.rounds, args.keep), (3, 10, false));
    }

    #[test]
    fn paths_can_be_pasted() {
        assert_eq!(
            quoted(Utf8Path::new("/tmp/poc-demo-1_x.y")),
            "/tmp/poc-demo-1_x.y"
        );
        assert_eq!(
            quoted(Utf8Path::new("/tmp/it's $HOME")),
            r"'/tmp/it'\''s $HOME'"
        );
    }
}
