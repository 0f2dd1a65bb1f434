use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::PocTest;

/// A job of `tests/jobs`.
#[derive(Clone, Copy, Debug)]
pub enum Job {
    /// Ends after two rounds with a known model, [`Job::COUNTED`].
    Counting,
    /// Runs for longer than any test.
    Waiting,
}

impl Job {
    /// The global model that [`Job::Counting`] ends with.
    pub const COUNTED: [[f64; 3]; 3] = [[3.0, 4.0, 5.0], [6.0, 7.0, 8.0], [9.0, 10.0, 11.0]];

    /// The directory to submit: a copy of the job in `world`, since NVFlare writes signatures into
    /// what it submits.
    pub fn directory(self, world: &PocTest) -> Utf8PathBuf {
        let name = match self {
            Self::Counting => "counting",
            Self::Waiting => "waiting",
        };
        let source = Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("jobs")
            .join(name);
        let copy = world.root().join("jobs").join(name);
        copy_tree(&source, &copy);
        copy
    }
}

fn copy_tree(from: &Utf8Path, to: &Utf8Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in from.read_dir_utf8().unwrap() {
        let path = entry.unwrap().into_path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_tree(&path, &copy);
        } else {
            fs_err::copy(&path, &copy).unwrap();
        }
    }
}

/// What a person does with a running POC through NVFlare's own FLARE API.
#[derive(Clone, Copy, Debug)]
pub struct Federation<'a> {
    world: &'a PocTest,
}

impl<'a> Federation<'a> {
    /// Prepares a POC with `sites` sites on this world's port and starts it, by `poc`.
    #[track_caller]
    pub fn start(world: &'a PocTest, sites: u32) -> Self {
        world.prepare(sites);
        world.poc(["start"]).success();
        Self { world }
    }

    /// The POC that already runs in a world.
    pub fn running(world: &'a PocTest) -> Self {
        Self { world }
    }

    #[track_caller]
    fn ask(self, words: &[&str]) -> Value {
        let kit = self.world.kit("admin@nvidia.com");
        let answer = self
            .world
            .python("flare_api.py", [&[kit.as_str()], words].concat())
            .success();
        serde_json::from_str(&answer.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}", answer.transcript()))
    }

    /// Submits a job and gives its ID.
    #[track_caller]
    pub fn submit(self, job: Job) -> String {
        self.submit_directory(&job.directory(self.world))
    }

    /// Submits what a directory holds and gives its ID.
    #[track_caller]
    pub fn submit_directory(self, directory: &Utf8Path) -> String {
        let id = self.ask(&["submit", directory.as_str()]);
        id.as_str().unwrap().to_owned()
    }

    /// Waits until a job runs.
    #[track_caller]
    pub fn wait_running(self, job: &str) {
        assert_eq!(self.ask(&["wait_running", job]), "RUNNING", "job {job}");
    }

    /// Waits until the jobs have ended, each of which must have completed.
    #[track_caller]
    pub fn wait_completed(self, jobs: &[&str]) {
        let ended = self.ask(&[&["wait"], jobs].concat());
        for job in jobs {
            assert_eq!(ended[job], "FINISHED:COMPLETED", "job {job}");
        }
    }

    /// The status of every job, by ID.
    #[track_caller]
    pub fn jobs(self) -> Value {
        self.ask(&["jobs"])
    }

    /// The names of the sites that the server knows, sorted.
    #[track_caller]
    pub fn clients(self) -> Vec<String> {
        let names = self.ask(&["clients"]);
        names
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    }

    /// Downloads the result of a [`Job::Counting`] and compares the model in it.
    #[track_caller]
    pub fn assert_counted(self, job: &str) {
        let into = self.world.root().join("results");
        fs_err::create_dir_all(&into).unwrap();
        assert_eq!(
            self.ask(&["model", job, into.as_str()]),
            serde_json::json!(Job::COUNTED)
        );
    }
}
