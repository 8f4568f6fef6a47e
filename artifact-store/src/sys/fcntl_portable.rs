//! Locks of the process on a whole file, where there are no record locks: those of the open file.
//!
//! A child that was forked keeps such a lock after its parent was killed; systems without record
//! locks do not fork.

use std::{
    fs::{File, TryLockError},
    io,
};

/// Takes the lock for this process, unless another process has it.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Lets go of the lock.
pub(super) fn unlock(file: &File) -> io::Result<()> {
    file.unlock()
}

/// Returns nothing: such a lock does not tell whose it is.
#[expect(clippy::unnecessary_wraps, reason = "its twin can fail")]
pub(super) fn holder(_file: &File) -> io::Result<Option<u32>> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_handles_exclude_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = File::create(&path).unwrap();
        let second = File::open(&path).unwrap();
        assert!(try_lock(&first).unwrap());
        assert!(!try_lock(&second).unwrap());
        assert_eq!(holder(&second).unwrap(), None);
        unlock(&first).unwrap();
        assert!(try_lock(&second).unwrap());
    }
}
