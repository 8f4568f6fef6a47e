//! Which file or directory a path leads to, whatever its name.

use std::{
    fs::{File, Metadata},
    io,
    path::Path,
};

/// The identity of a file or directory: its device and its inode (`inode(7)`).
///
/// Where a system has no such numbers, it is made from the canonical path.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the two numbers are all there is to it"
)]
pub struct FileId {
    /// The device.
    pub device: u64,
    /// The inode.
    pub inode: u64,
}

impl FileId {
    /// Returns the identity of what a path leads to, links followed.
    ///
    /// # Errors
    /// Where the file system fails, and when nothing is there.
    pub fn of(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|metadata| read(&metadata, path))
    }

    /// Returns the identity of an open file; `path` is where it was opened.
    ///
    /// # Errors
    /// Where the file system fails.
    pub fn of_file(file: &File, path: &Path) -> io::Result<Self> {
        file.metadata().map(|metadata| read(&metadata, path))
    }
}

#[cfg(unix)]
fn read(metadata: &Metadata, _path: &Path) -> FileId {
    use std::os::unix::fs::MetadataExt as _;
    FileId {
        device: metadata.dev(),
        inode: metadata.ino(),
    }
}

#[cfg(not(unix))]
fn read(_metadata: &Metadata, path: &Path) -> FileId {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    let canonical = std::fs::canonicalize(path);
    canonical.as_deref().unwrap_or(path).hash(&mut hasher);
    FileId {
        device: 0,
        inode: hasher.finish(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_directory_has_one_identity() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a");
        std::fs::create_dir(&inner).unwrap();
        let id = FileId::of(&inner).unwrap();
        assert_eq!(FileId::of(&dir.path().join("a/../a")).unwrap(), id);
        assert_ne!(FileId::of(dir.path()).unwrap(), id);
        assert!(FileId::of(&dir.path().join("b")).is_err());
    }
}
