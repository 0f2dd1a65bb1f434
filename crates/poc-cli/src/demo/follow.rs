//! Waiting for a job, with its rounds as they come.

use std::time::{Duration, Instant};

use poc_core::Cancel;
use poc_launch::admin::{AdminOps, Job, JobStatus};

use super::progress::{Round, Tail};
use crate::error::{CliError, ErrorCode};

/// How often the job's progress file is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How often the server is asked for the job.
const ASK: Duration = Duration::from_millis(300);

/// How long the server may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// What is told while the job runs.
pub(crate) enum News<'a> {
    /// NVFlare has another word for the job's state.
    Status(&'a JobStatus),
    /// A round has ended.
    Round(Round),
}

/// Waits until the job has ended, good or bad.
///
/// # Errors
///
/// When nothing at all is heard of it for as long as `patience`; when the server does not answer;
/// whatever `tell` returns; and when `cancel` is set.
pub(crate) fn follow(
    admin: &mut impl AdminOps,
    job: &str,
    progress: &mut Tail,
    patience: Duration,
    cancel: &Cancel,
    tell: &mut dyn FnMut(News<'_>) -> Result<(), CliError>,
) -> Result<Job, CliError> {
    let mut status: Option<JobStatus> = None;
    let mut last_asked: Option<Instant> = None;
    let mut last_news = Instant::now();
    loop {
        cancel.check()?;
        if last_asked.is_none_or(|at| at.elapsed() >= ASK) {
            let job = admin.job(job, ANSWER)?;
            last_asked = Some(Instant::now());
            if status.as_ref() != Some(&job.status) {
                last_news = Instant::now();
                tell(News::Status(&job.status))?;
                status = Some(job.status.clone());
            }
            if job.status.is_finished() {
                pass_on(progress, tell)?;
                return Ok(job);
            }
        }
        if pass_on(progress, tell)? {
            last_news = Instant::now();
        }
        if last_news.elapsed() >= patience {
            let seconds = patience.as_secs();
            return Err(CliError::new(
                ErrorCode::JobFailed,
                format!("nothing was heard of the job for {seconds} s"),
            ));
        }
        std::thread::sleep(LOOK);
    }
}

/// Tells the rounds that have ended since the last time, and whether there were any.
fn pass_on(
    progress: &mut Tail,
    tell: &mut dyn FnMut(News<'_>) -> Result<(), CliError>,
) -> Result<bool, CliError> {
    let rounds = progress.poll().map_err(poc_core::Error::from)?;
    let any = !rounds.is_empty();
    for round in rounds {
        tell(News::Round(round))?;
    }
    Ok(any)
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;
    use poc_launch::admin::Op;
    use serde_json::{Value, json};

    use super::*;
    use crate::demo::progress;

    /// A server whose job is in these states, one after the other, and that ends a round with each
    /// answer.
    struct Server {
        states: Vec<&'static str>,
        progress: Utf8PathBuf,
        answers: usize,
    }

    impl AdminOps for Server {
        fn call(&mut self, op: &Op, _: Duration) -> Result<Value, poc_launch::Error> {
            assert_eq!(
                *op,
                Op::Job {
                    job: "7".to_owned()
                }
            );
            let state = self.states[self.answers.min(self.states.len() - 1)];
            self.answers += 1;
            let line = json!({"round": self.answers, "rounds": 3, "global": 0.9, "sites": {}, "alone": {}});
            let before = fs_err::read_to_string(&self.progress).unwrap_or_default();
            fs_err::write(&self.progress, format!("{before}{line}\n")).unwrap();
            Ok(json!({"job_id": "7", "name": "poc-demo", "status": state}))
        }
    }

    fn heard(
        states: Vec<&'static str>,
        patience: Duration,
        cancel: &Cancel,
    ) -> (Vec<String>, Result<Job, CliError>) {
        let dir = tempfile::tempdir().unwrap();
        let file = Utf8PathBuf::try_from(dir.path().join(progress::FILE)).unwrap();
        let mut server = Server {
            states,
            progress: file.clone(),
            answers: 0,
        };
        let mut told = Vec::new();
        let result = follow(
            &mut server,
            "7",
            &mut Tail::new(file),
            patience,
            cancel,
            &mut |news| {
                told.push(match news {
                    News::Status(status) => status.to_string(),
                    News::Round(round) => format!("round {}", round.number),
                });
                Ok(())
            },
        );
        (told, result)
    }

    #[test]
    fn everything_is_told_once_and_in_order() {
        let states = vec!["SUBMITTED", "RUNNING", "RUNNING", "FINISHED:COMPLETED"];
        let (told, result) = heard(states, Duration::from_secs(60), &Cancel::new());
        assert!(result.unwrap().status.is_completed());
        assert_eq!(
            told,
            [
                "SUBMITTED",
                "round 1",
                "RUNNING",
                "round 2",
                "round 3",
                "FINISHED:COMPLETED",
                "round 4"
            ]
        );
    }

    #[test]
    fn silence_is_not_waited_out_for_ever() {
        let (told, result) = heard(vec!["SUBMITTED"], Duration::ZERO, &Cancel::new());
        let error = result.unwrap_err();
        assert_eq!(error.code(), ErrorCode::JobFailed);
        assert_eq!(error.message(), "nothing was heard of the job for 0 s");
        assert_eq!(told, ["SUBMITTED", "round 1"]);
    }

    #[test]
    fn an_interruption_ends_the_wait() {
        let cancel = Cancel::new();
        cancel.cancel();
        let (told, result) = heard(vec!["RUNNING"], Duration::from_secs(60), &cancel);
        assert_eq!(result.unwrap_err().code(), ErrorCode::Interrupted);
        assert!(told.is_empty());
    }
}
