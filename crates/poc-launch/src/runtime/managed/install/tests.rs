use super::*;
use crate::runtime::program::Stopped;
use crate::testing::executable;

/// A stand-in for PyPI: a directory with a wheel called nvflare that holds nothing but two empty
/// modules. pip, venv and Python are real.
struct Index {
    dir: tempfile::TempDir,
}

impl Index {
    fn new(module: &str) -> Self {
        let index = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let script = format!(
            "import sys, zipfile\n\
             wheel = zipfile.ZipFile(sys.argv[1] + '/nvflare-2.9.0-py3-none-any.whl', 'w')\n\
             package = 'nvflare/private/fed/app/'\n\
             for name in ('server/server_train', 'client/client_train'):\n\
             \x20   wheel.writestr(package + name + '.py', {module:?})\n\
             info = 'nvflare-2.9.0.dist-info/'\n\
             wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: nvflare\\nVersion: 2.9.0\\n')\n\
             wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
             wheel.writestr(info + 'RECORD', '')\n\
             wheel.close()\n"
        );
        let python = crate::runtime::managed::tests::any_python();
        let target = index.path("");
        let program = Program {
            path: &python,
            arguments: &["-c", &script, target.as_str()],
            env: &Env::from_process(),
            changes: &[],
            limit: Duration::from_secs(60),
        };
        let finished: Result<Finished, Stopped> = program.run(&Cancel::new(), &mut |_| {});
        assert!(finished.unwrap().status.success());
        fs_err::create_dir(index.path("bin")).unwrap();
        std::os::unix::fs::symlink(&python, index.path("bin/python3")).unwrap();
        index
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join(name)
    }

    fn env(&self, more: &[(&str, &str)]) -> Env {
        // A uv of the machine that runs the test must not be found.
        let path = self.path("bin");
        let index = self.path("");
        let fixed = [
            ("PATH", path.as_str()),
            ("PIP_NO_INDEX", "1"),
            ("PIP_FIND_LINKS", index.as_str()),
            ("HOME", "/"),
        ];
        Env::from_pairs(
            fixed
                .into_iter()
                .chain(more.iter().copied())
                .map(|(k, v)| (k, v.to_owned())),
        )
    }

    fn install(&self, version: &str, env: &Env) -> (Result<Runtime, Error>, Vec<InstallEvent>) {
        let mut events = Vec::new();
        let data = self.path("data é x");
        let result = install(
            Some(version),
            &[],
            &data,
            env,
            &Cancel::new(),
            &mut |event| events.push(event),
        );
        (result, events)
    }

    fn left(&self) -> Vec<String> {
        let runtimes = runtimes_dir(&self.path("data é x"));
        runtimes
            .read_dir_utf8()
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_owned())
            .collect()
    }
}

#[test]
fn it_is_whole_and_there_the_second_time() {
    let index = Index::new("");
    // What an earlier, killed installation left behind does not count and does not disturb.
    let left = runtimes_dir(&index.path("data é x")).join("2.9.0/lib");
    fs_err::create_dir_all(&left).unwrap();
    let (runtime, events) = index.install("2.9", &index.env(&[("PYTHONPATH", "/no/such")]));
    let runtime = runtime.unwrap();
    assert_eq!(runtime.flare_version.to_string(), "2.9.0");
    assert!(runtime.python.ends_with("runtimes/2.9.0/bin/python3"));
    assert!(
        matches!(
            &events[0],
            InstallEvent::Environment {
                installer: Installer::Pip,
                ..
            }
        ),
        "{events:?}"
    );
    assert!(
        events.contains(&InstallEvent::Installing { packages: 1 }),
        "{events:?}"
    );
    assert_eq!(events.last(), Some(&InstallEvent::Checking));
    assert!(
        !runtime
            .python
            .parent()
            .unwrap()
            .with_file_name(".tmp")
            .exists()
    );
    let (again, events) = index.install("2.9.0", &index.env(&[]));
    assert_eq!(again.unwrap(), runtime);
    assert!(events.is_empty());
    let data = index.path("data é x");
    let result = install(
        None,
        &["no-such-package"],
        &data,
        &index.env(&[]),
        &Cancel::new(),
        &mut |_| {},
    );
    assert!(
        matches!(result, Err(Error::InstallFailed { .. })),
        "{result:?}"
    );
    // What was whole before stays so.
    let found = find(None, None, &Env::default(), &index.path("data é x")).unwrap();
    assert_eq!(found, runtime);
}

#[test]
fn what_cannot_be_imported_leaves_nothing() {
    let index = Index::new("raise ImportError('libstdc++ is too old')");
    let (error, _) = index.install("2.9.0", &index.env(&[]));
    let error = error.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("ImportError: libstdc++ is too old"),
        "{error}"
    );
    assert_eq!(index.left(), [".lock"]);
}

#[test]
fn a_cancelled_installation_leaves_nothing() {
    let index = Index::new("");
    let cancel = Cancel::new();
    let data = index.path("data é x");
    let mut events = |event| {
        if matches!(event, InstallEvent::Environment { .. }) {
            cancel.cancel();
        }
    };
    let result = install(None, &[], &data, &index.env(&[]), &cancel, &mut events);
    assert!(matches!(result, Err(Error::Interrupted(_))), "{result:?}");
    assert_eq!(index.left(), [".lock"]);
    assert!(crate::process::running_from(&data).unwrap().is_empty());
}

#[test]
fn where_uv_fails_pip_takes_over_and_its_error_counts() {
    let index = Index::new("");
    executable(
        &index.path("uv/uv"),
        "echo 'error: no interpreter found' >&2; exit 2",
    );
    let path = format!(
        "{}:{}",
        index.path("uv"),
        index.env(&[]).text("PATH").unwrap()
    );
    let (error, events) = index.install("2.8.1", &index.env(&[("PATH", &path)]));
    let error = error.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("No matching distribution found for nvflare==2.8.1"),
        "{error}"
    );
    assert!(
        events.contains(&InstallEvent::FellBack {
            reason: "error: no interpreter found".into()
        }),
        "{events:?}"
    );
    assert_eq!(index.left(), [".lock"]);
}

#[test]
fn versions_and_lines() {
    let of = |text: Option<&str>| release(text).map(|(version, line)| (version.to_string(), line));
    assert_eq!(of(None).unwrap(), ("2.9.0".into(), Line::V2_9));
    assert_eq!(of(Some("2.7")).unwrap(), ("2.7.3".into(), Line::V2_7));
    assert_eq!(of(Some(" v2.8.1 ")).unwrap(), ("2.8.1".into(), Line::V2_8));
    assert_eq!(
        of(Some("2.8.0rc1")).unwrap(),
        ("2.8.0rc1".into(), Line::V2_8)
    );
    for text in ["2.4.2", "3.0", "x", "../x", "--help"] {
        assert!(matches!(of(Some(text)), Err(Error::Version(_))), "{text}");
    }
}
