//! Paths as text: absolute, without `.` and `..`, and which lies in which.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

/// The path, absolute and without `.` and `..`, taken lexically: a link is not followed, so that the
/// path stays the one that the user named.
pub(crate) fn absolute(path: &Utf8Path, cwd: &Utf8Path) -> Utf8PathBuf {
    let mut absolute = Utf8PathBuf::from("/");
    for component in cwd.join(path).components() {
        match component {
            Utf8Component::ParentDir => {
                absolute.pop();
            }
            Utf8Component::Normal(name) => absolute.push(name),
            Utf8Component::CurDir | Utf8Component::RootDir | Utf8Component::Prefix(_) => {}
        }
    }
    absolute
}

/// `~` and `~/x`, as NVFlare expands them in registered kits.
pub(crate) fn expand_home(path: &Utf8Path, home: &Utf8Path) -> Utf8PathBuf {
    path.strip_prefix("~")
        .map_or_else(|_| path.to_owned(), |rest| home.join(rest))
}

/// The path with its links followed as far as it exists (Python's `Path.resolve`).
pub(crate) fn follow_links(path: &Utf8Path) -> Utf8PathBuf {
    for ancestor in path.ancestors() {
        if let Ok(real) = ancestor.canonicalize_utf8() {
            return path
                .strip_prefix(ancestor)
                .map_or_else(|_| real.clone(), |rest| real.join(rest));
        }
    }
    path.to_owned()
}

/// Whether a path is a directory or lies in it, by its name or by where its links lead: NVFlare
/// registers kits with their links followed.
pub(crate) fn is_within(path: &Utf8Path, directory: &Utf8Path) -> bool {
    let root = Utf8Path::new("/");
    let (path, directory) = (absolute(path, root), absolute(directory, root));
    path.starts_with(&directory) || follow_links(&path).starts_with(follow_links(&directory))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dots_and_slashes_go() {
        let cwd = Utf8Path::new("/home/mia/dir");
        for (given, expected) in [
            ("poc", "/home/mia/dir/poc"),
            ("./a/../b/", "/home/mia/dir/b"),
            ("../../../../x", "/x"),
            ("/tmp//nvflare/./poc/", "/tmp/nvflare/poc"),
            ("a b/é", "/home/mia/dir/a b/é"),
            (".", "/home/mia/dir"),
        ] {
            assert_eq!(absolute(given.into(), cwd), expected, "{given}");
        }
    }

    #[test]
    fn the_tilde_is_the_home_only_as_a_whole_component() {
        let home = Utf8Path::new("/home/mia");
        assert_eq!(expand_home("~".into(), home), "/home/mia");
        assert_eq!(expand_home("~/poc".into(), home), "/home/mia/poc");
        assert_eq!(expand_home("~x/poc".into(), home), "~x/poc");
        assert_eq!(expand_home("/a/~".into(), home), "/a/~");
    }

    #[test]
    fn links_lead_into_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path())
            .unwrap()
            .canonicalize_utf8()
            .unwrap();
        let real = root.join("real");
        fs_err::create_dir(&real).unwrap();
        fs_err::os::unix::fs::symlink(&real, root.join("link")).unwrap();
        assert!(is_within(&real.join("poc/x"), &root.join("link/poc")));
        assert!(is_within(
            &root.join("link/poc/not/there"),
            &real.join("poc")
        ));
        assert!(!is_within(&root.join("realistic"), &real));
        assert!(!is_within(&real, &real.join("poc")));
    }

    proptest! {
        #[test]
        fn absolute_is_idempotent_and_clean(path in "(/|\\.\\.|\\.|[a-z ]{1,4}){0,12}") {
            let once = absolute(Utf8Path::new(&path), Utf8Path::new("/c/w/d"));
            prop_assert_eq!(absolute(&once, Utf8Path::new("/elsewhere")), once.clone());
            prop_assert!(once.is_absolute());
            prop_assert!(once.as_str() == "/" || !once.as_str().ends_with('/'));
            prop_assert!(once.components().all(|component| component != Utf8Component::ParentDir));
        }
    }
}
