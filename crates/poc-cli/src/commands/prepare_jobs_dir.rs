//! `poc prepare-jobs-dir`: jobs where the project admin's console looks for them.

use camino::Utf8PathBuf;
use poc_core::env;
use poc_core::settings::Overrides;
use poc_launch::{Federation, PocState};
use serde::Serialize;

use crate::context::{Context, prepared_in};
use crate::error::{CliError, ErrorCode};
use crate::output::style;

/// Arguments of `poc prepare-jobs-dir`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory with jobs [default: the examples of $NVFLARE_HOME]
    #[arg(short = 'j', long, value_name = "DIR")]
    jobs_dir: Option<Utf8PathBuf>,

    /// Set aside what the admin's transfer directory holds
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Data {
    admin: String,
    transfer: Utf8PathBuf,
    jobs_dir: Utf8PathBuf,
    /// Where the files are that the transfer directory held.
    set_aside: Option<Utf8PathBuf>,
    #[serde(skip)]
    runs: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let overrides = Overrides {
        jobs_dir: args.jobs_dir.clone(),
        ..Overrides::default()
    };
    let settings = context.settings_with(overrides)?;
    let prepared = prepared_in(&settings)?;
    let Some(jobs) = &settings.examples else {
        return Err(
            CliError::new(ErrorCode::InvalidArgs, "no directory with jobs is given")
                .hint("name one with `-j DIR`")
                .hint(format!(
                    "or set {} to a checkout of NVFlare, whose `examples` are then linked",
                    env::NVFLARE_HOME.name
                )),
        );
    };
    let kit = prepared.project_admin_kit();
    let linked = poc_provision::link_jobs_dir(&kit, &jobs.value, args.force)?;
    let data = Data {
        admin: kit.name.clone(),
        transfer: linked.transfer,
        jobs_dir: linked.target,
        set_aside: linked.set_aside,
        runs: Federation::open(&prepared)
            .status()
            .is_ok_and(|status| status.state != PocState::Stopped),
    };
    context.printer.result(&data, text)?;
    Ok(0)
}

fn text(data: &Data) -> String {
    let mut text = format!(
        "{} {} sees {} as its transfer directory\n",
        style::good("✓"),
        data.admin,
        style::literal(&data.jobs_dir)
    );
    if let Some(set_aside) = &data.set_aside {
        text += &format!("  what was in it is in {}\n", style::literal(set_aside));
    }
    text += &if data.runs {
        "\nNext: submit a job by its path in there\n".to_owned()
    } else {
        format!(
            "\nNext: {}, then submit a job by its path in there\n",
            style::literal("`poc start`")
        )
    };
    text
}
