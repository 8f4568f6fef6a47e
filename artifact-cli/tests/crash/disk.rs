//! Disks that can lose their power: a file system in a file, mounted for one test.

use std::{
    cell::Cell,
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

use tempfile::TempDir;

use super::tracer::in_memory;
use crate::support::run::Run;

/// The file systems whose power can be cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Ext4,
    Xfs,
}

impl Kind {
    /// Returns the program that makes one, and how small it may be, in bytes.
    const fn maker(self) -> (&'static str, u64) {
        match self {
            Self::Ext4 => ("mkfs.ext4", 96 << 20),
            Self::Xfs => ("mkfs.xfs", 320 << 20),
        }
    }
}

/// A file system in a file, mounted below it. Unmounted when it is dropped, also by a test that fails.
#[derive(Debug)]
pub(crate) struct Disk {
    kind: Kind,
    place: TempDir,
    /// How often its power went.
    cuts: Cell<u32>,
}

/// Says whether tests that mount are left out, by whoever runs them.
///
/// # Panics
///
/// Where they are not left out and nobody may mount.
pub(crate) fn are_left_out() -> bool {
    if std::env::var_os("WITHOUT_ROOT").is_some_and(|value| value == "1") {
        println!("left out, for WITHOUT_ROOT=1 says so: power cuts need root, to mount");
        return true;
    }
    assert!(
        rustix::process::geteuid().is_root(),
        "a power cut needs root, to mount a file system; WITHOUT_ROOT=1 leaves these tests out"
    );
    false
}

impl Disk {
    /// Makes a file system and mounts it.
    pub(crate) fn new(kind: Kind) -> Self {
        Self::of_length(kind, kind.maker().1)
    }

    /// Makes one of ext4 that is smaller.
    pub(crate) fn small(length: u64) -> Self {
        Self::of_length(Kind::Ext4, length)
    }

    fn of_length(kind: Kind, length: u64) -> Self {
        let disk = Self {
            kind,
            place: tempfile::tempdir_in(in_memory()).unwrap(),
            cuts: Cell::new(0),
        };
        File::create(disk.image()).unwrap().set_len(length).unwrap();
        fs::create_dir(disk.path()).unwrap();
        done(Command::new(kind.maker().0).arg("-q").arg(disk.image()));
        disk.mount();
        disk
    }

    /// Returns where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.place.path().join("disk")
    }

    fn image(&self) -> PathBuf {
        self.place.path().join(format!("image-{}", self.cuts.get()))
    }

    fn mount(&self) {
        let options = match self.kind {
            Kind::Ext4 => "loop",
            // The one whose power went may not be quite gone, and has the same name.
            Kind::Xfs => "loop,nouuid",
        };
        done(
            Command::new("mount")
                .args(["-o", options])
                .args([self.image(), self.path()]),
        );
    }

    /// Mounts what is on it after its power went: its log is replayed, and what had not reached it is gone.
    ///
    /// It is a copy that is mounted. A process elsewhere on the machine that was begun meanwhile may have
    /// the dead file system among its own mounts, and that would be mounted once more.
    pub(crate) fn again(&self) {
        done(Command::new("umount").arg(self.path()));
        let dead = self.image();
        self.cuts.set(self.cuts.get() + 1);
        done(
            Command::new("cp")
                .arg("--sparse=auto")
                .args([&dead, &self.image()]),
        );
        fs::remove_file(dead).unwrap();
        self.mount();
    }

    /// Has all that is on it durable.
    pub(crate) fn sync(&self) {
        done(Command::new("sync").arg("-f").arg(self.path()));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What is in the way of it now goes when its process does.
        let _status = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
    }
}

#[track_caller]
fn done(command: &mut Command) {
    let run = Run::of(command);
    assert_eq!(
        run.code, 0,
        "scripts/install-packages installs it: {run:#?}"
    );
}
