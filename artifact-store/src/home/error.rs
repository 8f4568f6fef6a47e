//! How a registry's directory cannot be used.

use std::{
    io,
    path::{Path, PathBuf},
};

use artifact_core::{ErrorKind, IndexError, RegistryId, Revision, StoreError, TaskError};

use crate::{index::sqlite::options::OpenError, journal::JournalError, vfs::VfsError};

/// How a registry's directory cannot be made, opened, copied or mended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// A registry is there already.
    #[error("{} holds a registry already: open it, or name another directory", .path.display())]
    AlreadyExists {
        /// The directory.
        path: PathBuf,
    },
    /// Another process is rebuilding, migrating or restoring it.
    #[error("{} is being rebuilt or restored by another process: wait until that ends", .path.display())]
    BeingRebuilt {
        /// The directory.
        path: PathBuf,
    },
    /// A rebuild was cut off, and can only be ended where the directory can be written.
    #[error("a rebuild of the index of {} was cut off: open it once where it can be written", .path.display())]
    CutOff {
        /// The directory.
        path: PathBuf,
    },
    /// The file system lacks what a registry stands on.
    #[error("{} cannot hold a registry: its file system fails at {check}", .path.display())]
    FileSystemFails {
        /// The directory.
        path: PathBuf,
        /// What was tried.
        check: &'static str,
        /// What the system said.
        #[source]
        source: Option<io::Error>,
    },
    /// The file system is one on which processes do not see each other's locks and mappings.
    #[error(
        "{} is on {name}, where several writers can lose each other's data: use a local disk, or, \
         if only one machine ever writes, put allow_filesystem = [\"{name}\"] into artifact.toml",
        .path.display()
    )]
    FileSystemRefused {
        /// The directory.
        path: PathBuf,
        /// The file system's name.
        name: &'static str,
    },
    /// A newer program made it.
    #[error(
        "{} is of format {found}, and this program knows up to {known}: use a newer one; nothing was changed",
        .path.display()
    )]
    Format {
        /// The file that says so.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that is known here.
        known: u32,
    },
    /// Another copy of the library in this process has the directory open.
    #[error(
        "another copy of the library in this process (a plug-in, or a Python module) has {} open: \
         share its handle, or let both use `artifact serve`",
        .path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The index fails.
    #[error("the index of {} cannot be used", .path.display())]
    Index {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: IndexError,
    },
    /// The index cannot be opened.
    #[error(
        "the index of {} cannot be opened: if its file is lost or damaged, run `artifact fsck --rebuild-index`",
        .path.display()
    )]
    IndexOpen {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The operating system failed.
    #[error("cannot {operation} {}", .path.display())]
    Io {
        /// What was tried, a verb.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The journal fails.
    #[error("the journal of {} cannot be used", .path.display())]
    Journal {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: JournalError,
    },
    /// An older program made it, and it cannot be brought to the form of this one where it is but read.
    #[error(
        "{} is of format {found}, and this program works with {known}: run `artifact fsck`, or open it once where it \
         can be written",
        .path.display()
    )]
    Older {
        /// The file that says so.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The format that is needed here.
        known: u32,
    },
    /// Processes stand in the way of what needs the directory alone.
    #[error(
        "{} is open in {}: end that first",
        .path.display(),
        match .processes.as_slice() {
            [] => String::from("another process"),
            [one] => format!("process {one}"),
            many => format!(
                "processes {}",
                many.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
            ),
        }
    )]
    Open {
        /// The directory.
        path: PathBuf,
        /// The processes, those of other pid namespaces apart.
        processes: Vec<u32>,
    },
    /// The directory holds something else.
    #[error("{} is not empty: name an empty or a new directory", .path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// There is no registry.
    #[error("{} holds no registry: run `artifact init` to make one there", .path.display())]
    NotFound {
        /// The directory.
        path: PathBuf,
    },
    /// The registry takes no writes through this handle.
    #[error("{} was opened to be read only", .path.display())]
    ReadOnly {
        /// The directory.
        path: PathBuf,
    },
    /// The index has more than the journal, so a rebuild would lose it.
    #[error(
        "the index of {} is whole and at revision {index}, and the journal reaches only {journal}, \
         or lacks something, so a rebuild would lose what is only there",
        .path.display()
    )]
    JournalBehind {
        /// The directory.
        path: PathBuf,
        /// The newest revision of the index.
        index: Revision,
        /// The newest revision of the journal.
        journal: Revision,
    },
    /// A setting cannot be meant.
    #[error("{}: {what}", .path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong, and in which line.
        what: String,
    },
    /// The blob store fails.
    #[error("the blob store of {} cannot be used", .path.display())]
    Store {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// Others brought it out of order again each time it was mended.
    #[error("{} is not in order, and others keep changing it: end them, and open it again", .path.display())]
    Unmended {
        /// The directory.
        path: PathBuf,
    },
    /// Processes write to it now, and this handle could not see their locks.
    #[error(
        "{} cannot be written here, and {} it open: read it where it can be written, or from a snapshot",
        .path.display(),
        match .processes.as_slice() {
            [] => String::from("another process has"),
            [one, ..] => format!("process {one} has"),
        }
    )]
    Unsettled {
        /// The directory.
        path: PathBuf,
        /// The processes, those of other pid namespaces apart.
        processes: Vec<u32>,
    },
    /// The handle is from before a fork.
    #[error("{} was opened before this process was forked: open it again here", .path.display())]
    WrongProcess {
        /// The directory.
        path: PathBuf,
    },
    /// A part is of another registry.
    #[error(
        "{} is of registry {found}, and artifact.toml says {expected}: put back the one that belongs here",
        .path.display()
    )]
    WrongRegistry {
        /// The part.
        path: PathBuf,
        /// The registry of the directory.
        expected: RegistryId,
        /// The registry of the part.
        found: RegistryId,
    },
}

