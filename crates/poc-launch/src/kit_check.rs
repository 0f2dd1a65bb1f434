//! Whether startup kits are whole, before anything runs from them.
//!
//! NVFlare itself says little of a damaged kit: a site without its key tries to connect for ever and
//! names no file. Looked at is what it cannot start without, release line by release line, and only as
//! far as a few small reads tell: files that are there, JSON that parses, PEM that has its blocks. Whether
//! a certificate is valid, and for which key, `poc certs` says.

use std::collections::BTreeMap;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::Line;
use poc_core::project::Role;
use poc_core::workspace::{Kit, Prepared};
use serde::de::IgnoredAny;

use crate::Error;

const ROOT: &str = "rootCA.pem";
const CERTIFICATE: &str = "CERTIFICATE";

/// What a file must hold.
#[derive(Clone, Copy)]
enum Content {
    Object,
    Certificate,
    Key,
    Text,
}

/// What is damaged in a prepared POC's startup kits, admins' included: the first damage of each kit.
pub fn damages(prepared: &Prepared) -> Vec<Error> {
    let kits = prepared.kits();
    let damaged = kits
        .iter()
        .filter_map(|kit| check(kit, prepared.line).err());
    damaged.collect()
}

/// Sees that a kit has what NVFlare of that line needs to start it; of a line that is not known, what
/// every line needs.
///
/// # Errors
///
/// [`Error::KitDamaged`], with the first file that is missing or is not what it must be.
pub(crate) fn check(kit: &Kit, line: Option<Line>) -> Result<(), Error> {
    let damaged = |(file, what): (Utf8PathBuf, String)| Error::KitDamaged {
        name: kit.name.clone(),
        remedy: remedy(kit, &file),
        file,
        what,
    };
    is_directory(&kit.startup()).map_err(damaged)?;
    is_directory(&kit.local()).map_err(damaged)?;
    for (file, content) in needed(kit, line) {
        file_holds(&file, content).map_err(|what| damaged((file, what)))?;
    }
    Ok(())
}

/// What NVFlare reads at a start, found by taking one file away at a time.
fn needed(kit: &Kit, line: Option<Line>) -> Vec<(Utf8PathBuf, Content)> {
    let (startup, local) = (kit.startup(), kit.local());
    let base = if kit.role == Role::Server {
        "server"
    } else {
        "client"
    };
    let mut files = vec![
        (kit.role_file(), Content::Object),
        (startup.join(format!("{base}.key")), Content::Key),
        (startup.join(format!("{base}.crt")), Content::Certificate),
        (startup.join(ROOT), Content::Certificate),
    ];
    if matches!(kit.role, Role::Server | Role::Client) {
        files.push((in_effect(&local, "resources.json"), Content::Object));
        // An older line's is no JSON, and has another name.
        match line {
            Some(line) if line <= Line::V2_5 => {
                files.push((in_effect(&local, "log.config"), Content::Text));
            }
            Some(_) => files.push((in_effect(&local, "log_config.json"), Content::Object)),
            None => {}
        }
    }
    // Up to 2.7 NVFlare starts nothing that is not signed; an admin's kit is looked at by 2.7 alone.
    let signed = match kit.role {
        Role::Admin => line == Some(Line::V2_7),
        Role::Server | Role::Client | Role::Relay => line.is_some_and(|line| line <= Line::V2_7),
    };
    if signed {
        files.push((startup.join("signature.json"), Content::Object));
    }
    files
}

/// The file of that name, which wins over its `.default`.
fn in_effect(local: &Utf8Path, name: &str) -> Utf8PathBuf {
    let own = local.join(name);
    let default = local.join(format!("{name}.default"));
    if own.exists() || !default.exists() {
        own
    } else {
        default
    }
}

fn is_directory(path: &Utf8Path) -> Result<(), (Utf8PathBuf, String)> {
    let what = match fs_err::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => "is not a directory".to_owned(),
        Err(error) => unreadable(&error),
    };
    Err((path.to_owned(), what))
}

/// What is wrong with the file, in words that follow its name.
fn file_holds(path: &Utf8Path, content: Content) -> Result<(), String> {
    let bytes = fs_err::read(path).map_err(|error| unreadable(&error))?;
    if bytes.trim_ascii().is_empty() {
        return Err("is empty".to_owned());
    }
    match content {
        Content::Text => Ok(()),
        Content::Object => is_object(&bytes).map_err(|error| format!("cannot be parsed: {error}")),
        Content::Certificate => has_block(&bytes, |label| label == CERTIFICATE)
            .then_some(())
            .ok_or_else(|| "holds no certificate in PEM".to_owned()),
        Content::Key => has_block(&bytes, |label| label.ends_with("PRIVATE KEY"))
            .then_some(())
            .ok_or_else(|| "holds no private key in PEM".to_owned()),
    }
}

/// What is in it is not kept, nor judged: Python takes texts and numbers that `serde_json` would refuse.
#[expect(
    clippy::zero_sized_map_values,
    reason = "a set would be a JSON array, and an empty struct takes one too"
)]
fn is_object(bytes: &[u8]) -> Result<(), serde_json::Error> {
    serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(bytes).map(drop)
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "is missing".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        // The message has the path, which is told already.
        kind => format!("cannot be read: {kind}"),
    }
}

