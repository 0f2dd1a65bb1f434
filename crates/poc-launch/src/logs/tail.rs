//! The last lines of a file.

use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};

use camino::Utf8Path;

use crate::Error;

/// How much is read at first, then four times as much, and so on.
const LEAST: u64 = 64 * 1024;
/// How much is read at most, however long the lines are.
const MOST: u64 = 16 * 1024 * 1024;

/// The last lines of a file, oldest first, without their line ends; a last line that is not finished
/// yet counts. Bytes that are not UTF-8 are replaced. A file that does not exist has no lines.
///
/// No more than 16 MiB are read; where that is not enough, the oldest line may lack its beginning.
///
/// # Errors
///
/// [`Error::Io`], with the path.
pub fn tail(path: &Utf8Path, lines: usize) -> Result<Vec<String>, Error> {
    let mut file = match fs_err::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let end = file.seek(SeekFrom::End(0))?;
    let mut size = LEAST;
    let bytes = loop {
        file.seek(SeekFrom::Start(end.saturating_sub(size)))?;
        let mut bytes = Vec::new();
        (&mut file).take(size).read_to_end(&mut bytes)?;
        if size >= end.min(MOST) || line_starts(&bytes) > lines {
            break bytes;
        }
        size *= 4;
    };
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect())
}

/// How many lines begin after the first byte: with one more than asked for, none is cut.
fn line_starts(bytes: &[u8]) -> usize {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    body.split(|byte| *byte == b'\n').skip(1).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with_file<T>(content: &[u8], check: impl FnOnce(&Utf8Path) -> T) -> T {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().join("log");
        fs_err::write(&path, content).unwrap();
        check(&path)
    }

    #[test]
    fn a_missing_file_has_no_lines() {
        assert!(tail("/no/such/log".into(), 5).unwrap().is_empty());
    }

    #[test]
    fn lines_longer_than_the_first_piece_are_whole() {
        let long = "x".repeat(200_000);
        let content = format!("first\n{long}\nlast");
        with_file(content.as_bytes(), |path| {
            assert_eq!(tail(path, 2).unwrap(), [long.as_str(), "last"]);
            assert_eq!(tail(path, 0).unwrap(), Vec::<String>::new());
        });
    }

    #[test]
    fn one_endless_line_is_bounded() {
        with_file(&vec![b'x'; 20 * 1024 * 1024], |path| {
            let lines = tail(path, 3).unwrap();
            assert_eq!(lines.len(), 1);
            assert_eq!(lines[0].len() as u64, MOST);
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn equals_reading_the_whole_file(lines in proptest::collection::vec("[a-zé]{0,9}", 0..9), n in 0_usize..12, ended: bool) {
            let mut content = lines.join("\n");
            if ended { content.push('\n'); }
            let whole: Vec<&str> = content.lines().collect();
            let expected = &whole[whole.len().saturating_sub(n)..];
            with_file(content.as_bytes(), |path| assert_eq!(tail(path, n).unwrap(), expected));
        }
    }
}
