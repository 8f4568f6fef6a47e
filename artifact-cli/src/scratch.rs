//! A directory for a while, beside the place that its content is for.

use artifact_core::guard;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process,
    time::SystemTime,
};

use artifact_store::sys::lock::{FileLock, Hold};

use crate::failure::{At as _, Failure};

/// A directory that goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    /// Held as long as somebody is at work here.
    _lock: Option<FileLock>,
}

impl Scratch {
    /// Makes a directory beside a path: on the same file system, so that its files need not be
    /// copied where they can share their blocks.
    ///
    /// It has the name and the lock of a pull to the same path: when this process is killed, the next
    /// pull removes it.
    pub(crate) fn beside(path: &Path) -> Result<Self, Failure> {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let number = u64::from(process::id()) << 32 | u64::from(now.subsec_nanos());
        let path = parent.join(format!(".{name}.{number:016x}.partial"));
        fs::create_dir(&path).at(path.display())?;
        let lock = File::open(&path)
            .and_then(|made| guard!(130, FileLock::try_lock(made, Hold::Exclusive), else Ok(None)));
        Ok(Self {
            path,
            // Without locks nobody removes it either.
            _lock: lock.ok().flatten(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed has a name that says whose it was.
        let removed = fs::remove_dir_all(&self.path);
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I16: as long as somebody is at work there, it is no killed pull's: who would remove it finds it locked.
    #[test]
    fn i16_it_is_held_as_long_as_it_is_used() {
        let root = tempfile::tempdir().unwrap();
        let scratch = Scratch::beside(&root.path().join("x")).unwrap();
        let other = File::open(scratch.path()).unwrap();
        let taken = FileLock::try_lock(other, Hold::Exclusive).unwrap();
        assert!(taken.is_none());
    }

    #[test]
    fn it_goes_with_all_that_is_in_it() {
        let root = tempfile::tempdir().unwrap();
        let scratch = Scratch::beside(&root.path().join("x")).unwrap();
        fs::write(scratch.path().join("file"), "x").unwrap();
        assert_eq!(scratch.path().parent(), Some(root.path()));
        drop(scratch);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
