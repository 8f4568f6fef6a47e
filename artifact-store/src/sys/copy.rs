//! A copy of a range within the kernel (Linux: `copy_file_range(2)`).

use std::{fs::File, io};

use rustix::{fs::copy_file_range, io::Errno};

#[path = "copy_portable.rs"]
mod portable;

/// Copies `length` bytes of `source` from `offset` on to the begin of `target`.
pub(crate) fn copy_range(source: &File, offset: u64, length: u64, target: &File) -> io::Result<()> {
    let mut done = 0;
    while done < length {
        let (mut from, mut to) = (offset + done, done);
        let want = usize::try_from(length - done)
            .unwrap_or(usize::MAX)
            .min(MOST);
        match copy_file_range(source, Some(&mut from), target, Some(&mut to), want) {
            Ok(0) => break,
            Ok(copied) => done += copied as u64,
            Err(Errno::INTR) => {}
            // These two files cannot be copied so: their file systems differ, say.
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    // Some file systems say 0 for what they cannot copy; the rest is read, and its end found there.
    portable::copy_part(source, offset, done..length, target)
}

/// The kernel copies no more than this at once.
const MOST: usize = 0x7fff_f000;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;

    #[test]
    fn a_range_is_copied_whole_or_with_an_error() {
        let source = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        source.write_all_at(&bytes, 0).unwrap();
        let copy = |offset: u64, length: u64, in_kernel: bool| -> io::Result<Vec<u8>> {
            let target = tempfile::tempfile().unwrap();
            if in_kernel {
                copy_range(&source, offset, length, &target)?;
            } else {
                portable::copy_part(&source, offset, 0..length, &target)?;
            }
            let mut copied = vec![0; usize::try_from(target.metadata()?.len()).unwrap()];
            target.read_exact_at(&mut copied, 0)?;
            Ok(copied)
        };
        for in_kernel in [true, false] {
            assert!(copy(0, 300_000, in_kernel).unwrap() == bytes);
            assert!(copy(4097, 200_000, in_kernel).unwrap() == bytes[4097..204_097]);
            assert!(copy(5, 0, in_kernel).unwrap().is_empty());
            let error = copy(299_999, 2, in_kernel).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
