//! One participant's container, from its start to its end.

use std::ffi::OsString;
use std::io::Write as _;
use std::time::{Duration, Instant};

use poc_core::env;

use super::Containers;
use super::command::{Output, SHORT};
use crate::Error;
use crate::logs;
use crate::plan::ParticipantPlan;
use crate::process::Identity;

/// A start waits for the daemon, which may be busy with others.
const START: Duration = Duration::from_secs(60);
/// How soon docker is asked again.
const AGAIN: Duration = Duration::from_millis(10);
/// What of a container's own output is worth keeping.
const LINES: &str = "50";
/// What docker takes at most to see that a container has ended.
const MOMENT: Duration = Duration::from_secs(5);

/// Runs the participant's command, which is `docker run --detach …`, and finds the container's process.
pub(crate) fn start(
    containers: &Containers,
    participant: &ParticipantPlan,
    environment: &[(OsString, OsString)],
) -> Result<Identity, Error> {
    let docker = &containers.docker;
    let refused = |message: String| Error::DockerRefused {
        action: "starting the container",
        message,
    };
    let (Some(name), Some((program, arguments))) =
        (&participant.container, participant.argv.split_first())
    else {
        return Err(refused("its command is not known".to_owned()));
    };
    // Left over from a boot or a supervisor that is gone.
    containers.remove(Some(&participant.name))?;
    let call = duct::cmd(program, arguments)
        .dir(&participant.directory)
        .full_env(environment.iter().cloned());
    let output = docker.finish(&call, START)?;
    if !output.success {
        // Made, but not running.
        let _ = containers.remove(Some(&participant.name));
        return Err(refused(output.words()));
    }
    let pid = docker
        .ask(
            "looking at the container",
            ["inspect", "--format", "{{.State.Pid}}", name],
        )?
        .trim()
        .parse::<u32>()
        .unwrap_or_default();
    let cookie = environment
        .iter()
        .find(|(name, _)| name == env::POC_INSTANCE.name)
        .and_then(|(_, value)| value.to_str());
    let is_ours = |identity: &Identity| {
        cookie.is_none_or(|cookie| identity.has_variable(env::POC_INSTANCE.name, cookie))
    };
    // Until it runs the program it is docker's own helper, in docker's environment.
    let deadline = Instant::now() + MOMENT;
    while let Some(identity) = Identity::of(pid).filter(|_| Instant::now() < deadline) {
        if is_ours(&identity) {
            return Ok(identity);
        }
        std::thread::sleep(AGAIN);
    }
    // It ended before it could be looked at, or is where this machine cannot look.
    if state(containers, name, deadline)?.is_some() {
        let ended = conclude(containers, participant);
        return Err(refused(with_last_words(&ended, participant)));
    }
    let _ = containers.remove(Some(&participant.name));
    Err(refused(format!(
        "the daemon says that it is process {pid}, but that is none on this machine: the daemon runs elsewhere, in a virtual machine perhaps"
    )))
}

/// What the participant wrote into its log since it was started says best why it ended.
fn with_last_words(ended: &str, participant: &ParticipantPlan) -> String {
    let lines = logs::tail(&participant.log, 1).unwrap_or_default();
    match lines.first().map(|line| logs::redact(line)) {
        Some(line) if !line.starts_with("--- ") && !ended.contains(line.trim()) => {
            format!("{ended}: {}", line.trim())
        }
        _ => ended.to_owned(),
    }
}

/// Says how a container that has ended did, keeps what it printed beside the participant's own log,
/// and removes it.
pub(crate) fn conclude(containers: &Containers, participant: &ParticipantPlan) -> String {
    let docker = &containers.docker;
    let Some(name) = &participant.container else {
        return "ended".to_owned();
    };
    let mut ended = match state(containers, name, Instant::now() + MOMENT) {
        Ok(Some(state)) => state,
        Ok(None) => "ended, which docker has not noticed yet".to_owned(),
        Err(error) => format!("ended ({error})"),
    };
    // What it printed before it had its log: that there is no Python in the image, say.
    if let Ok(printed) = docker.run(["logs", "--tail", LINES, name], SHORT)
        && printed.success
    {
        // The log may be on a full disk; the words are lost then.
        let _ = append(participant, &printed);
        let printed = [printed.stderr, printed.stdout].join("\n");
        if let Some(last) = printed.lines().rfind(|line| !line.trim().is_empty()) {
            ended = format!("{ended}: {}", last.trim());
        }
    }
    let _ = docker.run(["rm", "--force", "--volumes", name], SHORT);
    ended
}

/// How it ended; `None` where it has not until the deadline, as far as docker knows: it needs a moment
/// to see what the kernel does.
fn state(containers: &Containers, name: &str, deadline: Instant) -> Result<Option<String>, Error> {
    let format = "{{.State.Running}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Error}}";
    loop {
        let said = containers.docker.ask(
            "asking how the container ended",
            ["inspect", "--format", format, name],
        )?;
        match words(&said) {
            Some(words) => return Ok(Some(words)),
            None if Instant::now() >= deadline => return Ok(None),
            None => std::thread::sleep(AGAIN),
        }
    }
}

/// `None` where it still runs as far as docker knows.
fn words(said: &str) -> Option<String> {
    let mut parts = said.trim().splitn(4, ' ');
    let (running, code) = (parts.next()?, parts.next()?);
    let (memory, error) = (parts.next()?, parts.next().unwrap_or_default());
    (running != "true").then_some(())?;
    let mut words = format!("exit status {code}");
    if memory == "true" {
        words.push_str(", out of memory");
    }
    if !error.is_empty() {
        words.push_str(": ");
        words.push_str(error);
    }
    Some(words)
}

fn append(participant: &ParticipantPlan, printed: &Output) -> std::io::Result<()> {
    let text = format!("{}{}", printed.stdout, printed.stderr);
    if text.trim().is_empty() {
        return Ok(());
    }
    let mut log = std::fs::File::options()
        .append(true)
        .create(true)
        .open(&participant.log)?;
    log.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_container_ended() {
        assert_eq!(words("true 0 false \n"), None);
        assert_eq!(words("false 0 false \n").unwrap(), "exit status 0");
        assert_eq!(
            words("false 137 true \n").unwrap(),
            "exit status 137, out of memory"
        );
        assert_eq!(
            words("false 127 false no such file\n").unwrap(),
            "exit status 127: no such file"
        );
        assert_eq!(words(""), None);
    }
}
