//! The command that starts a participant in a container.

use std::collections::BTreeMap;
use std::os::linux::fs::MetadataExt as _;

use camino::Utf8Path;
use poc_core::docker::{self, DATA_MOUNT, KIT_MOUNT, OLD_DATA_MOUNT, OLD_KIT_MOUNT, PARTICIPANT};
use poc_core::env;
use poc_core::project::Role;
use poc_core::workspace::Kit;
use poc_core::{Line, Listen};

use super::build::module;
use super::{ParticipantPlan, PlanRequest, RestartPolicy, SiteGpus, Spawn};
use crate::Error;
use crate::docker::{Containers, DOCKER_HOST, Docker, Engine};
use crate::supervisor::PARTICIPANT as PARTICIPANT_VARIABLE;

/// Has the container's program write its log itself, into the kit, as a process does: the log outlives
/// the supervisor, and docker keeps no second copy. Arguments: the log, then the command.
const LOGGED: &str = include_str!("logged.py");

/// Where NVFlare's job launcher looks for the daemon.
const SOCKET_MOUNT: &str = "/var/run/docker.sock";

/// The containers of the POC; `None` where its participants are plain processes.
pub(super) fn containers(request: &PlanRequest<'_>) -> Result<Option<Containers>, Error> {
    let project = &request.prepared.project;
    let Some(image) = project.docker_image.clone() else {
        return Ok(None);
    };
    let network = project.docker_network.clone();
    Ok(Some(Containers {
        docker: Docker::find(request.env)?,
        image,
        network: network.unwrap_or_else(|| docker::SHARED_NETWORK.to_owned()),
        has_network: runs_jobs_in_containers(request),
    }))
}

fn runs_jobs_in_containers(request: &PlanRequest<'_>) -> bool {
    request.prepared.line.unwrap_or(Line::NEWEST) >= Line::V2_8
}

/// What the commands of all participants are made from.
pub(super) struct Command<'a> {
    request: &'a PlanRequest<'a>,
    containers: &'a Containers,
    engine: Engine,
    /// The group that may use the daemon's socket.
    socket_group: Option<u32>,
}

impl<'a> Command<'a> {
    /// Asks the daemon what it is like.
    pub(super) fn new(
        request: &'a PlanRequest<'a>,
        containers: &'a Containers,
    ) -> Result<Self, Error> {
        let socket = fs_err::metadata(&containers.docker.socket);
        Ok(Self {
            request,
            containers,
            engine: containers.docker.engine()?,
            socket_group: socket.ok().map(|it| it.st_gid()),
        })
    }

    pub(super) fn participant(&self, kit: &Kit) -> ParticipantPlan {
        let gpus = self
            .request
            .gpus
            .get(&kit.name)
            .cloned()
            .unwrap_or_default();
        let name = docker::container_name(&self.containers.network, &kit.name);
        ParticipantPlan {
            name: kit.name.clone(),
            role: kit.role,
            argv: self.argv(kit, &name, &gpus),
            environment: BTreeMap::from([(DOCKER_HOST.to_owned(), self.containers.docker.host())]),
            unset: Vec::new(),
            directory: kit.dir.clone(),
            log: kit.console_log(),
            gpus: gpus.ids,
            spawn: Spawn::Exec,
            container: Some(name),
            // Jobs in containers of their own get GPUs from docker.
            offer: None,
            restart: RestartPolicy::default(),
        }
    }

    fn argv(&self, kit: &Kit, name: &str, gpus: &SiteGpus) -> Vec<String> {
        let mut argv = Words(vec![self.containers.docker.program.to_string()]);
        // An image that is not there was an error before; a container does not begin with a download.
        argv.flags(["run", "--detach", "--pull=never", "--init"]);
        argv.pair("--name", name);
        for (label, value) in docker::labels(&self.containers.network, &kit.name, PARTICIPANT) {
            argv.pair("--label", &format!("{label}={value}"));
        }
        self.user(&mut argv);
        let mount = if self.containers.has_network {
            self.network(&mut argv, kit);
            self.job_launcher(&mut argv, kit);
            if kit.role == Role::Client {
                argv.mount(
                    &self.request.prepared.workspace.data_dir(),
                    DATA_MOUNT,
                    false,
                );
            }
            KIT_MOUNT
        } else {
            argv.flags(["--network=host", "--ipc=host"]);
            argv.mount(
                &self.request.prepared.workspace.data_dir(),
                OLD_DATA_MOUNT,
                true,
            );
            argv.pair("--workdir", OLD_KIT_MOUNT);
            OLD_KIT_MOUNT
        };
        argv.mount(&kit.dir, mount, false);
        // By these its processes are known as ours; docker takes the values from its own environment.
        for variable in [env::POC_INSTANCE.name, PARTICIPANT_VARIABLE] {
            argv.pair("--env", variable);
        }
        // A user without an entry in the image's passwd has none, or one that cannot be written.
        argv.pair("--env", "HOME=/tmp");
        if let Some(devices) = devices(&gpus.ids) {
            argv.pair("--gpus", &devices);
        }
        argv.0.push(self.containers.image.clone());
        let log = Utf8Path::new(mount).join(kit.console_log().file_name().unwrap_or_default());
        argv.flags(["python3", "-u", "-c", LOGGED, log.as_str(), "python3", "-u"]);
        argv.0.extend(module(kit, mount));
        argv.0
    }

