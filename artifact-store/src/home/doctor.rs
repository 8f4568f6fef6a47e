//! What is wrong with a registry's directory, without changing anything.

use std::{fmt, fs, path::Path, sync::Arc};

use artifact_core::{ErrorKind, ManifestIndex as _, Revision, story};

use super::{
    check,
    error::HomeError,
    home::Home,
    layout::{Layout, index_files},
    open_parts::{check_registry, find, open_index},
    options::OpenOptions,
    place::place,
    probe,
    room::{RESERVE, Room},
    seat,
    settings::Manifesto,
};
use crate::{
    index::sqlite::{
        index::SqliteIndex,
        options::{Access, OpenError},
    },
    sys::{
        access,
        boot::BootClock,
        lock::{FileLock, Hold, RecordLock},
        process,
    },
};

/// One thing that was looked at, and what was found.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub subject: &'static str,
    /// What was found.
    pub outcome: Outcome,
}

/// What was found.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "who shows findings must know how bad each is"
)]
pub enum Outcome {
    /// Nothing is wrong.
    Good {
        /// What is there.
        what: String,
    },
    /// It works, and something should be done.
    Warning {
        /// What was found.
        what: String,
        /// What should be done.
        remedy: String,
    },
    /// It does not work.
    Bad {
        /// What is wrong.
        what: String,
        /// What must be done.
        remedy: String,
    },
}

impl Finding {
    const fn good(subject: &'static str, what: String) -> Self {
        let outcome = Outcome::Good { what };
        Self { subject, outcome }
    }

    fn warning(subject: &'static str, what: String, remedy: impl Into<String>) -> Self {
        let remedy = remedy.into();
        let outcome = Outcome::Warning { what, remedy };
        Self { subject, outcome }
    }

    fn bad(subject: &'static str, what: String, remedy: impl Into<String>) -> Self {
        let remedy = remedy.into();
        let outcome = Outcome::Bad { what, remedy };
        Self { subject, outcome }
    }

    /// Returns the finding that an error is.
    fn failed(subject: &'static str, error: &HomeError) -> Self {
        Self::bad(subject, story(error), remedy(error))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.subject;
        match &self.outcome {
            Outcome::Good { what } => write!(f, "{subject}: {what}"),
            Outcome::Warning { what, remedy } | Outcome::Bad { what, remedy } => {
                write!(f, "{subject}: {what} ({remedy})")
            }
        }
    }
}

impl Home {
    /// Looks at a registry's directory, hop by hop, and tells what is wrong and what to do about it.
    /// It changes nothing, and works beside others that have the registry open. It reads all of the
    /// index and the journal, and no blobs.
    ///
    /// What follows from what is wrong is not looked at: a directory that is not there has one
    /// finding.
    pub async fn doctor(path: &Path, options: &OpenOptions) -> Vec<Finding> {
        let mut findings = Vec::new();
        let (layout, manifesto) = match directory(path, options, &mut findings) {
            Ok(found) => found,
            Err(finding) => {
                findings.push(finding);
                return findings;
            }
        };
        findings.push(file_system(&layout, &manifesto));
        findings.push(room(&layout, &manifesto));
        findings.push(boot());
        findings.push(processes(&layout));
        findings.push(alone(&layout));
        findings.extend(writer(&layout));
        match index(&layout, &manifesto, options).await {
            Ok((index, head, found)) => {
                findings.extend(found);
                findings.push(journal(&layout, options, Some((&index, head))).await);
            }
            Err(finding) => {
                findings.push(finding);
                // Only from it the index can be made anew.
                findings.push(journal(&layout, options, None).await);
            }
        }
        findings.extend(leftovers(&layout));
        findings
    }
}

fn directory(
    path: &Path,
    options: &OpenOptions,
    findings: &mut Vec<Finding>,
) -> Result<(Layout, Manifesto), Finding> {
    const SUBJECT: &str = "directory";
    let layout = find(path).map_err(|error| Finding::failed(SUBJECT, &error))?;
    let settings = layout.settings();
    let manifesto = match Manifesto::read(&settings, options.ladder.top()) {
        Ok(Some(manifesto)) => manifesto,
        Ok(None) if layout.settings_staged().exists() => {
            let what = format!("{} is a registry that was never finished", path.display());
            return Err(Finding::bad(SUBJECT, what, "run `artifact init` again"));
        }
        Ok(None) => {
            let none = HomeError::NotFound {
                path: path.to_owned(),
            };
            return Err(Finding::failed(SUBJECT, &none));
        }
        Err(error) => return Err(Finding::failed("artifact.toml", &error)),
    };
    let root = layout.root().display();
    findings.push(match mode(layout.root()) {
        Some(mode) if mode & 0o077 != 0 => Finding::warning(
            SUBJECT,
            format!("{root} has mode {mode:04o}: others may look into it"),
            format!("run `chmod 700 {root}`"),
        ),
        _ => Finding::good(
            SUBJECT,
            format!("{root} holds registry {}", manifesto.registry),
        ),
    });
    Ok((layout, manifesto))
}

