//! The place of one round after another: a world with a prepared POC and strangers beside it.

use std::{collections::BTreeMap, process::Command};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::workspace::{Prepared, Workspace};
use poc_tests::{Build, Decoys, PocTest};

use crate::draw::Habit;

/// How large a disk is that is to be full soon.
const SMALL: &str = "size=96m,mode=0700";

/// Kits are prepared once for each number of sites, and copied for each round.
const PREPARED: [u32; 2] = [2, 3];

pub(crate) struct Stage {
    pub(crate) world: PocTest,
    pub(crate) decoys: Decoys,
    kits: BTreeMap<u32, Utf8PathBuf>,
    mounted: bool,
}

impl Stage {
    pub(crate) fn build(build: &Build, python: &Utf8Path) -> Self {
        let world = PocTest::new(build).with_python(python);
        let port = world.port().to_string();
        let mut kits = BTreeMap::new();
        for sites in PREPARED {
            world
                .poc(["prepare", "-n", &sites.to_string(), "--ports", &port])
                .success();
            // Kits hold the path of their workspace: the copies lie where these were made.
            let aside = world.root().join(format!("kits-{sites}"));
            fs_err::rename(world.workspace(), &aside).unwrap();
            kits.insert(sites, aside);
        }
        Self {
            decoys: strangers(&world),
            world,
            kits,
            mounted: false,
        }
    }

    /// Sets everything to how it is after `poc prepare`. A small disk is asked for where there is to be
    /// a full one; `false` when there is none to be had, since mounting is root's business.
    pub(crate) fn set(&mut self, sites: u32, small_disk: bool) -> bool {
        self.clear();
        let workspace = self.world.workspace().to_owned();
        fs_err::create_dir(&workspace).unwrap();
        if small_disk {
            let mount = ["-t", "tmpfs", "-o", SMALL, "poc-chaos"];
            self.mounted = runs("mount", mount.iter().copied().chain([workspace.as_str()]));
        }
        let from = self.kits[&sites].join(".");
        assert!(
            runs("cp", ["-a", from.as_str(), workspace.as_str()]),
            "{from} cannot be copied"
        );
        self.mounted
    }

    /// Ends what lives and removes what lies in the workspace's place.
    pub(crate) fn clear(&mut self) {
        self.world.end_all();
        let workspace = self.world.workspace();
        if std::mem::take(&mut self.mounted) {
            runs("umount", [workspace.as_str()]);
        }
        for place in [workspace.to_owned(), self.moved()] {
            if place.exists() {
                fs_err::remove_dir_all(place).unwrap();
            }
        }
    }

    /// Whether the workspace lies on a disk that can be filled.
    pub(crate) fn has_small_disk(&self) -> bool {
        self.mounted
    }

    /// Where a workspace that is moved away goes.
    pub(crate) fn moved(&self) -> Utf8PathBuf {
        self.world.root().join("moved away")
    }

    pub(crate) fn workspace(&self) -> Workspace {
        Workspace::new(self.world.workspace())
    }

    pub(crate) fn prepared(&self) -> Prepared {
        self.workspace().load().unwrap()
    }

    /// Gives a participant a habit beside those that it has.
    pub(crate) fn teach(&self, kit: &str, habit: &str) {
        match self.habits(kit) {
            Some(known) => self.world.habits(kit, &format!("{known} {habit}")),
            None => self.world.misbehaves(kit, habit),
        }
    }

    /// Takes a habit back.
    pub(crate) fn unlearn(&self, kit: &str, habit: &str) {
        let known = self.habits(kit).unwrap_or_default();
        self.world.habits(kit, &known.replace(habit, ""));
    }

    fn habits(&self, kit: &str) -> Option<String> {
        fs_err::read_to_string(self.world.kit(kit).join("local/habits")).ok()
    }

    /// The strangers that were not left alone, in words. There are others in their place then.
    pub(crate) fn harmed(&mut self) -> Vec<String> {
        let harmed = self.decoys.harmed();
        if !harmed.is_empty() {
            self.decoys = strangers(&self.world);
        }
        harmed
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.clear();
    }
}

/// This program itself, under other names.
fn strangers(world: &PocTest) -> Decoys {
    let own = std::env::current_exe().unwrap();
    Decoys::around(world, Utf8Path::from_path(&own).unwrap())
}

/// The words for a habit.
pub(crate) const fn words(habit: Habit) -> &'static str {
    match habit {
        Habit::Deaf => "deaf",
        Habit::Strays => "strays",
        Habit::Flood => "flood",
    }
}

fn runs<'a>(program: &str, args: impl IntoIterator<Item = &'a str>) -> bool {
    let output = Command::new(program).args(args).output();
    output.is_ok_and(|output| output.status.success())
}
