//! What a command line says about a process.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::admin::HELPER_MARK;

/// What part a process plays in a POC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The supervisor of `poc`.
    Supervisor,
    /// A shell that runs `start.sh` or `sub_start.sh` of a kit: NVFlare's own watchdog.
    Watchdog,
    /// The server.
    Server,
    /// A client.
    Client,
    /// A process that runs one job, of the server or a client.
    Job,
    /// The helper through which `poc` speaks to the server.
    AdminHelper,
    /// A FLARE console. It is the user's own and never ended.
    Console,
    /// Something that one of the others started.
    Other,
}

/// What a command line claims: a part, and the path that it plays it for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim<'a> {
    pub(super) kind: Kind,
    /// As written, so perhaps relative.
    pub(super) path: &'a Utf8Path,
    /// What the path is.
    pub(super) names: Names,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// A kit, or for a supervisor the workspace.
    Directory,
    /// A script in a kit's `startup` directory.
    Script,
}

/// Reads a command line. `None` where it is none of NVFlare's or of ours that names a path; a
/// program that merely mentions a kit (an editor, `tail -f`) is none.
pub(super) fn claim(arguments: &[String]) -> Option<Claim<'_>> {
    let (program, rest) = arguments.split_first()?;
    let program = Utf8Path::new(program).file_name().unwrap_or(program);
    supervisor(rest)
        .or_else(|| helper(rest))
        .or_else(|| module(rest))
        .or_else(|| script(program, rest))
}

/// `poc __supervise … --workspace W`
fn supervisor(rest: &[String]) -> Option<Claim<'_>> {
    (rest.first()? == "__supervise").then_some(())?;
    let path = value_after(rest, "--workspace")?;
    Some(Claim {
        kind: Kind::Supervisor,
        path,
        names: Names::Directory,
    })
}

/// `python -c BOOTSTRAP poc-admin USER KIT`
fn helper(rest: &[String]) -> Option<Claim<'_>> {
    let mark = rest.iter().position(|argument| argument == HELPER_MARK)?;
    (mark > 0 && rest.iter().any(|argument| argument == "-c")).then_some(())?;
    let path = Utf8Path::new(rest.get(mark + 2)?);
    Some(Claim {
        kind: Kind::AdminHelper,
        path,
        names: Names::Directory,
    })
}

/// `python -u -m nvflare.….server_train -m KIT …`
fn module(rest: &[String]) -> Option<Claim<'_>> {
    let at = rest.iter().position(|argument| argument == "-m")?;
    let module = rest.get(at + 1)?;
    let name = module.rsplit('.').next()?;
    let kind = if module == "nvflare.fuel.hci.tools.admin" {
        Kind::Console
    } else if !module.starts_with("nvflare.private.") {
        return None;
    } else {
        match name {
            "server_train" => Kind::Server,
            "client_train" => Kind::Client,
            "runner_process" | "worker_process" | "sub_worker_process" => Kind::Job,
            _ => Kind::Other,
        }
    };
    let arguments = rest.get(at + 2..)?;
    let path = value_after(arguments, "-m").or_else(|| value_after(arguments, "--workspace"))?;
    Some(Claim {
        kind,
        path,
        names: Names::Directory,
    })
}

/// The job that a job process runs: `-n ID`, in every line.
pub(super) fn job(arguments: &[String]) -> Option<&str> {
    (claim(arguments)?.kind == Kind::Job).then_some(())?;
    let modules = arguments.iter().position(|argument| argument == "-m")?;
    let own = arguments.get(modules + 2..)?;
    let id = value_after(own, "-n").or_else(|| value_after(own, "--job_id"))?;
    Some(id.as_str())
}

/// `bash KIT/startup/sub_start.sh`
fn script<'a>(program: &str, rest: &'a [String]) -> Option<Claim<'a>> {
    matches!(program, "sh" | "bash" | "dash" | "ash" | "ksh" | "zsh").then_some(())?;
    let script = Utf8Path::new(rest.iter().find(|argument| !argument.starts_with('-'))?);
    let kind = match script.file_name()? {
        "start.sh" | "sub_start.sh" => Kind::Watchdog,
        "fl_admin.sh" => Kind::Console,
        _ => return None,
    };
    Some(Claim {
        kind,
        path: script,
        names: Names::Script,
    })
}