#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(fs::metadata(path).ok()?.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode(_path: &Path) -> Option<u32> {
    None
}

fn file_system(layout: &Layout, manifesto: &Manifesto) -> Finding {
    const SUBJECT: &str = "file system";
    match probe::judge(layout.root(), &manifesto.settings.allow_filesystem) {
        Ok(None) => Finding::good(SUBJECT, String::from("local")),
        Ok(Some(note)) => {
            let remedy = "for data that must last, use a local disk";
            Finding::warning(SUBJECT, note.to_string(), remedy)
        }
        Err(error) => Finding::failed(SUBJECT, &error),
    }
}

fn room(layout: &Layout, manifesto: &Manifesto) -> Finding {
    const SUBJECT: &str = "room";
    let min_free = manifesto.settings.min_free;
    let room = Room::new(layout.root(), layout.reserve(), min_free);
    let reserve = fs::metadata(layout.reserve()).map_or(0, |found| found.len());
    if !room.is_left() {
        let remedy = "free room on the disk, or run `artifact gc`";
        return Finding::bad(SUBJECT, room.shortage().to_string(), remedy);
    }
    if reserve < RESERVE {
        let what = String::from("the reserve for deletions on a full disk is missing");
        let remedy = "free room on the disk: the next open makes it again";
        return Finding::warning(SUBJECT, what, remedy);
    }
    Finding::good(SUBJECT, format!("more than {min_free} bytes are left"))
}

fn boot() -> Finding {
    const SUBJECT: &str = "boot clock";
    match BootClock::new() {
        Ok(clock) => Finding::good(SUBJECT, format!("boot {}", clock.id().as_str())),
        Err(error) => Finding::bad(SUBJECT, error.to_string(), "mount /proc"),
    }
}

fn processes(layout: &Layout) -> Finding {
    const SUBJECT: &str = "processes";
    let found = match seat::processes(layout) {
        Ok(found) => found,
        Err(error) => {
            return Finding::failed(SUBJECT, &HomeError::io("list", &layout.open())(error));
        }
    };
    let stopped: Vec<_> = found
        .iter()
        .filter(|id| process::is_stopped(**id))
        .collect();
    if let Some(id) = stopped.first() {
        let what = format!("process {id} has the registry open and is stopped");
        return Finding::warning(SUBJECT, what, format!("run `kill -CONT {id}`, or end it"));
    }
    let others = found.iter().filter(|id| **id != std::process::id());
    let others: Vec<_> = others.map(|id| format!("process {id}")).collect();
    let told = match others.as_slice() {
        [] => String::from("no other process has it open"),
        [one] => format!("1 other process has it open: {one}"),
        many => format!(
            "{} other processes have it open: {}",
            many.len(),
            many.join(", ")
        ),
    };
    Finding::good(SUBJECT, told)
}

/// Looks whether somebody has the directory alone.
fn alone(layout: &Layout) -> Finding {
    const SUBJECT: &str = "lock";
    let path = layout.lock();
    let taken = fs::File::open(&path).and_then(|file| FileLock::try_lock(file, Hold::Shared));
    match taken {
        Ok(Some(_)) => Finding::good(SUBJECT, String::from("free for all")),
        Ok(None) => {
            let what = String::from("a process has the registry alone, to rebuild or restore it");
            Finding::warning(SUBJECT, what, "wait until it ends")
        }
        Err(error) => Finding::failed(SUBJECT, &HomeError::io("lock", &path)(error)),
    }
}

/// Looks who has the writer's lock, if anybody ever had.
fn writer(layout: &Layout) -> Option<Finding> {
    const SUBJECT: &str = "writer's lock";
    let path = layout.writer_lock();
    if !access::is_writable(&path) {
        return None;
    }
    let holder = RecordLock::open(&path).and_then(|lock| lock.holder());
    Some(match holder {
        Ok(None) => Finding::good(SUBJECT, String::from("free")),
        Ok(Some(id)) if process::is_stopped(id) => Finding::bad(
            SUBJECT,
            format!("process {id} is stopped inside a commit: all others wait for it in vain"),
            format!("run `kill -CONT {id}`, or end it"),
        ),
        Ok(Some(0)) => Finding::good(
            SUBJECT,
            String::from("a process of another pid namespace commits now"),
        ),
        Ok(Some(id)) => Finding::good(SUBJECT, format!("process {id} commits now")),
        Err(error) => Finding::failed(SUBJECT, &HomeError::io("lock", &path)(error)),
    })
}

