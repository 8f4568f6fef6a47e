//! What a power cut would take: each change of a file, and each sync, that a program made below a
//! directory, in their order, as `strace` saw them.
//!
//! A name counts as durable when its directory was synced after it came, as POSIX has it; that a file
//! system keeps more is its affair.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// The calls by which files change, and become durable.
const CALLS: &str = "trace=open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,\
unlink,unlinkat,rmdir,write,writev,pwrite64,pwritev,ftruncate,fallocate,copy_file_range,ioctl,\
fsync,fdatasync,syncfs,sync";

/// Watches a program.
#[derive(Debug)]
pub(crate) struct Ledger {
    below: PathBuf,
    /// What was there before.
    there: BTreeSet<PathBuf>,
    told: TempDir,
}

/// Something that the program did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    /// A name came.
    Made(PathBuf),
    /// A file got a second name.
    Linked(PathBuf, PathBuf),
    /// A file or a directory, with all in it, got another name.
    Moved(PathBuf, PathBuf),
    /// A name went, or, as a mark, was to go and was not there.
    Removed(PathBuf),
    /// A file or a directory became durable.
    Synced(PathBuf),
    /// All files did.
    SyncedAll,
    /// The bytes or the length of a file changed.
    Written(PathBuf),
}

/// What a power cut would take now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unsynced {
    data: BTreeSet<PathBuf>,
    names: BTreeSet<PathBuf>,
}

impl Ledger {
    /// Watches what is below a directory.
    pub(crate) fn below(directory: &Path) -> Self {
        let below = directory.canonicalize().unwrap();
        let mut there = BTreeSet::new();
        walk(&below, &mut there);
        Self {
            below,
            there,
            told: tempfile::tempdir().unwrap(),
        }
    }

    /// Returns the command that runs a program and watches it.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("strace");
        command
            .args([
                "-f",
                "-y",
                "-qq",
                "--seccomp-bpf",
                "-s",
                "4096",
                "-e",
                CALLS,
            ])
            .args(["-e", "signal=none", "-o"])
            .arg(self.log())
            .arg(program);
        command
    }

    /// Returns the command that runs this program in an environment that strace itself does not have.
    pub(crate) fn command_with(&self, variables: &[(String, OsString)]) -> Command {
        let mut command = self.command(Path::new("env"));
        for (name, value) in variables {
            let mut set = OsString::from(name);
            set.push("=");
            set.push(value);
            command.arg(set);
        }
        command.arg(std::env::current_exe().unwrap());
        command
    }

    fn log(&self) -> PathBuf {
        self.told.path().join("log")
    }

    /// Returns what the program did, in its order.
    pub(crate) fn events(&self) -> Vec<Event> {
        let log = fs::read(self.log()).expect("strace is installed: scripts/install-packages");
        let mut halves = BTreeMap::new();
        let mut events = Vec::new();
        for line in String::from_utf8_lossy(&log).lines() {
            let (process, call) = line.split_once(' ').unwrap_or_default();
            let call = call.trim_start();
            if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
                halves.insert(process.to_owned(), begun.to_owned());
                continue;
            }
            let whole = match call.split_once(" resumed>") {
                Some((_, rest)) => halves.remove(process).unwrap_or_default() + rest,
                None => call.to_owned(),
            };
            events.extend(event(&whole));
        }
        assert!(!events.is_empty(), "strace saw nothing");
        events
    }

    /// Returns what a power cut would take after these events, as `data name` and `name name`, with
    /// paths below the directory.
    pub(crate) fn unsynced(&self, events: &[Event]) -> BTreeSet<String> {
        let mut unsynced = Unsynced::default();
        let mut there = self.there.clone();
        for event in events {
            unsynced.take(event, &mut there);
        }
        let said = |what: &str, path: &PathBuf| {
            let path = path.strip_prefix(&self.below).ok()?;
            Some(format!("{what} {}", path.display()))
        };
        let data = unsynced.data.iter().filter_map(|path| said("data", path));
        let names = unsynced.names.iter().filter_map(|path| said("name", path));
        data.chain(names).collect()
    }
}

impl Unsynced {
    fn take(&mut self, event: &Event, there: &mut BTreeSet<PathBuf>) {
        match event {
            Event::Made(path) => {
                if there.insert(path.clone()) {
                    self.names.insert(path.clone());
                }
            }
            Event::Linked(from, to) => {
                if self.data.contains(from) {
                    self.data.insert(to.clone());
                }
                there.insert(to.clone());
                self.names.insert(to.clone());
            }
            Event::Moved(from, to) => {
                for set in [&mut self.data, &mut self.names, there] {
                    let moved: Vec<_> = set
                        .iter()
                        .filter(|path| path.starts_with(from))
                        .cloned()
                        .collect();
                    for path in moved {
                        set.remove(&path);
                        let rest = path.strip_prefix(from).unwrap();
                        set.insert(if rest.as_os_str().is_empty() {
                            to.clone()
                        } else {
                            to.join(rest)
                        });
                    }
                }
                there.insert(to.clone());
                self.names.insert(to.clone());
            }
            Event::Removed(path) => {
                for set in [&mut self.data, &mut self.names, there] {
                    set.retain(|of| !of.starts_with(path));
                }
            }
            Event::Synced(path) => {
                self.data.remove(path);
                self.names.retain(|name| name.parent() != Some(path));
            }
            Event::SyncedAll => *self = Self::default(),
            Event::Written(path) => {
                self.data.insert(path.clone());
            }
        }
    }
}

fn walk(directory: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        }
        found.insert(path);
    }
}

/// Reads a call: `name(arguments) = result`.
fn event(call: &str) -> Option<Event> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") ")?;
    let result = result.trim_start().strip_prefix("= ")?;
    let failed = result.starts_with('-');
    let texts = || texts(arguments);
    let open = || opened(arguments);
    Some(match name {
        // A mark is the removal of what is not there.
        "unlink" | "unlinkat" | "rmdir" => Event::Removed(texts().next()?),
        _ if failed => return None,
        "open" | "openat" if arguments.contains("O_CREAT") => Event::Made(texts().next()?),
        "creat" | "mkdir" | "mkdirat" => Event::Made(texts().next()?),
        "rename" | "renameat" | "renameat2" => {
            let mut names = texts();
            Event::Moved(names.next()?, names.next()?)
        }
        "link" | "linkat" => {
            let mut names = texts();
            Event::Linked(names.next()?, names.next()?)
        }
        "write" | "writev" | "pwrite64" | "pwritev" | "ftruncate" | "fallocate" => {
            Event::Written(open()?)
        }
        "ioctl" if arguments.contains("FICLONE") => Event::Written(open()?),
        "copy_file_range" => {
            let second = arguments.split(", ").nth(2)?;
            Event::Written(opened(second)?)
        }
        "fsync" | "fdatasync" => Event::Synced(open()?),
        "syncfs" | "sync" => Event::SyncedAll,
        _ => return None,
    })
}

/// Returns the path of the first open file among arguments: `7</path>, ..`.
fn opened(arguments: &str) -> Option<PathBuf> {
    let (number, rest) = arguments.split_once('<')?;
    number.parse::<u32>().ok()?;
    let path = rest.split_once('>')?.0;
    Some(path.trim_end_matches(" (deleted)").into())
}

/// Returns the texts among arguments. Those of relative paths are marks, or of nobody's interest.
fn texts(arguments: &str) -> impl Iterator<Item = PathBuf> + '_ {
    arguments.split('"').skip(1).step_by(2).map(PathBuf::from)
}
