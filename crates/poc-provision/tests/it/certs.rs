//! Certificates: who has which, and new ones.

use std::time::Duration;

use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509StoreContext};
use poc_core::project::Project;
use poc_provision::{Certificates, Error, FlawKind, Renewed, certificates, renew_certificates};

use crate::support::{Scene, project};

const STATE: &str = "example_project/state/cert.json";
const PROD: &str = "example_project/prod_00";
const A_DAY: i64 = 86_400;

fn list(scene: &Scene) -> Certificates {
    certificates(&scene.workspace.load().unwrap()).unwrap()
}

fn renew(scene: &Scene) -> Result<Renewed, Error> {
    let lock = scene.workspace.lock(Duration::from_secs(5)).unwrap();
    renew_certificates(&scene.workspace.load().unwrap(), &scene.cancel, &lock)
}

fn x509(pem: &str) -> X509 {
    X509::from_pem(pem.as_bytes()).unwrap()
}

/// What OpenSSL's strict validation says of a leaf under a root, at a time.
fn verdict(root: &X509, leaf: &X509, at: i64) -> String {
    let mut rules = X509VerifyParam::new().unwrap();
    rules.set_flags(X509VerifyFlags::X509_STRICT).unwrap();
    rules.set_time(at);
    let mut store = X509StoreBuilder::new().unwrap();
    store.set_param(&rules).unwrap();
    store.add_cert(root.clone()).unwrap();
    let (store, between) = (store.build(), Stack::new().unwrap());
    let mut context = X509StoreContext::new().unwrap();
    let run = context.init(&store, leaf, &between, |context| {
        context.verify_cert()?;
        Ok(context.error().error_string().to_owned())
    });
    run.unwrap()
}

fn unix_time() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap().as_secs()).unwrap()
}

#[test]
fn who_has_which() {
    let (scene, made) = Scene::prepared();
    let found = list(&scene);
    assert_eq!(found.flaws, []);
    let names: Vec<&str> = found.issued.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "server",
            "admin@nvidia.com",
            "org-admin@nvidia.com",
            "lead@nvidia.com",
            "site-1"
        ]
    );
    assert_eq!(found.authority.name, "example_project");
    assert_eq!(found.authority.role, None);
    assert_eq!(found.issued[3].admin_role.as_deref(), Some("lead"));
    for one in found.issued.iter().chain([&found.authority]) {
        assert_eq!(one.not_after, made.certificates_until);
        assert!(
            (359 * A_DAY..=360 * A_DAY).contains(&one.seconds_left),
            "{one:?}"
        );
        assert_eq!(one.fingerprint.split(':').count(), 32);
    }
    let pem = scene.read(&format!("{PROD}/site-1/startup/client.crt"));
    let digest = x509(&pem)
        .digest(openssl::hash::MessageDigest::sha256())
        .unwrap();
    let hex: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(found.issued[4].fingerprint, hex.join(":"));
}

