mod written;

use camino::Utf8Path;

use super::*;

fn parse(text: &str) -> Result<Loaded, Error> {
    Project::parse(text, Utf8Path::new("project.yml"))
}

fn project(text: &str) -> Project {
    let loaded = parse(text).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    loaded.project
}

fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// A project with these lines more, which go behind the participants.
fn with(more: &str) -> String {
    format!("{}{more}", include_str!("../../tests/data/project-2.9.yml"))
}

#[test]
fn the_default_project_is_nvflare_s_own() {
    for (line, theirs) in [
        (Line::V2_5, include_str!("../../tests/data/project-2.5.yml")),
        (Line::V2_6, include_str!("../../tests/data/project-2.6.yml")),
        (Line::V2_7, include_str!("../../tests/data/project-2.7.yml")),
        // 2.8 and 2.9 write the same file.
        (Line::V2_8, include_str!("../../tests/data/project-2.9.yml")),
        (Line::V2_9, include_str!("../../tests/data/project-2.9.yml")),
    ] {
        let mut ours = Project::poc_default(line, &Project::default_client_names(2)).unwrap();
        let theirs = project(theirs);
        ours.description.clone_from(&theirs.description);
        // The same file, so also the same keys, in the same order.
        assert_eq!(ours.to_yaml(line), theirs.to_yaml(line), "{line}");
    }
}

