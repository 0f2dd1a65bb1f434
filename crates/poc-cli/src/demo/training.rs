//! The way from an empty workspace to a result.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::{fsio, project::Project};
use poc_launch::admin::{AdminOps, Job};
use poc_launch::runtime::managed;

use super::data::{self, DataSet};
use super::failure::job_failed;
use super::follow::{News, follow};
use super::job;
use super::model::GlobalModel;
use super::outcome::{self, Training};
use super::poc::Poc;
use super::progress::{self, Round, Tail};
use super::show::{self, RoundTable};
use super::split::Split;
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::Progress;

/// How long the server may take for a job that is submitted or downloaded.
const TRANSFER: Duration = Duration::from_secs(60);

/// How long nothing may be heard of the job.
const PATIENCE: Duration = Duration::from_secs(60);

/// And how much longer for each site, whose process has to start.
const PATIENCE_PER_SITE: Duration = Duration::from_secs(5);

/// The folder in the user's data directory where results stay.
const RESULTS_DIR: &str = "demo";

/// How much is to be trained.
pub(crate) struct Size {
    pub(crate) sites: u32,
    pub(crate) rounds: u32,
}

/// Prepares and starts the POC, runs the job and measures what it made. Whatever comes of it,
/// tearing the POC down is the caller's.
///
/// # Errors
///
/// Whatever kept the job from being completed, and when its result is not what it should be.
pub(crate) fn train(
    context: &Context,
    poc: &mut Poc<'_>,
    size: &Size,
) -> Result<Training, CliError> {
    let data = DataSet::bundled().map_err(|error| {
        CliError::new(ErrorCode::Internal, "the bundled data cannot be read").because(error)
    })?;
    let sites = Project::default_client_names(size.sites);
    let split = Split::new(&data.labels(), sites.len());
    if context.printer.is_for_people() {
        context.printer.note(&show::introduction(&split));
    }

    poc.prepare(&sites)?;
    let folder = poc.transfer_dir()?.join(job::NAME);
    data.lay_out(&split, &sites, &poc.data_dir())
        .and_then(|()| job::write(&folder, sites.len(), size.rounds, &poc.data_dir()))
        .map_err(poc_core::Error::from)?;
    poc.start()?;

    let ran = run_job(context, poc, &folder, &sites)?;
    let right = count_right(&data, &split, &ran.files.join(job::MODEL_FILE))?;
    let kept = keep(context, &ran.files, &data.to_csv(&split.held_out))?;
    outcome::gather(&ran.job, ran.rounds, &data, &split, &sites, right, kept)
}

/// A job that NVFlare has completed.
struct Ran {
    job: Job,
    rounds: Vec<Round>,
    /// What its server process left, downloaded.
    files: Utf8PathBuf,
}

fn run_job(
    context: &Context,
    poc: &Poc<'_>,
    folder: &Utf8Path,
    sites: &[String],
) -> Result<Ran, CliError> {
    let mut display = Display::new(context, sites);
    let mut admin = poc.admin()?;
    context.cancel.check()?;
    let id = admin.submit(folder, TRANSFER)?;
    context.printer.debug(&format!("submitted job {id}"));

    let mut tail = Tail::new(poc.run_dir(&id)?.join(progress::FILE));
    let patience = PATIENCE + sites.iter().map(|_| PATIENCE_PER_SITE).sum::<Duration>();
    let job = follow(
        &mut admin,
        &id,
        &mut tail,
        patience,
        &context.cancel,
        &mut |news| display.show(news),
    )?;

    let result = admin.download(&id, None, TRANSFER);
    if !job.status.is_completed() {
        let result = result.ok();
        return Err(job_failed(&job, &poc.sites()?, result.as_deref()));
    }
    let files = result?.join("workspace");
    // What was read while the job ran is for the eye. The whole story is in its result.
    let report = fs_err::read(files.join(progress::FILE)).map_err(poc_core::Error::from)?;
    let rounds = progress::parse(&report).map_err(poc_core::Error::from)?;
    display.catch_up(&rounds)?;
    Ok(Ran { job, rounds, files })
}

/// A spinner while nothing can be seen of the job, and the table of its rounds.
struct Display<'a> {
    context: &'a Context,
    table: RoundTable<'a>,
    spinner: Option<Progress<'a>>,
    rounds_shown: usize,
}

impl<'a> Display<'a> {
    fn new(context: &'a Context, sites: &'a [String]) -> Self {
        Self {
            context,
            table: RoundTable::new(sites, context.printer.width()),
            spinner: Some(Progress::spinner(&context.printer, "submitting the job")),
            rounds_shown: 0,
        }
    }

    fn show(&mut self, news: News<'_>) -> Result<(), CliError> {
        match news {
            News::Round(round) => self.round(&round),
            News::Status(status) => {
                self.context.printer.debug(&format!("job is {status}"));
                if let (0, Some(spinner)) = (self.rounds_shown, &self.spinner) {
                    spinner.say(format!("waiting for the job's first round ({status})"));
                }
                Ok(())
            }
        }
    }

    /// A line for the round, on stdout; where that is for programs, on stderr.
    fn round(&mut self, round: &Round) -> Result<(), CliError> {
        let printer = &self.context.printer;
        let is_last = round.number == round.total;
        // Off before a line is printed: the spinner has one of its own.
        self.spinner = None;
        let header = if self.rounds_shown == 0 {
            self.table.header()
        } else {
            String::new()
        };
        self.rounds_shown += 1;
        let text = header + &self.table.row(round);
        if printer.is_for_people() {
            printer.text(&text)?;
        } else {
            printer.note(text.trim_end());
        }
        if is_last {
            self.spinner = Some(Progress::spinner(printer, "NVFlare ends the job"));
        }
        Ok(())
    }

    /// Rounds that came too late to be seen while the job ran.
    fn catch_up(&mut self, rounds: &[Round]) -> Result<(), CliError> {
        for round in rounds.iter().skip(self.rounds_shown) {
            self.round(round)?;
        }
        Ok(())
    }
}

/// How many of the held-out records the downloaded model has right.
fn count_right(data: &DataSet<'_>, split: &Split, model: &Utf8Path) -> Result<usize, CliError> {
    let text = fs_err::read_to_string(model).map_err(poc_core::Error::from)?;
    let model = GlobalModel::parse(&text, &data.feature_names()).map_err(|error| {
        CliError::new(ErrorCode::JobFailed, "the job's model cannot be used").because(error)
    })?;
    Ok(model.count_right(data.select(&split.held_out)))
}

/// Keeps what anybody needs to measure the model again, where it outlasts the workspace.
fn keep(
    context: &Context,
    files: &Utf8Path,
    held_out: &str,
) -> Result<outcome::ResultFiles, CliError> {
    let directory = managed::data_dir(&context.env)?.join(RESULTS_DIR);
    let kept = outcome::ResultFiles {
        model: directory.join(job::MODEL_FILE),
        held_out: directory.join(data::HELD_OUT_FILE),
    };
    fs_err::read(files.join(job::MODEL_FILE))
        .and_then(|model| {
            fsio::create_dir_private(&directory)?;
            fsio::write_atomic(&kept.model, &model, 0o600)?;
            fsio::write_atomic(&kept.held_out, held_out.as_bytes(), 0o600)
        })
        .map_err(poc_core::Error::from)?;
    Ok(kept)
}
