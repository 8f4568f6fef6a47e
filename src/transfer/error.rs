//! How a transfer fails.

use std::{io, path::PathBuf};

use artifact_core::{BoxError, Digest, DirectoryError, EntryPathError, Error, ErrorKind};

use crate::layout::error::{LayoutError, io_kind};

/// How moving an artifact fails. What was moved before it stays where it came to, without a name: no tag
/// points at a part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// It changed while it was read.
    #[error("{} changed while it was read: push it again when nothing writes it", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// It is a directory in a form that is wrong.
    #[error("{what} is no directory that can be kept or made")]
    Directory {
        /// What was to be moved.
        what: String,
        /// What is wrong with it.
        #[source]
        source: DirectoryError,
    },
    /// The registry here refused or failed.
    #[error("the registry here failed")]
    Engine(#[from] Error),
    /// It is there already.
    #[error("{} is there already: name another place, or remove it first", .path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// The file system failed.
    #[error("{} cannot be {operation}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was to be done with it: `read`, `made`.
        operation: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It would be copied into itself.
    #[error("{} lies in {}, which is to be copied: name a place outside of it", .place.display(), .path.display())]
    Inside {
        /// What is to be copied.
        path: PathBuf,
        /// Where to.
        place: PathBuf,
    },
    /// It is no file, directory or link: nothing that has content.
    #[error("{} is a {what}: only files, directories and links are kept", .path.display())]
    Kind {
        /// Its path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The layout failed.
    #[error("the layout failed")]
    Layout(#[from] LayoutError),
    /// An entry's name cannot be kept.
    #[error("{} has a name that cannot be kept: names are UTF-8", .path.display())]
    Name {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Option<EntryPathError>,
    },
    /// The artifact is no directory of files.
    #[error(
        "{what} is no directory of files but {}: copy it to an OCI layout instead",
        .kind.as_deref().unwrap_or("an artifact of no type")
    )]
    NotADirectory {
        /// What was to be pulled.
        what: String,
        /// Its type.
        kind: Option<String>,
    },
    /// The place reads only what was; nothing can be written there.
    #[error("{place} is read as of the past: nothing can be written there")]
    Past {
        /// The place.
        place: String,
    },
    /// It is a registry, which is not kept in one.
    #[error("{} is a registry: its files change while they are read, and its keys are nobody else's", .path.display())]
    Registry {
        /// The directory.
        path: PathBuf,
    },
    /// The other registry refused or failed.
    #[cfg(feature = "remote")]
    #[error("the other registry failed")]
    Remote(#[from] artifact_proto::client::ClientError),
    /// The place does not do this.
    #[error("{what}")]
    Unsupported {
        /// What cannot be done, and what can.
        what: String,
    },
    /// An artifact names content that its place does not have.
    #[error("{digest} is named and is not at {place}")]
    Incomplete {
        /// The content.
        digest: Digest,
        /// Where it should be.
        place: String,
    },
}

impl TransferError {
    /// Returns what kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Changed { .. } => ErrorKind::Conflict,
            Self::Directory { .. }
            | Self::Inside { .. }
            | Self::Kind { .. }
            | Self::Name { .. }
            | Self::Registry { .. } => ErrorKind::InvalidArgument,
            Self::Engine(error) => error.kind(),
            Self::Exists { .. } => ErrorKind::AlreadyExists,
            Self::File { source, .. } => io_kind(source),
            Self::Incomplete { .. } => ErrorKind::NotFound,
            Self::Layout(error) => error.kind(),
            Self::NotADirectory { .. } | Self::Past { .. } | Self::Unsupported { .. } => {
                ErrorKind::Unsupported
            }
            #[cfg(feature = "remote")]
            Self::Remote(error) => error.kind(),
        }
    }

    /// Says whether the place answered that it is not there.
    pub(crate) fn is_missing(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }
}

/// Returns how a failure of the file system at a path becomes one of the transfer.
pub(crate) fn at(
    path: impl Into<PathBuf>,
    operation: &'static str,
) -> impl FnOnce(io::Error) -> TransferError {
    let path = path.into();
    move |source| TransferError::File {
        path,
        operation,
        source,
    }
}

/// Returns the error of a place whose bytes could not be read.
pub(crate) fn read_error(error: BoxError) -> TransferError {
    let error = match error.downcast::<TransferError>() {
        Ok(error) => return *error,
        Err(error) => error,
    };
    let error = match error.downcast::<Error>() {
        Ok(error) => return TransferError::Engine(*error),
        Err(error) => error,
    };
    let error = match error.downcast::<LayoutError>() {
        Ok(error) => return TransferError::Layout(*error),
        Err(error) => error,
    };
    #[cfg(feature = "remote")]
    let error = match error.downcast::<artifact_proto::client::ClientError>() {
        Ok(error) => return TransferError::Remote(*error),
        Err(error) => error,
    };
    TransferError::Engine(Error::Invalid {
        what: "what was to be moved cannot be read".to_owned(),
        source: Some(error),
    })
}