#[test]
fn the_default_project_s_file() {
    let project = Project::poc_default(Line::V2_9, &["site-1".to_owned()]).unwrap();
    insta::assert_snapshot!(project.to_yaml(Line::V2_9), @r#"
    api_version: 3
    builders:
    - args:
        template_file:
        - "master_template.yml"
        - "aws_template.yml"
        - "azure_template.yml"
      path: "nvflare.lighter.impl.workspace.WorkspaceBuilder"
    - args:
        config_folder: "config"
      path: "nvflare.lighter.impl.static_file.StaticFileBuilder"
    - path: "nvflare.lighter.impl.cert.CertBuilder"
    - path: "nvflare.lighter.impl.signature.SignatureBuilder"
    description: "NVIDIA FLARE proof of concept on one machine"
    name: "example_project"
    participants:
    - default_host: "localhost"
      fed_learn_port: 8002
      name: "server"
      org: "nvidia"
      type: "server"
    - name: "admin@nvidia.com"
      org: "nvidia"
      role: "project_admin"
      type: "admin"
    - name: "org-admin@nvidia.com"
      org: "nvidia"
      role: "org_admin"
      type: "admin"
    - name: "lead@nvidia.com"
      org: "nvidia"
      role: "lead"
      type: "admin"
    - name: "site-1"
      org: "nvidia"
      type: "client"
    "#);
}

#[test]
fn what_is_written_has_nvflare_s_letters_but_for_the_quotes() {
    let theirs = include_str!("../../tests/data/project-2.9.yml");
    assert_eq!(project(theirs).to_yaml(Line::V2_9).replace('"', ""), theirs);
}

#[test]
fn client_names_are_checked_all_at_once() {
    let names = [
        "site-1",
        "-x",
        "../x",
        "site-1",
        "",
        "a\n",
        "all",
        "server",
        &"x".repeat(65),
    ];
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let error = Project::poc_default(Line::V2_9, &names).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @r"
    there cannot be such a project, 9 problems:
      `-x` begins with `-`
      `../x` begins with `.`
      a name is empty
      `a\n` is not a name that NVFlare takes: letters, digits, `-` and `_`
      `all` is reserved
      `server` is reserved
      `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx` is longer than 64 characters
      the name `site-1` comes twice
      the name `server` comes twice
    ");
}

#[test]
fn ports_have_a_default_for_each_line() {
    let mut project = Project::poc_default(Line::V2_9, &[]).unwrap();
    assert_eq!(
        (project.fed_learn_port(), project.admin_port(Line::V2_9)),
        (8002, 8002)
    );
    assert_eq!(
        (
            project.admin_port(Line::V2_7),
            project.admin_port(Line::V2_6)
        ),
        (8002, 8003)
    );
    project.set_ports(9000, None);
    assert_eq!(project.admin_port(Line::V2_9), 9000);
    project.set_ports(9000, Some(9001));
    assert_eq!(project.admin_port(Line::V2_9), 9001);
    project.set_ports(9000, Some(9000));
    assert!(project.check_line(Line::V2_9).is_ok());
    assert!(
        project
            .check_line(Line::V2_6)
            .unwrap_err()
            .to_string()
            .contains("two ports")
    );
}

#[test]
fn every_problem_is_named_with_its_line() {
    let text = "\
api_version: 5
name: ../x
participants:
- name: server
  type: server
  org: nvidia
  fed_learn_port: 99999
  admin_port: '8003'
- name: admin
  type: admin
  org: a b
  role: project_admin
- {name: NO, type: client, org: nvidia}
- {name: site-1, type: clientt, org: nvidia}
- {name: site-1, type: client}
- {name: boss@x.org, type: admin, org: x}
- 7
- name: site-2
  type: client
  org: nvidia
  connection_security: open
  capacity: {num_of_gpus: -1}
  connect_to: {host: a_b, port: 0}
builders:
- path: nvflare.lighter.impl.docker.DockerBuilder
- path: nvflare.lighter.impl.cert.CertBuilder
  args: [1]
include: other.yml
";
    insta::assert_snapshot!(refused(text), @r"
    project.yml is not a valid project, 18 problems:
      line 1: api_version: API version expected 3 or 4 but found 5
      line 2: name: `../x` begins with `.`
      line 7: participants[0].fed_learn_port: a port is a number from 1 to 65535, but this is 99999
      line 8: participants[0].admin_port: a port is a number from 1 to 65535, but this is the text `8003`
      line 9: participants[1].name: `admin` is not a name that NVFlare takes: an e-mail address such as admin@nvidia.com
      line 11: participants[1].org: `a b` is not a name that NVFlare takes: letters, digits and `_`
      line 13: participants[2].name: text is expected, but NVFlare reads a boolean; put it in quotes
      line 14: participants[3].type: `clientt` is not one of server, client, admin, relay; did you mean `client`?
      line 15: participants[4]: `org` is missing
      line 16: participants[5]: `role` is missing
      line 17: participants[6]: a mapping is expected, but this is a number
      line 21: participants[7].connection_security: `open` is not one of mtls, tls, clear
      line 22: participants[7].capacity.num_of_gpus: a count is expected, but this is a number
      line 23: participants[7].connect_to.port: a port is a number from 1 to 65535, but this is 0
      line 23: participants[7].connect_to: `a_b` is not a name that NVFlare takes: a host name of letters, digits, `-` and `.`
      line 25: builders[0].path: `nvflare.lighter.impl.docker.DockerBuilder` is no builder whose work poc does; its part of the kits would be missing
      line 27: builders[1].args: a mapping is expected, but this is a list
      line 28: include: `include` is not supported; put everything into this file
    ");
}

#[test]
fn a_poc_has_one_server_and_one_project_admin() {
    let participants = |lines: &str| format!("api_version: 3\nname: p\nparticipants:\n{lines}");
    let server = "- {name: s1, type: server, org: x}\n";
    let admin = "- {name: a@x.org, type: admin, org: x, role: project_admin}\n";
    for (text, expected) in [
        (participants(""), "there is no server, and a POC needs one"),
        (
            participants(server),
            "there is no admin of role project_admin, and a POC needs one",
        ),
        (
            participants(&(server.to_owned() + admin + &server.replace("s1", "s2"))),
            "line 6: participants[2]: a POC has one server, but there are 2: `s1`, `s2`",
        ),
        (
            participants(&(server.to_owned() + admin + &admin.replace("a@", "b@"))),
            "a POC has one admin of role project_admin, but there are 2",
        ),
        (
            participants(&(server.to_owned() + admin + "- {name: server, type: client, org: x}\n")),
            "`server` is reserved",
        ),
        (
            participants(&(server.to_owned() + admin + "- {name: s1, type: client, org: x}\n")),
            "the name `s1` comes twice",
        ),
    ] {
        let error = refused(&text);
        assert!(error.contains(expected), "{error}\nlacks: {expected}");
    }
    // Who cannot be read may be the one that is missed.
    let error = refused(&participants(
        &(admin.to_owned() + "- {name: s1, type: serve, org: x}\n"),
    ));
    assert!(!error.contains("no server"), "{error}");
}

#[test]
fn what_is_no_project_says_so() {
    for (text, expected) in [
        ("", "a mapping is expected, but this is nothing"),
        ("- a\n", "a mapping is expected, but this is a list"),
        ("a: [\n", "line 2"),
        (
            "api_version: 3\nname: p\nparticipants: 3\n",
            "line 3: participants: a list is expected, but this is a number",
        ),
        (
            "name: p\nparticipants: []\n",
            "API version expected 3 or 4 but found nothing",
        ),
        (
            "api_version: '3'\nname: p\nparticipants: []\n",
            "line 1: api_version: API version expected 3 or 4 but found the text `3`",
        ),
        (
            "api_version: 3\nname: p\nname: q\nparticipants: []\n",
            "line 2: name: the key `name` comes twice",
        ),
        ("api_version: 3\nparticipants: []\n", "`name` is missing"),
    ] {
        let error = refused(text);
        assert!(error.contains(expected), "{error}\nlacks: {expected}");
    }
}

#[test]
fn unknown_keys_are_kept_and_named() {
    let text = with("packager:\n  path: some.Packager\nnotes: yes\n").replace(
        "- name: site-1\n",
        "- name: site-1\n  cc_config: x.yml\n  colour: blue\n  allow_log_streaming: no\n",
    );
    let Loaded { project, warnings } = parse(&text).unwrap();
    insta::assert_snapshot!(warnings.join("\n"), @r"
    line 35: participants[4].cc_config: kept, but poc makes nothing of it
    line 36: participants[4].colour: an unknown key, kept as it is
    line 43: packager: kept, but poc makes nothing of it
    line 45: notes: an unknown key, kept as it is
    ");
    let Kind::Client(client) = &project.find("site-1").unwrap().kind else {
        panic!("no client")
    };
    assert_eq!(
        client.allow_log_streaming,
        Some(false),
        "YAML 1.1: `no` is a boolean"
    );
    let written = project.to_yaml(Line::V2_9);
    assert!(written.contains("  colour: \"blue\"\n"), "{written}");
    assert!(written.contains("notes: true\n"), "{written}");
    assert_eq!(parse(&written).unwrap().project, project);
}

#[test]
fn an_overseer_is_left_out_with_a_warning_and_own_roles_are_named() {
    let text = with("").replace(
        "- name: site-1\n",
        "- {name: watcher, type: overseer, org: x}\n- {name: me@x.org, type: admin, org: x, role: tester}\n- name: site-1\n",
    );
    let Loaded { project, warnings } = parse(&text).unwrap();
    assert_eq!(project.find("watcher"), None);
    insta::assert_snapshot!(warnings.join("\n"), @r"
    line 34: participants[4]: an overseer, which NVFlare 2.8 and later ignore; it is left out
    line 35: participants[5].role: `tester` is no role of NVFlare's own; what it may do is up to your authorization.json
    ");
}

#[test]
fn merged_keys_count() {
    let text = "\
api_version: 3
name: p
site: &site {type: client, org: nvidia}
participants:
- {name: server, type: server, org: nvidia}
- {name: a@x.org, type: admin, org: nvidia, role: project_admin}
- {<<: *site, name: site-1}
- {<<: *site, name: site-2, org: other}
";
    let Loaded { project, .. } = parse(text).unwrap();
    let orgs: Vec<_> = project
        .clients()
        .map(|client| (client.name.as_str(), client.org.as_str()))
        .collect();
    assert_eq!(orgs, [("site-1", "nvidia"), ("site-2", "other")]);
}

#[test]
fn docker_and_he_go_where_the_line_keeps_them() {
    let mut project = Project::poc_default(Line::V2_9, &[]).unwrap();
    project.docker_image = Some("nvflare/nvflare".to_owned());
    project.he = true;
    let newer = project.to_yaml(Line::V2_9);
    assert!(newer.contains("poc_runtime:\n  docker_image: \"nvflare/nvflare\"\n  network: \"nvflare-network\"\n  runtime: \"docker\"\n"), "{newer}");
    assert!(newer.contains("- args: {}\n  path: \"nvflare.lighter.impl.he.HEBuilder\"\n- path: \"nvflare.lighter.impl.signature.SignatureBuilder\"\n"), "{newer}");
    let older = project.to_yaml(Line::V2_7);
    assert!(
        older.contains("    docker_image: \"nvflare/nvflare\"\n"),
        "{older}"
    );
    assert!(!older.contains("poc_runtime"), "{older}");
    for text in [newer, older] {
        let read = parse(&text).unwrap().project;
        assert_eq!(
            (read.docker_image, read.he),
            (project.docker_image.clone(), true)
        );
    }
    project.he = false;
    assert!(!project.to_yaml(Line::V2_9).contains("HEBuilder"));
}

#[test]
fn older_lines_read_the_ports_from_a_builder() {
    let mut project = Project::poc_default(Line::V2_5, &[]).unwrap();
    project.set_ports(9002, Some(9003));
    assert!(
        project
            .to_yaml(Line::V2_5)
            .contains("sp_end_point: \"server:9002:9003\"")
    );
    assert!(!project.to_yaml(Line::V2_9).contains("sp_end_point"));
}

#[test]
fn studies_are_checked_against_the_participants() {
    let studies = "\
studies:
  good: {site_orgs: {nvidia: [site-1, site-2]}, admins: [lead@nvidia.com, lead@nvidia.com]}
  empty:
";
    let project = project(&with(studies).replace("api_version: 3", "api_version: 4"));
    assert_eq!(project.studies["good"].admins, ["lead@nvidia.com"]);
    assert_eq!(project.studies["empty"], Study::default());
    assert!(project.check_line(Line::V2_7).is_err());
    assert_eq!(
        parse(&project.to_yaml(Line::V2_9)).unwrap().project,
        project
    );

    let bad = "\
studies:
  Bad_: {site_orgs: {nvidia: [site-9, site-1, site-1], other: [site-2]}, admins: [x@y.org]}
  default: {}
";
    insta::assert_snapshot!(refused(&with(bad)), @r"
    project.yml is not a valid project, 8 problems:
      line 40: studies: studies need api_version 4
      line 41: studies.Bad_: `Bad_` is not a name that NVFlare takes: lower-case letters and digits, inside also `-` and `_`
      line 41: studies.Bad_.site_orgs.nvidia[0]: `site-9` is no client of the project
      line 41: studies.Bad_.site_orgs.nvidia[2]: `site-1` comes twice
      line 41: studies.Bad_.site_orgs.other: nobody in the project is of the organisation `other`
      line 41: studies.Bad_.site_orgs.other[0]: `site-2` is of the organisation `nvidia`, not `other`
      line 41: studies.Bad_.admins[0]: `x@y.org` is no admin of the project
      line 42: studies.default: `default` is reserved
    ");
}

/// The shape of the example in NVFlare's documentation of hierarchical communication.
const HIERARCHY: &str = "\
connection_security: clear
allow_log_streaming: false
api_version: 3
name: mobile
participants:
- {name: server, type: server, org: nvidia, fed_learn_port: 8002, host_names: [localhost, 127.0.0.1], default_host: localhost}
- {name: r1, type: relay, org: nvidia, listening_host: {default_host: localhost, port: 18004}}
- {name: r2, type: relay, org: nvidia, listening_host: {port: 28004, scheme: grpc}, connect_to: {name: r1}}
- {name: c1, type: client, org: nvidia, connect_to: {name: r1}, listening_host: localhost}
- {name: c11, type: client, org: nvidia, parent: c1, connect_to: {name: r2}, auth_identity: somebody, use_aio: true}
- {name: c2, type: client, org: nvidia, parent: server, connect_to: {name: server}}
- {name: admin@nvidia.com, type: admin, org: nvidia, role: project_admin, connect_to: 127.0.0.1, connection_security: mtls}
";

#[test]
fn a_hierarchy_of_relays_and_clients() {
    let project = project(HIERARCHY);
    let path = |name: &str| project.connection_path(project.find(name).unwrap());
    assert_eq!([path("r1"), path("r2")], ["r1", "r1.r2"]);
    assert_eq!(
        [path("c1"), path("c11"), path("c2")],
        ["r1.c1", "r1.r2.c11", "c2"]
    );
    let site = |name: &str| project.site_path(project.find(name).unwrap());
    assert_eq!(
        [site("c1"), site("c11"), site("c2")],
        ["c1", "c1.c11", "c2"]
    );
    let is_leaf = |name: &str| project.is_leaf(project.find(name).unwrap());
    assert_eq!([is_leaf("c1"), is_leaf("c11")], [false, true]);
    assert!(project.check_line(Line::V2_6).is_ok());
    let error = project.check_line(Line::V2_5).unwrap_err().to_string();
    assert!(error.contains("r1") && error.contains("2.6"), "{error}");
    // And all of it is written.
    let again = parse(&project.to_yaml(Line::V2_9)).unwrap();
    assert_eq!(again.warnings, Vec::<String>::new());
    assert_eq!(again.project.participants(), project.participants());
    assert_eq!(again.project.extra, project.extra);
}

#[test]
fn what_is_wrong_with_a_hierarchy_is_named_with_its_line() {
    let text = HIERARCHY
        .replace("allow_log_streaming: false", "allow_log_streaming: perhaps")
        .replace("connection_security: clear", "connection_security: open")
        .replace(
            "port: 18004}}",
            "port: 18004, scheme: uucp}, connect_to: {name: r2}}",
        )
        .replace("{port: 28004, scheme: grpc}", "{default_host: a_b}")
        .replace("parent: c1,", "parent: c9,")
        .replace(
            "parent: server, connect_to: {name: server}",
            "parent: c2, connect_to: {name: c1}",
        )
        .replace("auth_identity: somebody", "auth_identity: ' '")
        .replace("use_aio: true", "use_aio: 1");
    insta::assert_snapshot!(refused(&text), @r"
    project.yml is not a valid project, 14 problems:
      line 1: connection_security: `open` is not one of mtls, tls, clear
      line 2: allow_log_streaming: true or false is expected, but this is text
      line 7: participants[1].listening_host: `uucp` is not one of http, grpc, tcp
      line 7: participants[1].connect_to: it never leads to the server
      line 8: participants[2].listening_host: `a_b` is not a name that NVFlare takes: a host name of letters, digits, `-` and `.`
      line 8: participants[2].listening_host: `port` is missing, and a relay needs one
      line 8: participants[2].connect_to: it never leads to the server
      line 9: participants[3].connect_to: it never leads to the server
      line 10: participants[4].use_aio: true or false is expected, but this is a number
      line 10: participants[4].auth_identity: a name is empty
      line 10: participants[4].connect_to: it never leads to the server
      line 10: participants[4].parent: `c9` is neither the server nor a client of the project
      line 11: participants[5].connect_to: `c1` is neither the server nor a relay of the project
      line 11: participants[5].parent: it never leads to the server
    ");
}

#[test]
fn arguments_of_builders_are_checked_with_the_rest() {
    let text = with("").replace("      path: nvflare", "  path: nvflare");
    let at = text.find("builders:").unwrap();
    let end = text[at..].find("description:").unwrap() + at;
    let builders = "\
builders:
- path: nvflare.lighter.impl.workspace.WorkspaceBuilder
  args: {templates: x}
- path: nvflare.lighter.impl.static_file.StaticFileBuilder
  args: {config_folder: conf, scheme: uucp, require_signed_jobs: 1, colour: blue}
- path: nvflare.lighter.impl.cert.CertBuilder
  args: {root_valid_days: 0}
- path: nvflare.lighter.impl.edge.EdgeBuilder
";
    let text = format!("{}{builders}{}", &text[..at], &text[end..]);
    insta::assert_snapshot!(refused(&text), @r"
    project.yml is not a valid project, 6 problems:
      line 4: builders[0].args.templates: NVFlare's `nvflare.lighter.impl.workspace.WorkspaceBuilder` takes no `templates`
      line 6: builders[1].args.scheme: not one of http, grpc, tcp
      line 6: builders[1].args.config_folder: only `config` is supported, which is where NVFlare's jobs have their configuration
      line 6: builders[1].args.require_signed_jobs: neither true nor false
      line 8: builders[2].args.root_valid_days: a number of days from 1 on is expected, to 36500
      line 9: builders[3].path: `nvflare.lighter.impl.edge.EdgeBuilder` is no builder whose work poc does; its part of the kits would be missing
    ");
    let text = text
        .replace("args: {templates: x}", "args: {template_file: a.yml}")
        .replace(
            "conf, scheme: uucp, require_signed_jobs: 1",
            "config, scheme: GRPC, overseer_agent: {path: x}",
        )
        .replace("root_valid_days: 0", "root_valid_days: 30")
        .replace("- path: nvflare.lighter.impl.edge.EdgeBuilder\n", "");
    insta::assert_snapshot!(parse(&text).unwrap().warnings.join("\n"), @r"
    line 6: builders[1].args.colour: this builder has no such argument; it has no effect
    line 6: builders[1].args.overseer_agent: poc runs no overseer: sites find the server by its address
    ");
}

#[test]
fn participants_come_and_go() {
    let studies = "studies:\n  s: {site_orgs: {nvidia: [site-1]}, admins: [lead@nvidia.com]}\n";
    let mut project = project(&with(studies).replace("api_version: 3", "api_version: 4"));
    project
        .add(Participant::client("hospital", "clinic"))
        .unwrap();
    assert_eq!(project.clients().last().unwrap().name, "hospital");
    let before = project.clone();
    for bad in [
        Participant::client("site-1", "x"),
        Participant::client("a b", "x"),
        Participant::admin("b@x.org", "x", PROJECT_ADMIN),
    ] {
        assert!(project.add(bad).is_err());
    }
    assert!(project.remove("server").is_err());
    assert!(project.remove("admin@nvidia.com").is_err());
    assert_eq!(project, before, "what fails changes nothing");
    assert_eq!(project.remove("nobody").unwrap(), None);
    assert_eq!(project.remove("site-1").unwrap().unwrap().name, "site-1");
    assert_eq!(
        project.remove("lead@nvidia.com").unwrap().unwrap().role(),
        Role::Admin
    );
    assert_eq!(project.studies["s"], Study::default());
    assert_eq!(project.server().name, "server");
    assert_eq!(project.project_admin().name, "admin@nvidia.com");
}

#[test]
fn what_a_builder_does_not_take_is_an_error() {
    let text = "\
api_version: 3
name: trial
participants:
- {name: server, type: server, org: nvidia, fed_learn_port: 8002}
- {name: admin@nvidia.com, type: admin, org: nvidia, role: project_admin}
- {name: old, type: overseer}
builders:
- {path: nvflare.lighter.impl.workspace.WorkspaceBuilder, args: {template_fill: x}}
- {path: nvflare.lighter.impl.cert.CertBuilder, args: {root_valid_days: 0}}
- {path: nvflare.lighter.impl.static_file.StaticFileBuilder, args: {scheme: !!python/none x}}
";
    let error = Project::parse(text, "project.yml".into())
        .unwrap_err()
        .to_string();
    for problem in [
        "line 6: participants[2]: `org` is missing",
        "WorkspaceBuilder` takes no `template_fill`",
        "a number of days from 1 on is expected",
        "the tag `!!python/none`",
    ] {
        assert!(error.contains(problem), "{problem} is not in {error}");
    }
}
