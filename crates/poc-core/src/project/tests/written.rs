//! Properties of reading and writing: any project comes back, any text is read or refused.

use proptest::prelude::*;

use super::*;

fn projects() -> impl Strategy<Value = Project> {
    let site = "[a-z][a-z0-9_-]{0,10}".prop_filter("reserved", |name| {
        names::check_site(name).is_ok() && name != "server"
    });
    let connect_to = prop::option::of(prop_oneof![
        "[a-z]{1,8}".prop_map(|host| ConnectTo {
            host: Some(host),
            ..ConnectTo::default()
        }),
        (1_u16.., "[a-z]{1,5}").prop_map(|(port, identity)| ConnectTo {
            port: Some(port),
            auth_identity: Some(identity),
            ..ConnectTo::default()
        }),
    ]);
    let listening = (
        prop::option::of("tcp|grpc|http"),
        prop::collection::vec("[a-z]{1,6}", 0..2),
        prop::option::of("[a-z]{1,6}"),
        prop::option::of(1_u16..),
    )
        .prop_map(|(scheme, host_names, default_host, port)| ListeningHost {
            scheme,
            host_names,
            default_host,
            port,
            connection_security: None,
        });
    let client = (
        connect_to,
        prop::option::of((0_u32..9, 0_u32..99)),
        prop::option::of(any::<bool>()),
        prop::option::of(listening),
    )
        .prop_map(|(connect_to, capacity, allow, listening_host)| Client {
            connect_to,
            capacity: capacity.map(|(num_of_gpus, mem_per_gpu_in_gib)| Capacity {
                num_of_gpus,
                mem_per_gpu_in_gib,
            }),
            connection_security: None,
            allow_log_streaming: allow,
            allow_error_sending: allow.map(|allow| !allow),
            listening_host,
            parent: None,
        });
    let extra = prop::collection::btree_map(
        "x_[a-z]{1,4}",
        "\\PC{0,8}|yes|010|1e3".prop_map(Value::Text),
        0..3,
    );
    let clients = prop::collection::btree_map(site, (client, extra.clone(), "[a-z_]{1,6}"), 0..5);
    let server = (
        1_u16..,
        prop::option::of(1_u16..),
        prop::option::of("[a-z]{1,6}"),
        prop::collection::vec("[a-z]{1,6}", 0..3),
    );
    (
        clients,
        server,
        extra,
        "[a-zA-Z0-9_]{1,20}",
        prop::option::of("\\PC{0,20}"),
        any::<bool>(),
        prop::option::of("[a-z/:.]{1,12}"),
    )
        .prop_filter_map(
            "a reserved name",
            |(clients, (fed, admin, host, hosts), extra, name, description, he, image)| {
                let mut project = Project::poc_default(Line::V2_9, &[]).ok()?;
                names::check_project(&name).ok()?;
                project.name = name;
                project.description = description;
                project.he = he;
                project.extra = extra;
                project.docker_image = image.clone();
                if image.is_some() {
                    // As it stands after reading, where the image and its network come from the file.
                    project = parse(&project.to_yaml(Line::V2_9)).ok()?.project;
                }
                *project.server_spec_mut() = Server {
                    fed_learn_port: fed,
                    admin_port: admin,
                    default_host: host,
                    host_names: hosts,
                    connection_security: None,
                    listening_host: None,
                };
                for (name, (client, extra, org)) in clients {
                    project
                        .add(Participant {
                            name,
                            org,
                            kind: Kind::Client(client),
                            auth_identity: None,
                            use_aio: None,
                            extra,
                        })
                        .ok()?;
                }
                Some(project)
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_the_same_project(project in projects(), line in prop::sample::select(&Line::ALL[..])) {
        let text = project.to_yaml(line);
        let mut read = parse(&text).unwrap().project;
        prop_assert_eq!(read.to_yaml(line), text, "reading and writing again changes nothing");
        // What a line keeps elsewhere is compared by what it means.
        read.builders.clone_from(&project.builders);
        let mut expected = project;
        if line < Line::V2_8 {
            expected.docker_network = None;
            expected.extra.remove("poc_runtime");
        }
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z0-9:{}\\[\\],&*!|>'\"%@ \n-]{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn a_damaged_file_is_read_or_refused_with_its_problems(at in 0_usize..800, what in "[a-z:{}\\[\\],&* \n-]{0,5}") {
        let mut text = with("");
        let at = at.min(text.len());
        text.replace_range(at..(at + 3).min(text.len()), &what);
        match parse(&text) {
            Ok(Loaded { project, .. }) => {
                let mut read = parse(&project.to_yaml(Line::V2_9)).unwrap().project;
                if project.builders.is_empty() {
                    // None are named: the line's own are written.
                    read.builders.clear();
                }
                prop_assert_eq!(read, project);
            }
            Err(Error::ProjectInvalid { problems, .. }) => prop_assert!(!problems.is_empty()),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
