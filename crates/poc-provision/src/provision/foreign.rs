//! What lies in a workspace that `prepare` did not write: data, job results, edited settings.

use std::collections::BTreeSet;
use std::io;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::workspace::Prepared;
use poc_core::{fsio, gpu_offer};

use crate::kit;

/// The names that NVFlare's own provisioning gives to files in `startup/`, over all lines.
const STARTUP: [&str; 21] = [
    "fed_server.json",
    "fed_client.json",
    "fed_admin.json",
    "server.crt",
    "server.key",
    "client.crt",
    "client.key",
    "rootCA.pem",
    "start.sh",
    "sub_start.sh",
    "stop_fl.sh",
    "fl_admin.sh",
    "docker.sh",
    "start_docker.sh",
    "signature.json",
    "readme.txt",
    "system_info.ipynb",
    "server_context.tenseal",
    "client_context.tenseal",
    "authorization.json",
    "custom_ca_cert.pem",
];

/// The same for `local/`.
const LOCAL: [&str; 10] = [
    "resources.json.default",
    "resources.json",
    "authorization.json.default",
    "privacy.json.sample",
    "log.config.default",
    "log_config.json.default",
    "signature.json",
    "study_registry.json",
    "comm_config.json",
    "study_runtime.yaml",
];

/// What running processes leave in a kit and nobody misses: logs (with their rotated copies), pid
/// files, exit codes.
fn is_residue(name: &str) -> bool {
    const LOGS: [&str; 7] = [
        "log.txt",
        "log.json",
        "log_fl.txt",
        "log_error.txt",
        "error_log.txt",
        "audit.log",
        "poc_console.log",
    ];
    let rotated = |log: &str| {
        name.strip_prefix(log).is_some_and(|rest| {
            rest.is_empty()
                || rest
                    .strip_prefix('.')
                    .is_some_and(|n| n.parse::<u32>().is_ok())
        })
    };
    LOGS.iter().any(|log| rotated(log))
        || name == "_process_rc.txt"
        // What was typed into the FLARE console.
        || name == ".admin_cli_history"
        || ["pid.fl", "daemon_pid.fl", "shutdown.fl", "restart.fl"].contains(&name)
        || name == "__pycache__"
}

/// Everything in the workspace that `prepare` did not write or that was changed since, relative to it
/// and sorted. A directory in which nothing is ours stands for all that is in it; empty directories do
/// not count. Links are not followed, and the link of an admin's transfer directory does not count:
/// what it leads to stays where it is.
///
/// # Errors
///
/// A directory that cannot be read.
pub(crate) fn find(prepared: &Prepared) -> io::Result<Vec<Utf8PathBuf>> {
    let search = Search {
        root: prepared.workspace.root(),
        ours: Ours::of(prepared)?,
    };
    let mut found = Vec::new();
    search.visit(Utf8Path::new(""), &mut found)?;
    found.sort_unstable();
    Ok(found)
}

struct Search<'a> {
    root: &'a Utf8Path,
    ours: Ours,
}

impl Search<'_> {
    fn visit(&self, directory: &Utf8Path, found: &mut Vec<Utf8PathBuf>) -> io::Result<()> {
        for name in fsio::entries(&self.root.join(directory))? {
            let path = directory.join(&name);
            let full = self.root.join(&path);
            let metadata = fs_err::symlink_metadata(&full)?;
            if is_residue(&name) || self.ours.is_private(&path) {
                continue;
            }
            if metadata.is_dir() {
                if self.ours.any_below(&path) {
                    self.visit(&path, found)?;
                } else if holds_a_file(&full)? {
                    found.push(path);
                }
            } else {
                let leads_to_jobs = metadata.is_symlink() && name == kit::TRANSFER;
                if !leads_to_jobs
                    && !self.ours.is_unchanged(&path, &metadata)
                    && !is_gpu_offer(&full)
                {
                    found.push(path);
                }
            }
        }
        Ok(())
    }
}

