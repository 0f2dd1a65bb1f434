//! The certificates, as OpenSSL's own parser and path validation see them.

use camino::Utf8Path;
use openssl::x509::X509;
use openssl::x509::extension::{AuthorityKeyIdentifier, BasicConstraints, SubjectKeyIdentifier};
use poc_core::Cancel;

use super::state::State;
use super::*;

/// 2026-11-24T12:00:00Z
const NOW: i64 = 1_795_521_600;

fn load(path: &Utf8Path, now: i64) -> Result<Authority, Error> {
    State::load(path)?.authority(now, Line::V2_9)
}

fn keys(count: usize) -> Vec<PrivateKey> {
    generate(count, &Cancel::default(), &mut |_| (), || Ok(())).unwrap()
}

fn subject(common_name: &str, role: Option<&str>, hosts: &[&str]) -> Subject {
    Subject {
        common_name: common_name.to_owned(),
        organisation: Some("nvidia".to_owned()),
        role: role.map(str::to_owned),
        hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
    }
}

fn authority() -> Authority {
    Authority::create("example_project", keys(1).remove(0), NOW, VALID_DAYS).unwrap()
}

/// What `openssl x509 -text` shows, less what is random: serial, key, identifiers, signature.
fn shown(pem: &str) -> String {
    let text = X509::from_pem(pem.as_bytes()).unwrap().to_text().unwrap();
    let hex = |line: &str| {
        line.contains(':')
            && line
                .chars()
                .all(|c| c.is_ascii_hexdigit() || c == ':' || c == ' ')
    };
    String::from_utf8(text)
        .unwrap()
        .lines()
        .map(|line| {
            if hex(line) {
                "                (hex)"
            } else {
                line.trim_end()
            }
        })
        .fold(Vec::new(), |mut lines: Vec<&str>, line| {
            if lines.last() != Some(&line) {
                lines.push(line);
            }
            lines
        })
        .join("\n")
}

