//! Why a job failed, by its own logs.

use std::io::Read as _;

use camino::Utf8Path;
use poc_core::workspace::Kit;
use poc_launch::admin;
use poc_launch::logs::{self, Reason};
use serde::Serialize;

use super::outcome::Job;
use crate::error::{CliError, ErrorCode};

/// What NVFlare calls the log of a job process that has errors alone.
const ERROR_LOG: &str = "error_log.txt";

/// The first error is the cause, what follows are consequences: more than this is not read.
const BEGINNING: u64 = 64 * 1024;

/// How many lines are shown.
const LINES: usize = 15;

/// For programs: the job that failed.
#[derive(Serialize)]
struct Data {
    job: Job,
}

/// The error for a job that did not end well, with what its processes logged. `result` is the
/// downloaded result: the server's log is there, NVFlare removes it from the kit.
///
/// When one site fails, NVFlare aborts the others and the server, and all of them log errors. So
/// the process that logged one first is heard.
pub(crate) fn job_failed(job: &admin::Job, sites: &[Kit], result: Option<&Utf8Path>) -> CliError {
    let at_sites = sites
        .iter()
        .map(|site| (site.name.as_str(), site.dir.join(&job.id).join(ERROR_LOG)));
    let at_server = result.map(|result| ("the server", result.join("workspace").join(ERROR_LOG)));
    let first = at_sites
        .chain(at_server)
        .filter_map(|(who, log)| Some((who, first_error(&log)?)))
        .min_by(|(_, one), (_, other)| one.time.cmp(&other.time));

    let message = format!("NVFlare ended the job as {}", job.status);
    let error = match first {
        None => CliError::new(ErrorCode::JobFailed, message),
        Some((who, FirstError { reason, .. })) => {
            let message = match &reason.cause {
                Some(cause) => format!("{message}; {who} says: {cause}"),
                None => message,
            };
            CliError::new(ErrorCode::JobFailed, message)
                .excerpt(format!("The job's first error, at {who}:"), reason.tail)
        }
    };
    error.with_data(&Data { job: job.into() })
}

/// The record with which a log begins.
struct FirstError {
    /// As NVFlare writes it, so that texts compare as times do.
    time: String,
    reason: Reason,
}

/// `None` for a log that is not there or says nothing.
fn first_error(log: &Utf8Path) -> Option<FirstError> {
    let mut text = Vec::new();
    fs_err::File::open(log)
        .ok()?
        .take(BEGINNING)
        .read_to_end(&mut text)
        .ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().skip_while(|line| timestamp(line).is_none());
    let head = lines.next()?;
    let record: Vec<&str> = std::iter::once(head)
        .chain(lines.take_while(|line| timestamp(line).is_none()))
        .collect();
    let blank_at_end = record
        .iter()
        .rev()
        .take_while(|line| line.trim().is_empty())
        .count();
    Some(FirstError {
        time: timestamp(head)?.to_owned(),
        reason: logs::reason_in(&record[..record.len() - blank_at_end], LINES),
    })
}

/// The time that a record begins with; a line that continues one has none.
fn timestamp(line: &str) -> Option<&str> {
    const FORM: &[u8] = b"0000-00-00 00:00:00,000";

    let time = line.get(..FORM.len())?;
    let fits = time.bytes().zip(FORM).all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        mark => byte == *mark,
    });
    fits.then_some(time)
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;
    use poc_core::project::Role;
    use serde_json::json;

    use super::*;

    const ABORTED: &str = "\
2026-11-24 16:59:32,100 - InProcessClientAPI - ERROR - ask to abort job: reason: another site failed
";
    const FAILED: &str = "\
2026-11-24 16:59:31,329 - TaskScriptRunner - ERROR - Traceback (most recent call last):
  File \"hospital_client.py\", line 43, in <module>
    main()
ValueError: no such ward

2026-11-24 16:59:31,332 - TaskScriptRunner - ERROR - fire abort event
";
    const SERVER: &str = "2026-11-24 16:59:31,800 - ServerRunner - ERROR - Aborting current RUN\n";

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, below: &str) -> Utf8PathBuf {
            Utf8PathBuf::try_from(self.0.path().join(below)).unwrap()
        }

        fn log(&self, below: &str, text: &str) {
            let path = self.path(below).join(ERROR_LOG);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }

        fn failure(&self, status: &str) -> CliError {
            let kits = ["site-1", "site-2"].map(|name| Kit {
                name: name.into(),
                role: Role::Client,
                org: "nvidia".into(),
                dir: self.path(name),
            });
            let job = json!({"job_id": "7", "name": "poc-demo", "status": status});
            job_failed(
                &serde_json::from_value(job).unwrap(),
                &kits,
                Some(&self.path("result")),
            )
        }
    }

    #[test]
    fn whoever_failed_first_is_heard() {
        let place = Place::new();
        place.log("site-1/7", ABORTED);
        place.log("site-2/7", FAILED);
        place.log("result/workspace", SERVER);
        let error = place.failure("FINISHED:EXECUTION_EXCEPTION");
        assert_eq!(
            error.message(),
            "NVFlare ended the job as FINISHED:EXECUTION_EXCEPTION; site-2 says: ValueError: no such ward"
        );
        let excerpt = error.lines().unwrap();
        assert_eq!(excerpt.heading, "The job's first error, at site-2:");
        assert_eq!(excerpt.lines.len(), 4);
        assert_eq!(
            *error.data(),
            json!({"job": {"id": "7", "name": "poc-demo", "status": "FINISHED:EXECUTION_EXCEPTION"}})
        );
    }

    #[test]
    fn the_server_can_be_the_first() {
        let place = Place::new();
        place.log("site-1/7", ABORTED);
        place.log("site-2/7", "");
        place.log("result/workspace", SERVER);
        let error = place.failure("FINISHED:ABORTED");
        assert_eq!(
            error.lines().unwrap().heading,
            "The job's first error, at the server:"
        );
        assert_eq!(error.lines().unwrap().lines, [SERVER.trim_end()]);
    }

    #[test]
    fn without_logs_there_is_nvflares_word() {
        let error = Place::new().failure("FINISHED:ABORTED");
        assert_eq!(error.message(), "NVFlare ended the job as FINISHED:ABORTED");
        assert!(error.lines().is_none());
    }

    #[test]
    fn records_begin_with_a_time() {
        assert_eq!(
            timestamp("2026-11-24 16:59:31,329 - X"),
            Some("2026-11-24 16:59:31,329")
        );
        for line in [
            "",
            "  File \"a.py\"",
            "2026-11-24",
            "2026-11-24T16:59:31,329 - X",
            "ääääääääääääääääää",
        ] {
            assert_eq!(timestamp(line), None, "{line}");
        }
    }
}
