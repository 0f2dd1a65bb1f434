//! What happens when something is asked that cannot be done: an error that says what to do, the
//! documented exit code, and nothing lost.

use poc_tests::{PocTest, Tree, poc_snapshot, poc_test};

/// A world with a prepared POC of two sites.
fn prepared() -> PocTest {
    let world = poc_test!();
    world.poc(["prepare", "-n", "2"]).success();
    world
}

/// Runs `poc` with `--format json` and checks the two codes of the error.
#[track_caller]
fn refused(world: &PocTest, args: &[&str], exit: i32, code: &str) -> String {
    let output = world.poc(args).args(["--format", "json"]).code(exit);
    assert_eq!(output.error_code(), code, "{}", output.transcript());
    output.json()["message"].as_str().unwrap().to_owned()
}

#[test]
fn start_before_prepare() {
    let world = poc_test!();
    poc_snapshot!(world, world.poc(["start"]).run(), @"
    exit code: 4
    ----- stdout -----
    ----- stderr -----
    error: [WORKSPACE]/project.yml is missing, make sure you have first run 'poc prepare'

    hint: run `poc prepare`, or `poc up` to prepare and start
    ");
    refused(&world, &["start"], 4, "NOT_PREPARED");
    assert!(!world.workspace().exists());
}

#[test]
fn stop_and_status_before_prepare() {
    let world = poc_test!();
    for command in ["stop", "status", "logs"] {
        refused(&world, &[command], 4, "NOT_PREPARED");
    }
    // Nothing there is what `down` is to bring about.
    for line in [&["down"][..], &["down", "--clean"]] {
        let down = world.poc(line).success();
        assert!(
            down.stdout.contains("There is no POC in "),
            "{}",
            down.stdout
        );
    }
    assert!(!world.workspace().exists());
}

#[test]
fn an_unknown_participant_is_told_the_nearest() {
    let world = prepared();
    for command in ["start", "stop"] {
        for flag in ["-p", "-ex"] {
            let message = world.poc([command, flag, "site-11"]).code(4).stderr;
            assert!(
                message.contains("site-11") && message.contains("site-1"),
                "{message}"
            );
            refused(&world, &[command, flag, "nobody"], 4, "INVALID_ARGS");
        }
    }
    poc_snapshot!(world, world.poc(["start", "-p", "sit-2"]).run(), @"
    exit code: 4
    ----- stdout -----
    ----- stderr -----
    error: there is no participant `sit-2` in project example_project

    hint: did you mean `site-2`?
    hint: the participants are server, admin@nvidia.com, org-admin@nvidia.com, lead@nvidia.com, site-1 and site-2
    ");
}

#[test]
fn prepare_over_a_poc_asks_and_without_a_terminal_refuses() {
    let world = prepared();
    let before = Tree::of(world.root());
    poc_snapshot!(world, world.poc(["prepare", "-n", "3"]).run(), @"
    exit code: 4
    ----- stdout -----
    ----- stderr -----
    error: there is a POC (example_project with 2 sites) in [WORKSPACE] already

    hint: run it again with `--force` to replace it
    hint: or choose another workspace with `--workspace DIR`
    ");
    refused(&world, &["prepare", "-n", "3"], 4, "WORKSPACE_EXISTS");
    before.assert_still(world.root());

    world.poc(["prepare", "-n", "3", "--force"]).success();
    assert!(world.kit("site-3").exists());
}

#[test]
fn prepare_over_a_poc_takes_a_yes_at_the_terminal_and_nothing_else() {
    let world = prepared();
    let before = Tree::of(world.workspace());
    let limit = poc_tests::SHORT;

    let mut terminal = world.on_terminal(world.poc(["prepare", "-n", "3"]));
    terminal.expect("[y/N]", limit);
    terminal.type_in("\n");
    let (code, shown) = terminal.wait(limit);
    assert_eq!(code, 4, "{shown}");
    before.assert_still(world.workspace());

    let mut terminal = world.on_terminal(world.poc(["prepare", "-n", "3"]));
    terminal.expect("[y/N]", limit);
    terminal.type_in("y\n");
    let (code, shown) = terminal.wait(limit);
    assert_eq!(code, 0, "{shown}");
    assert!(world.kit("site-3").exists());
}

#[test]
fn what_is_no_poc_is_never_replaced_or_removed() {
    let world = poc_test!();
    let thesis = world.workspace().join("thesis.tex");
    fs_err::create_dir(world.workspace()).unwrap();
    fs_err::write(&thesis, "ten years of work").unwrap();
    let before = Tree::of(world.workspace());

    poc_snapshot!(world, world.poc(["prepare", "--force"]).run(), @"
    exit code: 4
    ----- stdout -----
    ----- stderr -----
    error: [WORKSPACE] is not a POC workspace: it holds `thesis.tex`, and no project.yml

    hint: choose another workspace with `--workspace DIR`; `poc` removes nothing that it does not know
    ");
    refused(&world, &["prepare"], 4, "WORKSPACE_FOREIGN");
    refused(&world, &["prepare", "--force"], 4, "WORKSPACE_FOREIGN");
    refused(&world, &["clean"], 4, "NOT_A_POC");
    refused(&world, &["clean", "--force"], 4, "NOT_A_POC");
    before.assert_still(world.workspace());

    // A project.yml alone does not make a POC: it could be anybody's.
    fs_err::write(world.workspace().join("project.yml"), "name: mine\n").unwrap();
    let before = Tree::of(world.workspace());
    world.poc(["prepare", "--force"]).code(4);
    world.poc(["clean", "--force"]).code(4);
    before.assert_still(world.workspace());
}

#[test]
fn a_workspace_that_is_a_file_or_the_home() {
    let world = poc_test!();
    fs_err::write(world.workspace(), "not a directory").unwrap();
    refused(&world, &["prepare", "--force"], 4, "WORKSPACE_FOREIGN");
    assert_eq!(
        fs_err::read_to_string(world.workspace()).unwrap(),
        "not a directory"
    );

    let home = world.home();
    fs_err::write(home.join("notes"), "mine").unwrap();
    refused(
        &world,
        &["prepare", "--force", "--workspace", home.as_str()],
        4,
        "WORKSPACE_FOREIGN",
    );
    refused(
        &world,
        &["clean", "--force", "--workspace", home.as_str()],
        4,
        "NOT_A_POC",
    );
    assert!(home.join("notes").exists());
}

#[test]
fn the_input_file_is_not_removed_with_the_workspace_that_holds_it() {
    let world = prepared();
    let input = world.workspace().join("project.yml");
    let before = Tree::of(world.workspace());
    let message = refused(
        &world,
        &["prepare", "--force", "-i", input.as_str()],
        4,
        "INVALID_ARGS",
    );
    assert!(message.contains(input.as_str()), "{message}");
    before.assert_still(world.workspace());

    // Nor when it is named another way.
    let run = world
        .poc(["prepare", "--force", "-i", "project.yml"])
        .dir(world.workspace());
    run.code(4);
    std::os::unix::fs::symlink(&input, world.root().join("elsewhere.yml")).unwrap();
    world
        .poc(["prepare", "--force", "-i", "elsewhere.yml"])
        .code(4);
    before.assert_still(world.workspace());
}

#[test]
fn an_input_file_that_is_missing_or_wrong() {
    let world = prepared();
    let before = Tree::of(world.workspace());
    for (name, text) in [
        ("broken.yml", "participants: [\n"),
        ("empty.yml", ""),
        ("old.yml", "api_version: 2\nname: x\nparticipants: []\n"),
        (
            "two-servers.yml",
            "api_version: 3\nname: x\nparticipants:\n- {name: a, type: server, org: o}\n- {name: b, type: server, org: o}\n- {name: a@b.com, type: admin, org: o, role: project_admin}\n",
        ),
        (
            "escape.yml",
            "api_version: 3\nname: ../x\nparticipants:\n- {name: a, type: server, org: o}\n- {name: a@b.com, type: admin, org: o, role: project_admin}\n",
        ),
        (
            "port.yml",
            "api_version: 3\nname: x\nparticipants:\n- {name: a, type: server, org: o, fed_learn_port: 99999}\n- {name: a@b.com, type: admin, org: o, role: project_admin}\n",
        ),
    ] {
        fs_err::write(world.root().join(name), text).unwrap();
        let message = refused(
            &world,
            &["prepare", "--force", "-i", name],
            4,
            "PROJECT_INVALID",
        );
        assert!(
            message.contains(name),
            "the message does not say where: {message}"
        );
    }
    world
        .poc(["prepare", "--force", "-i", "nowhere.yml"])
        .code(4);
    before.assert_still(world.workspace());
}

#[test]
fn numbers_of_clients() {
    let world = poc_test!();
    for number in ["0", "-3", "x", "1.5", "99999999999", ""] {
        let message = refused(&world, &["prepare", "-n", number], 4, "INVALID_ARGS");
        assert!(number.is_empty() || message.contains(number), "{message}");
    }
    for bare in ["-n", "-i"] {
        refused(&world, &["prepare", bare], 4, "INVALID_ARGS");
    }
    refused(&world, &["prepare-jobs-dir", "-j"], 4, "INVALID_ARGS");
    assert!(!world.workspace().exists());
}

#[test]
fn names_of_clients() {
    let world = poc_test!();
    let long = "a".repeat(65);
    for names in [
        &["site-1", "site-2", "site-1"][..],
        &[""],
        &["site 1"],
        &["../evil"],
        &["a/b"],
        &["site-1\n"],
        &["$(reboot)"],
        &["a;b"],
        &["zürich"],
        &["all"],
        &["none"],
        &["root_cert"],
        &["root_pri_key"],
        &["server"],
        &[&long],
    ] {
        let args = [&["prepare", "-c"], names].concat();
        let message = refused(&world, &args, 4, "INVALID_ARGS");
        assert!(message.contains(names[0].trim()), "{names:?}: {message}");
    }
    // A leading dash reads as a flag, unless it is stuck to the option.
    refused(&world, &["prepare", "--clients=-x"], 4, "INVALID_ARGS");
    assert!(!world.workspace().exists());
    assert!(!world.root().join("evil").exists());

    world.poc(["prepare", "-c", &"a".repeat(64)]).success();
}

#[test]
fn yesterdays_spelling_answers_with_todays() {
    let world = poc_test!();
    for word in ["prepare", "start", "stop", "clean"] {
        let output = world.poc([format!("--{word}")]).code(4);
        assert!(
            output.stderr.contains(&format!("poc {word}")),
            "{}",
            output.stderr
        );
    }
    poc_snapshot!(world, world.poc(["--prepare"]).run(), @"
    exit code: 4
    ----- stdout -----
    ----- stderr -----
    error: `--prepare` is the spelling of NVFlare 2.3 and before; today it is `poc prepare`

    hint: `poc prepare --help` explains its options
    ");
}

#[test]
fn usage_errors_are_json_too() {
    let world = poc_test!();
    for args in [
        &["fly"][..],
        &["start", "--sideways"],
        &["prepare", "-n"],
        &["status", "--format", "yaml"],
    ] {
        let output = world.poc(args).args(["--format", "json"]).code(4);
        assert_eq!(
            output.error_code(),
            "INVALID_ARGS",
            "{}",
            output.transcript()
        );
    }
}

#[test]
fn stop_when_nothing_runs_is_a_success_that_says_so() {
    let world = prepared();
    poc_snapshot!(world, world.poc(["stop"]).run(), @"
    exit code: 0
    ----- stdout -----
    Nothing was running
    ----- stderr -----
    ");
    let answer = world.poc(["stop", "--format", "json"]).success();
    answer.data();
}

#[test]
fn clean_when_there_is_nothing() {
    let world = poc_test!();
    poc_snapshot!(world, world.poc(["clean"]).run(), @"
    exit code: 0
    ----- stdout -----
    There is no POC in [WORKSPACE]: nothing to remove
    ----- stderr -----
    ");
}

#[test]
fn a_jobs_directory_that_is_not_there() {
    let world = prepared();
    let message = refused(
        &world,
        &["prepare-jobs-dir", "-j", "nowhere"],
        4,
        "INVALID_ARGS",
    );
    assert!(message.contains("nowhere"), "{message}");
    // Neither -j nor NVFLARE_HOME.
    refused(&world, &["prepare-jobs-dir"], 4, "INVALID_ARGS");
}

/// An unset variable in quotes (`--workspace "$POC"`) means no other workspace.
#[test]
fn a_workspace_without_a_name_is_no_workspace() {
    let world = poc_test!();
    world.prepare(1);
    for empty in ["", " "] {
        for line in [
            &["--workspace", empty, "clean"][..],
            &["clean", "--workspace", empty],
            &["prepare", "--force", "--workspace", empty],
        ] {
            let output = world.poc([line, &["--format", "json"]].concat()).code(4);
            assert_eq!(output.error_code(), "INVALID_ARGS");
        }
    }
    assert!(world.workspace().join("project.yml").exists());
}
