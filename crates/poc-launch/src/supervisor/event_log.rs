//! The event log: an append-only file of JSON lines that explains every start, exit, signal and
//! restart.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Happening;

/// Beyond this the log is set aside once, as `events.jsonl.1`.
const CAP: u64 = 4 * 1024 * 1024;

/// One line of the event log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When (RFC 3339, UTC).
    pub time: String,
    /// What.
    #[serde(flatten)]
    pub happening: Happening,
}

impl Entry {
    /// Something that happens now.
    pub fn now(happening: Happening) -> Self {
        let time = OffsetDateTime::now_utc();
        Self {
            // Milliseconds are enough, and line up.
            time: time
                .replace_millisecond(time.millisecond())
                .unwrap_or(time)
                .format(&Rfc3339)
                .unwrap_or_default(),
            happening,
        }
    }
}

/// Reads an event log, oldest first; what was set aside comes before. Lines that are not understood
/// (cut short by a full disk, or of a newer version) are passed over.
///
/// # Errors
///
/// What the system says, with the path. A log that does not exist has no entries.
pub fn read(path: &Utf8Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for part in [set_aside(path), path.to_owned()] {
        match fs_err::read_to_string(&part) {
            Ok(text) => entries.extend(text.lines().filter_map(|it| serde_json::from_str(it).ok())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

/// The writing end.
#[derive(Debug)]
pub(crate) struct EventLog {
    path: Utf8PathBuf,
    file: File,
    length: u64,
    /// The last entry was cut short, so the next one has to begin a line of its own.
    is_cut: bool,
}

impl EventLog {
    pub(crate) fn open(path: &Utf8Path) -> io::Result<Self> {
        let file = File::options()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        let length = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            length,
            // Whoever wrote before may have been cut short.
            is_cut: length > 0 && !ends_a_line(path, length),
        })
    }

    /// Appends an entry with a single write, so that it is whole or absent even where several write.
    /// A log that cannot be written to (full disk) is no reason to let processes go unsupervised:
    /// the entry is lost, and the next one is tried again.
    pub(crate) fn write(&mut self, entry: &Entry) {
        let Ok(mut line) = serde_json::to_vec(entry) else {
            return;
        };
        line.push(b'\n');
        if self.is_cut {
            line.insert(0, b'\n');
        }
        if self.length + line.len() as u64 > CAP {
            self.set_aside();
        }
        if let Ok(written) = self.file.write(&line) {
            self.length += written as u64;
            // Of nothing written, what was cut before still is.
            self.is_cut = written < line.len() && (written > 0 || self.is_cut);
        }
    }

    fn set_aside(&mut self) {
        // Where this fails the log goes on growing, which is the lesser evil.
        if fs_err::rename(&self.path, set_aside(&self.path)).is_ok()
            && let Ok(fresh) = Self::open(&self.path)
        {
            *self = fresh;
        }
    }
}

/// Whether a log of that length ends with the end of a line, or cannot be read.
fn ends_a_line(path: &Utf8Path, length: u64) -> bool {
    let mut last = [0];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut last, length - 1));
    read.is_err() || last == *b"\n"
}

fn set_aside(path: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{path}.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(name: &str) -> Entry {
        Entry::now(Happening::Ready {
            name: name.to_owned(),
        })
    }

    #[test]
    fn an_entry_is_one_flat_object() {
        let entry = Entry {
            time: "2026-11-24T17:02:08.11Z".to_owned(),
            happening: Happening::Exited {
                name: "site-1".to_owned(),
                pid: 4711,
                status: "signal 9 (SIGKILL)".to_owned(),
                tail: vec![],
            },
        };
        let text = serde_json::to_string(&entry).unwrap();
        insta::assert_snapshot!(text, @r#"{"time":"2026-11-24T17:02:08.11Z","event":"exited","name":"site-1","pid":4711,"status":"signal 9 (SIGKILL)"}"#);
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    }

    #[test]
    fn the_log_grows_survives_reopening_and_is_set_aside_at_its_cap() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path())
            .unwrap()
            .join("events.jsonl");
        assert!(read(&path).unwrap().is_empty());
        EventLog::open(&path).unwrap().write(&ready("site-1"));
        let mut log = EventLog::open(&path).unwrap();
        log.write(&ready("site-2"));
        assert_eq!(read(&path).unwrap().len(), 2);
        log.length = CAP;
        log.write(&ready("site-3"));
        log.write(&ready("site-4"));
        assert!(set_aside(&path).exists());
        let names: Vec<_> = read(&path)
            .unwrap()
            .into_iter()
            .map(|entry| entry.happening)
            .collect();
        assert_eq!(names.len(), 4);
        assert_eq!(names[3], ready("site-4").happening);
    }

    #[test]
    fn a_damaged_line_does_not_hide_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path())
            .unwrap()
            .join("events.jsonl");
        let good = serde_json::to_string(&ready("site-1")).unwrap();
        fs_err::write(&path, format!("{{\"time\":\"20\n{good}\n\n")).unwrap();
        assert_eq!(read(&path).unwrap().len(), 1);
    }

    /// What a full disk cut short costs itself, and not what comes after it.
    #[test]
    fn an_entry_after_one_that_was_cut_short_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path())
            .unwrap()
            .join("events.jsonl");
        fs_err::write(&path, "{\"time\":\"20").unwrap();
        EventLog::open(&path).unwrap().write(&ready("site-1"));
        assert_eq!(read(&path).unwrap().len(), 1);
        let mut log = EventLog::open(&path).unwrap();
        assert!(!log.is_cut);
        log.is_cut = true;
        log.write(&ready("site-2"));
        assert!(!log.is_cut);
        log.write(&ready("site-3"));
        assert_eq!(read(&path).unwrap().len(), 3);
    }
}
