//! How a call of the file system fails: always with the operation and the path.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// A call of the file system that failed.
#[derive(Debug)]
pub struct VfsError {
    operation: &'static str,
    path: PathBuf,
    to: Option<PathBuf>,
    source: io::Error,
}

impl VfsError {
    /// Returns the failure of `operation`, a verb such as `open`, on `path`.
    pub fn new(operation: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self {
            operation,
            path: path.into(),
            to: None,
            source,
        }
    }

    /// Returns the failure of `operation` from one path to another.
    pub fn between(
        operation: &'static str,
        from: impl Into<PathBuf>,
        to: impl Into<PathBuf>,
        source: io::Error,
    ) -> Self {
        Self {
            operation,
            path: from.into(),
            to: Some(to.into()),
            source,
        }
    }

    /// Returns what was tried.
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// Returns what it was tried on.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the kind of the system's error.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Says whether no space is left, or no quota of the system's.
    pub fn is_no_space(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }

    /// Says whether the file system takes no writes.
    pub fn is_read_only(&self) -> bool {
        self.source.kind() == io::ErrorKind::ReadOnlyFilesystem
    }

    /// Says whether the process or the system has no handle or memory left, which may pass.
    pub fn is_exhausted(&self) -> bool {
        self.source.kind() == io::ErrorKind::OutOfMemory
            || cfg!(unix)
                && matches!(
                    self.source.raw_os_error(),
                    Some(libc::EMFILE | libc::ENFILE)
                )
    }
}

impl fmt::Display for VfsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}", self.operation, self.path.display())?;
        match &self.to {
            Some(to) => write!(f, " to {}", to.display()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for VfsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<VfsError> for io::Error {
    fn from(error: VfsError) -> Self {
        Self::new(error.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_operation_and_the_paths_and_not_the_source() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let error = VfsError::new("write", "/registry/x", full());
        assert_eq!(error.to_string(), "cannot write /registry/x");
        assert!(error.is_no_space());
        let error = VfsError::between("rename", "a", "b", full());
        assert_eq!(error.to_string(), "cannot rename a to b");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::StorageFull);
    }
}
