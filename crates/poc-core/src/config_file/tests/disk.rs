use std::os::unix::fs::PermissionsExt;

use super::*;

fn temporary() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(dir.path()).unwrap().to_owned();
    (dir, path)
}

fn read(path: &Utf8Path) -> String {
    fs_err::read_to_string(path).unwrap()
}

#[test]
fn an_absent_file_is_empty_and_made_private_on_save() {
    let (_dir, home) = temporary();
    let path = ConfigFile::path_in(&home);
    let mut file = ConfigFile::load(&path).unwrap();
    file.save().unwrap();
    assert!(!path.exists(), "nothing to save, nothing written");
    file.set(&["a"], "x");
    file.save().unwrap();
    assert_eq!(read(&path), "a = \"x\"\n");
    let mode = |path: &Utf8Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
}

#[test]
fn a_link_is_followed_and_stays_a_link() {
    let (_dir, home) = temporary();
    let path = ConfigFile::path_in(&home);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::os::unix::fs::symlink("../dotfiles/nvflare.conf", &path).unwrap();
    ConfigFile::edit(&path, |file| {
        file.set(&["a"], "x");
        Ok(())
    })
    .unwrap();
    assert!(path.is_symlink());
    assert_eq!(read(&home.join("dotfiles/nvflare.conf")), "a = \"x\"\n");
    assert_eq!(
        ConfigFile::load(&path).unwrap().get(&["a"]).unwrap().text,
        "x"
    );
}

#[test]
fn links_in_a_circle_are_an_error() {
    let (_dir, home) = temporary();
    let path = home.join("a.conf");
    fs_err::os::unix::fs::symlink("a.conf", &path).unwrap();
    assert!(matches!(ConfigFile::load(&path), Err(Error::Io(_))));
    assert!(matches!(
        ConfigFile::edit(&path, |_| Ok(())),
        Err(Error::Io(_))
    ));
}

#[test]
fn a_file_that_does_not_parse_is_not_written() {
    let (_dir, home) = temporary();
    let path = home.join("config.conf");
    for (content, line) in [
        (b"a = 1\nb = \"x\n".as_slice(), 2),
        (b"a = 1\n# \xff\n".as_slice(), 2),
    ] {
        fsio::write_atomic(&path, content, 0o600).unwrap();
        let error = ConfigFile::edit(&path, |file| {
            file.set(&["a"], "2");
            Ok(())
        });
        assert!(
            matches!(error, Err(Error::ConfigSyntax { line: found, .. }) if found == line),
            "{error:?}"
        );
        assert_eq!(fs_err::read(&path).unwrap(), content);
    }
}

#[test]
fn edits_at_one_time_lose_nothing() {
    let (_dir, home) = temporary();
    let path = ConfigFile::path_in(&home);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let path = &path;
            scope.spawn(move || {
                ConfigFile::edit(path, |file| {
                    file.set(&["entries", &format!("k{number}")], "x");
                    Ok(())
                })
                .unwrap();
            });
        }
    });
    assert_eq!(
        ConfigFile::load(&path).unwrap().entries(&["entries"]).len(),
        8
    );
    assert_eq!(
        fsio::entries(path.parent().unwrap()).unwrap(),
        ["config.conf"]
    );
}

#[test]
fn an_edit_that_fails_writes_nothing() {
    let (_dir, home) = temporary();
    let path = home.join("config.conf");
    let result = ConfigFile::edit(&path, |file| {
        file.set(&["a"], "x");
        Err::<(), _>(Error::NoHome)
    });
    assert!(matches!(result, Err(Error::NoHome)));
    assert!(!path.exists());
}

#[test]
fn a_spoiling_edit_is_never_saved() {
    let (_dir, home) = temporary();
    let path = home.join("config.conf");
    let mut file = ConfigFile::parse(&path, "a = 1\n").unwrap();
    file.apply(Edit {
        span: 0..0,
        text: "\"".to_owned(),
    });
    file.set(&["b"], "x");
    assert!(matches!(file.save(), Err(Error::ConfigSyntax { .. })));
    assert!(!path.exists());
}
