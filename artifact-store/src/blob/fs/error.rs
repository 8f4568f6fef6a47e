//! What the contract of blob stores calls a failure of the file system.

use artifact_core::{BoxError, StoreError};

use crate::vfs::VfsError;

/// The store's name, for messages.
pub(super) const NAME: &str = "fs";

/// Returns the failure of a call of the file system.
pub(super) fn failed(error: VfsError) -> StoreError {
    let operation = error.operation();
    let (no_space, read_only, transient) = (
        error.is_no_space(),
        error.is_read_only(),
        error.is_exhausted(),
    );
    let source = Box::new(error);
    if no_space {
        StoreError::NoSpace {
            backend: NAME,
            operation,
            source,
        }
    } else if read_only {
        StoreError::ReadOnly { backend: NAME }
    } else if transient {
        StoreError::Unavailable {
            backend: NAME,
            operation,
            source,
        }
    } else {
        StoreError::Backend {
            backend: NAME,
            operation,
            source,
        }
    }
}

/// Returns the failure of work that ended without an outcome.
pub(super) fn ended(error: impl Into<BoxError>) -> StoreError {
    StoreError::Backend {
        backend: NAME,
        operation: "background work",
        source: error.into(),
    }
}

/// Returns the failure of what an upload was asked for after one of its writes had failed.
pub(super) fn broken() -> StoreError {
    StoreError::Backend {
        backend: NAME,
        operation: "write",
        source: Box::new(Broken),
    }
}

/// Returns the failure of `operation`, because the directory is not one of a blob store.
pub(super) fn no_store(operation: &'static str, path: std::path::PathBuf) -> StoreError {
    StoreError::Backend {
        backend: NAME,
        operation,
        source: Box::new(NoStore(path)),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("an earlier write of this upload failed or was given up: resume it where it was suspended")]
struct Broken;

#[derive(Debug, thiserror::Error)]
#[error("{} is missing: make the store's directories first", .0.display())]
struct NoStore(std::path::PathBuf);

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn of(error: io::Error) -> StoreError {
        failed(VfsError::new("write", "/x", error))
    }

    /// F8, F28: a full disk and a lack of handles are told from what is broken.
    #[test]
    fn f8_f28_failures_have_their_kind() {
        for full in [libc::ENOSPC, libc::EDQUOT] {
            let error = of(io::Error::from_raw_os_error(full));
            assert!(matches!(
                error,
                StoreError::NoSpace {
                    operation: "write",
                    ..
                }
            ));
        }
        let error = of(io::Error::from_raw_os_error(libc::EMFILE));
        assert!(error.is_transient(), "{error}");
        let error = of(io::Error::from_raw_os_error(libc::EROFS));
        assert!(matches!(error, StoreError::ReadOnly { .. }));
        let error = of(io::Error::from_raw_os_error(libc::EIO));
        assert!(matches!(error, StoreError::Backend { .. }));
        assert_eq!(error.to_string(), "fs: write failed");
    }
}
