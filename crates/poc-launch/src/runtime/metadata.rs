//! What lies on disk about a virtual environment, without starting its Python.

use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};

/// What the files of a virtual environment say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packages {
    /// The version in the metadata of NVFlare's package.
    pub(super) flare: String,
    /// Python's version.
    pub(super) python: (u8, u8),
    /// Where the packages lie.
    pub(super) site: Utf8PathBuf,
}

/// Reads the virtual environment that `python` belongs to. `None` where it belongs to none, where
/// NVFlare is not installed in it, or where anything is not as it should be: then only the Python
/// itself can tell.
pub(super) fn read(python: &Utf8Path) -> Option<Packages> {
    let root = python.parent()?.parent()?;
    let config = fs_err::read_to_string(root.join("pyvenv.cfg")).ok()?;
    let version = version_in(&config)?;
    // The link of an environment dangles when the Python that it was made with is gone.
    let program = fs_err::metadata(python).ok()?;
    (program.is_file() && program.permissions().mode() & 0o111 != 0).then_some(())?;
    let site = root.join(format!(
        "lib/python{}.{}/site-packages",
        version.0, version.1
    ));
    let flare = flare_in(&site)?;
    Some(Packages {
        flare,
        python: version,
        site,
    })
}

/// Python's version in pyvenv.cfg: `version` (venv) or `version_info` (virtualenv, uv).
fn version_in(config: &str) -> Option<(u8, u8)> {
    config.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        matches!(key.trim(), "version" | "version_info").then_some(())?;
        let mut numbers = value.trim().split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    })
}

/// The version of NVFlare in a directory of packages.
fn flare_in(site: &Utf8Path) -> Option<String> {
    let entries = site.read_dir_utf8().ok()?;
    let mut versions = entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        (name.starts_with("nvflare-") || name.starts_with("nvflare_nightly-")).then_some(())?;
        name.ends_with(".dist-info").then_some(())?;
        let metadata = fs_err::read_to_string(entry.path().join("METADATA")).ok()?;
        field(&metadata, "Version")
    });
    let version = versions.next()?;
    // Two at once are left over from an update that failed; which one is real is not for us to say.
    versions.next().is_none().then_some(version)
}

/// A field in the head of a METADATA file (core metadata specification: as in e-mail).
fn field(metadata: &str, name: &str) -> Option<String> {
    let head = metadata.lines().take_while(|line| !line.is_empty());
    head.filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::testing::executable;

    /// A virtual environment as its files: NVFlare of that version, Python 3.12, and a shell script
    /// for a Python.
    pub(in crate::runtime) fn environment(
        root: &Utf8Path,
        flare: Option<&str>,
        script: &str,
    ) -> Utf8PathBuf {
        let site = root.join("lib/python3.12/site-packages");
        fs_err::create_dir_all(root.join("bin")).unwrap();
        fs_err::create_dir_all(&site).unwrap();
        fs_err::write(
            root.join("pyvenv.cfg"),
            "home = /usr/bin\nversion = 3.12.3\n",
        )
        .unwrap();
        if let Some(version) = flare {
            let info = site.join(format!("nvflare-{version}.dist-info"));
            fs_err::create_dir_all(&info).unwrap();
            let text =
                format!("Metadata-Version: 2.1\nName: nvflare\nVersion: {version}\n\nVersion: 0\n");
            fs_err::write(info.join("METADATA"), text).unwrap();
        }
        executable(&root.join("bin/python3"), script)
    }

    #[test]
    fn an_environment_tells_its_versions() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let python = environment(root, Some("2.9.0"), "exit 1");
        let site = root.join("lib/python3.12/site-packages");
        let there = Packages {
            flare: "2.9.0".into(),
            python: (3, 12),
            site: site.clone(),
        };
        assert_eq!(read(&python), Some(there));
        // A second version beside it: left to the Python.
        fs_err::create_dir(site.join("nvflare-2.8.0.dist-info")).unwrap();
        fs_err::write(
            site.join("nvflare-2.8.0.dist-info/METADATA"),
            "Version: 2.8.0\n",
        )
        .unwrap();
        assert_eq!(read(&python), None);
    }

    #[test]
    fn what_cannot_be_read_is_left_to_the_python() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        assert_eq!(read(&environment(root, None, "")), None);
        let python = environment(root, Some("2.9.0"), "");
        fs_err::remove_file(&python).unwrap();
        symlink("/no/such/python3.12", &python).unwrap();
        assert_eq!(read(&python), None);
        assert_eq!(read("/usr/bin/python3".into()), None);
        assert_eq!(read("python3".into()), None);
    }

    #[test]
    fn both_spellings_of_the_version() {
        assert_eq!(
            version_in("home = /x\nversion_info = 3.11.7.final.0\n"),
            Some((3, 11))
        );
        assert_eq!(version_in("version=3.14\n"), Some((3, 14)));
        assert_eq!(version_in("home = /x\n"), None);
        assert_eq!(version_in("version = x\n"), None);
    }
}
