//! Programs whose calls of the system are counted, and at one of which they are killed or find the disk full or
//! failing (`tests/support/faults.c`, which stands between the program and the C library).

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::TempDir;

/// What happens at a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// The disk is full from there on, until the reserve goes or [`Signal::Room`] is given.
    Full,
    /// The process is killed; every other time in the middle of what it writes.
    Kill,
    /// From this sync of a directory on all of those fail.
    Names,
}

/// What a child says to what stands between it and the system.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    /// From here on calls count.
    Arm,
    /// Up to here.
    End,
    /// Room was made on the disk.
    Room,
}

impl Signal {
    /// Gives the signal. Where nothing stands between, it is the removal of nothing.
    pub(crate) fn give(self) {
        let name = match self {
            Self::Arm => "fault: arm",
            Self::End => "fault: end",
            Self::Room => "fault: room",
        };
        fs::remove_file(name).unwrap_err();
    }
}

/// The calls by which something below a directory is changed.
#[derive(Debug)]
pub(crate) struct Calls {
    below: PathBuf,
    /// Where their number is written: not below that directory.
    told: TempDir,
}

impl Calls {
    /// Returns those below a directory.
    pub(crate) fn below(directory: &Path) -> Self {
        let below = directory.canonicalize().unwrap();
        let told = tempfile::tempdir().unwrap();
        Self { below, told }
    }

    /// Returns the environment in which a child meets a fault at one of its calls, from 1 on.
    pub(crate) fn faults(&self, fault: Fault, at: u64) -> Vec<(String, OsString)> {
        let _none = fs::remove_file(self.count());
        let kind = match fault {
            Fault::Full => "full",
            Fault::Kill => "kill",
            Fault::Names => "names",
        };
        let variable = |name: &str, value: &OsStr| (name.to_owned(), value.to_owned());
        vec![
            variable("LD_PRELOAD", shim().as_os_str()),
            variable("ARTIFACT_FAULT_BELOW", self.below.as_os_str()),
            variable("ARTIFACT_FAULT_AT", at.to_string().as_ref()),
            variable("ARTIFACT_FAULT_COUNT", self.count().as_os_str()),
            variable("ARTIFACT_FAULT", kind.as_ref()),
        ]
    }

    fn count(&self) -> PathBuf {
        self.told.path().join("calls")
    }

    /// Returns how many there were, if the last child lived to tell.
    pub(crate) fn counted(&self) -> Option<u64> {
        fs::read_to_string(self.count()).ok()?.parse().ok()
    }
}

/// Which calls are tried of so many: all where `ARTIFACT_TEST_EVERY_CALL` is set, else a share, the
/// first and the last among them.
pub(crate) fn chosen(calls: u64, share: u64) -> Vec<u64> {
    let every = std::env::var_os("ARTIFACT_TEST_EVERY_CALL").is_some();
    let share = if every { calls } else { share.min(calls) };
    let mut chosen: Vec<_> = (0..share)
        .map(|number| 1 + number * (calls - 1) / (share - 1).max(1))
        .collect();
    chosen.dedup();
    chosen
}

/// Returns what is preloaded, which the C compiler makes that SQLite was made by, too.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/faults.c");
        let program = std::env::current_exe().unwrap();
        let place = program.parent().unwrap();
        let (made, path) = (
            place.join(format!("faults-{}.so", std::process::id())),
            place.join("faults.so"),
        );
        let compiled = Command::new("cc")
            .args([
                "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o",
            ])
            .arg(&made)
            .arg(source)
            .arg("-ldl")
            .status()
            .expect("a C compiler is needed, as for the build");
        assert!(compiled.success());
        fs::rename(made, &path).unwrap();
        path
    })
}
