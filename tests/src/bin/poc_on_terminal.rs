//! `poc-on-terminal TTY PROGRAM [ARGUMENT…]` runs a program with TTY as its controlling terminal,
//! in a session of its own, as a shell in a terminal window would.
//!
//! It is a program and not a function because taking a terminal happens between fork and exec,
//! where safe Rust has no place to stand.
//!
//! It also plays the decoys of the tests, as they need a program that is nobody's.

use std::{
    env, fs,
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Command, ExitCode, Stdio},
    sync::Arc,
};

use signal_hook::consts::{SIGINT, SIGQUIT, SIGTERM};

fn main() -> ExitCode {
    if poc_tests::Decoys::is_one() {
        return ExitCode::SUCCESS;
    }
    let error = match run() {
        Ok(never) => match never {},
        Err(error) => error,
    };
    // Nobody reads this unless the test is being written; its exit code is what a shell would give.
    let _ = writeln!(io::stderr(), "poc-on-terminal: {error}");
    ExitCode::from(127)
}

fn run() -> io::Result<std::convert::Infallible> {
    let mut words = env::args_os().skip(1);
    let (Some(terminal), Some(program)) = (words.next(), words.next()) else {
        return Err(io::Error::other(
            "usage: poc-on-terminal TTY PROGRAM [ARGUMENT…]",
        ));
    };
    // A shell gives its foreground job the default signals. What started the tests may ignore some,
    // as `nohup` and a background job do, and that is inherited; what is caught becomes the default
    // again by exec.
    for signal in [SIGINT, SIGQUIT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::default())?;
    }
    rustix::process::setsid()?;
    let terminal = fs::File::options().read(true).write(true).open(terminal)?;
    rustix::process::ioctl_tiocsctty(&terminal)?;
    Err(Command::new(program)
        .args(words)
        .stdin(Stdio::from(terminal.try_clone()?))
        .stdout(Stdio::from(terminal.try_clone()?))
        .stderr(Stdio::from(terminal))
        .exec())
}
