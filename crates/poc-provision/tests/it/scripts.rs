//! The scripts of a kit, run by hand with a stand-in for Python.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::support::{Scene, wait_for};

/// Says how it was called, then stays, unless told to fail. Python has no handler for SIGTERM either.
const PYTHON: &str = r#"#!/usr/bin/env bash
printf '%s\n' "$@" >"$0.arguments"
printf '%s\n' "$PYTHONPATH" "${NVFL_WORKSPACE-unset}" "$MALLOC_ARENA_MAX" >"$0.environment"
echo run >>"$0.runs"
[[ -e "$0.fails" ]] && exit 3
exec sleep 600
"#;

struct Site {
    _scene: Scene,
    kit: Utf8PathBuf,
    python: Utf8PathBuf,
}

impl Site {
    fn new() -> Self {
        let (scene, made) = Scene::prepared();
        let python = scene.above.join("python stand-in");
        fs_err::write(&python, PYTHON).unwrap();
        fs_err::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            kit: made.prod_dir.join("site-1"),
            _scene: scene,
            python,
        }
    }

    fn script(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.kit.join("startup").join(name));
        command
            .args(arguments)
            .env("POC_PYTHON", &self.python)
            .env("NVFL_WORKSPACE", "/nowhere")
            .env_remove("PYTHONPATH")
            .env_remove("MALLOC_ARENA_MAX")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Output {
        self.script(name, arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap()
    }

    /// Starts it, and gives its process ID once Python runs.
    fn start(&self) -> u32 {
        assert!(self.script("start.sh", &[]).status().unwrap().success());
        self.python_after(0)
    }

    /// The process ID of a Python other than that.
    fn python_after(&self, old: u32) -> u32 {
        wait_for("Python", || {
            self.pid("pid.fl")
                .filter(|pid| *pid != old && self.runs() > 0)
        })
    }

    fn pid(&self, file: &str) -> Option<u32> {
        fs_err::read_to_string(self.kit.join(file))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    fn runs(&self) -> usize {
        self.left("runs").lines().count()
    }

    /// What the stand-in left.
    fn left(&self, what: &str) -> String {
        fs_err::read_to_string(format!("{}.{what}", self.python)).unwrap_or_default()
    }

    fn touch(&self, name: &str) {
        fs_err::write(self.kit.join(name), "").unwrap();
    }

    fn pid_files(&self) -> Vec<&'static str> {
        let names = ["pid.fl", "daemon_pid.fl", "shutdown.fl", "restart.fl"];
        names
            .into_iter()
            .filter(|name| self.kit.join(name).exists())
            .collect()
    }

    fn wait_until_stopped(&self, pids: &[u32]) {
        wait_for("the end", || {
            (self.pid_files().is_empty() && !pids.iter().any(|pid| is_alive(*pid))).then_some(())
        });
    }
}

