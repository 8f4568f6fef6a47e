//! What stands between the program and the system: `tracer.c`, made by the C compiler that SQLite is made by, too.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::TempDir;

use crate::support::{
    bench::{Bench, PROGRAM},
    run::Run,
};

/// What happens at a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    None,
    /// The program is killed before the call.
    Kill,
    /// It is killed in the middle of what it writes, before the call where it does not write.
    Tear,
    /// The call fails: an error of input and output.
    Eio,
    /// The disk loses its power before the call; the program dies.
    Cut,
    /// The same, and from the beginning on it did not do what it was told to sync.
    CutOfLiar,
    /// The program is stopped before the call.
    Stop,
    /// The disk is full from the call on, until the reserve goes.
    Full,
}

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kill => "kill",
            Self::Tear => "tear",
            Self::Eio => "eio",
            Self::Cut => "cut",
            Self::CutOfLiar => "lie+cut",
            Self::Full => "full",
            Self::Stop => "stop",
        }
    }
}

/// Kinds of calls, as `tracer.c` names them.
pub(crate) const CHANGES_AND_LOCKS: &str = "wmcslp";
pub(crate) const CHANGES: &str = "wmcs";
pub(crate) const READS: &str = "r";
pub(crate) const SYNCS: &str = "s";
pub(crate) const WRITES: &str = "w";
pub(crate) const WRITES_AND_SYNCS: &str = "ws";
pub(crate) const WHAT_NEEDS_ROOM: &str = "wm";

/// What happens, and at which call of which kinds, counted from 1; 0 is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) kinds: &'static str,
    pub(crate) at: u64,
    pub(crate) action: Action,
}

impl Fault {
    /// Returns what lets a run be and counts its calls.
    pub(crate) const fn none(kinds: &'static str) -> Self {
        Self {
            kinds,
            at: 0,
            action: Action::None,
        }
    }
}

/// What the tracer tells.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// At which call it was to happen.
    pub(crate) at: u64,
    /// How many calls of the kinds were made.
    pub(crate) count: u64,
    /// Whether it has happened.
    pub(crate) fired: bool,
    /// The call at which, and the file.
    pub(crate) call: String,
}

/// A tracer, and where it tells what it saw: not on a disk that may lose its power.
#[derive(Debug)]
pub(crate) struct Tracer {
    told: TempDir,
}

impl Tracer {
    pub(crate) fn new() -> Self {
        let told = tempfile::tempdir_in(in_memory()).unwrap();
        Self { told }
    }

    /// Returns the program with its arguments, to be run on the bench with a fault.
    pub(crate) fn command<S: AsRef<str>>(
        &self,
        bench: &Bench,
        fault: Fault,
        arguments: &[S],
    ) -> Command {
        let _none = fs::remove_file(self.place());
        let words = [
            bench.root().to_str().unwrap().to_owned(),
            fault.kinds.to_owned(),
            fault.at.to_string(),
            fault.action.name().to_owned(),
            self.place().to_str().unwrap().to_owned(),
            PROGRAM.to_owned(),
        ];
        let mut command = bench.prepare(tracer().to_str().unwrap(), words);
        command.args(arguments.iter().map(AsRef::as_ref));
        command
    }

    /// Runs the program with a fault; returns what came of it, and what the tracer told.
    pub(crate) fn run<S: AsRef<str>>(
        &self,
        bench: &Bench,
        fault: Fault,
        arguments: &[S],
    ) -> (Run, Report) {
        let run = Run::of(&mut self.command(bench, fault, arguments));
        (run, self.report(fault))
    }

    /// Says whether the fault has happened, of a run that goes on.
    pub(crate) fn has_fired(&self) -> bool {
        self.place().exists()
    }

    /// Returns what the tracer told of a run with a fault.
    pub(crate) fn report(&self, fault: Fault) -> Report {
        let text = fs::read_to_string(self.place()).expect("the tracer tells");
        let words: Vec<_> = text.trim_end().splitn(3, ' ').collect();
        Report {
            at: fault.at,
            count: words[0].parse().unwrap(),
            fired: words[1] == "1",
            call: words[2].to_owned(),
        }
    }

    fn place(&self) -> PathBuf {
        self.told.path().join("told")
    }
}

/// Returns a directory in memory where there is a file system in it: what a killed process has written
/// is there as on a disk, and a sync takes no time.
pub(crate) fn in_memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}

fn tracer() -> &'static Path {
    static TRACER: OnceLock<PathBuf> = OnceLock::new();
    TRACER.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/tracer.c");
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (made, path) = (
            place.join(format!("tracer-{}", std::process::id())),
            place.join("tracer"),
        );
        let compiled = Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&made, &source])
            .status()
            .expect("a C compiler is needed, as for the build");
        assert!(compiled.success());
        fs::rename(made, &path).unwrap();
        path
    })
}