#[test]
fn what_is_wrong_is_said() {
    let (scene, _) = Scene::prepared();
    let (other, _) = Scene::prepared();
    let file = |name: &str, file: &str| format!("{PROD}/{name}/startup/{file}");
    let copy =
        |name: &str, what: &str| scene.write(&file(name, what), &other.read(&file(name, what)));
    copy("server", "server.crt");
    copy("site-1", "rootCA.pem");
    copy("lead@nvidia.com", "client.key");
    scene.write(&file("org-admin@nvidia.com", "client.crt"), "nonsense");
    let found = list(&scene);
    let flaws: Vec<String> = found
        .flaws
        .iter()
        .map(|flaw| {
            format!("{}: {}", flaw.name, flaw.kind).replace(scene.above.as_str(), "[above]")
        })
        .collect();
    insta::assert_snapshot!(flaws.join("\n"), @r"
    server: the certificate is not signed by this POC's authority
    server: the certificate is for another key than the kit has
    org-admin@nvidia.com: [above]/ws/example_project/prod_00/org-admin@nvidia.com/startup/client.crt does not read as a certificate
    lead@nvidia.com: the certificate is for another key than the kit has
    site-1: the kit trusts another certificate authority
    ");
    assert!(
        found
            .flaws
            .iter()
            .any(|flaw| flaw.kind == FlawKind::OtherRoot)
    );
    assert_eq!(found.issued.len(), 4);
    // Nothing of that is renewed, and nothing is changed.
    let before = scene.read(STATE);
    let error = renew(&scene).unwrap_err();
    assert!(
        matches!(error, Error::CertificateUnusable { .. }),
        "{error}"
    );
    assert_eq!(scene.read(STATE), before);
}

#[test]
fn renewing_keeps_keys_and_names_and_old_and_new_vouch_for_each_other() {
    let (scene, _) = Scene::prepared();
    let sites = [
        "server/startup/server",
        "site-1/startup/client",
        "lead@nvidia.com/startup/client",
    ];
    let read = |path: &str| scene.read(&format!("{PROD}/{path}"));
    let root_of = |kit: &str| {
        let (name, _) = kit.split_once('/').unwrap();
        x509(&read(&format!("{name}/startup/rootCA.pem")))
    };
    let look = |kit: &str| {
        (
            read(&format!("{kit}.key")),
            x509(&read(&format!("{kit}.crt"))),
        )
    };
    let before: Vec<_> = sites.iter().map(|kit| (root_of(kit), look(kit))).collect();
    // Certificates carry whole seconds: without this, old and new could be of the same.
    let begun = unix_time();
    crate::support::wait_for("the next second", || (unix_time() > begun).then_some(()));
    let renewed = renew(&scene).unwrap();
    assert_eq!(renewed.names.len(), 5);

    let state: serde_json::Value = serde_json::from_str(&scene.read(STATE)).unwrap();
    let now = unix_time();
    for (kit, (old_root, (old_key, old))) in sites.iter().zip(before) {
        let (root, (key, new)) = (root_of(kit), look(kit));
        assert_eq!(key, old_key);
        assert_ne!(new.to_der().unwrap(), old.to_der().unwrap());
        assert!(new.not_before() > old.not_before());
        let private: PKey<Private> = PKey::private_key_from_pem(key.as_bytes()).unwrap();
        assert!(new.public_key().unwrap().public_eq(&private));
        for (root, leaf) in [(&root, &new), (&old_root, &new), (&root, &old)] {
            assert_eq!(verdict(root, leaf, now), "ok", "{kit}");
        }
        // After the old root's end only the new ones are good.
        let later = now + 360 * A_DAY - 1;
        assert_eq!(verdict(&root, &new, later), "ok");
        assert_ne!(verdict(&old_root, &new, later + 2), "ok");
        // The same but for the dates, the serial number and the signature.
        let text = |certificate: &X509| {
            let text = String::from_utf8(certificate.to_text().unwrap()).unwrap();
            let (_, rest) = text.split_once("Subject: ").unwrap();
            rest.split("Signature Algorithm").next().unwrap().to_owned()
        };
        assert_eq!(text(&new), text(&old), "{kit}");
        assert_eq!(text(&root), text(&old_root));
        // What NVFlare 2.9 asks of a root before it adds to it.
        let life = root.not_before().diff(root.not_after()).unwrap();
        assert_eq!((life.days, life.secs), (360, 0));
        let (name, _) = kit.split_once('/').unwrap();
        assert_eq!(state[name]["cert"], read(&format!("{kit}.crt")));
        assert_eq!(
            state["root_cert"],
            read(&format!("{name}/startup/rootCA.pem"))
        );
    }
    assert_eq!(list(&scene).flaws, []);
    // And nothing of it counts as the user's.
    let again = scene
        .provision(&project(), |request| request.replace = true)
        .unwrap();
    assert_eq!((again.previous, again.foreign_files), (None, vec![]));
}

#[test]
fn the_projects_own_life_of_the_root_is_kept() {
    let scene = Scene::new();
    let text = "\
api_version: 3
name: example_project
participants:
- {name: server, type: server, org: nvidia, fed_learn_port: 8002}
- {name: admin@nvidia.com, type: admin, org: nvidia, role: project_admin}
- {name: site-1, type: client, org: nvidia}
builders:
- {path: nvflare.lighter.impl.workspace.WorkspaceBuilder}
- {path: nvflare.lighter.impl.static_file.StaticFileBuilder, args: {config_folder: config}}
- {path: nvflare.lighter.impl.cert.CertBuilder, args: {root_valid_days: 1000}}
- {path: nvflare.lighter.impl.signature.SignatureBuilder}
";
    let project = Project::parse(text, "project.yml".into()).unwrap().project;
    scene.provision(&project, |_| ()).unwrap();
    renew(&scene).unwrap();
    let found = list(&scene);
    assert!((999 * A_DAY..=1000 * A_DAY).contains(&found.authority.seconds_left));
    assert!((359 * A_DAY..=360 * A_DAY).contains(&found.issued[0].seconds_left));
}

#[test]
fn a_signature_file_follows() {
    let (scene, _) = Scene::prepared();
    let startup = format!("{PROD}/site-1/startup");
    let listed = r#"{"rootCA.pem": "old", "client.crt": "old", "fed_client.json": "kept"}"#;
    scene.write(&format!("{startup}/signature.json"), listed);
    renew(&scene).unwrap();
    let text = scene.read(&format!("{startup}/signature.json"));
    let signatures: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(signatures["fed_client.json"], "kept");
    assert_eq!(signatures.as_object().unwrap().len(), 3);
    let root = x509(&scene.read(&format!("{startup}/rootCA.pem")));
    for name in ["rootCA.pem", "client.crt"] {
        let signature = signatures[name].as_str().unwrap();
        let signature = openssl::base64::decode_block(signature).unwrap();
        let key = root.public_key().unwrap();
        let mut verifier =
            openssl::sign::Verifier::new(openssl::hash::MessageDigest::sha256(), &key).unwrap();
        verifier
            .set_rsa_padding(openssl::rsa::Padding::PKCS1_PSS)
            .unwrap();
        // NVFlare's: the longest that there can be.
        verifier
            .set_rsa_pss_saltlen(openssl::sign::RsaPssSaltlen::custom(222))
            .unwrap();
        let bytes = scene.read(&format!("{startup}/{name}"));
        assert!(
            verifier
                .verify_oneshot(&signature, bytes.as_bytes())
                .unwrap(),
            "{name}"
        );
    }
}
