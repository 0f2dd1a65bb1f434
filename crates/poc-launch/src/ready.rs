//! How far a participant has come: read from its console log, and asked of the server where the log
//! configuration keeps it out of there.

use camino::Utf8Path;
use poc_core::project::Role;
use poc_core::workspace::Kit;
use serde_json::Value;

use crate::logs::{self, Follower, Scanner, Sighting};

/// Whoever says so much without saying that it is up will not say it any more.
const MOST: usize = 16 * 1024 * 1024;
/// How much of a log's end is searched, in lines, where nobody has read it as it grew.
const MOST_LINES: usize = 5_000;
/// NVFlare says that it is shutting down among its last words.
const LAST_WORDS: usize = 20;
/// Python's number for its level INFO, at which NVFlare tells what is looked for here.
const INFO: u64 = 20;

/// Reads the console log of a participant that is starting.
#[derive(Debug)]
pub(crate) struct Progress {
    name: String,
    role: Role,
    follower: Follower,
    scanner: Scanner,
    read: usize,
}

/// What a log says of the starts that are under way.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Participants that are up, or have registered.
    pub(crate) ready: Vec<String>,
    /// It has begun to open its listeners.
    pub(crate) is_underway: bool,
    /// The server cannot listen on its port; it goes on trying, but that is no start.
    pub(crate) cannot_listen: Option<String>,
    /// Too much was written without saying so: nothing more can be expected of this log.
    pub(crate) is_flood: bool,
}

impl Progress {
    /// Reads what is written from now on.
    pub(crate) fn from_now(name: &str, role: Role, log: &Utf8Path) -> Self {
        // A log that cannot be read now may be readable later; then all of it is new.
        let follower = Follower::at_end(log).unwrap_or_else(|_| Follower::at_start(log));
        Self {
            name: name.to_owned(),
            role,
            follower,
            scanner: Scanner::default(),
            read: 0,
        }
    }

    /// What was written since.
    pub(crate) fn read(&mut self) -> News {
        let mut news = News::default();
        loop {
            let bytes = self.follower.read().unwrap_or_default();
            if bytes.is_empty() {
                return news;
            }
            for sighting in self.scanner.feed(&bytes) {
                match sighting {
                    Sighting::CannotListen { reason } if self.role == Role::Server => {
                        news.cannot_listen = Some(reason);
                    }
                    // The server's word on its sites is as good as their own.
                    Sighting::Joined { client } if self.role == Role::Server => {
                        news.ready.push(client);
                    }
                    Sighting::OpensListener => news.is_underway = true,
                    other if says_ready(&other, &self.name, self.role) => {
                        news.ready.push(self.name.clone());
                    }
                    _ => {}
                }
            }
            self.read += bytes.len();
            if self.read > MOST {
                news.is_flood = true;
                return news;
            }
        }
    }
}

fn says_ready(sighting: &Sighting, name: &str, role: Role) -> bool {
    match sighting {
        Sighting::ServerStarted => role == Role::Server,
        Sighting::RelayStarted => role == Role::Relay,
        Sighting::Registered { client } => role != Role::Server && client == name,
        _ => false,
    }
}

/// Whether a log says that the participant is ready, after whatever was started last.
pub(crate) fn has_become_ready(log: &Utf8Path, name: &str, role: Role) -> bool {
    let lines = logs::tail(log, MOST_LINES).unwrap_or_default();
    // Our marker, and that of NVFlare's own `poc start`.
    let is_marker = |line: &String| line.starts_with("--- ") && line.contains("poc start");
    let begin = lines.iter().rposition(is_marker).unwrap_or(0);
    let mut scanner = Scanner::default();
    let mut ready = false;
    for line in &lines[begin..] {
        for sighting in scanner.feed(format!("{line}\n").as_bytes()) {
            if says_ready(&sighting, name, role) {
                ready = true;
            } else if sighting == Sighting::GoodBye {
                ready = false;
            }
        }
    }
    ready
}

/// Whether the log says that the process is shutting down by itself, on an admin's command: it then
/// wrote the request file itself, and should be left the time that it takes.
pub(crate) fn is_leaving(log: &Utf8Path) -> bool {
    let lines = logs::tail(log, LAST_WORDS).unwrap_or_default();
    lines.iter().any(|line| {
        let message = line.rsplit(" - ").next().unwrap_or(line).trim_end();
        let message = message.strip_suffix("\u{1b}[0m").unwrap_or(message);
        matches!(
            message,
            "FL server shutdown." | "FL server restart." | "Client shutdown..."
        ) || message.starts_with("About to shutdown the client")
    })
}

/// Whether the kit's log configuration (NVFlare 2.6 and later: `log_config.json`) keeps messages of
/// level INFO off the console. One that cannot be judged counts as the usual one.
pub(crate) fn log_hides(kit: &Kit) -> bool {
    let local = kit.local();
    ["log_config.json", "log_config.json.default"]
        .iter()
        .find_map(|name| fs_err::read_to_string(local.join(name)).ok())
        .and_then(|text| serde_json::from_str(&text).ok())
        .is_some_and(|config| hides(&config))
}

