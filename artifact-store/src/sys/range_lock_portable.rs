//! Locks of a range of a file, where no opening can have its own: the store makes no slots then.

use std::{fs::File, io, ops::Range};

use super::lock::Hold;

/// Says that there are no such locks.
pub(crate) fn try_lock(_file: &File, _range: Range<u64>, _hold: Hold) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Says that there are no such locks.
pub(crate) fn unlock(_file: &File, _range: Range<u64>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
