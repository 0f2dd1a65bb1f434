use std::{
    ffi::OsStr,
    fs::File,
    io::Read as _,
    os::unix::ffi::OsStrExt as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::Build;

/// A program on a pseudo-terminal, and the person in front of it.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    master: File,
    /// All that was shown.
    shown: Vec<u8>,
    /// Up to where [`Terminal::expect`] has looked.
    seen: usize,
    closed: bool,
}

impl Terminal {
    /// Starts `command` on a new terminal of 120 columns.
    pub(crate) fn start(build: &Build, command: &Command) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize {
            ws_row: 40,
            ws_col: 120,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();

        let mut on_terminal = Command::new(build.on_terminal);
        on_terminal.arg(OsStr::from_bytes(name.as_bytes()));
        on_terminal
            .arg(command.get_program())
            .args(command.get_args());
        on_terminal.env_clear().env("TERM", "xterm");
        on_terminal.envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        if let Some(directory) = command.get_current_dir() {
            on_terminal.current_dir(directory);
        }
        // The slave side is opened by name; of these three the program keeps nothing.
        on_terminal.stdin(Stdio::null()).stdout(Stdio::null());
        let child = on_terminal.spawn().unwrap();
        Self {
            child,
            master: File::from(master),
            shown: Vec::new(),
            seen: 0,
            closed: false,
        }
    }

    /// Types text; `\n` is the Enter key, `\x03` is Ctrl-C.
    #[track_caller]
    pub fn type_in(&mut self, text: &str) {
        use std::io::Write as _;
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until `text` is shown, and gives what was shown up to its end since the last call.
    ///
    /// # Panics
    ///
    /// When the program ends or `limit` passes first.
    #[track_caller]
    pub fn expect(&mut self, text: &str, limit: Duration) -> String {
        let deadline = Instant::now() + limit;
        loop {
            let new = &self.shown[self.seen..];
            if let Some(position) = new
                .windows(text.len())
                .position(|part| part == text.as_bytes())
            {
                let answer = &new[..position + text.len()];
                self.seen += answer.len();
                return String::from_utf8_lossy(answer).into_owned();
            }
            assert!(
                !self.closed,
                "the terminal closed before it showed {text:?}; it showed:\n{}",
                self.text()
            );
            assert!(
                self.read_until(deadline),
                "the terminal does not show {text:?} in {limit:?}; it showed:\n{}",
                self.text(),
            );
        }
    }

    /// Waits for the program's end and gives its exit code and all that was shown.
    ///
    /// # Panics
    ///
    /// When `limit` passes first, or a signal ended it.
    #[track_caller]
    pub fn wait(mut self, limit: Duration) -> (i32, String) {
        let deadline = Instant::now() + limit;
        while !self.closed {
            assert!(
                self.read_until(deadline),
                "still on the terminal after {limit:?}:\n{}",
                self.text()
            );
        }
        let status = self.child.wait().unwrap();
        let text = self.text();
        (
            status
                .code()
                .unwrap_or_else(|| panic!("ended by a signal: {status}\n{text}")),
            text,
        )
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Reads what there is; `false` when `deadline` passes before anything comes.
    fn read_until(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap();
        let mut ready = [PollFd::new(&self.master, PollFlags::IN)];
        if poll(&mut ready, Some(&timeout)).unwrap() == 0 {
            return false;
        }
        let mut block = [0; 4096];
        match self.master.read(&mut block) {
            // Linux answers EIO when the last program has closed the other side.
            Ok(0) | Err(_) => self.closed = true,
            Ok(count) => self.shown.extend_from_slice(&block[..count]),
        }
        true
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
