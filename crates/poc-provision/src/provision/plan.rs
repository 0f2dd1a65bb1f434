//! From a request to all that has to be known before anything is made. Every reason to refuse that lies
//! in the request itself is found here.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::project::{BuilderKind, Kind, Participant, Project, Role, Value};
use poc_core::{FlareVersion, Listen, Problem};

use super::Request;
use crate::Error;
use crate::authority::{Subject, VALID_DAYS};
use crate::docker::Containers;
use crate::jobs_dir;
use crate::kit::Federation;
use crate::line::{Listener, Profile, ServerName};

/// NVFlare's schemes that need nothing beyond the package.
const SCHEMES: [&str; 3] = ["http", "grpc", "tcp"];

/// A root that outlives everybody is a typing error.
const MOST_ROOT_DAYS: i64 = 36_500;

/// A request that can be carried out.
pub(crate) struct Plan<'a> {
    pub(crate) federation: Federation<'a>,
    /// Where the server will listen: not always where it was asked to.
    pub(crate) listens: Listen,
    /// How long a new authority is valid.
    pub(crate) root_days: u32,
    /// What the project admin's transfer directory is a link to, absolute.
    examples: Option<Utf8PathBuf>,
    pub(crate) warnings: Vec<String>,
}

impl<'a> Plan<'a> {
    pub(crate) fn of(request: &Request<'a>) -> Result<Self, Error> {
        let project = request.project;
        let profile = Profile::of(request.line);
        let version = request
            .flare_version
            .as_deref()
            .and_then(|version| version.parse().ok());
        project.check_line(request.line)?;
        refuse_unsupported(project)?;
        let builders = builder_arguments(project)?;
        let containers = Containers::of(project)?;
        let listening = if containers.is_some() {
            Listening::in_container(&request.listen, &project.server().name)
        } else {
            Listening::of(
                &request.listen,
                &project.server().name,
                profile,
                version.as_ref(),
            )?
        };
        let mut warnings: Vec<String> = listening.warning.into_iter().collect();
        warnings.extend(passed_over(project, profile));
        if builders.require_signed_jobs.is_some() && !profile.has_place("@REQUIRE_SIGNED_JOBS@") {
            return Err(Error::Unsupported {
                what: format!(
                    "`require_signed_jobs`, with kits for NVFlare {},",
                    profile.line
                ),
            });
        }
        let examples = request
            .examples
            .and_then(|directory| match jobs_dir::resolve(directory) {
                Ok(directory) => Some(directory),
                Err(error) => {
                    warnings.push(format!(
                        "{error}; it is not linked as the project admin's transfer directory"
                    ));
                    None
                }
            });
        Ok(Self {
            federation: Federation {
                project,
                profile,
                scheme: builders.scheme.unwrap_or_else(|| profile.scheme.to_owned()),
                listen_host: listening.host,
                server_host: listening.reached_by,
                fed_learn_port: project.fed_learn_port(),
                admin_port: project.admin_port(request.line),
                require_signed_jobs: builders.require_signed_jobs,
                containers,
                workspace: request.workspace.root(),
            },
            listens: listening.listens,
            root_days: builders.root_days.unwrap_or(VALID_DAYS),
            examples,
            warnings,
        })
    }

    /// What this participant's transfer directory is a link to, if it is one.
    pub(crate) fn transfer_link(&self, participant: &Participant) -> Option<&Utf8Path> {
        let admin = &self.federation.project.project_admin().name;
        self.examples
            .as_deref()
            .filter(|_| participant.name == *admin)
    }

    /// What a participant's certificate says that it is: its name, but for a server that its sites know
    /// by the address.
    fn common_name(&self, participant: &Participant) -> String {
        let by_address = participant.role() == Role::Server
            && self.federation.profile.server_name == ServerName::Address;
        if by_address {
            self.federation.server_host.clone()
        } else {
            participant.name.clone()
        }
    }

    /// Whom a participant's certificate is for.
    pub(crate) fn subject(&self, participant: &Participant) -> Subject {
        let (role, hosts) = match &participant.kind {
            Kind::Server(server) => {
                let mut hosts = vec![self.federation.server_host.as_str()];
                hosts.extend(server.default_host.as_deref());
                hosts.push(&participant.name);
                hosts.extend(server.host_names.iter().map(String::as_str));
                // However it is reached on its own machine, it answers by the right name.
                hosts.extend(["localhost", "127.0.0.1"]);
                (None, distinct(hosts))
            }
            Kind::Admin(admin) => (Some(admin.role.clone()), vec![participant.name.clone()]),
            Kind::Client(_) | Kind::Relay(_) => (None, listening_hosts(participant)),
        };
        Subject {
            common_name: self.common_name(participant),
            organisation: Some(participant.org.clone()),
            role,
            hosts,
        }
    }
}

/// The names that a site or relay answers to: its own, and the hosts that it listens on for others.
fn listening_hosts(participant: &Participant) -> Vec<String> {
    let mut hosts = vec![participant.name.as_str()];
    if let Some(listening) = participant.listening_host() {
        hosts.extend(listening.default_host.as_deref());
        hosts.extend(listening.host_names.iter().map(String::as_str));
        hosts.extend(["localhost", "127.0.0.1"]);
    }
    distinct(hosts)
}

