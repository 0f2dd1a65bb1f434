//! A project to project.yml, as NVFlare of a line reads and itself writes it.

use std::collections::BTreeMap;

use super::builder::{self, Builder, BuilderKind};
use super::{Capacity, ConnectTo, Extra, Kind, ListeningHost, Participant, Project, Study};
use crate::docker;
use crate::version::Line;
use crate::yaml::{Value, emit};

impl Project {
    /// The text of project.yml for a line: the keys of NVFlare's own, sorted as it sorts them, with
    /// every string in quotes. Reading it gives this project again.
    pub fn to_yaml(&self, line: Line) -> String {
        let mut map = self.extra.clone();
        let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
        put("api_version", Value::Int(self.api_version.into()));
        put("name", self.name.as_str().into());
        if let Some(description) = &self.description {
            put("description", description.as_str().into());
        }
        put(
            "participants",
            Value::List(self.participants.iter().map(participant).collect()),
        );
        put(
            "builders",
            Value::List(
                self.builders_for(line)
                    .into_iter()
                    .map(builder_value)
                    .collect(),
            ),
        );
        if !self.studies.is_empty() {
            let studies = self
                .studies
                .iter()
                .map(|(name, study)| (name.clone(), study_value(study)));
            put("studies", Value::Map(studies.collect()));
        }
        match (&self.docker_image, line >= Line::V2_8) {
            (Some(image), true) => {
                let network = self.docker_network.as_deref();
                let runtime = docker_runtime(map.remove(RUNTIME), image, network);
                map.insert(RUNTIME.to_owned(), runtime);
            }
            _ => {
                map.remove(RUNTIME);
            }
        }
        emit(&Value::Map(map))
    }

    /// The project's builders, or the line's where it names none, with what its other settings ask for.
    fn builders_for(&self, line: Line) -> Vec<Builder> {
        let mut builders = if self.builders.is_empty() {
            builder::defaults(line)
        } else {
            self.builders.clone()
        };
        let has_he = builders
            .iter()
            .any(|builder| builder.kind == BuilderKind::He);
        if self.he && !has_he {
            // Signatures come last: they are over what the others made.
            let signing = builders
                .iter()
                .rposition(|builder| builder.kind == BuilderKind::Signature);
            builders.insert(
                signing.unwrap_or(builders.len()),
                Builder::plain(BuilderKind::He),
            );
        } else if !self.he {
            builders.retain(|builder| builder.kind != BuilderKind::He);
        }
        for builder in builders
            .iter_mut()
            .filter(|builder| builder.kind == BuilderKind::StaticFile)
        {
            if let (Some(image), true) = (&self.docker_image, line <= Line::V2_7) {
                builder
                    .args
                    .insert("docker_image".to_owned(), image.as_str().into());
            }
            if line <= Line::V2_6 {
                builder
                    .args
                    .insert("overseer_agent".to_owned(), self.overseer_agent(line));
            } else {
                builder.args.remove("overseer_agent");
            }
        }
        builders
    }

    /// Where NVFlare up to 2.5 reads the ports from, and what 2.6 expects to be there.
    fn overseer_agent(&self, line: Line) -> Value {
        let point = format!(
            "{}:{}:{}",
            self.server().name,
            self.fed_learn_port(),
            self.admin_port(line)
        );
        mapping([
            (
                "path",
                Value::from("nvflare.ha.dummy_overseer_agent.DummyOverseerAgent"),
            ),
            ("overseer_exists", Value::Bool(false)),
            ("args", mapping([("sp_end_point", Value::from(point))])),
        ])
    }
}

const RUNTIME: &str = "poc_runtime";

fn docker_runtime(given: Option<Value>, image: &str, network: Option<&str>) -> Value {
    let mut runtime = match given {
        Some(Value::Map(map)) => map,
        _ => Extra::from([("network".to_owned(), Value::from(docker::SHARED_NETWORK))]),
    };
    runtime.insert("runtime".to_owned(), Value::from("docker"));
    let place = match runtime.get_mut("parent") {
        Some(Value::Map(parent)) if !parent.is_empty() => parent,
        _ => &mut runtime,
    };
    place.insert("docker_image".to_owned(), image.into());
    if let Some(network) = network {
        place.insert("network".to_owned(), network.into());
    }
    Value::Map(runtime)
}

