//! What is refused, before anything is made.

use poc_core::{Hint, Listen};
use poc_provision::Error;

use crate::support::{Scene, listing, project};

/// The message, and that nothing was made.
fn refused(scene: &Scene, outcome: Result<poc_provision::Provisioned, Error>) -> String {
    let error = outcome.unwrap_err();
    assert!(
        !error.hints().is_empty() || matches!(error, Error::Crypto { .. }),
        "no hint for: {error}"
    );
    assert_eq!(scene.names().0, [""; 0], "something was left");
    error.to_string().replace(scene.above.as_str(), "[above]")
}

#[test]
fn what_cannot_be_done() {
    let scene = Scene::new();
    let mut wanted = project();
    wanted.he = true;
    insta::assert_snapshot!(refused(&scene, scene.provision(&wanted, |_| ())), @r#"
    homomorphic encryption is not supported by this version of poc
    "#);
}

#[test]
fn an_address_that_nvflare_does_not_take() {
    let scene = Scene::new();
    let outcome = scene.provision(&project(), |request| {
        request.listen = Listen::Address("::1".to_owned());
    });
    insta::assert_snapshot!(refused(&scene, outcome), @r#"
    the server cannot listen on ::1: NVFlare takes host names and IPv4 addresses only
    "#);
}

#[test]
fn keeping_an_authority_that_is_not_there() {
    let scene = Scene::new();
    let outcome = scene.provision(&project(), |request| request.keep_ca = true);
    insta::assert_snapshot!(refused(&scene, outcome), @r#"
    the certificate authority in [above]/ws cannot be used: there is no POC with one
    "#);
}

#[test]
fn a_stop_that_was_asked_for_already() {
    let scene = Scene::new();
    scene.cancel.cancel();
    let outcome = scene.provision(&project(), |_| ());
    insta::assert_snapshot!(refused(&scene, outcome), @r#"
    interrupted
    "#);
}

#[test]
fn a_directory_that_is_no_poc() {
    let scene = Scene::new();
    scene.write("thesis.tex", "years of work");
    let before = listing(&scene.above);
    let error = scene
        .provision(&project(), |request| request.replace = true)
        .unwrap_err();
    assert!(
        matches!(error, Error::Core(poc_core::Error::Foreign { .. })),
        "{error}"
    );
    assert_eq!(listing(&scene.above), before);
}

#[test]
fn a_poc_that_nobody_allowed_to_replace() {
    let (scene, _) = Scene::prepared();
    let before = listing(&scene.above);
    let error = scene.provision(&project(), |_| ()).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(listing(&scene.above), before);
}

#[test]
fn a_poc_that_holds_the_project_file() {
    let (scene, _) = Scene::prepared();
    let input = scene.workspace.root().join("mine.yml");
    fs_err::write(&input, "name: mine").unwrap();
    let before = listing(&scene.above);
    let error = scene
        .provision(&project(), |request| {
            request.replace = true;
            request.input = Some(&input);
        })
        .unwrap_err();
    assert!(matches!(error, Error::InputInside { .. }), "{error}");
    assert_eq!(listing(&scene.above), before);
}

#[test]
fn a_place_for_the_previous_one_that_is_taken() {
    let (scene, _) = Scene::prepared();
    scene.write("data/train.csv", "1,2");
    let taken = scene.above.join("ws.previous");
    fs_err::create_dir(&taken).unwrap();
    fs_err::write(taken.join("thesis.tex"), "years of work").unwrap();
    let before = listing(&scene.above);
    let error = scene
        .provision(&project(), |request| request.replace = true)
        .unwrap_err();
    assert!(matches!(error, Error::PreviousInTheWay { .. }), "{error}");
    assert_eq!(listing(&scene.above), before);
}

#[test]
fn a_name_that_is_a_file() {
    let scene = Scene::new();
    fs_err::write(scene.workspace.root(), "a file").unwrap();
    assert!(
        scene
            .provision(&project(), |request| request.replace = true)
            .is_err()
    );
    assert_eq!(
        fs_err::read_to_string(scene.workspace.root()).unwrap(),
        "a file"
    );
}
