//! Record locks of the process on a whole file (`fcntl(2)`, "Advisory record locking").

use std::{fs::File, io};

use rustix::{
    fs::{FlockOperation, fcntl_lock},
    io::Errno,
    process::{Flock, FlockType, fcntl_getlk},
};

/// Takes the lock for this process, unless another process has it.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    loop {
        match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            // POSIX lets a system say either.
            Err(Errno::AGAIN | Errno::ACCESS) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Lets go of the lock.
pub(super) fn unlock(file: &File) -> io::Result<()> {
    fcntl_lock(file, FlockOperation::NonBlockingUnlock).map_err(io::Error::from)
}

/// Returns the process that has the lock, unless it is this one or nobody; 0 when it is of another
/// pid namespace.
pub(super) fn holder(file: &File) -> io::Result<Option<u32>> {
    let asked = Flock::from(FlockType::WriteLock);
    let found = fcntl_getlk(file, &asked)?;
    Ok(found.map(|lock| {
        let pid = lock.pid.map_or(0, |pid| pid.as_raw_nonzero().get());
        u32::try_from(pid).unwrap_or(0)
    }))
}