fn hides(config: &Value) -> bool {
    // Both ways of Python's dictConfig to set up the root logger.
    let root = config
        .pointer("/loggers/root")
        .or_else(|| config.get("root"));
    let Some(root) = root else {
        return false;
    };
    if level(root.get("level")) > INFO {
        return true;
    }
    let handlers = root.get("handlers").and_then(Value::as_array);
    let shows = |name: &Value| {
        let handler = name
            .as_str()
            .and_then(|name| config.get("handlers")?.get(name));
        handler.is_none_or(|handler| {
            let class = handler.get("class").and_then(Value::as_str);
            // Other classes write to files, or nobody knows where.
            class.is_some_and(|class| class == "logging.StreamHandler")
                && level(handler.get("level")) <= INFO
        })
    };
    handlers.is_some_and(|handlers| !handlers.iter().any(shows))
}

/// A level by name or number; one that is not set lets everything pass.
fn level(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::Number(number)) => number.as_u64().unwrap_or(0),
        Some(Value::String(name)) => match name.as_str() {
            "INFO" => INFO,
            "WARN" | "WARNING" => 30,
            "ERROR" => 40,
            "CRITICAL" | "FATAL" => 50,
            _ => 0,
        },
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use camino::Utf8PathBuf;
    use serde_json::json;

    use super::*;

    struct Log(tempfile::TempDir);

    impl Log {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self) -> Utf8PathBuf {
            Utf8Path::from_path(self.0.path()).unwrap().join("log")
        }

        fn write(&self, text: &str) {
            let mut file = std::fs::File::options()
                .append(true)
                .create(true)
                .open(self.path())
                .unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
    }

    const REGISTERED: &str =
        "t - FederatedClient - INFO - Successfully registered client:site-1 for project p.\n";

    #[test]
    fn only_what_is_said_from_now_on_counts_and_only_of_oneself() {
        let log = Log::new();
        log.write(REGISTERED);
        let mut site = Progress::from_now("site-1", Role::Client, &log.path());
        assert_eq!(site.read(), News::default());
        log.write(&REGISTERED.replace("site-1", "site-10"));
        log.write("t - root - INFO - Server started\n");
        assert_eq!(site.read(), News::default());
        log.write("t - x - INFO - Connector [CH00002 PASSIVE tcp://h:1] is starting\n");
        assert!(site.read().is_underway);
        log.write(REGISTERED);
        assert_eq!(site.read().ready, ["site-1"]);
        assert_eq!(site.read(), News::default());
    }

    #[test]
    fn a_log_that_appears_later_is_read_from_its_beginning() {
        let log = Log::new();
        let mut server = Progress::from_now("server", Role::Server, &log.path());
        assert_eq!(server.read(), News::default());
        log.write("t - root - INFO - Server started\n");
        assert_eq!(server.read().ready, ["server"]);
        log.write("t - ClientManager - INFO - Client: New client site-2@127.0.0.1 joined. Sent\n");
        assert_eq!(server.read().ready, ["site-2"]);
        let taken = "failed with exception OSError: address already in use";
        log.write(&format!(
            "t - x - ERROR - Connector [CH1 PASSIVE http://0:1] {taken}\n"
        ));
        assert!(server.read().cannot_listen.is_some());
    }

    #[test]
    fn what_was_said_counts_since_the_last_start() {
        let log = Log::new();
        for (text, expected) in [
            (String::new(), false),
            (REGISTERED.to_owned(), true),
            (
                format!("{REGISTERED}--- nvflare poc start Tue ---\n"),
                false,
            ),
            (format!("--- poc start 2026 ---\n{REGISTERED}more\n"), true),
            (REGISTERED.replace("site-1", "site-11"), false),
            (
                format!("{REGISTERED}t - MPM - INFO - MPM: Good Bye!\n"),
                false,
            ),
        ] {
            fs_err::write(log.path(), &text).unwrap();
            let ready = has_become_ready(&log.path(), "site-1", Role::Client);
            assert_eq!(ready, expected, "{text}");
        }
    }

    #[test]
    fn a_flood_is_not_followed_for_ever() {
        let log = Log::new();
        let mut site = Progress::from_now("site-1", Role::Client, &log.path());
        log.write(&"x".repeat(MOST + 1));
        assert!(site.read().is_flood);
    }

    #[test]
    fn one_that_shuts_itself_down_says_so() {
        let log = Log::new();
        assert!(!is_leaving(&log.path()));
        log.write(
            "t - ClientEngine - INFO - Client shutdown...\nAbout to shutdown the client...\n",
        );
        assert!(is_leaving(&log.path()));
        log.write(&"t - x - INFO - started again\n".repeat(LAST_WORDS));
        assert!(!is_leaving(&log.path()));
    }

    #[test]
    fn log_configurations() {
        let config = |root: Value, console: Value| json!({"loggers": {"root": root}, "handlers": {"console": console, "file": {"class": "logging.FileHandler"}}});
        let stream = |level: &str| json!({"class": "logging.StreamHandler", "level": level});
        let root = |level: &str, handlers: &[&str]| json!({"level": level, "handlers": handlers});
        let both = ["console", "file"];
        assert!(!hides(&config(root("INFO", &both), stream("DEBUG"))));
        assert!(!hides(&json!({})));
        assert!(hides(&config(root("WARNING", &both), stream("DEBUG"))));
        assert!(hides(&config(root("INFO", &both), stream("ERROR"))));
        assert!(hides(&config(root("INFO", &["file"]), stream("INFO"))));
        assert!(hides(&json!({"root": {"level": 30}})));
    }
}