fn mapping<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.map(|(key, value)| (key.to_owned(), value)).into())
}

fn texts(texts: &[String]) -> Value {
    Value::List(
        texts
            .iter()
            .map(|text| Value::from(text.as_str()))
            .collect(),
    )
}

fn participant(participant: &Participant) -> Value {
    let mut map = participant.extra.clone();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(key.to_owned(), value);
        }
    };
    let text = |text: &Option<String>| text.as_deref().map(Value::from);
    put("name", Some(participant.name.as_str().into()));
    put("org", Some(participant.org.as_str().into()));
    put("type", Some(participant.role().as_str().into()));
    put("auth_identity", text(&participant.auth_identity));
    put("use_aio", participant.use_aio.map(Value::from));
    put("connect_to", participant.connect_to().map(connect_to));
    put(
        "listening_host",
        participant.listening_host().map(listening_host),
    );
    put(
        "connection_security",
        participant.connection_security().map(Value::from),
    );
    match &participant.kind {
        Kind::Server(server) => {
            put("fed_learn_port", Some(server.fed_learn_port.into()));
            put("admin_port", server.admin_port.map(Value::from));
            put("default_host", text(&server.default_host));
            put(
                "host_names",
                (!server.host_names.is_empty()).then(|| texts(&server.host_names)),
            );
        }
        Kind::Client(client) => {
            put("capacity", client.capacity.map(capacity));
            put("parent", text(&client.parent));
            put(
                "allow_error_sending",
                client.allow_error_sending.map(Value::from),
            );
            put(
                "allow_log_streaming",
                client.allow_log_streaming.map(Value::from),
            );
        }
        Kind::Admin(admin) => put("role", Some(admin.role.as_str().into())),
        Kind::Relay(_) => {}
    }
    Value::Map(map)
}

fn connect_to(connect_to: &ConnectTo) -> Value {
    let ConnectTo {
        name,
        host,
        port,
        connection_security,
        auth_identity,
    } = connect_to;
    if let (Some(host), None, None, None, None) =
        (host, name, port, connection_security, auth_identity)
    {
        return host.as_str().into();
    }
    let entries = [
        ("name", name.as_deref().map(Value::from)),
        ("host", host.as_deref().map(Value::from)),
        ("port", port.map(Value::from)),
        (
            "connection_security",
            connection_security.as_deref().map(Value::from),
        ),
        ("auth_identity", auth_identity.as_deref().map(Value::from)),
    ];
    Value::Map(
        entries
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect(),
    )
}

fn listening_host(listening: &ListeningHost) -> Value {
    let ListeningHost {
        scheme,
        host_names,
        default_host,
        port,
        connection_security,
    } = listening;
    let entries = [
        ("scheme", scheme.as_deref().map(Value::from)),
        (
            "host_names",
            (!host_names.is_empty()).then(|| texts(host_names)),
        ),
        ("default_host", default_host.as_deref().map(Value::from)),
        ("port", port.map(Value::from)),
        (
            "connection_security",
            connection_security.as_deref().map(Value::from),
        ),
    ];
    Value::Map(
        entries
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect(),
    )
}

fn capacity(capacity: Capacity) -> Value {
    mapping([
        ("num_of_gpus", Value::Int(capacity.num_of_gpus.into())),
        (
            "mem_per_gpu_in_GiB",
            Value::Int(capacity.mem_per_gpu_in_gib.into()),
        ),
    ])
}

fn builder_value(builder: Builder) -> Value {
    let mut map = BTreeMap::from([("path".to_owned(), Value::from(builder.kind.path()))]);
    if !builder.args.is_empty() || builder.kind == BuilderKind::He {
        map.insert("args".to_owned(), Value::Map(builder.args));
    }
    Value::Map(map)
}

fn study_value(study: &Study) -> Value {
    let orgs = study
        .site_orgs
        .iter()
        .map(|(org, sites)| (org.clone(), texts(sites)));
    mapping([
        ("admins", texts(&study.admins)),
        ("site_orgs", Value::Map(orgs.collect())),
    ])
}
