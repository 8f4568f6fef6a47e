//! A copy of a range by reading and writing.

use std::{fs::File, io, ops::Range};

use crate::sys::file_io;

/// How much is copied at once: 256 KiB.
const PART: usize = 256 << 10;

/// Copies `length` bytes of `source` from `offset` on to the begin of `target`.
#[cfg(not(target_os = "linux"))]
pub(crate) fn copy_range(source: &File, offset: u64, length: u64, target: &File) -> io::Result<()> {
    copy_part(source, offset, 0..length, target)
}

/// Copies the bytes `part` of what begins at `offset` of `source` to the same place of `target`.
pub(super) fn copy_part(
    source: &File,
    offset: u64,
    part: Range<u64>,
    target: &File,
) -> io::Result<()> {
    if part.is_empty() {
        return Ok(());
    }
    let mut buffer = vec![0; PART];
    let mut at = part.start;
    while at < part.end {
        let want = usize::try_from(part.end - at).unwrap_or(PART).min(PART);
        let into = buffer.get_mut(..want).unwrap_or_default();
        match file_io::read_at(source, into, offset + at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                let read = into.get(..read).unwrap_or_default();
                file_io::write_all_at(target, read, at)?;
                at += read.len() as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
