//! `poc up` and `poc down`, and where the server listens.

use poc_tests::{Federation, poc_test};

#[test]
fn up_prepares_if_needed_and_starts_and_down_cleans() {
    let world = poc_test!().with_flare();
    let port = world.port().to_string();
    let up = ["up", "-n", "1", "--ports", &port, "--format", "json"];
    world.poc(up).success().data();
    assert_eq!(Federation::running(&world).clients(), ["site-1"]);
    // Only this machine can reach it, NVFlare's internal listeners included.
    let addresses = world.listeners();
    assert!(
        addresses
            .iter()
            .any(|address| address.port() == world.port()),
        "{addresses:?}"
    );
    assert!(
        addresses.iter().all(|address| address.ip().is_loopback()),
        "{addresses:?}"
    );

    // What is prepared is another project than these flags describe.
    let output = world.poc(["up", "-n", "2", "--format", "json"]).code(4);
    let said = format!("{} {}", output.json()["message"], output.json()["hint"]);
    assert!(said.contains("--force"), "{}", output.transcript());
    assert!(!world.kit("site-2").exists());

    world.poc(["down"]).success();
    world.assert_nothing_left();
    assert!(world.workspace().join("project.yml").exists());

    // Prepared already, and described by the same flags or by none.
    let site = fs_err::read(world.kit("site-1").join("startup/client.key")).unwrap();
    world.poc(["up"]).success();
    assert_eq!(
        fs_err::read(world.kit("site-1").join("startup/client.key")).unwrap(),
        site
    );
    world.poc(["down", "--clean"]).success();
    world.assert_nothing_left();
    assert!(!world.workspace().exists());
}

#[test]
fn listening_on_every_network_is_asked_for() {
    let world = poc_test!().with_flare();
    let port = world.port().to_string();
    world
        .poc([
            "prepare", "-n", "1", "--ports", &port, "--listen", "0.0.0.0",
        ])
        .success();
    world.poc(["start", "-p", "server"]).success();
    let addresses = world.listeners();
    let open: Vec<_> = addresses
        .iter()
        .filter(|address| !address.ip().is_loopback())
        .collect();
    assert!(!open.is_empty(), "{addresses:?}");
    for address in open {
        assert!(
            address.port() == world.port() && address.ip().is_unspecified(),
            "{addresses:?}"
        );
    }
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}

#[test]
fn clean_with_force_stops_first() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 1);
    world.poc(["clean", "--force"]).success();
    world.assert_nothing_left();
    assert!(!world.workspace().exists());
}