/// Whether the first PEM block (RFC 7468) with such a label is whole and holds Base64. An encrypted key
/// with its headers does not, and NVFlare could not use it.
fn has_block(bytes: &[u8], wanted: impl Fn(&str) -> bool) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let label = line
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.strip_suffix("-----"));
        let Some(label) = label.filter(|label| wanted(label)) else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let mut body = String::new();
        for line in lines.by_ref() {
            if line == end {
                return is_base64(&body);
            }
            body.push_str(line);
        }
    }
    false
}

/// Base64 of something that begins as DER does, with a sequence.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    text.starts_with('M')
        && text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// What puts it right.
fn remedy(kit: &Kit, file: &Utf8Path) -> Vec<String> {
    let mut remedy = Vec::new();
    if file.file_name() == Some(ROOT) {
        remedy.push("`poc certs renew` writes certificates anew, the root's included".to_owned());
    }
    if kit.role == Role::Client {
        let name = &kit.name;
        remedy.push(format!(
            "`poc remove {name}` and then `poc add-site {name}` makes this kit anew"
        ));
    }
    remedy.push("`poc prepare --force` makes all kits anew".to_owned());
    remedy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::whole_kit;

    fn told(kit: &Kit, line: Line) -> String {
        match check(kit, Some(line)) {
            Ok(()) => "whole".to_owned(),
            Err(error) => error.to_string().replace(kit.dir.as_str(), "KIT"),
        }
    }

    #[test]
    fn a_whole_kit_is_whole_in_its_own_line() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        for role in [Role::Server, Role::Client, Role::Admin, Role::Relay] {
            for line in Line::ALL {
                let kit = whole_kit(&root.join(format!("{role} {line}")), role, line);
                assert_eq!(told(&kit, line), "whole", "{role} of {line}");
                check(&kit, None).unwrap();
            }
        }
    }

    /// Each needed file missing, empty and full of garbage: named every time.
    #[test]
    fn every_needed_file_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        for (role, line) in [
            (Role::Server, Line::V2_9),
            (Role::Client, Line::V2_9),
            (Role::Client, Line::V2_5),
            (Role::Client, Line::V2_7),
            (Role::Admin, Line::V2_7),
            (Role::Relay, Line::V2_9),
        ] {
            let kit = whole_kit(&root.join(format!("{role} {line}")), role, line);
            for (file, content) in needed(&kit, Some(line)) {
                let whole = fs_err::read(&file).unwrap();
                fs_err::remove_file(&file).unwrap();
                let missing = told(&kit, line);
                fs_err::write(&file, " \n").unwrap();
                let empty = told(&kit, line);
                fs_err::write(&file, &whole[..whole.len() / 2]).unwrap();
                let cut = told(&kit, line);
                fs_err::write(&file, b"\xff\x00garbage").unwrap();
                let garbage = told(&kit, line);
                fs_err::write(&file, &whole).unwrap();
                let stem = file.file_name().unwrap().trim_end_matches(".default");
                assert!(
                    missing.contains(stem) && missing.ends_with("is missing"),
                    "{missing}"
                );
                assert!(
                    empty.contains(stem) && empty.ends_with("is empty"),
                    "{empty}"
                );
                if !matches!(content, Content::Text) {
                    assert!(cut.contains(stem), "{cut}");
                    assert!(garbage.contains(stem), "{garbage}");
                }
            }
            assert_eq!(told(&kit, line), "whole");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let kit = whole_kit(
            Utf8Path::from_path(dir.path()).unwrap(),
            Role::Client,
            Line::V2_9,
        );
        let mut lines = Vec::new();
        let mut spoil = |file: &str, text: &str| {
            let file = kit.dir.join(file);
            let whole = fs_err::read(&file).unwrap();
            fs_err::write(&file, text).unwrap();
            lines.push(told(&kit, Line::V2_9));
            fs_err::write(&file, whole).unwrap();
        };
        spoil("startup/fed_client.json", "{\n  \"client\": {");
        spoil("startup/fed_client.json", "[]");
        spoil("startup/client.key", "nothing");
        // A certificate in the place of a key.
        let certificate = fs_err::read_to_string(kit.startup().join("client.crt")).unwrap();
        spoil("startup/client.key", &certificate);
        spoil("startup/rootCA.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
        // One's own resources win over the defaults.
        fs_err::write(kit.local().join("resources.json"), "").unwrap();
        lines.push(told(&kit, Line::V2_9));
        fs_err::remove_file(kit.local().join("resources.json")).unwrap();
        fs_err::remove_dir_all(kit.local()).unwrap();
        lines.push(told(&kit, Line::V2_9));
        insta::assert_snapshot!(lines.join("\n"), @r"
        the startup kit of site-1 is damaged: KIT/startup/fed_client.json cannot be parsed: EOF while parsing an object at line 2 column 13
        the startup kit of site-1 is damaged: KIT/startup/fed_client.json cannot be parsed: invalid type: sequence, expected a map at line 1 column 0
        the startup kit of site-1 is damaged: KIT/startup/client.key holds no private key in PEM
        the startup kit of site-1 is damaged: KIT/startup/client.key holds no private key in PEM
        the startup kit of site-1 is damaged: KIT/startup/rootCA.pem holds no certificate in PEM
        the startup kit of site-1 is damaged: KIT/local/resources.json is empty
        the startup kit of site-1 is damaged: KIT/local is missing
        ");
    }
}
