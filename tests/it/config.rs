//! config.conf: what `poc` writes there, NVFlare's own tools read, and the other way round.

use poc_tests::{PocTest, poc_snapshot, poc_test};
use serde_json::Value;

fn write_config(world: &PocTest, text: &str) {
    fs_err::create_dir_all(world.config().parent().unwrap()).unwrap();
    fs_err::write(world.config(), text).unwrap();
}

fn read_config(world: &PocTest) -> String {
    fs_err::read_to_string(world.config()).unwrap()
}

/// NVFlare's own word on the file, without the variable that would overrule it.
fn nvflare(world: &PocTest, args: &[&str]) -> Value {
    let output = world
        .nvflare([&["--format", "json"], args].concat())
        .env_remove("NVFLARE_POC_WORKSPACE")
        .success();
    // Some commands say more than the answer.
    let answer = output
        .stdout
        .lines()
        .find(|line| line.starts_with('{'))
        .unwrap_or_else(|| panic!("{output:?}"));
    serde_json::from_str::<Value>(answer).unwrap()["data"].take()
}

/// A resolved setting of `poc config`: its value, and where it comes from in words.
#[track_caller]
fn setting(output: &poc_tests::Output, name: &str) -> (String, String) {
    let data = output.data();
    let text = |key: &str| data[name][key].as_str().unwrap_or_default().to_owned();
    assert!(!text("value").is_empty(), "no setting {name} in {data}");
    (
        text("value"),
        format!("{}: {}", text("source"), text("detail")),
    )
}

