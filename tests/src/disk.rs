//! A disk of a few megabytes that can be filled, in a mount namespace of its own.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};

/// What a test says that needs such a disk where none can be had: it must not pass.
pub const NO_SMALL_DISK: &str = "nobody may mount a file system here, as root or in a user namespace; \
     to run all the other tests: cargo test --workspace -- --skip full --skip mount_point";

/// What makes the namespace, mounts, says so, and keeps it until its input ends. Its input is also
/// where it is told the place: nothing in its command line may look like a process of the test's.
const HOLD: &str = r#"read -r size && read -r place && mount -t tmpfs -o "size=$size,mode=755" tmpfs "$place" && echo mounted && read -r end"#;

/// A disk that fills up. It goes with this value.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    holder: Child,
    place: Utf8PathBuf,
    /// The namespace is one of a user namespace; otherwise the tests run as root.
    of_user: bool,
}

impl SmallDisk {
    /// Mounts one of this size (`8m`) at a directory; `None` where nobody lets this user do so.
    pub(crate) fn mount(place: &Utf8Path, size: &str) -> Option<Self> {
        Self::hold(place, size, true).or_else(|| Self::hold(place, size, false))
    }

    fn hold(place: &Utf8Path, size: &str, of_user: bool) -> Option<Self> {
        let mut command = Command::new("unshare");
        if of_user {
            command.args(["--user", "--map-root-user"]);
        }
        let mut holder = command
            .args(["--mount", "sh", "-c", HOLD])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut said = String::new();
        // One that has failed does not read, which its silence tells.
        let _ = writeln!(holder.stdin.as_mut().unwrap(), "{size}\n{place}");
        let _ = BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said);
        let disk = Self {
            holder,
            place: place.to_owned(),
            of_user,
        };
        (said == "mounted\n").then_some(disk)
    }

    /// What has to stand before a command line for it to see the disk.
    pub(crate) fn enter(&self) -> Vec<String> {
        let mut words = vec!["nsenter".to_owned(), "--mount".to_owned()];
        if self.of_user {
            words.extend(["--user", "--preserve-credentials"].map(str::to_owned));
        }
        words.extend(["--target".to_owned(), self.holder.id().to_string()]);
        words.push("--".to_owned());
        words
    }

    /// A path of the disk as it is seen from here.
    pub(crate) fn outside(&self, path: &Utf8Path) -> Utf8PathBuf {
        let path = path.strip_prefix("/").unwrap_or(path);
        Utf8Path::new(&format!("/proc/{}/root", self.holder.id())).join(path)
    }

    fn filler(&self) -> Utf8PathBuf {
        self.outside(&self.place).join("filler")
    }

    /// Takes up what room there is, to the last byte.
    pub(crate) fn fill(&self) {
        let mut filler = File::options()
            .create(true)
            .append(true)
            .open(self.filler())
            .unwrap();
        for block in [64 * 1024, 4096, 1] {
            while filler.write_all(&vec![b'x'; block]).is_ok() {}
        }
    }

    /// Gives the room back.
    pub(crate) fn empty(&self) {
        fs_err::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