/// Each once, in the order of their first appearance.
fn distinct(names: Vec<&str>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        if !kept.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            kept.push(name.to_owned());
        }
    }
    kept
}

/// A kit without a part that the project asks for would look right and not be.
fn refuse_unsupported(project: &Project) -> Result<(), Error> {
    let refuse = |what: String| Err(Error::Unsupported { what });
    if project.he {
        return refuse("homomorphic encryption".to_owned());
    }
    for participant in project.participants() {
        if participant.extra.contains_key("custom_ca_cert") {
            return refuse(format!(
                "`custom_ca_cert` of the participant `{}`",
                participant.name
            ));
        }
    }
    Ok(())
}

/// What the line has no place for, and NVFlare of that line passes over in silence.
fn passed_over(project: &Project, profile: &Profile) -> Vec<String> {
    let mut found = Vec::new();
    for participant in project.participants() {
        let says = [
            (
                "connect_to",
                participant.connect_to().is_some() && profile.hierarchy.is_none(),
            ),
            (
                "listening_host",
                participant.listening_host().is_some() && profile.hierarchy.is_none(),
            ),
            (
                "auth_identity",
                participant.auth_identity.is_some() && !profile.has_place("@AUTH_IDENTITY@"),
            ),
            ("use_aio", participant.use_aio.is_some() && !profile.has_aio),
        ];
        for (key, _) in says
            .into_iter()
            .filter(|(_, is_passed_over)| *is_passed_over)
        {
            found.push(format!(
                "NVFlare {} has no `{key}`: it is left out of the kit of {}",
                profile.line, participant.name
            ));
        }
    }
    found
}

#[derive(Default)]
struct BuilderArguments {
    scheme: Option<String>,
    require_signed_jobs: Option<bool>,
    root_days: Option<u32>,
}

/// What the project's builders are told that shows in the kits.
fn builder_arguments(project: &Project) -> Result<BuilderArguments, Error> {
    let mut found = BuilderArguments::default();
    for builder in project.builders() {
        let problem = |key: &str, message: String| {
            let at = format!("builders, {}, {key}", builder.kind.path());
            Error::Core(poc_core::Error::ProjectImpossible {
                problems: vec![Problem {
                    line: None,
                    at,
                    message,
                }],
            })
        };
        match builder.kind {
            BuilderKind::StaticFile => {
                static_file(&mut found, &builder.args, problem)?;
            }
            BuilderKind::Cert => {
                if let Some(days) = builder.args.get("root_valid_days") {
                    let wrong = || {
                        problem(
                            "root_valid_days",
                            format!("not a number of days from 1 to {MOST_ROOT_DAYS}"),
                        )
                    };
                    found.root_days = Some(days_of(days).ok_or_else(wrong)?);
                }
            }
            BuilderKind::Workspace
            | BuilderKind::Template
            | BuilderKind::He
            | BuilderKind::Signature => {}
        }
    }
    Ok(found)
}

fn days_of(value: &Value) -> Option<u32> {
    match value {
        Value::Int(days @ 1..=MOST_ROOT_DAYS) => u32::try_from(*days).ok(),
        _ => None,
    }
}

/// How long the root certificate of a project that is there already is valid, in days.
pub(crate) fn root_days(project: &Project) -> u32 {
    let builders = project.builders().iter();
    builders
        .filter(|builder| builder.kind == BuilderKind::Cert)
        .find_map(|builder| days_of(builder.args.get("root_valid_days")?))
        .unwrap_or(VALID_DAYS)
}

fn static_file(
    found: &mut BuilderArguments,
    arguments: &BTreeMap<String, Value>,
    problem: impl Fn(&str, String) -> Error,
) -> Result<(), Error> {
    if let Some(scheme) = arguments.get("scheme") {
        let scheme = scheme.as_text().map(|scheme| scheme.trim().to_lowercase());
        let known = scheme.filter(|scheme| SCHEMES.contains(&scheme.as_str()));
        found.scheme = Some(
            known.ok_or_else(|| problem("scheme", format!("not one of {}", SCHEMES.join(", "))))?,
        );
    }
    match arguments.get("config_folder") {
        None => {}
        Some(Value::Text(folder)) if folder == "config" => {}
        Some(_) => {
            return Err(Error::Unsupported {
                what: "a `config_folder` other than `config`".to_owned(),
            });
        }
    }
    match arguments.get("require_signed_jobs") {
        None | Some(Value::Null) => {}
        Some(Value::Bool(required)) => found.require_signed_jobs = Some(*required),
        Some(_) => {
            return Err(problem(
                "require_signed_jobs",
                "neither true nor false".to_owned(),
            ));
        }
    }
    Ok(())
}

/// Where the server listens and how it is reached.
#[derive(Debug, PartialEq, Eq)]
struct Listening {
    /// The host of its own target.
    host: String,
    reached_by: String,
    /// What comes of it.
    listens: Listen,
    warning: Option<String>,
}

