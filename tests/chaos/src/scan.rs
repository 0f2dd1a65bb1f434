//! What is left when nothing may be.

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8Path;
use poc_launch::ports;
use poc_tests::wait_until;

use crate::{
    journal::Journal,
    round::Round,
    seen::{self, with_cookie},
};

/// While a directory is deleted, others may still write into it.
const A_MOMENT: Duration = Duration::from_secs(5);
/// How much of each log is kept of a round that failed.
const LAST_LINES: usize = 60;

impl Round<'_> {
    /// The processes that are left, by the environment, command line or directory that names the world
    /// (all kits lie in it), and by every cookie that was in use.
    pub(crate) fn left(&self) -> BTreeMap<u32, String> {
        let mut left: BTreeMap<u32, String> = self
            .stage
            .world
            .processes()
            .into_iter()
            .map(|one| (one.pid, one.command))
            .collect();
        for pid in self.cookies.iter().flat_map(|cookie| with_cookie(cookie)) {
            left.entry(pid)
                .or_insert_with(|| "(by its cookie)".to_owned());
        }
        left
    }

    /// Fails when a process, a pid file, a socket or a listener is left.
    #[track_caller]
    pub(crate) fn check_nothing_left(&self) {
        let left = self.left();
        assert!(left.is_empty(), "processes are left: {left:?}");
        let files = self.stage.world.runtime_files();
        assert!(files.is_empty(), "files are left: {files:?}");
        let port = self.stage.world.port();
        let holder = ports::holder(port).unwrap();
        assert!(holder.is_none(), "port {port} is still taken: {holder:?}");
    }

    /// The workspace is deleted, or moved away, under everything that runs in it.
    pub(crate) fn lose_workspace(&mut self, moved: bool) {
        let workspace = self.stage.world.workspace().to_owned();
        self.cookies.extend(seen::cookie(self.stage));
        self.take_events();
        self.journal.did(if moved {
            "moved the workspace"
        } else {
            "deleted the workspace"
        });
        if moved {
            fs_err::rename(&workspace, self.stage.moved()).unwrap();
        } else {
            // They may write into it while it goes.
            wait_until(A_MOMENT, || match fs_err::remove_dir_all(&workspace) {
                Ok(()) => Ok(()),
                Err(_) if !workspace.exists() => Ok(()),
                Err(error) => Err(error.to_string()),
            });
        }
        let this = &*self;
        wait_until(Duration::from_secs(10), || {
            let left = this.left();
            let gone = left.is_empty();
            gone.then_some(())
                .ok_or_else(|| format!("the workspace is gone, and these are left: {left:?}"))
        });
        // What lies in a workspace that is somewhere else is out of everybody's reach.
        if moved {
            take_events_of(&self.stage.moved(), self.journal);
            fs_err::remove_dir_all(self.stage.moved()).unwrap();
        }
    }

    /// Takes `poc`'s own events down.
    pub(crate) fn take_events(&mut self) {
        take_events_of(self.stage.world.workspace(), self.journal);
    }

    /// Takes down all that may explain a failure.
    pub(crate) fn take_everything(&mut self) {
        for (pid, command) in self.left() {
            self.journal.saw("a process", format!("{pid} {command}"));
        }
        let workspace = self.stage.workspace();
        let mut logs = vec![
            workspace.supervisor_log(),
            workspace.poc_dir().join("fork_server.log"),
        ];
        let kits = self
            .names()
            .into_iter()
            .map(|name| self.stage.world.kit(&name));
        logs.extend(kits.map(|kit| kit.join("poc_console.log")));
        for log in logs {
            let lines = poc_launch::logs::tail(&log, LAST_LINES).unwrap_or_default();
            self.journal.saw(log.as_str(), lines);
        }
    }
}

fn take_events_of(workspace: &Utf8Path, journal: &mut Journal) {
    for entry in seen::events(&workspace.join(".poc/events.jsonl")) {
        journal.poc(&entry);
    }
}
