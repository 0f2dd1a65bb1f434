//! project.yml to a project, with everything that is wrong with it at once.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::builder::{Builder, BuilderKind};
use super::builder_args;
use super::check::{self, KNOWN_ROLES};
use super::fields::{Fields, Notes};
use super::participant::{
    Admin, Capacity, Client, ConnectTo, Kind, ListeningHost, Participant, Relay, Server,
};
use super::{Loaded, Parts, Project, Role, Study, names};
use crate::error::{Error, Problem};
use crate::nearest;
use crate::yaml::{Document, Place, Value, YamlError};

/// What NVFlare knows and `poc` keeps, but makes no part of a kit of.
const WITHOUT_EFFECT: [&str; 6] = [
    "cc_config",
    "custom_ca_cert",
    "edge_service_port",
    "host_names",
    "packager",
    "port",
];

/// What a project says for all participants that do not say it themselves.
const GENERAL_SECURITY: &str = "connection_security";
const GENERAL_SWITCHES: [&str; 3] = ["allow_error_sending", "allow_log_streaming", "gen_scripts"];

impl Project {
    /// Reads project.yml.
    ///
    /// # Errors
    ///
    /// [`Error::ProjectInvalid`] with every problem and its line, [`Error::Io`].
    pub fn load(path: &Utf8Path) -> Result<Loaded, Error> {
        let bytes = fs_err::read(path)?;
        let text = String::from_utf8(bytes).map_err(|_| Error::ProjectInvalid {
            path: path.to_owned(),
            problems: vec![Problem::whole("it is not UTF-8")],
        })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a project.yml; `path` is for messages.
    ///
    /// ```
    /// use poc_core::project::Project;
    /// let text = "\
    /// api_version: 3
    /// name: trial
    /// participants:
    /// - {name: server, type: server, org: nvidia, fed_learn_port: 8002}
    /// - {name: admin@nvidia.com, type: admin, org: nvidia, role: project_admin}
    /// - {name: site-1, type: client, org: nvidia}
    /// ";
    /// let loaded = Project::parse(text, "project.yml".into())?;
    /// assert_eq!(loaded.project.server().name, "server");
    /// assert_eq!(loaded.project.clients().count(), 1);
    /// # Ok::<(), poc_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::ProjectInvalid`] with every problem and its line.
    pub fn parse(text: &str, path: &Utf8Path) -> Result<Loaded, Error> {
        let invalid = |problems| Error::ProjectInvalid {
            path: path.to_owned(),
            problems,
        };
        let document = Document::parse(text).map_err(|YamlError { line, reason }| {
            invalid(vec![Problem {
                line,
                at: String::new(),
                message: reason,
            }])
        })?;
        let place_of = |(place, message): (Place, String)| Problem {
            line: document.line_of(&place),
            at: place.to_string(),
            message,
        };
        let mut notes = Notes {
            faults: document.faults.clone(),
            warnings: Vec::new(),
        };
        let project = Fields::new(document.root.clone(), Place::default(), &mut notes)
            .and_then(|fields| read_project(fields, &mut notes));
        match project {
            Some(project) if notes.faults.is_empty() => {
                let mut warnings: Vec<Problem> = notes.warnings.into_iter().map(place_of).collect();
                warnings.sort_by_key(|warning| warning.line);
                let warnings = warnings.iter().map(ToString::to_string).collect();
                Ok(Loaded { project, warnings })
            }
            _ => {
                let mut problems: Vec<Problem> = notes.faults.into_iter().map(place_of).collect();
                problems.sort_by_key(|problem| problem.line);
                problems.dedup();
                Err(invalid(problems))
            }
        }
    }
}

fn read_project(mut fields: Fields, notes: &mut Notes) -> Option<Project> {
    let top = Place::default();
    let api_version = match fields.take("api_version") {
        Some(Value::Int(3)) => 3,
        Some(Value::Int(4)) => 4,
        found => {
            // NVFlare's own words, which users search for.
            let shown = match found {
                None => "nothing".to_owned(),
                Some(Value::Int(number)) => number.to_string(),
                Some(Value::Text(text)) => format!("the text `{text}`"),
                Some(other) => other.kind().to_owned(),
            };
            notes.fault(
                top.key("api_version"),
                format!("API version expected 3 or 4 but found {shown}"),
            );
            3
        }
    };
    let name = fields.required_text("name", notes);
    let description = fields.text("description", notes);
    if fields.take("include").is_some() {
        notes.fault(
            top.key("include"),
            "`include` is not supported; put everything into this file",
        );
    }

    let mut participants = Vec::new();
    let mut places = Vec::new();
    let mut incomplete = false;
    for (index, value) in fields.list("participants", notes).into_iter().enumerate() {
        let place = top.key("participants").index(index);
        match read_participant(value, &place, notes) {
            Read::Participant(participant) => {
                participants.push(*participant);
                places.push(place);
            }
            Read::Ignored => {}
            Read::Unreadable => incomplete = true,
        }
    }
    check_general(&mut fields, notes);
    let studies = read_studies(&mut fields, notes);
    let (builders, docker_image) = read_builders(&mut fields, notes);
    let (runtime_image, docker_network) = read_runtime(&mut fields, notes);
    let docker_image = runtime_image.or(docker_image);
    let known = [&GENERAL_SWITCHES[..], &[GENERAL_SECURITY, RUNTIME]].concat();
    warn_of_unknown(&fields, &known, notes);

    let he = builders
        .iter()
        .any(|builder| builder.kind == BuilderKind::He);
    let parts = Parts {
        api_version,
        name: name.unwrap_or_default(),
        description,
        participants,
        studies,
        docker_image,
        docker_network,
        he,
        extra: fields.into_rest(),
        builders,
    };
    // A name that could not be read has been noted already.
    let name_is_known = !parts.name.is_empty();
    match parts.assemble(&places, incomplete) {
        Ok(project) => Some(project),
        Err(faults) => {
            let relevant =
                |(place, _): &(Place, String)| name_is_known || *place != top.key("name");
            notes.faults.extend(faults.into_iter().filter(relevant));
            None
        }
    }
}

/// What holds for everybody is of the right type; it is kept where it is.
fn check_general(fields: &mut Fields, notes: &mut Notes) {
    if let Some(security) = fields.text(GENERAL_SECURITY, notes) {
        if let Err(message) = check::security(&security) {
            notes.fault(fields.place.key(GENERAL_SECURITY), message);
        }
        fields.put(GENERAL_SECURITY, security.as_str().into());
    }
    for key in GENERAL_SWITCHES {
        if let Some(value) = fields.boolean(key, notes) {
            fields.put(key, Value::Bool(value));
        }
    }
}

enum Read {
    Participant(Box<Participant>),
    /// NVFlare ignores it.
    Ignored,
    Unreadable,
}

fn read_participant(value: Value, place: &Place, notes: &mut Notes) -> Read {
    let Some(mut fields) = Fields::new(value, place.clone(), notes) else {
        return Read::Unreadable;
    };
    let kind = fields.required_text("type", notes);
    if kind.as_deref() == Some("overseer") {
        notes.warn(
            place.clone(),
            "an overseer, which NVFlare 2.8 and later ignore; it is left out",
        );
        // It looks at these first.
        for key in ["name", "org"] {
            fields.required_text(key, notes);
        }
        return Read::Ignored;
    }
    let name = fields.required_text("name", notes);
    let org = fields.required_text("org", notes);
    let Some(kind) = kind else {
        return Read::Unreadable;
    };
    let kind = match kind.parse::<Role>() {
        Ok(Role::Server) => Some(Kind::Server(read_server(&mut fields, notes))),
        Ok(Role::Client) => Some(Kind::Client(read_client(&mut fields, notes))),
        Ok(Role::Admin) => read_admin(&mut fields, notes).map(Kind::Admin),
        Ok(Role::Relay) => Some(Kind::Relay(Relay {
            connect_to: read_connect_to(&mut fields, notes),
            listening_host: read_listening_host(&mut fields, notes),
            connection_security: fields.text("connection_security", notes),
        })),
        Err(error) => {
            let meant = nearest(&kind, ["server", "client", "admin", "relay"]);
            let hint = meant
                .map(|meant| format!("; did you mean `{meant}`?"))
                .unwrap_or_default();
            notes.fault(place.key("type"), format!("{error}{hint}"));
            None
        }
    };
    let auth_identity = fields.text("auth_identity", notes);
    let use_aio = fields.boolean("use_aio", notes);
    warn_of_unknown(&fields, &[], notes);
    match (name, org, kind) {
        (Some(name), Some(org), Some(kind)) => {
            let extra = fields.into_rest();
            Read::Participant(Box::new(Participant {
                name,
                org,
                kind,
                auth_identity,
                use_aio,
                extra,
            }))
        }
        (_, org, _) => {
            if let Some(Err(error)) = org.map(|org| names::check_org(&org)) {
                notes.fault(place.key("org"), error);
            }
            Read::Unreadable
        }
    }
}

fn read_server(fields: &mut Fields, notes: &mut Notes) -> Server {
    let default = Server::default();
    Server {
        fed_learn_port: fields
            .port("fed_learn_port", notes)
            .unwrap_or(default.fed_learn_port),
        admin_port: fields.port("admin_port", notes),
        default_host: fields.text("default_host", notes),
        host_names: fields.texts("host_names", notes),
        connection_security: fields.text("connection_security", notes),
        listening_host: read_listening_host(fields, notes),
    }
}

fn read_client(fields: &mut Fields, notes: &mut Notes) -> Client {
    Client {
        connect_to: read_connect_to(fields, notes),
        capacity: fields.fields("capacity", notes).map(|mut capacity| {
            let read = Capacity {
                num_of_gpus: capacity.count("num_of_gpus", notes).unwrap_or_default(),
                mem_per_gpu_in_gib: capacity
                    .count("mem_per_gpu_in_GiB", notes)
                    .unwrap_or_default(),
            };
            warn_of_unknown(&capacity, &[], notes);
            read
        }),
        connection_security: fields.text("connection_security", notes),
        allow_log_streaming: fields.boolean("allow_log_streaming", notes),
        allow_error_sending: fields.boolean("allow_error_sending", notes),
        listening_host: read_listening_host(fields, notes),
        parent: fields.text("parent", notes),
    }
}

fn read_admin(fields: &mut Fields, notes: &mut Notes) -> Option<Admin> {
    let role = fields.required_text("role", notes);
    let connect_to = read_connect_to(fields, notes);
    let connection_security = fields.text("connection_security", notes);
    let role = role?;
    if !KNOWN_ROLES.contains(&role.as_str()) {
        let place = fields.place.key("role");
        notes.warn(place, format!("`{role}` is no role of NVFlare's own; what it may do is up to your authorization.json"));
    }
    Some(Admin {
        role,
        connect_to,
        connection_security,
    })
}

fn read_connect_to(fields: &mut Fields, notes: &mut Notes) -> Option<ConnectTo> {
    match fields.take("connect_to")? {
        Value::Text(host) => Some(ConnectTo {
            host: Some(host),
            ..ConnectTo::default()
        }),
        value => {
            let mut inner = Fields::new(value, fields.place.key("connect_to"), notes)?;
            let read = ConnectTo {
                name: inner.text("name", notes),
                host: inner.text("host", notes),
                port: inner.port("port", notes),
                connection_security: inner.text("connection_security", notes),
                auth_identity: inner.text("auth_identity", notes),
            };
            warn_of_unknown(&inner, &[], notes);
            Some(read)
        }
    }
}

fn read_listening_host(fields: &mut Fields, notes: &mut Notes) -> Option<ListeningHost> {
    match fields.take("listening_host")? {
        Value::Text(host) => Some(ListeningHost {
            default_host: Some(host),
            ..ListeningHost::default()
        }),
        value => {
            let mut inner = Fields::new(value, fields.place.key("listening_host"), notes)?;
            let read = ListeningHost {
                scheme: inner.text("scheme", notes),
                host_names: inner.texts("host_names", notes),
                default_host: inner.text("default_host", notes),
                port: inner.port("port", notes),
                connection_security: inner.text("connection_security", notes),
            };
            warn_of_unknown(&inner, &[], notes);
            Some(read)
        }
    }
}

fn read_studies(fields: &mut Fields, notes: &mut Notes) -> BTreeMap<String, Study> {
    let Some(all) = fields.fields("studies", notes) else {
        return BTreeMap::new();
    };
    let place = all.place.clone();
    let mut studies = BTreeMap::new();
    for (name, value) in all.into_rest() {
        let mut study = Study::default();
        if value != Value::Null
            && let Some(mut fields) = Fields::new(value, place.key(&name), notes)
        {
            if let Some(mut orgs) = fields.fields("site_orgs", notes) {
                for org in orgs.keys().map(str::to_owned).collect::<Vec<_>>() {
                    let sites = orgs.texts(&org, notes);
                    study.site_orgs.insert(org, sites);
                }
            }
            for admin in fields.texts("admins", notes) {
                // NVFlare passes repeated ones over.
                if !study.admins.contains(&admin) {
                    study.admins.push(admin);
                }
            }
            warn_of_unknown(&fields, &[], notes);
        }
        studies.insert(name, study);
    }
    studies
}

/// The builders, and the image that NVFlare up to 2.7 keeps with one of them.
fn read_builders(fields: &mut Fields, notes: &mut Notes) -> (Vec<Builder>, Option<String>) {
    let mut builders = Vec::new();
    let mut docker_image = None;
    let top = fields.place.key("builders");
    for (index, value) in fields.list("builders", notes).into_iter().enumerate() {
        let Some(mut fields) = Fields::new(value, top.index(index), notes) else {
            continue;
        };
        let path = fields.required_text("path", notes);
        let place = fields.place.key("path");
        let args = fields.fields("args", notes);
        warn_of_unknown(&fields, &[], notes);
        let Some(path) = path else { continue };
        let Some(kind) = BuilderKind::from_path(&path) else {
            notes.fault(place, format!("`{path}` is no builder whose work poc does; its part of the kits would be missing"));
            continue;
        };
        let args = args.unwrap_or_else(|| Fields::empty(fields.place.key("args")));
        builder_args::check(kind, &args, notes);
        let mut args = args.into_rest();
        if kind == BuilderKind::StaticFile
            && let Some(image) = args.remove("docker_image")
        {
            docker_image = image
                .as_text()
                .filter(|image| !image.is_empty())
                .map(str::to_owned);
        }
        builders.push(Builder { kind, args });
    }
    (builders, docker_image)
}

/// How a POC runs, from NVFlare 2.8 on.
const RUNTIME: &str = "poc_runtime";

/// The image and the network that NVFlare 2.8 and later keep with the runtime; the rest of it stays
/// where it is.
fn read_runtime(fields: &mut Fields, notes: &mut Notes) -> (Option<String>, Option<String>) {
    let Some(value) = fields.take(RUNTIME) else {
        return (None, None);
    };
    fields.put(RUNTIME, value.clone());
    let Some(mut runtime) = Fields::new(value, fields.place.key(RUNTIME), notes) else {
        return (None, None);
    };
    if runtime.text("runtime", notes).as_deref() != Some("docker") {
        return (None, None);
    }
    let mut image = runtime.text("docker_image", notes);
    let mut network = runtime.text("network", notes);
    if let Some(mut parent) = runtime.fields("parent", notes) {
        image = parent.text("docker_image", notes).or(image);
        network = parent.text("network", notes).or(network);
    }
    if image.is_none() {
        notes.fault(fields.place.key(RUNTIME), "`docker_image` is missing");
    }
    (image, network)
}

/// Keys that are left: kept, but the user should know.
fn warn_of_unknown(fields: &Fields, known: &[&str], notes: &mut Notes) {
    for key in fields.keys().filter(|key| !known.contains(key)) {
        let message = if WITHOUT_EFFECT.contains(&key) {
            "kept, but poc makes nothing of it"
        } else {
            "an unknown key, kept as it is"
        };
        notes.warn(fields.place.key(key), message);
    }
}
