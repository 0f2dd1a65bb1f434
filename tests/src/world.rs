use std::{
    collections::BTreeMap,
    ffi::OsStr,
    sync::{Mutex, OnceLock},
    thread,
};

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use crate::{
    Build, Process, Run, Terminal, disk::SmallDisk, leftovers, port::Port, processes_of, runtime,
    runtime_of,
};

/// The world of one test. See the [crate's page](crate).
#[derive(Debug)]
pub struct PocTest {
    build: Build,
    directory: TempDir,
    root: Utf8PathBuf,
    workspace: Utf8PathBuf,
    python: Option<Utf8PathBuf>,
    port: Port,
    disk: Option<SmallDisk>,
    admin_port: OnceLock<Port>,
    further_ports: Mutex<Vec<Port>>,
}

impl PocTest {
    /// A world in which there is no Python at all.
    pub fn new(build: &Build) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("poc-test-")
            .tempdir()
            .unwrap();
        // Resolved, since processes show resolved paths and the comparison must not fail for a link.
        let root = Utf8PathBuf::try_from(directory.path().canonicalize().unwrap()).unwrap();
        for name in ["home", "bin", "tmp"] {
            fs_err::create_dir(root.join(name)).unwrap();
        }
        Self {
            build: *build,
            workspace: root.join("proof of concept é"),
            python: None,
            port: Port::reserve(build),
            disk: None,
            admin_port: OnceLock::new(),
            further_ports: Mutex::default(),
            directory,
            root,
        }
    }

    /// With the real NVFlare as the configured runtime, and a PATH to live on.
    #[must_use]
    pub fn with_flare(self) -> Self {
        let python = runtime(&self.build);
        self.with_python(&python)
    }

    /// With that release of NVFlare, such as `2.7.3`.
    #[must_use]
    pub fn with_release(self, release: &str) -> Self {
        let python = runtime_of(&self.build, release);
        self.with_python(&python)
    }

    /// With another Python as the configured runtime.
    #[must_use]
    pub fn with_python(mut self, python: &Utf8Path) -> Self {
        self.python = Some(python.to_owned());
        self
    }

    /// With a workspace whose path even NVFlare's own shell scripts can take, for what NVFlare itself
    /// starts; or any other one below the root.
    #[must_use]
    pub fn with_workspace(mut self, name: &str) -> Self {
        self.workspace = self.root.join(name);
        self
    }

    /// With a workspace on a disk of this size (`8m`), which only programs of this world see. `None`
    /// where this user may not mount anything, not even in a namespace of its own.
    pub fn with_small_disk(mut self, size: &str) -> Option<Self> {
        let place = self.root.join("disk");
        fs_err::create_dir(&place).unwrap();
        self.disk = Some(SmallDisk::mount(&place, size)?);
        Some(self.with_workspace("disk/proof of concept é"))
    }

    /// Fills that disk to the last byte.
    ///
    /// # Panics
    ///
    /// In a world without one.
    pub fn fill_disk(&self) {
        self.disk.as_ref().unwrap().fill();
    }

    /// Gives the room back.
    ///
    /// # Panics
    ///
    /// In a world without one, and where it is not filled.
    pub fn empty_disk(&self) {
        self.disk.as_ref().unwrap().empty();
    }

    /// Where the test itself sees a path of this world: another place only with a disk of its own.
    pub fn seen(&self, path: &Utf8Path) -> Utf8PathBuf {
        let disk = self.disk.as_ref();
        disk.map_or_else(|| path.to_owned(), |disk| disk.outside(path))
    }

    /// The directory that holds everything else.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The home directory.
    pub fn home(&self) -> Utf8PathBuf {
        self.root.join("home")
    }

    /// A directory at the head of PATH, for programs that a test makes up.
    pub fn bin(&self) -> Utf8PathBuf {
        self.root.join("bin")
    }

    /// The workspace that the environment names.
    pub fn workspace(&self) -> &Utf8Path {
        &self.workspace
    }

    /// The default project's directory of kits.
    pub fn prod(&self) -> Utf8PathBuf {
        self.workspace.join("example_project/prod_00")
    }

    /// The kit of a participant of the default project.
    pub fn kit(&self, name: &str) -> Utf8PathBuf {
        self.prod().join(name)
    }

    /// `~/.nvflare/config.conf`.
    pub fn config(&self) -> Utf8PathBuf {
        self.home().join(".nvflare/config.conf")
    }

    /// A port that no other test uses.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Another port that no other test uses.
    pub fn admin_port(&self) -> u16 {
        let reserve = || Port::reserve(&self.build);
        self.admin_port.get_or_init(reserve).number()
    }

    /// Yet another port that no other test uses, at each call.
    pub fn further_port(&self) -> u16 {
        let port = Port::reserve(&self.build);
        let number = port.number();
        self.further_ports.lock().unwrap().push(port);
        number
    }

    /// The configured Python.
    ///
    /// # Panics
    ///
    /// In a world without one.
    pub fn python_path(&self) -> &Utf8Path {
        self.python
            .as_deref()
            .unwrap_or_else(|| panic!("this world has no Python: say with_flare()"))
    }

    pub(crate) fn python_if_any(&self) -> Option<&Utf8Path> {
        self.python.as_deref()
    }

    /// The environment of everything that runs here.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut path = self.bin().into_string();
        let mut pairs = BTreeMap::new();
        if let Some(python) = &self.python {
            pairs.insert("POC_PYTHON".to_owned(), python.to_string());
            path.push_str(":/usr/local/bin:/usr/bin:/bin");
        }
        pairs.insert("PATH".to_owned(), path);
        pairs.insert("HOME".to_owned(), self.home().into_string());
        pairs.insert("TMPDIR".to_owned(), self.root.join("tmp").into_string());
        pairs.insert(
            "NVFLARE_POC_WORKSPACE".to_owned(),
            self.workspace.to_string(),
        );
        // The machine's own GPUs are no part of this world.
        pairs.insert("POC_GPU_PROBES".to_owned(), "none".to_owned());
        pairs.insert("LANG".to_owned(), "C.UTF-8".to_owned());
        pairs
    }

    fn run(&self, program: impl AsRef<OsStr>) -> Run {
        let run = match &self.disk {
            Some(disk) => Run::new("nsenter").args(disk.enter()).args([program]),
            None => Run::new(program),
        };
        run.only_env(self.environment()).dir(&self.root)
    }

    /// Any program.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Run {
        self.run(program)
    }

    /// `poc` with these arguments.
    pub fn poc(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
        self.run(self.build.poc).args(args)
    }

    /// The path of `poc` itself, for scripts.
    pub fn poc_path(&self) -> &'static Utf8Path {
        Utf8Path::new(self.build.poc)
    }

    /// NVFlare's own `nvflare` command. It starts `python3` by name, so it gets the runtime's first.
    pub fn nvflare(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
        let python = self.python_path();
        let path = format!(
            "{}:{}",
            python.parent().unwrap(),
            self.environment()["PATH"]
        );
        self.run(python)
            .args(["-m", "nvflare.cli"])
            .args(args)
            .env("PATH", path)
    }

    /// A script of `tests/python`, run by the runtime's Python.
    pub fn python(&self, script: &str, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
        let script = Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("python")
            .join(script);
        self.run(self.python_path()).args([script]).args(args)
    }

    /// Runs what a builder describes on a terminal of its own.
    pub fn on_terminal(&self, run: Run) -> Terminal {
        Terminal::start(&self.build, &run.into_command())
    }

    pub(crate) fn decoy_program(&self) -> &'static Utf8Path {
        Utf8Path::new(self.build.on_terminal)
    }

    /// The live processes of this world.
    pub fn processes(&self) -> Vec<Process> {
        processes_of(&self.root)
    }

    /// The pid files and sockets in this world.
    pub fn runtime_files(&self) -> Vec<Utf8PathBuf> {
        leftovers::runtime_files(&self.seen(&self.root))
    }

    /// Kills whatever lives in this world.
    pub fn end_all(&self) {
        leftovers::kill_all(&self.root);
    }

    /// Fails unless nothing of this world lives and no pid file or socket is left in its workspace.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        assert_eq!(self.leftovers(), "");
    }

    fn leftovers(&self) -> String {
        let processes = self.processes();
        let lines = processes
            .iter()
            .map(|one| format!("process {} (of {}): {}\n", one.pid, one.parent, one.command));
        let files = self.runtime_files();
        lines
            .chain(files.iter().map(|file| format!("file {file}\n")))
            .collect()
    }
}

impl Drop for PocTest {
    fn drop(&mut self) {
        let left = self.leftovers();
        self.end_all();
        if thread::panicking() {
            // The test has failed already; a second panic here would abort all the others.
            self.directory.disable_cleanup(true);
        } else {
            assert!(left.is_empty(), "the test left behind:\n{left}");
        }
    }
}
