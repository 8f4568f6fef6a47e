//! Locks of a range of a file that belong to one opening of it (Linux: `fcntl(2)`, "Open file
//! description locks").
//!
//! They end with the last handle and mapping of that opening, not with any handle of the process as
//! record locks do; so who gives out a file gives out its lock with it.

use std::{fs::File, io, ops::Range, os::fd::AsRawFd as _};

use super::lock::Hold;

/// Locks the range, unless another opening excludes it.
pub(crate) fn try_lock(file: &File, range: Range<u64>, hold: Hold) -> io::Result<bool> {
    let kind = match hold {
        Hold::Exclusive => libc::F_WRLCK,
        Hold::Shared => libc::F_RDLCK,
    };
    match set(file, &range, kind) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => Ok(false),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            Err(io::Error::new(io::ErrorKind::Unsupported, error))
        }
        Err(error) => Err(error),
    }
}

/// Ends what this opening holds on the range.
pub(crate) fn unlock(file: &File, range: Range<u64>) -> io::Result<()> {
    set(file, &range, libc::F_UNLCK)
}

#[expect(
    unsafe_code,
    reason = "neither the standard library nor rustix has these locks"
)]
fn set(file: &File, range: &Range<u64>, kind: libc::c_int) -> io::Result<()> {
    let offset = |at: u64| {
        libc::off_t::try_from(at).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
    };
    let narrow = |value: libc::c_int| {
        libc::c_short::try_from(value).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
    };
    // A length of 0 would mean all the rest of the file.
    if range.is_empty() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let lock = libc::flock {
        l_type: narrow(kind)?,
        l_whence: narrow(libc::SEEK_SET)?,
        l_start: offset(range.start)?,
        l_len: offset(range.end - range.start)?,
        // The kernel refuses any other: the owner is the opening.
        l_pid: 0,
    };
    loop {
        // SAFETY: F_OFD_SETLK reads one `struct flock` through its third argument and keeps nothing
        // of it: `lock` is one, initialized, and lives through the call. The descriptor is open as
        // long as `file` is borrowed.
        let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
        if result != -1 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn openings_exclude_each_other_by_range() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, [0; 100]).unwrap();
        let open = || {
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(&path)
                .unwrap()
        };
        let (one, two) = (open(), open());
        assert!(try_lock(&one, 0..10, Hold::Exclusive).unwrap());
        assert!(!try_lock(&two, 9..20, Hold::Shared).unwrap());
        assert!(try_lock(&two, 10..20, Hold::Exclusive).unwrap());
        unlock(&one, 0..10).unwrap();
        assert!(try_lock(&two, 0..10, Hold::Shared).unwrap());
        assert!(try_lock(&one, 0..10, Hold::Shared).unwrap());
        assert!(!try_lock(&one, 0..10, Hold::Exclusive).unwrap());
        let copy = two.try_clone().unwrap();
        drop(two);
        assert!(!try_lock(&one, 0..10, Hold::Exclusive).unwrap());
        drop(copy);
        assert!(try_lock(&one, 0..10, Hold::Exclusive).unwrap());
        assert!(try_lock(&one, 5..5, Hold::Shared).is_err());
        // A handle that another opening of the process closes takes nothing with it.
        drop(open());
        assert!(!try_lock(&open(), 0..1, Hold::Shared).unwrap());
    }
}
