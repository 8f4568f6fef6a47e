//! Room on the disk: how much is left for others, and a reserve for deletions when none is left.

use artifact_core::guard;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::layout::absent;
use crate::sys::{file_io, lock::open_file, space};

/// The length of the reserve, in bytes.
pub(super) const RESERVE: u64 = 16 << 20;

/// The room of a registry's disk.
#[derive(Debug)]
pub(super) struct Room {
    root: PathBuf,
    reserve: PathBuf,
    min_free: u64,
    /// Whether the reserve was not there when this process looked last.
    missing: AtomicBool,
}

/// Why nothing more is taken.
#[derive(Debug, thiserror::Error)]
#[error("the disk of {} has less than min_free = {min_free} bytes left: delete something, or free room", .root.display())]
pub(super) struct Shortage {
    root: PathBuf,
    min_free: u64,
}

impl Room {
    pub(super) fn new(root: &Path, reserve: PathBuf, min_free: u64) -> Self {
        Self {
            root: root.to_owned(),
            reserve,
            min_free,
            missing: AtomicBool::new(true),
        }
    }

    /// Returns why nothing more is taken when there is no room.
    pub(super) fn shortage(&self) -> Shortage {
        Shortage {
            root: self.root.clone(),
            min_free: self.min_free,
        }
    }

    /// Says whether the reserve was not there when this process looked last.
    pub(super) fn misses_reserve(&self) -> bool {
        self.missing.load(Ordering::Relaxed)
    }

    /// Says whether there is room for more. Where the system does not tell, there is until a write
    /// fails.
    pub(super) fn is_left(&self) -> bool {
        self.has(self.min_free)
    }

    /// Gives the reserve up; `false` when there is none.
    pub(super) fn give_up(&self) -> io::Result<bool> {
        self.missing.store(true, Ordering::Relaxed);
        match fs::remove_file(&self.reserve) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
        // Some file systems free the blocks only when the removal is durable.
        guard!(33, file_io::sync_directory(&self.root))?;
        Ok(true)
    }

    /// Makes the reserve again where it is missing and there is room for more than it; says whether
    /// it is there.
    pub(super) fn restore(&self) -> io::Result<bool> {
        let there = self.make()?;
        self.missing.store(!there, Ordering::Relaxed);
        Ok(there)
    }

    fn make(&self) -> io::Result<bool> {
        let length = fs::metadata(&self.reserve).map_or(0, |found| found.len());
        if length >= RESERVE {
            return Ok(true);
        }
        if !self.has(self.min_free.saturating_add(RESERVE)) {
            return Ok(false);
        }
        match open_file(&self.reserve).and_then(|file| space::allocate(&file, RESERVE)) {
            Ok(()) => Ok(true),
            Err(error) => {
                // Others were quicker to take the room: then it is theirs.
                absent(fs::remove_file(&self.reserve))?;
                match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Ok(false),
                    _ => Err(error),
                }
            }
        }
    }

    fn has(&self, bytes: u64) -> bool {
        space::free(&self.root)
            .ok()
            .flatten()
            .is_none_or(|free| free >= bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(dir: &Path, min_free: u64) -> Room {
        Room::new(dir, dir.join("reserve"), min_free)
    }

    /// F8: the reserve is given up once, and made again where there is room.
    #[test]
    fn f8_the_reserve_goes_and_comes() {
        let dir = tempfile::tempdir().unwrap();
        let room = room(dir.path(), 0);
        assert!(!room.give_up().unwrap());
        assert!(room.restore().unwrap());
        assert_eq!(fs::metadata(&room.reserve).unwrap().len(), RESERVE);
        assert!(room.restore().unwrap());
        assert!(room.give_up().unwrap());
        assert!(!room.reserve.exists());
        // What a crash has left of a half-made one is completed.
        fs::write(&room.reserve, "half").unwrap();
        assert!(room.restore().unwrap());
        assert_eq!(fs::metadata(&room.reserve).unwrap().len(), RESERVE);
    }

    #[test]
    fn what_must_stay_free_is_not_taken_for_the_reserve() {
        let dir = tempfile::tempdir().unwrap();
        assert!(room(dir.path(), 1).is_left());
        let full = room(dir.path(), u64::MAX);
        assert!(!full.is_left());
        assert!(!full.restore().unwrap());
        assert!(!full.reserve.exists());
    }
}