/// Whether it is a `local/resources.json` in which `poc start` put the site's GPUs.
fn is_gpu_offer(path: &Utf8Path) -> bool {
    let read = |path: &Utf8Path| serde_json::from_slice(&fs_err::read(path).ok()?).ok();
    path.file_name() == Some("resources.json")
        && read(&path.with_file_name("resources.json.default"))
            .zip(read(path))
            .is_some_and(|(default, current)| gpu_offer::is_an_offer(&default, &current))
}

/// Whether anything but empty directories and residue lies there. Stops at the first file.
fn holds_a_file(directory: &Utf8Path) -> io::Result<bool> {
    for name in fsio::entries(directory)? {
        let path = directory.join(&name);
        if is_residue(&name) {
            continue;
        }
        if !fs_err::symlink_metadata(&path)?.is_dir() || holds_a_file(&path)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What `prepare` wrote.
struct Ours {
    files: BTreeSet<Utf8PathBuf>,
    /// When, where that is known: a file that is younger has been changed since.
    when: Option<SystemTime>,
    /// The supervisor's own directory.
    private: Utf8PathBuf,
}

impl Ours {
    fn of(prepared: &Prepared) -> io::Result<Self> {
        let workspace = &prepared.workspace;
        let private = relative(&workspace.poc_dir(), workspace.root());
        Ok(match &prepared.manifest {
            Some(manifest) => Self {
                files: manifest.files.iter().cloned().collect(),
                when: Some(fs_err::metadata(workspace.manifest_file())?.modified()?),
                private,
            },
            None => Self {
                files: written_by_nvflare(prepared)?,
                when: None,
                private,
            },
        })
    }

    fn is_unchanged(&self, path: &Utf8Path, metadata: &std::fs::Metadata) -> bool {
        let changed = || matches!((self.when, metadata.modified()), (Some(when), Ok(modified)) if modified > when);
        self.files.contains(path) && !changed()
    }

    fn any_below(&self, directory: &Utf8Path) -> bool {
        // Sorted by components, so what lies below a directory follows right after it.
        self.files
            .range(directory.to_owned()..)
            .next()
            .is_some_and(|next| next.starts_with(directory))
    }

    fn is_private(&self, path: &Utf8Path) -> bool {
        path == self.private
    }
}

/// What NVFlare's own `poc prepare` writes: it keeps no list, so this goes by the names that it gives.
fn written_by_nvflare(prepared: &Prepared) -> io::Result<BTreeSet<Utf8PathBuf>> {
    let root = prepared.workspace.root();
    let project = prepared.workspace.project_dir(&prepared.project.name);
    let mut files = BTreeSet::from([relative(&prepared.workspace.project_file(), root)]);
    let mut add = |directory: Utf8PathBuf, known: Option<&[&str]>| -> io::Result<()> {
        if directory.is_dir() {
            let names = fsio::entries(&directory)?;
            let ours = names
                .into_iter()
                .filter(|name| known.is_none_or(|known| known.contains(&name.as_str())));
            files.extend(ours.map(|name| relative(&directory.join(name), root)));
        }
        Ok(())
    };
    add(project.join("state"), None)?;
    add(project.join("resources"), None)?;
    for prod in fsio::entries(&project)?
        .into_iter()
        .filter(|name| name.starts_with("prod_"))
    {
        add(project.join(&prod), Some(&["start_all.sh"]))?;
        for participant in prepared.project.participants() {
            let kit = project.join(&prod).join(&participant.name);
            add(kit.join("startup"), Some(&STARTUP))?;
            add(kit.join("local"), Some(&LOCAL))?;
            add(kit, Some(&["readme.txt"]))?;
        }
    }
    Ok(files)
}

fn relative(path: &Utf8Path, root: &Utf8Path) -> Utf8PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residue_is_known_by_its_names() {
        for name in [
            "log.txt",
            "log.txt.3",
            "error_log.txt",
            "audit.log",
            "pid.fl",
            "daemon_pid.fl",
            "_process_rc.txt",
            ".admin_cli_history",
        ] {
            assert!(is_residue(name), "{name}");
        }
        for name in [
            "log.txt.bak",
            "mylog.txt",
            "model.pt",
            "resources.json",
            "fl",
        ] {
            assert!(!is_residue(name), "{name}");
        }
    }
}