impl HomeError {
    /// Returns what kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::AlreadyExists { .. } | Self::NotEmpty { .. } => ErrorKind::AlreadyExists,
            Self::BeingRebuilt { .. }
            | Self::Open { .. }
            | Self::Unmended { .. }
            | Self::Unsettled { .. } => ErrorKind::Busy,
            Self::FileSystemFails { .. }
            | Self::FileSystemRefused { .. }
            | Self::Format { .. }
            | Self::Older { .. } => ErrorKind::Unsupported,
            Self::CutOff { .. } => ErrorKind::Unavailable,
            Self::InUse { .. } => ErrorKind::InUse,
            Self::Index { source, .. } => index_kind(source),
            Self::IndexOpen { source, .. } => match source {
                OpenError::Index(error) => index_kind(error),
                OpenError::Newer { .. } | OpenError::Library { .. } => ErrorKind::Unsupported,
                OpenError::NotAnIndex { .. } => ErrorKind::Corrupt,
                _ => ErrorKind::Backend,
            },
            Self::Io { source, .. } => io_kind(source.kind()),
            Self::Journal { source, .. } => match source {
                JournalError::Damaged { .. } | JournalError::Gap { .. } => ErrorKind::Corrupt,
                JournalError::Format { .. } => ErrorKind::Unsupported,
                JournalError::Poisoned => ErrorKind::ReadOnly,
                JournalError::Io(error) => io_kind(error.kind()),
                _ => ErrorKind::Backend,
            },
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::ReadOnly { .. } => ErrorKind::ReadOnly,
            Self::Settings { .. } => ErrorKind::InvalidArgument,
            Self::Store { source, .. } => store_kind(source),
            Self::WrongProcess { .. } => ErrorKind::WrongProcess,
            Self::JournalBehind { .. } | Self::WrongRegistry { .. } => ErrorKind::Conflict,
        }
    }

    /// Returns what makes an error of what the system said.
    pub(super) fn io(operation: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io {
            operation,
            path: path.to_owned(),
            source,
        }
    }

    /// Returns what makes an error of work that ended early.
    pub(super) fn lost(path: &Path) -> impl Fn(TaskError) -> Self {
        move |lost| Self::io("work on", path)(io::Error::other(lost))
    }

    /// Returns what makes an error of what the journal said.
    pub(super) fn journal(path: &Path) -> impl Fn(JournalError) -> Self {
        move |source| Self::Journal {
            path: path.to_owned(),
            source,
        }
    }

    /// Returns what makes an error of what the index said.
    pub(super) fn index(path: &Path) -> impl Fn(IndexError) -> Self {
        move |source| Self::Index {
            path: path.to_owned(),
            source,
        }
    }

    /// Returns what makes an error of what the index said when it was opened.
    pub(super) fn index_open(path: &Path) -> impl Fn(OpenError) -> Self {
        move |source| match source {
            OpenError::Older { path, found, known } => Self::Older { path, found, known },
            source => Self::IndexOpen {
                path: path.to_owned(),
                source,
            },
        }
    }

    /// Returns what makes an error of what the blob store said.
    pub(super) fn store(path: &Path) -> impl Fn(StoreError) -> Self {
        move |source| Self::Store {
            path: path.to_owned(),
            source,
        }
    }
}

impl From<VfsError> for HomeError {
    fn from(error: VfsError) -> Self {
        Self::Io {
            operation: error.operation(),
            path: error.path().to_owned(),
            source: error.into(),
        }
    }
}

const fn index_kind(error: &IndexError) -> ErrorKind {
    match error {
        IndexError::Busy => ErrorKind::Busy,
        IndexError::Conflict(_) | IndexError::StaleEpoch { .. } => ErrorKind::Conflict,
        IndexError::Corrupt { .. } => ErrorKind::Corrupt,
        IndexError::NoSpace { .. } => ErrorKind::NoSpace,
        IndexError::Poisoned { .. } | IndexError::ReadOnly { .. } => ErrorKind::ReadOnly,
        IndexError::Unavailable { .. } => ErrorKind::Unavailable,
        _ => ErrorKind::Backend,
    }
}

const fn store_kind(error: &StoreError) -> ErrorKind {
    match error {
        StoreError::Corrupt { .. } => ErrorKind::Corrupt,
        StoreError::Held { .. } => ErrorKind::Busy,
        StoreError::NoSpace { .. } => ErrorKind::NoSpace,
        StoreError::Poisoned { .. } | StoreError::ReadOnly { .. } => ErrorKind::ReadOnly,
        StoreError::Unavailable { .. } => ErrorKind::Unavailable,
        _ => ErrorKind::Backend,
    }
}

const fn io_kind(kind: io::ErrorKind) -> ErrorKind {
    match kind {
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        io::ErrorKind::QuotaExceeded | io::ErrorKind::StorageFull => ErrorKind::NoSpace,
        io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Io,
    }
}
