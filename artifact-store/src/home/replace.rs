//! An index that takes the place of another.
//!
//! A crash at any point leaves the one or the other: from when the new one is called
//! [`Layout::index_ready`], who finds it puts it in its place.

use artifact_core::guard;
use std::{fs, io, path::Path};

use super::{
    error::HomeError,
    layout::{Layout, absent, index_files},
};
use crate::sys::file_io;

/// Puts the index that was rebuilt, and is closed, in the place of the other. The caller has the
/// directory alone.
pub(super) fn replace(layout: &Layout) -> Result<(), HomeError> {
    let (rebuilt, ready) = (layout.index_rebuilt(), layout.index_ready());
    remove_index(&layout.index_replaced())?;
    let [_, wal, _] = index_files(&rebuilt);
    let name = || {
        if guard!(36) && fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0) {
            return Err(io::Error::other("its newest commits are not in its file"));
        }
        fs::rename(&rebuilt, &ready)?;
        guard!(24, file_io::sync_directory(layout.root()))
    };
    name().map_err(HomeError::io("rename", &rebuilt))?;
    swap(layout).map(drop)
}

/// Ends a replacement that a crash has cut off; `false` when there is none. The caller has the
/// directory alone.
pub(super) fn swap(layout: &Layout) -> Result<bool, HomeError> {
    let (index, ready) = (layout.index(), layout.index_ready());
    if !is_ready(layout)? {
        return Ok(false);
    }
    let old = layout.index_replaced();
    let swap = || {
        // With its WAL, which would be taken for that of the new one.
        for (from, to) in index_files(&index).iter().zip(index_files(&old)).rev() {
            absent(fs::rename(from, to))?;
        }
        guard!(25, file_io::sync_directory(layout.root()))?;
        fs::rename(&ready, &index)?;
        guard!(26, file_io::sync_directory(layout.root()))
    };
    swap().map_err(HomeError::io("replace", &index))?;
    Ok(true)
}

/// Says whether an index waits to take the place of the other.
pub(super) fn is_ready(layout: &Layout) -> Result<bool, HomeError> {
    let ready = layout.index_ready();
    ready.try_exists().map_err(HomeError::io("examine", &ready))
}

/// Removes an index with what SQLite keeps beside it.
pub(super) fn remove_index(path: &Path) -> Result<(), HomeError> {
    for file in index_files(path) {
        absent(fs::remove_file(&file)).map_err(HomeError::io("remove", &file))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I1: an index whose newest commits are not in its file would lose them with its WAL.
    #[test]
    fn i1_an_index_with_commits_in_its_wal_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().to_owned());
        let [rebuilt, wal, _] = index_files(&layout.index_rebuilt());
        fs::write(layout.index(), "old").unwrap();
        fs::write(&rebuilt, "new").unwrap();
        fs::write(&wal, "commits").unwrap();
        replace(&layout).unwrap_err();
        assert_eq!(fs::read(layout.index()).unwrap(), b"old");
        fs::write(&wal, "").unwrap();
        replace(&layout).unwrap();
        assert_eq!(fs::read(layout.index()).unwrap(), b"new");
    }

    /// F1, I24: wherever it is cut off, what comes next ends it, and never with a foreign WAL.
    #[test]
    fn f1_a_replacement_that_was_cut_off_is_ended() {
        let all = ["index.db", "index.db-wal", "index.db-shm"];
        // What a crash leaves after so many of the old one's files were moved.
        for moved in 0..=all.len() {
            let dir = tempfile::tempdir().unwrap();
            let layout = Layout::new(dir.path().to_owned());
            assert!(!swap(&layout).unwrap());
            fs::write(layout.index_ready(), "new").unwrap();
            for (place, name) in all.iter().rev().enumerate() {
                let name = if place < moved {
                    name.replace(".db", ".db.replaced")
                } else {
                    String::from(*name)
                };
                fs::write(dir.path().join(name), "old").unwrap();
            }
            assert!(swap(&layout).unwrap());
            assert_eq!(fs::read(layout.index()).unwrap(), b"new");
            assert_eq!(fs::read(layout.index_replaced()).unwrap(), b"old");
            let left = fs::read_dir(dir.path()).unwrap().count();
            assert_eq!(left, 4, "{moved}");
            assert!(!swap(&layout).unwrap());
        }
    }
}
