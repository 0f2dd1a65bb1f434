//! Startup kits that are damaged.

use std::time::Duration;

use poc_tests::{Tree, poc_test};

/// What is left of a file; `None` where it goes.
type Damage<'a> = &'a dyn Fn(&[u8]) -> Option<Vec<u8>>;

/// Within which a start has noticed.
const NOTICED: Duration = Duration::from_secs(15);

/// Cut short at some place, and to nothing, missing, and full of something else: the start is refused
/// at once, with the file and, where it is JSON, the parser's words; nothing has run. The doctor says the
/// same.
#[test]
fn that_are_damaged() {
    let world = poc_test!().with_flare();
    world.prepare(2);
    let mut decoys = world.decoys();
    let cut = |length: usize| move |text: &[u8]| Some(text[..length].to_vec());
    let garbage = |_: &[u8]| Some(b"\x00garbage".to_vec());
    let damages: [(&str, &str, Damage, &str); 8] = [
        (
            "server",
            "startup/fed_server.json",
            &cut(200),
            "cannot be parsed: EOF while parsing",
        ),
        ("server", "startup/fed_server.json", &cut(0), "is empty"),
        ("site-2", "startup/fed_client.json", &cut(200), "line "),
        ("site-1", "startup/client.key", &|_| None, "is missing"),
        (
            "site-1",
            "startup/client.key",
            &garbage,
            "holds no private key",
        ),
        (
            "site-1",
            "startup/client.crt",
            &cut(300),
            "holds no certificate",
        ),
        ("site-1", "startup/rootCA.pem", &|_| None, "is missing"),
        (
            "server",
            "local/log_config.json.default",
            &|_| None,
            "is missing",
        ),
    ];
    for (name, file, damage, words) in damages {
        let path = world.kit(name).join(file);
        let whole = fs_err::read(&path).unwrap();
        match damage(&whole) {
            Some(text) => fs_err::write(&path, text).unwrap(),
            None => fs_err::remove_file(&path).unwrap(),
        }
        let kit = Tree::of(&world.kit(name));
        let output = world.poc(["start", "--format", "json"]).code(1);
        assert!(output.elapsed < NOTICED, "{:?}", output.elapsed);
        assert_eq!(output.error_code(), "START_FAILED");
        let message = output.json()["message"].to_string();
        let file = file.trim_end_matches(".default");
        assert!(
            [name, file, words].iter().all(|it| message.contains(it)),
            "{message}"
        );
        let hint = output.json()["hint"].to_string();
        assert!(hint.contains("poc "), "{hint}");
        let doctor = world.poc(["doctor"]).code(1);
        assert!(
            doctor.text().contains(file) && doctor.text().contains(words),
            "{}",
            doctor.transcript()
        );
        kit.assert_still(&world.kit(name));
        world.assert_is_over(world.cookie().as_deref(), &mut decoys);
        let stopped = world.stop_leaves_nothing(&mut decoys);
        assert!(stopped.stdout.contains("Nothing was running"));
        fs_err::write(&path, whole).unwrap();
    }
}

/// What is whole as far as anybody but NVFlare can tell fails soon, with NVFlare's words, and what the
/// start had begun is taken back.
#[test]
fn that_only_nvflare_finds_wanting() {
    let world = poc_test!().with_flare();
    world.prepare(2);
    let mut decoys = world.decoys();
    let role_file = world.kit("server").join("startup/fed_server.json");
    fs_err::write(&role_file, "{\"format_version\": 2, \"servers\": 7}").unwrap();
    let output = world.poc(["start", "--format", "json"]).code(1);
    assert!(output.elapsed < NOTICED, "{:?}", output.elapsed);
    assert_eq!(output.error_code(), "START_FAILED");
    let message = output.json()["message"].to_string();
    assert!(
        message.contains("server failed to start: ") && message.contains("Error: "),
        "{message}"
    );
    assert!(output.text().contains("Traceback"), "{}", output.text());
    world.assert_is_over(world.cookie().as_deref(), &mut decoys);
    world.stop_leaves_nothing(&mut decoys);
}
