//! Paths that NVFlare cannot hand on to the processes of its jobs.
//!
//! `python -m … -m "/srv/my poc/…/server"` runs well, and so it looks as if a space in a workspace's
//! path did no harm. But when a job comes, NVFlare (2.9 and before) writes the command of the job's
//! process as one line and splits that again, and every job fails. A link without a space does not
//! help: the server resolves its paths. So such a participant is started through a few lines of
//! Python that keep the paths whole where NVFlare splits the line.

use camino::Utf8Path;

/// The program, as `python -c` takes it. It expects the words `-m MODULE -m KIT ARGUMENT…` after it, so the
/// command line still names module and kit as any other does.
const RUNNER: &str = include_str!("quoting.py");

/// The words between the interpreter's options and `-m MODULE`: none for paths that need no help.
pub(super) fn words(python: &Utf8Path, kit: &Utf8Path) -> Vec<String> {
    if [python, kit].into_iter().all(is_one_word) {
        return Vec::new();
    }
    vec!["-c".to_owned(), RUNNER.to_owned()]
}

/// Whether Python's `shlex.split(…, comments=True)` leaves a path as it is.
fn is_one_word(path: &Utf8Path) -> bool {
    !path
        .as_str()
        .contains(|letter: char| letter.is_ascii_whitespace() || "'\"\\#".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_it_is_needed() {
        let plain = Utf8Path::new("/srv/pré-étude/$HOME;x/server");
        assert!(words(plain, plain).is_empty());
        for path in ["/my poc", "/it's", "/a\"b", "/a\\b", "/a#1", "/tab\there"] {
            for (python, kit) in [(plain, Utf8Path::new(path)), (Utf8Path::new(path), plain)] {
                assert_eq!(words(python, kit), ["-c", RUNNER], "{path}");
            }
        }
    }
}