impl Drop for Site {
    /// A failed test leaves no process either. The script first: it would start another Python.
    fn drop(&mut self) {
        for file in ["daemon_pid.fl", "pid.fl"] {
            if let Some(pid) = self
                .pid(file)
                .and_then(|pid| Pid::from_raw(pid.try_into().ok()?))
            {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

fn is_alive(pid: u32) -> bool {
    Pid::from_raw(pid.try_into().unwrap()).is_some_and(|pid| test_kill_process(pid).is_ok())
}

fn command_line(pid: u32) -> String {
    fs_err::read_to_string(format!("/proc/{pid}/cmdline"))
        .unwrap_or_default()
        .replace('\0', " ")
}

#[test]
fn started_and_stopped_by_hand() {
    let site = Site::new();
    let python = site.start();
    let script = site.pid("daemon_pid.fl").unwrap();
    assert!(command_line(script).contains(&format!("{}/startup/sub_start.sh", site.kit)));
    let arguments = site.left("arguments").replace(site.kit.as_str(), "[kit]");
    insta::assert_snapshot!(arguments, @r#"
    -u
    -m
    nvflare.private.fed.app.client.client_train
    -m
    [kit]
    -s
    fed_client.json
    --set
    secure_train=true
    uid=site-1
    org=nvidia
    config_folder=config
    "#);
    insta::assert_snapshot!(site.left("environment"), @r#"
    /local/custom
    unset
    4
    "#);

    // Once more is refused, in NVFlare's words.
    let again = site.run("sub_start.sh", &[]);
    assert_eq!(again.status.code(), Some(1));
    let said = String::from_utf8(again.stdout).unwrap();
    let said = said
        .replace(site.kit.as_str(), "[kit]")
        .replace(&script.to_string(), "[pid]");
    insta::assert_snapshot!(said, @r#"
    There seems to be one instance, pid=[pid], running.
    If you are sure it's not the case, please kill process [pid] and then remove daemon_pid.fl in [kit]
    "#);

    // Without a yes nothing happens.
    let asked = site.run("stop_fl.sh", &[]);
    assert!(asked.status.success() && is_alive(python));
    assert!(site.run("stop_fl.sh", &["-y"]).status.success());
    site.wait_until_stopped(&[python, script]);
    assert!(
        String::from_utf8(site.run("stop_fl.sh", &["-y"]).stdout)
            .unwrap()
            .starts_with("Nothing is running")
    );
}

#[test]
fn a_python_that_dies_is_started_again() {
    let site = Site::new();
    let first = site.start();
    kill_process(
        Pid::from_raw(first.try_into().unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
    let second = site.python_after(first);
    wait_for("the second run", || (site.runs() == 2).then_some(()));
    site.touch("shutdown.fl");
    site.wait_until_stopped(&[first, second]);
}

#[test]
fn a_restart_is_obeyed() {
    let site = Site::new();
    let first = site.start();
    site.touch("restart.fl");
    let second = site.python_after(first);
    assert!(!is_alive(first));
    wait_for("the request to be removed", || {
        (site.pid_files() == ["pid.fl", "daemon_pid.fl"]).then_some(())
    });
    site.touch("shutdown.fl");
    site.wait_until_stopped(&[second]);
}

#[test]
fn a_signal_to_the_script_stops_both() {
    let site = Site::new();
    let python = site.start();
    let script = site.pid("daemon_pid.fl").unwrap();
    kill_process(
        Pid::from_raw(script.try_into().unwrap()).unwrap(),
        Signal::TERM,
    )
    .unwrap();
    site.wait_until_stopped(&[python, script]);
}

#[test]
fn stale_files_are_not_believed() {
    let site = Site::new();
    // Processes that live and are not this kit's, and requests of an earlier run.
    fs_err::write(site.kit.join("pid.fl"), std::process::id().to_string()).unwrap();
    fs_err::write(site.kit.join("daemon_pid.fl"), "4194304999").unwrap();
    site.touch("shutdown.fl");
    site.touch("restart.fl");
    let python = wait_for_other(&site, std::process::id());
    assert!(is_alive(python));
    site.touch("shutdown.fl");
    site.wait_until_stopped(&[python]);
    assert_eq!(site.runs(), 1);
}

fn wait_for_other(site: &Site, old: u32) -> u32 {
    assert!(site.script("start.sh", &[]).status().unwrap().success());
    site.python_after(old)
}

#[test]
fn a_python_whose_script_was_killed_is_taken_over() {
    let site = Site::new();
    let python = site.start();
    let script = site.pid("daemon_pid.fl").unwrap();
    kill_process(
        Pid::from_raw(script.try_into().unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
    wait_for("the script's end", || (!is_alive(script)).then_some(()));
    // The stand-in has become `sleep`, which does not name the kit, so it is replaced by one that does.
    let kit = &site.kit;
    let stand_in = Command::new("bash")
        .args(["-c", "read -r", "python", "-m", kit.as_str()])
        // Nothing ever comes.
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stand_in = Reaped(stand_in);
    let taken = stand_in.0.id();
    fs_err::write(kit.join("pid.fl"), taken.to_string()).unwrap();
    assert!(site.script("start.sh", &[]).status().unwrap().success());
    wait_for("the new script", || {
        site.pid("daemon_pid.fl").filter(|pid| *pid != script)
    });
    assert_eq!(site.runs(), 1);
    assert_eq!(site.pid("pid.fl"), Some(taken));
    site.touch("shutdown.fl");
    wait_for("the end", || stand_in.0.try_wait().unwrap());
    site.wait_until_stopped(&[]);
    kill_process(
        Pid::from_raw(python.try_into().unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
}

/// A child that is ended with the test.
struct Reaped(std::process::Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn once_runs_in_the_foreground() {
    let site = Site::new();
    fs_err::write(format!("{}.fails", site.python), "").unwrap();
    assert_eq!(site.run("sub_start.sh", &["--once"]).status.code(), Some(3));
    assert_eq!(site.pid_files(), [""; 0]);
    assert_eq!(site.run("sub_start.sh", &["--onec"]).status.code(), Some(2));
}

#[test]
fn scripts_parse() {
    let site = Site::new();
    for directory in ["site-1", "server", "admin@nvidia.com"] {
        let startup = site.kit.with_file_name(directory).join("startup");
        for name in poc_core::fsio::entries(&startup).unwrap() {
            let path = startup.join(&name);
            if Utf8Path::new(&name).extension() == Some("sh") {
                assert!(
                    Command::new("bash")
                        .arg("-n")
                        .arg(&path)
                        .status()
                        .unwrap()
                        .success(),
                    "{path}"
                );
            }
        }
    }
}