fn value_after<'a>(arguments: &'a [String], flag: &str) -> Option<&'a Utf8Path> {
    let at = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(at + 1).map(Utf8Path::new)
}

/// The directory that a claim means, without links: relative paths are taken from the process's
/// working directory, a script's kit is the directory above `startup`.
pub(super) fn resolve(claim: &Claim<'_>, directory: Option<&Utf8Path>) -> Option<Utf8PathBuf> {
    let path = if claim.path.is_absolute() {
        claim.path.to_owned()
    } else {
        directory?.join(claim.path)
    };
    let path = real(&path);
    match claim.names {
        Names::Directory => Some(path),
        Names::Script => {
            let startup = path
                .parent()
                .filter(|parent| parent.file_name() == Some("startup"))?;
            startup.parent().map(Utf8Path::to_owned)
        }
    }
}

/// A path without links, where it can be followed. Of one that is gone, or not ours to look into, as
/// much as is there, and the rest as it is written.
pub(crate) fn real(path: &Utf8Path) -> Utf8PathBuf {
    if let Ok(real) = path.canonicalize_utf8() {
        return real;
    }
    let mut written = Utf8PathBuf::new();
    for component in path.components() {
        match component {
            Utf8Component::ParentDir => drop(written.pop()),
            Utf8Component::CurDir => {}
            other => written.push(other),
        }
    }
    let there = written.ancestors().skip(1).find_map(|ancestor| {
        let real = ancestor.canonicalize_utf8().ok()?;
        Some(real.join(written.strip_prefix(ancestor).ok()?))
    });
    there.unwrap_or(written)
}

