//! Where the program meets its faults: a bench whose registry is made once and put back for each run.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::{
    goods::{self, Size},
    task::Task,
    tracer::in_memory,
};
use crate::support::bench::Bench;

/// A bench with a task's registry on it, and how it was before the task.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) bench: Bench,
    before: PathBuf,
    /// The program's arguments for the task.
    pub(crate) command: Vec<String>,
}

impl Ground {
    /// Makes the registry of a task, in memory.
    pub(crate) fn of(task: &Task) -> Self {
        Self::within(&in_memory(), task)
    }

    /// Makes the registry of a task in a directory.
    pub(crate) fn within(place: &Path, task: &Task) -> Self {
        let bench = Bench::bare_in(place);
        stock(&bench);
        let command = (task.prepare)(&bench);
        let before = bench.path("home/before");
        copy(&bench.path("registry"), &before);
        Self {
            bench,
            before,
            command,
        }
    }

    /// Puts the registry back as it was before the task. Its directory stays the same one, so that it is
    /// no copy to the program.
    pub(crate) fn restore(&self) {
        for name in ["snapshot", "made"] {
            let path = self.bench.path(name);
            if path.exists() {
                fs::remove_dir_all(path).unwrap();
            }
        }
        let registry = self.bench.path("registry");
        for entry in fs::read_dir(&registry).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        copy(&self.before, &registry);
    }
}

/// Makes a registry in which something is, which nothing may take away: small, medium and large files,
/// under a tag of its own and under one that moves.
pub(crate) fn stock(bench: &Bench) {
    bench.ok(["init"]);
    let settings = bench.path("registry/artifact.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let any = text.replace("min_free = \"64 MiB\"", "min_free = \"0 B\"");
    assert_ne!(any, text, "the disks of these tests are small");
    fs::write(&settings, any).unwrap();
    goods::make(&bench.path("kept"), 1, Size::Large);
    goods::make(&bench.path("other"), 2, Size::Medium);
    goods::make(&bench.path("few"), 3, Size::Small);
    bench.ok(["push", "kept", "team/kept:1"]);
    bench.ok(["push", "few", "team/kept:few"]);
    bench.ok(["tag", "team/kept:1", "moves"]);
}

/// Copies a directory with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&path, &target);
        } else if kind.is_symlink() {
            symlink(fs::read_link(&path).unwrap(), target).unwrap();
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}
