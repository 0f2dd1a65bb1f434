//! What the job tells while it runs: a line a round, in a file that its server side appends to.

use std::collections::BTreeMap;
use std::io::{self, Read};

use camino::Utf8PathBuf;
use serde::Deserialize;

/// The file's name in the run directory of the job's server process.
pub(crate) const FILE: &str = "progress.jsonl";

/// One round of federated averaging, told as it ends. Accuracies are shares of the held-out
/// records, 0 to 1.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Round {
    /// Counted from 1.
    #[serde(rename = "round")]
    pub(crate) number: u32,
    /// How many rounds the job has.
    #[serde(rename = "rounds")]
    pub(crate) total: u32,
    /// Of the model that the round made.
    pub(crate) global: f64,
    /// Of each site's model before the averaging.
    pub(crate) sites: BTreeMap<String, f64>,
    /// Of the model that each site has trained by itself so far.
    pub(crate) alone: BTreeMap<String, f64>,
}

/// Reads rounds from a file that may not be there yet and that grows.
///
/// NVFlare archives and removes the run directory as the job ends; a file that was opened before
/// can be read to its end all the same.
#[derive(Debug)]
pub(crate) struct Tail {
    path: Utf8PathBuf,
    file: Option<fs_err::File>,
    /// The beginning of a line whose end is not written yet.
    pending: Vec<u8>,
}

impl Tail {
    pub(crate) fn new(path: Utf8PathBuf) -> Self {
        Self {
            path,
            file: None,
            pending: Vec::new(),
        }
    }

    /// The rounds that were told since the last call.
    pub(crate) fn poll(&mut self) -> io::Result<Vec<Round>> {
        let file = match &mut self.file {
            Some(file) => file,
            slot => match fs_err::File::open(&self.path) {
                Ok(file) => slot.insert(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            },
        };
        file.read_to_end(&mut self.pending)?;
        let complete = self
            .pending
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.pending.drain(..complete).collect();
        parse(&lines)
    }
}

/// The rounds in a file's text.
pub(crate) fn parse(lines: &[u8]) -> io::Result<Vec<Round>> {
    let lines = lines
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty());
    Ok(lines
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const FIRST: &str = r#"{"round": 1, "rounds": 2, "global": 0.5, "sites": {"site-1": 0.25}, "alone": {"site-1": 0.125}}"#;
    const SECOND: &str = r#"{"round": 2, "rounds": 2, "global": 0.75, "sites": {}, "alone": {}}"#;

    #[test]
    fn rounds_come_as_they_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(dir.path().join(FILE)).unwrap();
        let mut tail = Tail::new(path.clone());
        assert_eq!(tail.poll().unwrap(), []);

        let mut file = fs_err::File::create(&path).unwrap();
        assert_eq!(tail.poll().unwrap(), []);

        let (beginning, end) = SECOND.split_at(20);
        write!(file, "{FIRST}\n{beginning}").unwrap();
        let first = tail.poll().unwrap();
        assert_eq!(first.len(), 1);
        assert_eq!((first[0].number, first[0].global), (1, 0.5));
        assert_eq!(
            first[0].alone,
            BTreeMap::from([("site-1".to_owned(), 0.125)])
        );
        assert_eq!(tail.poll().unwrap(), []);

        // What is written after the file was removed arrives as well.
        fs_err::remove_file(&path).unwrap();
        writeln!(file, "{end}").unwrap();
        let second = tail.poll().unwrap();
        assert_eq!((second[0].number, second[0].global), (2, 0.75));
    }

    #[test]
    fn a_line_that_is_no_round_is_an_error() {
        assert!(parse(b"{\"round\": 1}\n").is_err());
    }
}