/// The command line as one line for people: session tokens, which NVFlare passes to its job
/// processes as arguments up to 2.7, left out.
pub(super) fn describe(arguments: &[String]) -> String {
    let mut line = String::new();
    let mut secret = false;
    for argument in arguments {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(if secret { "<redacted>" } else { argument });
        secret = matches!(argument.as_str(), "-t" | "--token");
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split('|').map(str::to_owned).collect()
    }

    fn read(line: &str) -> Option<(Kind, String)> {
        let arguments = words(line);
        claim(&arguments).map(|claim| (claim.kind, claim.path.to_string()))
    }

    #[test]
    fn the_processes_of_a_poc() {
        for (line, kind, path) in [
            (
                "python3|-u|-m|nvflare.private.fed.app.server.server_train|-m|/w s/p/server|-s|fed_server.json|--set|org=x",
                Kind::Server,
                "/w s/p/server",
            ),
            (
                "/opt/v/bin/python|-u|-m|nvflare.private.fed.app.client.client_train|-m|/w/p/site-1|-s|fed_client.json",
                Kind::Client,
                "/w/p/site-1",
            ),
            (
                "python3|-m|nvflare.private.fed.app.server.runner_process|-m|/w/p/server|-s|x|-r|/w/p/server/1/app|-n|1",
                Kind::Job,
                "/w/p/server",
            ),
            (
                "python3|-m|nvflare.private.fed.app.client.worker_process|-m|/w/p/site-1|-w|x",
                Kind::Job,
                "/w/p/site-1",
            ),
            (
                "python3|-m|nvflare.fuel.hci.tools.admin|-m|/w/p/a@x.y|-s|fed_admin.json",
                Kind::Console,
                "/w/p/a@x.y",
            ),
            (
                "bash|/w/p/site-1/startup/sub_start.sh",
                Kind::Watchdog,
                "/w/p/site-1/startup/sub_start.sh",
            ),
            (
                "/bin/sh|-e|startup/start.sh",
                Kind::Watchdog,
                "startup/start.sh",
            ),
            (
                "bash|/w/p/a@x.y/startup/fl_admin.sh",
                Kind::Console,
                "/w/p/a@x.y/startup/fl_admin.sh",
            ),
            (
                "/usr/bin/poc|__supervise|--workspace|/w",
                Kind::Supervisor,
                "/w",
            ),
            (
                "python|-c|import os|poc-admin|a@x.y|/w/p/a@x.y",
                Kind::AdminHelper,
                "/w/p/a@x.y",
            ),
        ] {
            assert_eq!(read(line), Some((kind, path.to_owned())), "{line}");
        }
    }

    #[test]
    fn the_job_of_a_job_process() {
        let server =
            "python3|-m|nvflare.private.fed.app.server.runner_process|-m|/w/p/server|-n|4f1d";
        let site =
            "python3|-u|-m|nvflare.private.fed.app.client.worker_process|-m|/w|--job_id|4f1e";
        let none = "python3|-m|nvflare.private.fed.app.client.client_train|-m|/w/p/site-1|-n|4f1f";
        assert_eq!(job(&words(server)), Some("4f1d"));
        assert_eq!(job(&words(site)), Some("4f1e"));
        assert_eq!(job(&words(none)), None);
    }

    #[test]
    fn what_only_mentions_a_kit_is_none_of_ours() {
        for line in [
            "tail|-f|/w/p/site-1/log.txt",
            "vim|/w/p/site-1/startup/sub_start.sh",
            "bash|/w/p/site-1/startup/stop_fl.sh",
            "bash|-c|/w/p/site-1/startup/sub_start.sh; echo",
            "python3|-m|http.server|-m|/w/p/site-1",
            "python3|-m|nvflare.private.fed.app.server.server_train",
            "python3|-m",
            "poc|status|--workspace|/w",
            "grep|poc-admin|x|/w/p/site-1",
            "",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
        assert_eq!(claim(&[]), None);
    }

    fn kit_of(path: &Utf8Path) -> Claim<'_> {
        Claim {
            kind: Kind::Client,
            path,
            names: Names::Directory,
        }
    }

    #[test]
    fn kits_are_found_through_links_and_from_the_working_directory() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path())
            .unwrap()
            .canonicalize_utf8()
            .unwrap();
        let kit = dir.join("real/site-1");
        fs_err::create_dir_all(kit.join("startup")).unwrap();
        fs_err::write(kit.join("startup/start.sh"), "").unwrap();
        std::os::unix::fs::symlink(dir.join("real"), dir.join("link")).unwrap();
        let script = |path| Claim {
            kind: Kind::Watchdog,
            path: Utf8Path::new(path),
            names: Names::Script,
        };
        assert_eq!(
            resolve(&script("./start.sh"), Some(&kit.join("startup"))),
            Some(kit.clone())
        );
        assert_eq!(
            resolve(&script("link/site-1/startup/start.sh"), Some(&dir)),
            Some(kit.clone())
        );
        assert_eq!(resolve(&script("start.sh"), Some(&kit)), None);
        assert_eq!(resolve(&script("start.sh"), None), None);
        for (written, meant) in [
            (dir.join("link/site-1/"), kit),
            ("/no/such/site-1/".into(), "/no/such/site-1".into()),
            (
                "/no/such/admin@example.sh/".into(),
                "/no/such/admin@example.sh".into(),
            ),
            // As NVFlare's scripts write it, after the kit was removed.
            (
                "/no/./such/site-1/startup/..".into(),
                "/no/such/site-1".into(),
            ),
            (dir.join("link/gone/startup/.."), dir.join("real/gone")),
        ] {
            assert_eq!(resolve(&kit_of(&written), None), Some(meant));
        }
    }

    #[test]
    fn tokens_are_not_shown() {
        let line = describe(&words("python3|-m|x|-t|d2f0c0de-1111|--token|abc|-n|1"));
        assert_eq!(line, "python3 -m x -t <redacted> --token <redacted> -n 1");
    }

    proptest! {
        #[test]
        fn no_command_line_is_too_odd(arguments in proptest::collection::vec("(-m|-c|poc-admin|__supervise|--workspace|nvflare\\.private\\.x|bash|.{0,8})", 0..8)) {
            if let Some(claim) = claim(&arguments) {
                prop_assert!(arguments.iter().any(|argument| argument == claim.path.as_str()));
            }
        }
    }
}
