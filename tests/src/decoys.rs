//! Strangers: processes with the names and command lines of a POC's own, but of another kit or with
//! another cookie. Nothing that `poc` does may touch them.

use std::{
    env,
    os::unix::{
        fs::symlink,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    process::{Child, Command, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};
use procfs::process::Process;
use tempfile::TempDir;

use crate::PocTest;

/// In the environment of every decoy, and of nothing else.
pub(crate) const DECOY: &str = "POC_TEST_DECOY";

/// The decoys beside one POC. They end with this value, however the test ends.
#[derive(Debug)]
pub struct Decoys {
    /// Away from the POC's world: it is no sign of theirs.
    elsewhere: TempDir,
    all: Vec<Decoy>,
}

#[derive(Debug)]
struct Decoy {
    line: String,
    child: Child,
}

impl Decoys {
    /// Their cookie. No POC has this one.
    pub const COOKIE: &str = "00000000-dead-4bee-8f00-000000000000";

    /// Where this process was started as a decoy, lives as one until whoever started it has ended, and
    /// says so. For the first line of a program that [`Decoys::around`] is given.
    pub fn is_one() -> bool {
        #[expect(
            clippy::disallowed_methods,
            reason = "a program of the tests, not of poc"
        )]
        let is_one = env::var_os(DECOY).is_some();
        if is_one {
            // Nothing is ever written to it.
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        }
        is_one
    }

    /// Starts them. `program` is one that calls [`Decoys::is_one`] first.
    pub fn around(world: &PocTest, program: &Utf8Path) -> Self {
        let elsewhere = tempfile::Builder::new()
            .prefix("poc-elsewhere-")
            .tempdir()
            .unwrap();
        let mut decoys = Self {
            elsewhere,
            all: Vec::new(),
        };
        let workspace = decoys.elsewhere().join("proof of concept é");
        let prod = workspace.join("example_project/prod_00");
        let (site, admin) = (prod.join("site-1"), world.kit("admin@nvidia.com"));
        fs_err::create_dir_all(site.join("startup")).unwrap();
        fs_err::create_dir(decoys.elsewhere().join("bin")).unwrap();
        let flare = |module: &str, kit: &Utf8Path| -> Vec<String> {
            let words = ["python3", "-u", "-m", module, "-m", kit.as_str()];
            words.map(str::to_owned).into()
        };
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let server = "nvflare.private.fed.app.server.server_train";
        let client = "nvflare.private.fed.app.client.client_train";
        let job = "nvflare.private.fed.app.client.worker_process";
        let supervise = |workspace: &Utf8Path| -> Vec<String> {
            let line = [
                "poc",
                "__supervise",
                "--workspace",
                workspace.as_str(),
                "--detached",
            ];
            line.map(str::to_owned).into()
        };
        let lines: Vec<Vec<String>> = vec![
            // Another POC of the same names.
            flare(server, &prod.join("server")),
            flare(client, &site),
            flare(job, &site),
            words(&["bash", "startup/sub_start.sh"]),
            supervise(&workspace),
            words(&["python3", "-u", "-c", "pass", "poc-fork-server"]),
            words(&[
                "python3",
                "-c",
                "pass",
                "poc-admin",
                "admin@nvidia.com",
                site.as_str(),
            ]),
            // Paths that begin like this POC's.
            flare(client, Utf8Path::new(&format!("{}0", world.kit("site-1")))),
            supervise(Utf8Path::new(&format!("{}.previous", world.workspace()))),
            // A console of this very POC is the user's, and so is an editor that has a kit of it open.
            flare("nvflare.fuel.hci.tools.admin", &admin),
            words(&["vi", world.kit("site-1").as_str()]),
        ];
        for line in lines {
            decoys.start(program, &line, &site);
        }
        decoys
    }

    fn elsewhere(&self) -> &Utf8Path {
        Utf8Path::from_path(self.elsewhere.path()).unwrap()
    }

    /// The program under another name, so that its file, its command line and its `comm` are the decoy's.
    fn start(&mut self, program: &Utf8Path, words: &[String], directory: &Utf8Path) {
        let link: Utf8PathBuf = self.elsewhere().join("bin").join(&words[0]);
        if !link.exists() {
            symlink(program, &link).unwrap();
        }
        let child = Command::new(&link)
            .arg0(&words[0])
            .args(&words[1..])
            .env_clear()
            .env(DECOY, "yes")
            .env("POC_INSTANCE", Self::COOKIE)
            .env("POC_PARTICIPANT", "site-1")
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A Ctrl-C is not for it.
            .process_group(0)
            .spawn()
            .unwrap();
        let line = words.join(" ");
        self.all.push(Decoy { line, child });
    }

    /// Their process IDs, for pid files and records that name somebody else's process.
    pub fn pids(&self) -> Vec<u32> {
        self.all.iter().map(|decoy| decoy.child.id()).collect()
    }

    /// Those that were ended or halted, in words.
    pub fn harmed(&mut self) -> Vec<String> {
        let mut harmed = Vec::new();
        for decoy in &mut self.all {
            let pid = decoy.child.id();
            let fate = match decoy.child.try_wait().unwrap() {
                Some(status) => match status.signal() {
                    Some(signal) => format!("was ended by signal {signal}"),
                    None => format!("ended ({status})"),
                },
                None if is_halted(pid) => "was halted".to_owned(),
                None => continue,
            };
            harmed.push(format!("{} (PID {pid}) {fate}", decoy.line));
        }
        harmed
    }

    /// Fails unless all of them live on.
    #[track_caller]
    pub fn assert_unharmed(&mut self) {
        assert_eq!(self.harmed(), [""; 0], "strangers were touched");
    }
}

impl Drop for Decoys {
    fn drop(&mut self) {
        for decoy in &mut self.all {
            let _ = decoy.child.kill();
            let _ = decoy.child.wait();
        }
    }
}

fn is_halted(pid: u32) -> bool {
    let process = i32::try_from(pid).ok().map(Process::new);
    let stat = process.and_then(|process| process.ok()?.stat().ok());
    stat.is_some_and(|stat| stat.state == 'T')
}