async fn index(
    layout: &Layout,
    manifesto: &Manifesto,
    options: &OpenOptions,
) -> Result<(SqliteIndex, Revision, Vec<Finding>), Finding> {
    const SUBJECT: &str = "index";
    let root = layout.root();
    let failed = |error: &HomeError| Finding::failed(SUBJECT, error);
    let writable = access::is_writable(&layout.index()) && access::is_writable(root);
    let access = if writable {
        Access::ReadOnly
    } else {
        Access::Immutable
    };
    let opened = open_index(layout, options, access, None);
    let index = opened.map_err(|error| failed(&HomeError::index_open(root)(error)))?;
    check_registry(layout, manifesto, &index).map_err(|error| failed(&error))?;
    let read = |error| failed(&HomeError::index(root)(error));
    let head = index.head().await.map_err(read)?.revision;
    let problems = index.check().await.map_err(read)?.problems;
    let mut findings = vec![if problems.is_empty() {
        let epoch = index.identity().epoch.get();
        Finding::good(SUBJECT, format!("whole, at revision {head}, epoch {epoch}"))
    } else {
        Finding::bad(SUBJECT, problems.join("; "), REBUILD)
    }];
    findings.extend(copied(layout, &index));
    Ok((index, head, findings))
}

fn copied(layout: &Layout, index: &SqliteIndex) -> Option<Finding> {
    let here = place(layout).ok()?;
    let remembered = index.directory().ok()??;
    (remembered != (here.device, here.inode)).then(|| {
        Finding::warning(
            "copy",
            String::from("the directory is a copy that was never opened"),
            "the first open checks its index, which may take a while",
        )
    })
}

/// Looks at the journal, and whether it has what an index has that was at a revision right before.
async fn journal(
    layout: &Layout,
    options: &OpenOptions,
    index: Option<(&SqliteIndex, Revision)>,
) -> Finding {
    const SUBJECT: &str = "journal";
    let directory = layout.journal();
    if !directory.is_dir() {
        let what = String::from("there is none");
        return Finding::bad(SUBJECT, what, "open the registry: that begins a new one");
    }
    let failed = |error| Finding::failed(SUBJECT, &HomeError::journal(layout.root())(error));
    let (problems, last) = match check::read(Arc::clone(&options.vfs), &directory) {
        Ok(read) => (read.problems, read.reached),
        Err(error) => return failed(error),
    };
    if !problems.is_empty() {
        let what = format!(
            "{}: an index made anew from it would lack that",
            problems.join("; ")
        );
        return Finding::bad(
            SUBJECT,
            what,
            "run `artifact fsck`, which writes it anew from the index; keep a snapshot",
        );
    }
    let Some((index, before)) = index else {
        return Finding::good(SUBJECT, format!("whole, up to revision {last}"));
    };
    // Others may have committed since.
    let after = index.head().await.map_or(before, |head| head.revision);
    if last < before {
        let what = format!("up to revision {last}, and the index is at {before}");
        return Finding::warning(SUBJECT, what, "open the registry: that fills it up");
    }
    if last > after {
        let what = format!("up to revision {last}, and the index is only at {after}");
        let remedy = "open the registry: the index then gets what it lacks";
        return Finding::bad(SUBJECT, what, remedy);
    }
    Finding::good(SUBJECT, format!("whole, up to revision {last}"))
}

/// Looks for what a rebuild has left.
fn leftovers(layout: &Layout) -> Vec<Finding> {
    const SUBJECT: &str = "leftovers";
    let mut found = Vec::new();
    if layout.index_ready().exists() {
        let what = String::from("a rebuild of the index was cut off right before its end");
        found.push(Finding::warning(
            SUBJECT,
            what,
            "open the registry: that ends it",
        ));
    }
    for (left, what) in [
        (layout.index_replaced(), "the index that a rebuild replaced"),
        (
            layout.index_rebuilt(),
            "what a rebuild was at when it was cut off",
        ),
    ] {
        let files = index_files(&left).into_iter().filter(|file| file.exists());
        let files: Vec<_> = files.map(|file| file.display().to_string()).collect();
        if !files.is_empty() {
            let what = format!("{} is {what}", left.display());
            let remedy = format!("when the index is whole, run `rm {}`", files.join(" "));
            found.push(Finding::warning(SUBJECT, what, remedy));
        }
    }
    found
}

const REBUILD: &str = "end all that have it open, and run `artifact fsck --rebuild-index`";

/// Returns what is to be done about an error.
fn remedy(error: &HomeError) -> &'static str {
    match (error, error.kind()) {
        (_, ErrorKind::NoSpace) => {
            "free room on the disk, or delete something and run `artifact gc`"
        }
        (_, ErrorKind::Denied) => "run as the user whose registry it is",
        (_, ErrorKind::Busy) => "wait until the other process is through, or end it",
        (
            HomeError::IndexOpen {
                source: OpenError::Newer { .. } | OpenError::Library { .. },
                ..
            }
            | HomeError::Format { .. },
            _,
        ) => "use the newer program",
        (HomeError::Index { .. } | HomeError::IndexOpen { .. }, _) => REBUILD,
        (HomeError::Journal { .. } | HomeError::Io { .. }, _) => {
            "look at the health of the disk, and restore what is missing from a snapshot"
        }
        (HomeError::Settings { .. }, _) => "write what is meant into that line",
        // The others say it themselves.
        _ => "do what it says",
    }
}