    /// Whoever runs `poc` owns what containers write.
    fn user(&self, argv: &mut Words) {
        if self.engine.rootless {
            // Who starts such a daemon is root in its containers, and nobody else can be.
            argv.pair("--user", "0:0");
            return;
        }
        if self.engine.remapped {
            argv.flags(["--userns=host"]);
        }
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        argv.pair("--user", &format!("{}:{}", user.as_raw(), group.as_raw()));
    }

    fn network(&self, argv: &mut Words, kit: &Kit) {
        argv.pair("--network", &self.containers.network);
        argv.pair("--network-alias", &kit.name);
        if kit.role != Role::Server {
            return;
        }
        // The name that NVFlare's own kits for containers have for it.
        if kit.name != "server" {
            argv.pair("--network-alias", "server");
        }
        let prepared = self.request.prepared;
        let listen = prepared.manifest.as_ref().map(|it| it.listen.parse());
        let address = match listen {
            Some(Ok(Listen::All)) => String::new(),
            Some(Ok(Listen::Address(address))) if address.parse::<std::net::Ipv4Addr>().is_ok() => {
                format!("{address}:")
            }
            // A name is not for docker; it must be this machine's, and so is the loopback.
            _ => "127.0.0.1:".to_owned(),
        };
        let line = prepared.line.unwrap_or(Line::NEWEST);
        let mut ports = vec![
            prepared.project.fed_learn_port(),
            prepared.project.admin_port(line),
        ];
        ports.dedup();
        for port in ports {
            argv.pair("--publish", &format!("{address}{port}:{port}"));
        }
    }

    /// A participant starts its jobs' containers through the daemon, by the kit's path on this machine.
    fn job_launcher(&self, argv: &mut Words, kit: &Kit) {
        if let Some(group) = self.socket_group.filter(|_| !self.engine.rootless) {
            argv.pair("--group-add", &group.to_string());
        }
        argv.mount(&self.containers.docker.socket, SOCKET_MOUNT, false);
        argv.pair("--env", &format!("NVFL_DOCKER_WORKSPACE={}", kit.dir));
    }
}

/// A command line in the making.
struct Words(Vec<String>);

impl Words {
    fn flags<const N: usize>(&mut self, words: [&str; N]) {
        self.0.extend(words.map(str::to_owned));
    }

    fn pair(&mut self, flag: &str, value: &str) {
        self.flags([flag, value]);
    }

    fn mount(&mut self, source: &Utf8Path, target: &str, read_only: bool) {
        let mut value = format!("type=bind,{},dst={target}", csv(&format!("src={source}")));
        if read_only {
            value.push_str(",readonly");
        }
        self.pair("--mount", &value);
    }
}

/// A field as docker's command line takes several in one word.
fn csv(field: &str) -> String {
    if field.contains([',', '"', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// The value of `--gpus`. Without `device=` docker takes a number for how many; without the quotes it
/// takes the second id for something else.
fn devices(ids: &[String]) -> Option<String> {
    (!ids.is_empty()).then(|| format!("\"device={}\"", ids.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_reads_the_same_fields_back() {
        let mut words = Words(Vec::new());
        words.mount(Utf8Path::new("/srv/my poc/é"), "/w", false);
        words.mount(Utf8Path::new("/a,b/\"c\""), "/w", true);
        assert_eq!(
            words.0,
            [
                "--mount",
                "type=bind,src=/srv/my poc/é,dst=/w",
                "--mount",
                "type=bind,\"src=/a,b/\"\"c\"\"\",dst=/w,readonly",
            ]
        );
    }

    #[test]
    fn gpus_are_devices_and_not_a_number_of_them() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(devices(&[]), None);
        assert_eq!(devices(&ids(&["1"])).unwrap(), "\"device=1\"");
        assert_eq!(devices(&ids(&["0", "2"])).unwrap(), "\"device=0,2\"");
    }
}