#[test]
fn the_root_is_what_nvflare_2_9_asks_for() {
    insta::assert_snapshot!(shown(&authority().certificate_pem().unwrap()), @r#"
    Certificate:
        Data:
            Version: 3 (0x2)
            Serial Number:
                    (hex)
            Signature Algorithm: sha256WithRSAEncryption
            Issuer: CN=example_project
            Validity
                Not Before: Nov 24 12:00:00 2026 GMT
                Not After : Nov 19 12:00:00 2027 GMT
            Subject: CN=example_project
            Subject Public Key Info:
                Public Key Algorithm: rsaEncryption
                    Public-Key: (2048 bit)
                    Modulus:
                    (hex)
                    Exponent: 65537 (0x10001)
            X509v3 extensions:
                X509v3 Subject Key Identifier:
                    (hex)
                X509v3 Authority Key Identifier:
                    (hex)
                X509v3 Basic Constraints: critical
                    CA:TRUE
                X509v3 Key Usage: critical
                    Digital Signature, Certificate Sign, CRL Sign
                X509v3 Subject Alternative Name:
                    DNS:example_project
        Signature Algorithm: sha256WithRSAEncryption
        Signature Value:
                    (hex)
    "#);
}

#[test]
fn a_servers_certificate_has_every_name_that_it_is_reached_by() {
    let hosts = ["localhost", "server", "fl.example.org", "127.0.0.1"];
    let identity = authority()
        .issue(&subject("server", None, &hosts), keys(1).remove(0), NOW)
        .unwrap();
    insta::assert_snapshot!(shown(&identity.certificate_pem), @r#"
    Certificate:
        Data:
            Version: 3 (0x2)
            Serial Number:
                    (hex)
            Signature Algorithm: sha256WithRSAEncryption
            Issuer: CN=example_project
            Validity
                Not Before: Nov 24 12:00:00 2026 GMT
                Not After : Nov 19 12:00:00 2027 GMT
            Subject: CN=server, O=nvidia
            Subject Public Key Info:
                Public Key Algorithm: rsaEncryption
                    Public-Key: (2048 bit)
                    Modulus:
                    (hex)
                    Exponent: 65537 (0x10001)
            X509v3 extensions:
                X509v3 Subject Key Identifier:
                    (hex)
                X509v3 Authority Key Identifier:
                    (hex)
                X509v3 Subject Alternative Name:
                    DNS:localhost, DNS:server, DNS:fl.example.org, IP Address:127.0.0.1
        Signature Algorithm: sha256WithRSAEncryption
        Signature Value:
                    (hex)
    "#);
}

#[test]
fn an_admins_certificate_has_its_role() {
    let subject = subject(
        "admin@nvidia.com",
        Some("project_admin"),
        &["admin@nvidia.com"],
    );
    let identity = authority().issue(&subject, keys(1).remove(0), NOW).unwrap();
    let certificate = X509::from_pem(identity.certificate_pem.as_bytes()).unwrap();
    let der = certificate.to_der().unwrap();
    let name: Vec<String> = certificate
        .subject_name()
        .entries()
        .map(|entry| {
            let kind = entry.object().nid().short_name().unwrap().to_owned();
            let text = std::str::from_utf8(entry.data().as_slice()).unwrap();
            // Tag 12 of DER is UTF8String, as NVFlare writes it.
            let utf8: Vec<u8> =
                [&[12, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
            assert!(
                der.windows(utf8.len()).any(|window| window == utf8),
                "{text}"
            );
            format!("{kind}={text}")
        })
        .collect();
    assert_eq!(
        name,
        [
            "CN=admin@nvidia.com",
            "O=nvidia",
            "unstructuredName=project_admin"
        ]
    );
}

#[test]
fn a_chain_verifies_strictly() {
    let authority = authority();
    let identity = authority
        .issue(
            &subject("site-1", None, &["site-1"]),
            keys(1).remove(0),
            NOW,
        )
        .unwrap();
    let leaf = X509::from_pem(identity.certificate_pem.as_bytes()).unwrap();
    assert_eq!(authority.flaw_of(&leaf, NOW + 1).unwrap(), None);
    assert_eq!(
        authority
            .flaw_of(&leaf, identity.not_after + 1)
            .unwrap()
            .unwrap(),
        "certificate has expired"
    );
}

#[test]
fn another_authoritys_certificate_does_not_verify() {
    let other = authority()
        .issue(
            &subject("site-1", None, &["site-1"]),
            keys(1).remove(0),
            NOW,
        )
        .unwrap();
    let leaf = X509::from_pem(other.certificate_pem.as_bytes()).unwrap();
    assert!(authority().flaw_of(&leaf, NOW + 1).unwrap().is_some());
}

#[test]
fn no_certificate_outlives_its_authority() {
    let authority = Authority::create("p", keys(1).remove(0), NOW, 10).unwrap();
    let later = NOW + 3 * SECONDS_A_DAY;
    let identity = authority
        .issue(
            &subject("site-1", None, &["site-1"]),
            keys(1).remove(0),
            later,
        )
        .unwrap();
    assert_eq!(identity.not_after, authority.not_after());
    let leaf = X509::from_pem(identity.certificate_pem.as_bytes()).unwrap();
    assert_eq!(seconds(leaf.not_after()).unwrap(), authority.not_after());
}

#[test]
fn serial_numbers_differ() {
    let authority = authority();
    let key = keys(1).remove(0);
    let serial = || {
        let identity = authority
            .issue(&subject("site-1", None, &["site-1"]), key.clone(), NOW)
            .unwrap();
        X509::from_pem(identity.certificate_pem.as_bytes())
            .unwrap()
            .serial_number()
            .to_bn()
            .unwrap()
            .to_vec()
    };
    assert_ne!(serial(), serial());
}

#[test]
fn the_state_file_gives_the_authority_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(directory.path())
        .unwrap()
        .join("cert.json");
    let authority = authority();
    let site = authority
        .issue(
            &subject("site-1", None, &["site-1"]),
            keys(1).remove(0),
            NOW,
        )
        .unwrap();
    let text = state::to_json(&authority, &[("site-1".to_owned(), site)]).unwrap();
    fs_err::write(&path, &text).unwrap();

    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["root_cert", "root_pri_key", "site-1"]);
    assert_eq!(
        document["site-1"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        ["cert", "pri_key"]
    );

    let back = load(&path, NOW + 1).unwrap();
    assert_eq!(
        back.certificate_pem().unwrap(),
        authority.certificate_pem().unwrap()
    );
    assert_eq!(back.not_after(), authority.not_after());
}

#[test]
fn an_authority_that_cannot_be_kept_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(directory.path())
        .unwrap()
        .join("cert.json");
    let why = |text: &str, now: i64| {
        fs_err::write(&path, text).unwrap();
        match load(&path, now).unwrap_err() {
            Error::AuthorityUnusable { reason, .. } => reason,
            other => panic!("{other}"),
        }
    };
    let authority = authority();
    let good = state::to_json(&authority, &[]).unwrap();
    assert_eq!(
        why(&good, authority.not_after()),
        "it expired on 2027-11-19T12:00:00Z"
    );
    assert_eq!(why("{}", NOW), "it has no `root_cert`");
    assert!(why("nonsense", NOW).starts_with("it is not what NVFlare writes"));

    let mut other: serde_json::Value = serde_json::from_str(&good).unwrap();
    other["root_pri_key"] = keys(1).remove(0).to_pem().unwrap().into();
    assert_eq!(
        why(&other.to_string(), NOW),
        "its key and its certificate do not belong together"
    );

    let site = authority
        .issue(
            &subject("site-1", None, &["site-1"]),
            keys(1).remove(0),
            NOW,
        )
        .unwrap();
    other["root_cert"] = site.certificate_pem.clone().into();
    other["root_pri_key"] = site.key.to_pem().unwrap().into();
    assert_eq!(
        why(&other.to_string(), NOW),
        "NVFlare 2.9 would not accept it: unable to get issuer certificate"
    );

    let (root, key) = root_of_nvflare_2_6();
    other["root_cert"] = String::from_utf8(root.to_pem().unwrap()).unwrap().into();
    other["root_pri_key"] = key.to_pem().unwrap().into();
    let reason = why(&other.to_string(), NOW);
    assert_eq!(
        reason,
        "NVFlare 2.9 would not accept it: Basic Constraints of CA cert not marked critical"
    );

    fs_err::remove_file(&path).unwrap();
    let gone = load(&path, NOW).unwrap_err();
    assert!(gone.to_string().contains("there is no such file"), "{gone}");
}

#[test]
fn an_expired_authority_goes_on_under_its_old_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(directory.path())
        .unwrap()
        .join("cert.json");
    let old = authority();
    fs_err::write(&path, state::to_json(&old, &[]).unwrap()).unwrap();
    let later = old.not_after() + 1;
    let refused = load(&path, later).unwrap_err();
    assert!(
        matches!(refused, Error::AuthorityUnusable { expired: true, .. }),
        "{refused}"
    );

    let mut state = State::load(&path).unwrap();
    let renewed = state
        .authority_of_any_age()
        .unwrap()
        .renew(later, VALID_DAYS)
        .unwrap();
    assert!(renewed.is_same(&old.held()));
    let site = renewed
        .issue(
            &subject("site-1", None, &["site-1"]),
            keys(1).remove(0),
            later,
        )
        .unwrap();
    let site = X509::from_pem(site.certificate_pem.as_bytes()).unwrap();
    assert_eq!(renewed.flaw_of(&site, later).unwrap(), None);
    assert_eq!(
        old.flaw_of(&site, later).unwrap().as_deref(),
        Some("certificate has expired")
    );
    state.set_root(&renewed).unwrap();
    state.save().unwrap();
    assert_eq!(load(&path, later).unwrap().not_after(), renewed.not_after());
}

/// Its basic constraints are not critical.
fn root_of_nvflare_2_6() -> (X509, PrivateKey) {
    let key = keys(1).remove(0);
    let mut name = openssl::x509::X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "example_project").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(key.key()).unwrap();
    builder
        .set_not_before(&Asn1Time::from_unix(NOW).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::from_unix(NOW + SECONDS_A_DAY).unwrap())
        .unwrap();
    let own = SubjectKeyIdentifier::new()
        .build(&builder.x509v3_context(None, None))
        .unwrap();
    builder.append_extension(own).unwrap();
    let authority = AuthorityKeyIdentifier::new()
        .keyid(true)
        .build(&builder.x509v3_context(None, None))
        .unwrap();
    builder.append_extension(authority).unwrap();
    builder
        .append_extension(BasicConstraints::new().ca().build().unwrap())
        .unwrap();
    builder.sign(key.key(), MessageDigest::sha256()).unwrap();
    (builder.build(), key)
}
