//! Files that share their extents, where there are none.

use std::{fs::File, io};

/// Says that the system cannot.
pub(crate) fn clone_range(
    _source: &File,
    _offset: u64,
    _length: u64,
    _target: &File,
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
