//! Why a job failed, by its own logs.

use camino::Utf8Path;
use poc_core::workspace::Kit;
use poc_launch::logs::{self, Reason};

use crate::error::{CliError, ErrorCode};

/// What NVFlare calls the log of a job process that has errors alone.
const ERROR_LOG: &str = "error_log.txt";

/// How many lines are shown.
const LINES: usize = 15;

/// The error for a job that ended as `status`, with what its processes logged.
///
/// A site's log comes before the server's, which most often says no more than that a site failed. The server's
/// is in the downloaded result: NVFlare removes it from the kit.
pub(crate) fn job_failed(
    job: &str,
    status: &str,
    sites: &[Kit],
    result: Option<&Utf8Path>,
) -> CliError {
    let at_sites = sites
        .iter()
        .map(|site| (site.name.as_str(), site.dir.join(job).join(ERROR_LOG)));
    let at_server = result.map(|result| ("the server", result.join("workspace").join(ERROR_LOG)));
    let found = at_sites
        .chain(at_server)
        .find_map(|(who, log)| Some((who, reason(&log)?)));

    let message = format!("NVFlare ended the job as {status}");
    let Some((who, reason)) = found else {
        return CliError::new(ErrorCode::JobFailed, message);
    };
    let message = match &reason.cause {
        Some(cause) => format!("{message}; {who} says: {cause}"),
        None => message,
    };
    CliError::new(ErrorCode::JobFailed, message)
        .excerpt(format!("The job's errors at {who}:"), reason.tail)
}

/// `None` for a log that is not there or says nothing.
fn reason(log: &Utf8Path) -> Option<Reason> {
    logs::reason(log, LINES)
        .ok()
        .filter(|reason| reason.tail.iter().any(|line| !line.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;
    use poc_core::project::Role;

    use super::*;

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

        fn kits(&self) -> Vec<Kit> {
            ["site-1", "site-2"]
                .map(|name| Kit {
                    name: name.into(),
                    role: Role::Client,
                    org: "nvidia".into(),
                    dir: self.path(name),
                })
                .to_vec()
        }
    }

    #[test]
    fn a_site_that_knows_why_is_heard_first() {
        let place = Place::new();
        place.log("site-1/7", "");
        place.log(
            "site-2/7",
            "Traceback (most recent call last):\n  File \"a.py\"\nValueError: no such ward\n",
        );
        place.log("result/workspace", "a site failed\n");
        let error = job_failed(
            "7",
            "FINISHED:EXECUTION_EXCEPTION",
            &place.kits(),
            Some(&place.path("result")),
        );
        assert_eq!(
            error.message(),
            "NVFlare ended the job as FINISHED:EXECUTION_EXCEPTION; site-2 says: ValueError: no such ward"
        );
        assert_eq!(
            error.lines().unwrap().heading,
            "The job's errors at site-2:"
        );
        assert_eq!(error.lines().unwrap().lines.len(), 3);
    }

    #[test]
    fn else_the_server() {
        let place = Place::new();
        place.log(
            "result/workspace",
            "2026-11-24 16:59:39,751 - X - ERROR - boom\n",
        );
        let error = job_failed(
            "7",
            "FINISHED:ABORTED",
            &place.kits(),
            Some(&place.path("result")),
        );
        assert_eq!(
            error.message(),
            "NVFlare ended the job as FINISHED:ABORTED; the server says: 2026-11-24 16:59:39,751 - X - ERROR - boom"
        );
    }

    #[test]
    fn else_nobody() {
        let place = Place::new();
        let error = job_failed("7", "FINISHED:ABORTED", &place.kits(), None);
        assert_eq!(error.message(), "NVFlare ended the job as FINISHED:ABORTED");
        assert!(error.lines().is_none());
    }
}
