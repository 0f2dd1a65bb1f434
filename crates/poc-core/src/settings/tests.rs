use super::*;

fn resolve(overrides: &Overrides, env: &[(&str, &str)], conf: &str) -> Result<Settings, Error> {
    let env = Env::from_pairs(
        [("HOME", "/home/mia")]
            .into_iter()
            .chain(env.iter().copied()),
    );
    let file = ConfigFile::parse(&ConfigFile::path_in(Utf8Path::new("/home/mia")), conf)?;
    Settings::resolve(overrides, &env, &file, Utf8Path::new("/srv/dir"))
}

fn source_of(conf: &str) -> String {
    resolve(&Overrides::default(), &[], conf)
        .unwrap()
        .workspace
        .source
        .to_string()
}

const BOTH: &str = "poc_workspace { path = /conf }\npoc { workspace = /conf }\n";

#[test]
fn each_place_beats_those_below_it() {
    let given = Overrides {
        workspace: Some("flag".into()),
        ..Overrides::default()
    };
    let env = [("NVFLARE_POC_WORKSPACE", "/env/./x/..")];
    let none = Overrides::default();
    for (overrides, env, conf, workspace, source) in [
        (&given, &env[..], BOTH, "/srv/dir/flag", "--workspace"),
        (
            &none,
            &env[..],
            BOTH,
            "/env",
            "environment variable NVFLARE_POC_WORKSPACE",
        ),
        (
            &none,
            &[][..],
            BOTH,
            "/conf",
            "poc.workspace in /home/mia/.nvflare/config.conf:2",
        ),
        (&none, &[][..], "", "/tmp/nvflare/poc", "default"),
        (
            &none,
            &[("NVFLARE_POC_WORKSPACE", "  ")][..],
            "",
            "/tmp/nvflare/poc",
            "default",
        ),
    ] {
        let settings = resolve(overrides, env, conf).unwrap();
        assert_eq!(settings.workspace.value, workspace);
        assert_eq!(settings.workspace.source.to_string(), source);
        assert_eq!(settings.warnings, Vec::<String>::new());
    }
}

#[test]
fn both_generations_of_the_workspace_key_are_read() {
    assert_eq!(
        source_of("poc_workspace { path = /x }"),
        "poc_workspace.path in /home/mia/.nvflare/config.conf:1"
    );
    assert_eq!(
        source_of("poc { workspace = /x }"),
        "poc.workspace in /home/mia/.nvflare/config.conf:1"
    );
    assert_eq!(source_of("poc { workspace = \" \" }"), "default");
    let settings = resolve(
        &Overrides::default(),
        &[],
        "poc { workspace = /a }\npoc_workspace.path = /b",
    )
    .unwrap();
    assert_eq!(settings.workspace.value, "/a");
    insta::assert_snapshot!(settings.warnings.join("\n"), @"config.conf names two workspaces: /a (poc.workspace in /home/mia/.nvflare/config.conf:1) is used, /b (poc_workspace.path in /home/mia/.nvflare/config.conf:2) is not");
    let trailing = resolve(
        &Overrides::default(),
        &[],
        "poc { workspace = /a/ }\npoc_workspace.path = /a",
    )
    .unwrap();
    assert_eq!(trailing.warnings, Vec::<String>::new());
}

#[test]
fn the_startup_kit_is_the_active_one_else_the_older_key() {
    let kit = |env: &[(&str, &str)], conf: &str| {
        let settings = resolve(&Overrides::default(), env, conf).unwrap();
        (
            settings.startup_kit_dir.map(|kit| kit.value.into_string()),
            settings.warnings,
        )
    };
    let registered = "startup_kit.path = /old\nstartup_kits { active = \"a@x.org\", entries { \"a@x.org\" = /new } }";
    assert_eq!(kit(&[], registered), (Some("/new".into()), vec![]));
    assert_eq!(
        kit(&[("NVFLARE_STARTUP_KIT_DIR", "kits/a")], registered)
            .0
            .unwrap(),
        "/srv/dir/kits/a"
    );
    assert_eq!(
        kit(&[], "startup_kit.path = /old"),
        (Some("/old".into()), vec![])
    );
    assert_eq!(kit(&[], ""), (None, vec![]));
    let (path, warnings) = kit(&[], "startup_kit.path = /old\nstartup_kits.active = gone");
    assert_eq!(path.unwrap(), "/old");
    insta::assert_snapshot!(warnings.join("\n"), @"the active startup kit `gone` (startup_kits.active in /home/mia/.nvflare/config.conf:2) is not registered");
}

#[test]
fn examples_come_from_the_flag_or_from_nvflare_s_checkout() {
    let examples = |overrides: &Overrides, env: &[(&str, &str)]| {
        resolve(overrides, env, "")
            .unwrap()
            .examples
            .map(|examples| examples.value.into_string())
    };
    let flag = Overrides {
        jobs_dir: Some("jobs".into()),
        ..Overrides::default()
    };
    let home = [("NVFLARE_HOME", "/src/NVFlare")];
    assert_eq!(examples(&flag, &home).unwrap(), "/srv/dir/jobs");
    assert_eq!(
        examples(&Overrides::default(), &home).unwrap(),
        "/src/NVFlare/examples"
    );
    assert_eq!(examples(&Overrides::default(), &[]), None);
}

#[test]
fn a_python_without_a_slash_stays_a_name_to_look_for() {
    let python = |env: &[(&str, &str)], conf: &str| {
        resolve(&Overrides::default(), env, conf)
            .unwrap()
            .python
            .map(|python| python.value.into_string())
    };
    assert_eq!(
        python(&[("POC_PYTHON", "python3.11")], "").unwrap(),
        "python3.11"
    );
    assert_eq!(
        python(&[("POC_PYTHON", "venv/bin/python")], "").unwrap(),
        "/srv/dir/venv/bin/python"
    );
    assert_eq!(
        python(&[], "poc.python = ~/venv/bin/python").unwrap(),
        "/home/mia/venv/bin/python"
    );
}

#[test]
fn references_in_the_file_are_worked_out() {
    let settings = resolve(
        &Overrides::default(),
        &[],
        "poc { workspace = ${HOME}/my poc }",
    )
    .unwrap();
    assert_eq!(settings.workspace.value, "/home/mia/my poc");
    let error = resolve(
        &Overrides::default(),
        &[],
        "\npoc { workspace = ${NOPE}/x }",
    )
    .unwrap_err();
    assert!(
        matches!(&error, Error::ConfigValue { line: 2, key, .. } if key == "poc.workspace"),
        "{error}"
    );
}

#[test]
fn what_is_included_is_not_silently_missed() {
    let settings = resolve(&Overrides::default(), &[], "\ninclude \"other.conf\"\n").unwrap();
    insta::assert_snapshot!(settings.warnings.join("\n"), @"/home/mia/.nvflare/config.conf:2: `include` is not followed here");
}