impl Listening {
    /// In its container the server listens on every interface; which of this machine's addresses lead
    /// there is decided when it is started.
    fn in_container(listen: &Listen, server: &str) -> Self {
        let host = if is_loopback(server) {
            "0.0.0.0"
        } else {
            server
        };
        let reached_by = match listen {
            Listen::Loopback | Listen::All => "localhost",
            Listen::Address(address) => address,
        };
        Self {
            host: host.to_owned(),
            reached_by: reached_by.to_owned(),
            listens: listen.clone(),
            warning: None,
        }
    }

    fn of(
        listen: &Listen,
        server: &str,
        profile: &Profile,
        version: Option<&FlareVersion>,
    ) -> Result<Self, Error> {
        const LOCAL: &str = "localhost";
        let can_be_private = profile.listener.can_be_private(version);
        let (host, reached_by, listens) = match listen {
            Listen::Loopback if can_be_private => (LOCAL, LOCAL, Listen::Loopback),
            // Any name that is not loopback's.
            Listen::All if can_be_private && is_loopback(server) => ("0.0.0.0", LOCAL, Listen::All),
            // Its own name is what NVFlare writes, and what up to 2.7 its parts compare.
            Listen::Loopback | Listen::All => (server, LOCAL, Listen::All),
            Listen::Address(address) => {
                if address.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()) {
                    return Err(Error::ListenAddress {
                        address: address.clone(),
                        reason: "NVFlare takes host names and IPv4 addresses only".to_owned(),
                    });
                }
                let address = address.as_str();
                if profile.listener == Listener::LoopbackOrAll {
                    let listens = if is_loopback(address) {
                        listen.clone()
                    } else {
                        Listen::All
                    };
                    (address, address, listens)
                } else {
                    (server, address, Listen::All)
                }
            }
        };
        let is_more = matches!(listen, Listen::Address(_)) && listens == Listen::All;
        let warning = is_more.then(|| {
            format!(
                "NVFlare {} cannot listen on {listen} alone: the server will listen on every interface",
                profile.line
            )
        });
        Ok(Self {
            host: host.to_owned(),
            reached_by: reached_by.to_owned(),
            listens,
            warning,
        })
    }
}

/// What NVFlare takes for loopback: `localhost`, with or without the final dot, and 127.0.0.0/8.
fn is_loopback(host: &str) -> bool {
    host.trim_end_matches('.').eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use poc_core::Line;

    use super::*;

    fn listening(listen: &Listen, server: &str) -> Result<Listening, Error> {
        Listening::of(listen, server, Profile::of(Line::V2_9), None)
    }

    #[test]
    fn what_a_line_cannot_do_is_not_promised() {
        let of = |listen: &str, line, version: &str| {
            let version = version.parse().unwrap();
            let listen: Listen = listen.parse().unwrap();
            Listening::of(&listen, "server", Profile::of(line), Some(&version)).unwrap()
        };
        let old = of("localhost", Line::V2_7, "2.7.3");
        assert_eq!(
            (old.host.as_str(), old.reached_by.as_str(), old.listens),
            ("server", "localhost", Listen::All)
        );
        assert_eq!(of("localhost", Line::V2_8, "2.8.1").listens, Listen::All);
        let newer = of("localhost", Line::V2_8, "2.8.2");
        assert_eq!(
            (newer.host.as_str(), newer.listens),
            ("localhost", Listen::Loopback)
        );
        let address = of("127.0.0.2", Line::V2_6, "2.6.3");
        assert_eq!(
            (address.host.as_str(), address.reached_by.as_str()),
            ("server", "127.0.0.2")
        );
        assert!(address.warning.unwrap().contains("every interface"));
    }

    #[test]
    fn listens_on_loopback_unless_told_otherwise() {
        let found = listening(&Listen::Loopback, "server").unwrap();
        assert_eq!(
            (found.host.as_str(), found.reached_by.as_str()),
            ("localhost", "localhost")
        );
        assert_eq!(found.warning, None);
    }

    #[test]
    fn a_server_called_localhost_can_still_listen_everywhere() {
        assert_eq!(listening(&Listen::All, "server").unwrap().host, "server");
        assert_eq!(
            listening(&Listen::All, "localhost").unwrap().host,
            "0.0.0.0"
        );
    }

    #[test]
    fn one_address_alone_is_promised_only_on_loopback() {
        let own = listening(&Listen::Address("127.0.0.2".into()), "server").unwrap();
        assert_eq!(
            (own.host.as_str(), own.reached_by.as_str(), own.warning),
            ("127.0.0.2", "127.0.0.2", None)
        );
        let lan = listening(&Listen::Address("10.0.0.7".into()), "server").unwrap();
        assert_eq!(lan.reached_by, "10.0.0.7");
        assert!(lan.warning.unwrap().contains("every interface"));
        assert!(matches!(
            listening(&Listen::Address("::1".into()), "server"),
            Err(Error::ListenAddress { .. })
        ));
    }

    #[test]
    fn names_come_once() {
        assert_eq!(
            distinct(vec!["localhost", "server", "LocalHost", "127.0.0.1"]),
            ["localhost", "server", "127.0.0.1"]
        );
    }
}