#[test]
fn nvflare_reads_what_prepare_writes() {
    let world = poc_test!().with_flare();
    let prepared = world.poc(["prepare"]).success();
    let told = prepared.text();
    assert!(
        told.contains(world.config().as_str()),
        "prepare does not say that it wrote config.conf:\n{told}"
    );

    let kits = nvflare(&world, &["config", "list"]);
    assert_eq!(kits[0]["active"], "*", "{kits}");
    let active = kits
        .as_array()
        .unwrap()
        .iter()
        .find(|kit| kit["active"] == "*")
        .unwrap();
    assert_eq!(active["id"], "admin@nvidia.com");
    assert_eq!(active["status"], "ok");
    assert_eq!(active["cert_role"], "project_admin");
    assert_eq!(active["path"], world.kit("admin@nvidia.com").as_str());
    let roles: Vec<_> = kits
        .as_array()
        .unwrap()
        .iter()
        .map(|kit| kit["cert_role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["project_admin", "lead", "org_admin"]);

    assert_eq!(
        nvflare(&world, &["poc", "config"])["poc_workspace_dir"],
        world.workspace().as_str()
    );
    assert_eq!(
        nvflare(&world, &["config", "inspect"])["findings"],
        serde_json::json!([])
    );
}

#[test]
fn poc_reads_what_nvflare_writes() {
    let world = poc_test!().with_flare();
    world.poc(["prepare"]).success();
    let other = world.root().join("autre é");
    nvflare(&world, &["poc", "config", "--pw", other.as_str()]);
    nvflare(&world, &["config", "use", "lead@nvidia.com"]);

    let output = world
        .poc(["config", "--format", "json"])
        .env_remove("NVFLARE_POC_WORKSPACE")
        .success();
    let (workspace, source) = setting(&output, "workspace");
    assert_eq!(workspace, other.as_str());
    assert!(source.starts_with("config_file: line "), "{source}");
    assert_eq!(
        setting(&output, "startup_kit_dir").0,
        world.kit("lead@nvidia.com").as_str()
    );
}

#[test]
fn comments_and_foreign_keys_survive_every_edit() {
    let world = poc_test!();
    let mine = "# my notes, which no tool may lose\njob_template { path = \"/templates\" } // there\n\
                proxy {\n  host = ${?PROXY_HOST}\n  münchen = \"a # b\"\n}\n";
    write_config(&world, mine);
    world.poc(["prepare"]).success();
    for line in mine.lines() {
        assert!(
            read_config(&world).contains(line),
            "{line:?} is lost:\n{}",
            read_config(&world)
        );
    }
    world.poc(["config", "-pw", "elsewhere"]).success();
    world.poc(["clean"]).success();
    for line in mine.lines() {
        assert!(
            read_config(&world).contains(line),
            "{line:?} is lost:\n{}",
            read_config(&world)
        );
    }
}

#[test]
fn clean_takes_back_what_prepare_wrote() {
    let world = poc_test!();
    write_config(&world, "# mine\nproxy = on\n");
    world.poc(["prepare"]).success();
    assert!(read_config(&world).contains("startup_kits"));
    world.poc(["clean"]).success();
    let left = read_config(&world);
    assert!(left.contains("# mine\nproxy = on\n"), "{left}");
    for key in [
        "startup_kit",
        "poc_workspace",
        "poc ",
        "admin@nvidia.com",
        "proof of concept",
    ] {
        assert!(!left.contains(key), "{key} is left:\n{left}");
    }
}

#[test]
fn clean_keeps_a_workspace_that_config_set() {
    let world = poc_test!();
    let told = world
        .poc(["config", "-pw", "chosen place"])
        .success()
        .text();
    assert!(
        told.contains("poc prepare"),
        "does not say what to do next: {told}"
    );
    let chosen = world.root().join("chosen place");
    let bare = |args: &[&str]| world.poc(args).env_remove("NVFLARE_POC_WORKSPACE");

    bare(&["prepare"]).success();
    assert!(chosen.join("project.yml").exists());
    bare(&["clean"]).success();
    assert!(!chosen.exists());
    let output = bare(&["config", "--format", "json"]).success();
    assert_eq!(setting(&output, "workspace").0, chosen.as_str());
}

#[test]
fn a_file_that_does_not_parse_is_never_overwritten() {
    let world = poc_test!();
    let broken = "version = 2\npoc { workspace = \"/here\"\n# never closed\n";
    write_config(&world, broken);
    for args in [
        &["prepare"][..],
        &["config", "-pw", "x"],
        &["config", "-d", "x"],
        &["config"],
    ] {
        let output = world.poc(args).args(["--format", "json"]).code(4);
        assert_eq!(
            output.error_code(),
            "CONFIG_INVALID",
            "{args:?}: {}",
            output.transcript()
        );
        let message = output.json()["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains(&format!("{}:", world.config())),
            "names no file and line: {message}"
        );
        assert_eq!(read_config(&world), broken);
    }
    assert!(!world.workspace().exists());
    poc_snapshot!(world, world.poc(["prepare"]).run(), @"
    exit code: 4
    ----- stdout -----
    ----- stderr -----
    error: [HOME]/.nvflare/config.conf:2: the `{` here is never closed

    hint: correct that line, or move [HOME]/.nvflare/config.conf aside and run `poc prepare`, which writes a new one
    ");

    // To end a POC and remove it, only its place must be known. The file stays as it is.
    world.poc(["clean"]).success();
    let clean = world.poc(["clean", "--format", "json"]);
    let output = clean.env_remove("NVFLARE_POC_WORKSPACE").code(4);
    assert_eq!(output.error_code(), "CONFIG_INVALID");
    assert_eq!(read_config(&world), broken);
}

#[test]
fn the_command_line_beats_the_environment_beats_the_file() {
    let world = poc_test!();
    write_config(&world, "poc { workspace = \"/from/file\" }\n");
    let ask = |run: poc_tests::Run| setting(&run.success(), "workspace");

    let json = ["config", "--format", "json"];
    let (value, source) = ask(world.poc(json).args(["--workspace", "/from/flag"]));
    assert_eq!(value, "/from/flag");
    assert!(source.contains("--workspace"), "{source}");
    let (value, source) = ask(world.poc(json).env("NVFLARE_POC_WORKSPACE", "/from/env"));
    assert_eq!(value, "/from/env");
    assert!(source.contains("NVFLARE_POC_WORKSPACE"), "{source}");
    // Blank counts as unset.
    let (value, source) = ask(world.poc(json).env("NVFLARE_POC_WORKSPACE", " "));
    assert_eq!(value, "/from/file");
    assert!(source.starts_with("config_file: line "), "{source}");
    fs_err::remove_file(world.config()).unwrap();
    let (value, _) = ask(world.poc(json).env_remove("NVFLARE_POC_WORKSPACE"));
    assert_eq!(value, "/tmp/nvflare/poc");
}

#[test]
fn both_generations_of_keys_are_read() {
    let world = poc_test!();
    for text in [
        "poc_workspace { path = /old/style }\n",
        "poc_workspace.path: \"/old/style\"\n",
        "poc { workspace = \"/old/style\" }\npoc_workspace { path = \"/ignored\" }\n",
    ] {
        write_config(&world, text);
        let output = world
            .poc(["config", "--format", "json"])
            .env_remove("NVFLARE_POC_WORKSPACE")
            .success();
        assert_eq!(setting(&output, "workspace").0, "/old/style", "{text}");
    }
}

#[test]
fn the_file_is_private_whole_and_stays_a_link() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = poc_test!();
    let real = world.root().join("dotfiles.conf");
    fs_err::write(&real, "# kept in version control\n").unwrap();
    fs_err::create_dir_all(world.config().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&real, world.config()).unwrap();
    world.poc(["prepare"]).success();
    assert!(world.config().symlink_metadata().unwrap().is_symlink());
    assert!(
        fs_err::read_to_string(&real)
            .unwrap()
            .contains("startup_kits")
    );
    assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let beside: Vec<_> = world
        .config()
        .parent()
        .unwrap()
        .read_dir_utf8()
        .unwrap()
        .collect();
    assert_eq!(beside.len(), 1, "temporary files left: {beside:?}");
}

/// pyhocon refuses such a file as a whole; `poc` can at least put right what it owns.
#[test]
fn what_cannot_be_worked_out_can_be_set_anew() {
    let world = poc_test!();
    write_config(
        &world,
        "# mine\npoc { workspace = ${NOWHERE}/poc }\npoc_workspace.path = ${NOWHERE}/poc\nstartup_kit.path = ${NOWHERE}/kit\n",
    );
    let bare = |args: &[&str]| world.poc(args).env_remove("NVFLARE_POC_WORKSPACE");
    let output = bare(&["config", "--format", "json"]).code(4);
    assert_eq!(output.error_code(), "CONFIG_INVALID");
    assert!(
        output.text().contains("poc config -pw DIR"),
        "{}",
        output.transcript()
    );

    // The workspace is put right, and what is wrong besides is said.
    let output = bare(&["config", "-pw", "here"]).code(4);
    assert!(
        output.text().contains("was changed: workspace"),
        "{}",
        output.transcript()
    );
    assert!(
        output.text().contains("poc config -d DIR"),
        "{}",
        output.transcript()
    );
    let startup = world.root().join("kit/startup");
    fs_err::create_dir_all(&startup).unwrap();
    for file in ["fed_admin.json", "client.crt", "rootCA.pem"] {
        fs_err::write(startup.join(file), "").unwrap();
    }
    let output = bare(&["config", "-d", "kit", "--format", "json"]).success();
    assert_eq!(
        setting(&output, "workspace").0,
        world.root().join("here").as_str()
    );
    assert_eq!(
        setting(&output, "startup_kit_dir").0,
        world.root().join("kit").as_str()
    );
    assert!(read_config(&world).contains("# mine\n"));
    assert!(!read_config(&world).contains("NOWHERE"));
}

/// NVFlare's job and system commands need an admin's kit; which one is in effect is said as it is.
#[test]
fn only_an_admins_kit_is_one_to_keep() {
    let world = poc_test!();
    world.prepare(1);
    let before = read_config(&world);
    let site = world.kit("site-1");
    for directory in [
        site.as_path(),
        world.workspace(),
        &world.root().join("nowhere"),
    ] {
        let run = world.poc(["config", "-d", directory.as_str(), "--format", "json"]);
        let output = run.code(4);
        assert_eq!(output.error_code(), "INVALID_ARGS");
        assert_eq!(read_config(&world), before);
    }
    let lead = world.kit("lead@nvidia.com");
    let told = world.poc(["config", "-d", lead.as_str()]).success().stdout;
    assert!(told.contains("changed, with effect from now on"), "{told}");
    assert!(!told.contains("poc prepare"), "{told}");
    let told = world
        .poc(["config", "-d", world.prod().as_str()])
        .success()
        .stdout;
    assert!(told.contains("go on with the active kit"), "{told}");
}

/// A second POC takes config.conf over, and says so; a start of the first says how to take it back.
#[test]
fn two_workspaces_and_one_config() {
    let world = poc_test!().with_flare();
    world.prepare(1);
    let second = world.root().join("second");
    let prepare = ["prepare", "-n", "1", "--workspace", second.as_str()];
    let told = world.poc(prepare).success().stdout;
    let before = format!("it pointed at {} before", world.workspace());
    assert!(told.contains(&before), "{told}");

    let start = || world.poc(["start", "--dry-run"]).success().stderr;
    let remedy = format!("poc config -d '{}'", world.kit("admin@nvidia.com"));
    assert!(start().contains(&remedy), "{}", start());
    let kit = world.kit("admin@nvidia.com");
    world.poc(["config", "-d", kit.as_str()]).success();
    assert!(!start().contains("config.conf"), "{}", start());
    world
        .poc(["clean", "--workspace", second.as_str()])
        .success();
    assert!(!start().contains("config.conf"), "{}", start());
}
