//! What is in the kits of each line of NVFlare.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use camino::Utf8Path;
use openssl::hash::MessageDigest;
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Verifier};
use openssl::x509::X509;
use poc_core::project::Project;
use poc_core::{Line, Listen};
use poc_provision::Provisioned;
use serde_json::{Map, Value};

use crate::support::{Scene, listing};

/// The newest release of each line, with the kits that it makes itself.
const THEIRS: [(Line, &str); 5] = [
    (Line::V2_5, include_str!("nvflare/2.5.2.txt")),
    (Line::V2_6, include_str!("nvflare/2.6.3.txt")),
    (Line::V2_7, include_str!("nvflare/2.7.3.txt")),
    (Line::V2_8, include_str!("nvflare/2.8.3.txt")),
    (Line::V2_9, include_str!("nvflare/2.9.0.txt")),
];

fn made_for(line: Line) -> (Scene, Provisioned) {
    let scene = Scene::new();
    let project = Project::poc_default(line, &["site-1".to_owned()]).unwrap();
    let made = scene
        .provision(&project, |request| request.line = line)
        .unwrap();
    (scene, made)
}

fn files(made: &Provisioned) -> Vec<String> {
    listing(&made.prod_dir)
        .iter()
        .filter(|line| !line.ends_with('/'))
        .map(|line| line[5..].to_owned())
        .collect()
}

#[test]
fn files_and_json_keys_are_those_of_nvflares_own() {
    for (line, theirs) in THEIRS {
        let (_scene, made) = made_for(line);
        let mut ours = Vec::new();
        for path in files(&made) {
            let text = fs_err::read_to_string(made.prod_dir.join(&path)).unwrap();
            if text.starts_with('{') && Utf8Path::new(&path).extension() != Some("ipynb") {
                let mut keys = BTreeSet::new();
                collect_keys("", &serde_json::from_str(&text).unwrap(), &mut keys);
                // NVFlare writes this file when it has signed the directory; here it is signed as well.
                if path == "server/local/signature.json" {
                    keys.remove("/resources.json");
                }
                ours.push(path);
                ours.extend(keys.iter().map(|key| format!("    {key}")));
            } else {
                ours.push(path);
            }
        }
        let theirs: Vec<&str> = theirs
            .lines()
            .filter(|line| !line.starts_with('#'))
            // Written after the kits, for the workspace.
            .collect();
        let [ours, theirs] = [ours.join("\n"), theirs.join("\n")];
        assert!(
            ours == theirs,
            "NVFlare {line}, theirs:\n{theirs}\n\nours:\n{ours}"
        );
    }
}

fn collect_keys(at: &str, value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let at = format!("{at}/{key}");
                collect_keys(&at, value, keys);
                keys.insert(at);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_keys(&format!("{at}/{index}"), item, keys);
            }
        }
        _ => {}
    }
}

#[test]
fn role_files() {
    for line in Line::ALL {
        let (_scene, made) = made_for(line);
        let mut shown = String::new();
        for (kit, name) in [
            ("server", "fed_server.json"),
            ("site-1", "fed_client.json"),
            ("admin@nvidia.com", "fed_admin.json"),
        ] {
            let path = made.prod_dir.join(kit).join("startup").join(name);
            let text = fs_err::read_to_string(path).unwrap();
            assert!(!text.contains('@') || name == "fed_admin.json", "{text}");
            write!(shown, "{name}\n{text}\n").unwrap();
        }
        insta::assert_snapshot!(format!("role_files_{line}"), shown);
    }
}

/// Every signature verifies with the root's key and the one salt that older versions of Python's
/// cryptography take, and no file of a signed directory goes without.
#[test]
fn signatures() {
    for line in Line::ALL {
        let (_scene, made) = made_for(line);
        let signed: Vec<String> = files(&made)
            .into_iter()
            .filter(|path| path.ends_with("/signature.json"))
            .collect();
        let expected = match line {
            Line::V2_5 => 2,
            Line::V2_6 => 3,
            Line::V2_7 => 6,
            Line::V2_8 | Line::V2_9 => 0,
        };
        assert_eq!(signed.len(), expected, "{line}: {signed:?}");
        for path in signed {
            verify(&made.prod_dir.join(path));
        }
    }
}

fn verify(signature_file: &Utf8Path) {
    let directory = signature_file.parent().unwrap();
    let root = directory.join("../startup/rootCA.pem");
    let root = X509::from_pem(&fs_err::read(root).unwrap()).unwrap();
    let key = root.public_key().unwrap();
    let text = fs_err::read_to_string(signature_file).unwrap();
    let signatures: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let names: BTreeSet<String> = poc_core::fsio::entries(directory)
        .unwrap()
        .into_iter()
        .filter(|name| name != "signature.json")
        .collect();
    assert_eq!(signatures.keys().cloned().collect::<BTreeSet<_>>(), names);
    for (name, signature) in &signatures {
        let signature = openssl::base64::decode_block(signature.as_str().unwrap()).unwrap();
        let mut verifier = Verifier::new(MessageDigest::sha256(), &key).unwrap();
        verifier.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        verifier
            .set_rsa_pss_saltlen(RsaPssSaltlen::custom(222))
            .unwrap();
        let bytes = fs_err::read(directory.join(name)).unwrap();
        assert!(
            verifier.verify_oneshot(&signature, &bytes).unwrap(),
            "{directory}/{name}"
        );
    }
}

#[test]
fn where_the_server_listens_is_told_as_it_is() {
    let listens = |line: Line, version: &str| {
        let scene = Scene::new();
        let project = Project::poc_default(line, &[]).unwrap();
        let made = scene.provision(&project, |request| {
            request.line = line;
            request.flare_version = Some(version.to_owned());
        });
        made.unwrap().listens
    };
    assert_eq!(listens(Line::V2_7, "2.7.3"), Listen::All);
    assert_eq!(listens(Line::V2_8, "2.8.1"), Listen::All);
    assert_eq!(listens(Line::V2_8, "2.8.2"), Listen::Loopback);
    assert_eq!(listens(Line::V2_9, "2.9.0"), Listen::Loopback);
}

/// Up to 2.5 sites compare the server's certificate with the host that they dial.
#[test]
fn a_server_known_by_its_address() {
    for (line, name) in [(Line::V2_5, "localhost"), (Line::V2_6, "server")] {
        let (scene, made) = made_for(line);
        let certificate = made.prod_dir.join("server/startup/server.crt");
        let certificate = X509::from_pem(&fs_err::read(certificate).unwrap()).unwrap();
        let subject = format!("{:?}", certificate.subject_name());
        assert!(subject.contains(&format!("\"{name}\"")), "{subject}");
        let state = scene.read("example_project/state/cert.json");
        let state: Map<String, Value> = serde_json::from_str(&state).unwrap();
        assert!(state.contains_key(name), "{line}");
    }
}
