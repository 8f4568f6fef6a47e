//! Holes in files (Linux: `fallocate(2)`, `lseek(2)`).

use std::{fs::File, io, ops::Range};

use rustix::{
    fs::{FallocateFlags, SeekFrom, fallocate, seek},
    io::Errno,
};

/// Gives the blocks of a range back; `false` where the file system cannot.
pub(crate) fn punch(file: &File, range: Range<u64>) -> io::Result<bool> {
    if range.is_empty() {
        return Ok(true);
    }
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    loop {
        match fallocate(file, flags, range.start, range.end - range.start) {
            Ok(()) => return Ok(true),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Returns the next range at or after `from` that has blocks; it moves the position of the file.
pub(crate) fn next_data(file: &File, from: u64) -> io::Result<Option<Range<u64>>> {
    let start = match seek(file, SeekFrom::Data(from)) {
        Ok(start) => start,
        // There is nothing but a hole up to the end.
        Err(Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(Some(start..seek(file, SeekFrom::Hole(start))?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;

    #[test]
    fn a_hole_reads_as_zeros_and_is_found() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&vec![7; 5 * 4096], 0).unwrap();
        assert!(punch(&file, 4096..3 * 4096).unwrap());
        assert!(punch(&file, 0..0).unwrap());
        assert_eq!(next_data(&file, 10).unwrap(), Some(10..4096));
        assert_eq!(next_data(&file, 4096).unwrap(), Some(3 * 4096..5 * 4096));
        assert_eq!(next_data(&file, 5 * 4096).unwrap(), None);
        let mut byte = [1];
        file.read_exact_at(&mut byte, 5000).unwrap();
        assert_eq!((byte, file.metadata().unwrap().len()), ([0], 5 * 4096));
        assert!(punch(&file, 0..5 * 4096).unwrap());
        assert_eq!(next_data(&file, 0).unwrap(), None);
    }
}
