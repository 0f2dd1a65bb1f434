//! Startup kits that are damaged.

use std::time::Duration;

use poc_tests::{Tree, poc_test};

/// Within which a start has noticed.
const NOTICED: Duration = Duration::from_secs(15);

/// Cut short at some place, and to nothing: the start fails soon with the words of NVFlare's parser,
/// and takes back what it had begun.
#[test]
fn that_are_cut_short() {
    let world = poc_test!().with_flare();
    world.prepare(2);
    let mut decoys = world.decoys();
    let broken = [
        ("server", "fed_server.json", 200),
        ("server", "fed_server.json", 0),
        ("site-2", "fed_client.json", 200),
    ];
    for (name, file, length) in broken {
        let path = world.kit(name).join("startup").join(file);
        let whole = fs_err::read(&path).unwrap();
        fs_err::write(&path, &whole[..length]).unwrap();
        let kits = Tree::of(&world.kit(name).join("startup"));
        let output = world.poc(["start", "--format", "json"]).code(1);
        assert!(output.elapsed < NOTICED, "{:?}", output.elapsed);
        assert_eq!(output.error_code(), "START_FAILED");
        let message = output.json()["message"].to_string();
        assert!(
            message.contains(name) && message.contains("JSONDecodeError: "),
            "{message}"
        );
        let text = output.text();
        assert!(
            text.contains("Traceback"),
            "the last lines are shown: {text}"
        );
        kits.assert_still(&world.kit(name).join("startup"));
        // Rolled back; a stop has nothing to do.
        world.assert_is_over(world.cookie().as_deref(), &mut decoys);
        let stopped = world.stop_leaves_nothing(&mut decoys);
        assert!(stopped.stdout.contains("Nothing was running"));
        fs_err::write(&path, whole).unwrap();
    }
}
