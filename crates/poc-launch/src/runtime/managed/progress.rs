//! What the lines of pip and uv say about how far they are.

use super::InstallEvent;

/// One line of either program. `None` for the many that say nothing new.
pub(super) fn read(line: &str) -> Option<InstallEvent> {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix("Collecting ") {
        // `numpy>=1.2 (from nvflare==2.9.0)`
        let requirement = rest.split(' ').next()?;
        let end = requirement.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
        return Some(InstallEvent::Collecting {
            package: requirement[..end.unwrap_or(requirement.len())].to_owned(),
        });
    }
    if let Some(rest) = line.strip_prefix("Downloading ") {
        // pip: `numpy-2.4.6-cp311-x86_64.whl (16.9 MB)`, or an address; uv: `numpy (15.9MiB)`
        let (what, size) = rest.split_once(" (").unwrap_or((rest, ""));
        let file = what.rsplit('/').next().unwrap_or(what);
        let package = file.split('-').next().unwrap_or(file).to_owned();
        let size = size.trim_end_matches(')');
        return Some(InstallEvent::Downloading {
            package,
            size: (!size.is_empty()).then(|| size.to_owned()),
        });
    }
    if let Some(rest) = line.strip_prefix("Installing collected packages: ") {
        return Some(InstallEvent::Installing {
            packages: rest.split(", ").count(),
        });
    }
    if let Some(rest) = line.strip_prefix("Prepared ") {
        // uv: `Prepared 57 packages in 3.21s`
        return Some(InstallEvent::Installing {
            packages: rest.split(' ').next()?.parse().ok()?,
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn collecting(package: &str) -> InstallEvent {
        InstallEvent::Collecting {
            package: package.into(),
        }
    }

    fn downloading(package: &str, size: Option<&str>) -> InstallEvent {
        InstallEvent::Downloading {
            package: package.into(),
            size: size.map(str::to_owned),
        }
    }

    #[test]
    fn lines_of_pip() {
        assert_eq!(
            read("Collecting nvflare==2.9.0"),
            Some(collecting("nvflare"))
        );
        assert_eq!(
            read("Collecting grpcio>=1.62.1 (from nvflare==2.9.0)"),
            Some(collecting("grpcio"))
        );
        assert_eq!(
            read("Collecting Flask-JWT-Extended~=4.6 (from x)"),
            Some(collecting("Flask-JWT-Extended"))
        );
        assert_eq!(
            read("  Downloading numpy-2.4.6-cp311-manylinux_x86_64.whl (16.9 MB)"),
            Some(downloading("numpy", Some("16.9 MB")))
        );
        assert_eq!(
            read("  Downloading https://h/p/numpy-2.4.6.whl"),
            Some(downloading("numpy", None))
        );
        let installing = "Installing collected packages: a, b, c";
        assert_eq!(
            read(installing),
            Some(InstallEvent::Installing { packages: 3 })
        );
        for line in [
            "",
            "Requirement already satisfied: x",
            "  Using cached x.whl (1 kB)",
            "Successfully installed a-1",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn lines_of_uv() {
        assert_eq!(
            read("Downloading numpy (15.9MiB)"),
            Some(downloading("numpy", Some("15.9MiB")))
        );
        assert_eq!(
            read("Prepared 57 packages in 3.21s"),
            Some(InstallEvent::Installing { packages: 57 })
        );
        for line in [
            "Resolved 57 packages in 801ms",
            " Downloaded numpy",
            "Installed 57 packages in 90ms",
            " + numpy==2",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_is_too_odd(line in "(Collecting|Downloading|Prepared|Installing collected packages:)? ?.{0,30}") {
            let _ = read(&line);
        }
    }
}
