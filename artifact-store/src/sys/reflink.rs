//! Files that share their extents until one of both is written (Linux: `ioctl_ficlonerange(2)`).

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd as _, RawFd},
};

/// Gives `target`, which is empty, the bytes of `source` from `offset` on, `length` of them, as
/// shared extents. The offset is one of a block, and the bytes up to the next one are cut off again.
pub(crate) fn clone_range(
    source: &File,
    offset: u64,
    length: u64,
    target: &File,
) -> io::Result<()> {
    if length == 0 {
        return Ok(());
    }
    let size = source.metadata()?.len();
    let end = offset + length;
    // Whole blocks, unless the range ends where the file does.
    let blocks = if end == size {
        length
    } else {
        (end.next_multiple_of(BLOCK).min(size)) - offset
    };
    share(source, offset, blocks, target)?;
    target.set_len(length)
}

/// A multiple of the block of every file system that can share.
const BLOCK: u64 = 4096;

#[expect(
    unsafe_code,
    reason = "neither the standard library nor rustix has this call"
)]
fn share(source: &File, offset: u64, length: u64, target: &File) -> io::Result<()> {
    let from: RawFd = source.as_raw_fd();
    let range = libc::file_clone_range {
        src_fd: from.into(),
        src_offset: offset,
        src_length: length,
        dest_offset: 0,
    };
    // SAFETY: FICLONERANGE reads one `struct file_clone_range` through its argument and keeps
    // nothing of it: `range` is one and lives through the call. Both descriptors are open
    // as long as `source` and `target` are borrowed.
    let result = unsafe { libc::ioctl(target.as_raw_fd(), libc::FICLONERANGE, &raw const range) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;

    /// Most file systems cannot: then the error says so, and the target is empty.
    #[test]
    fn a_clone_has_the_bytes_or_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let source = tempfile::tempfile_in(dir.path()).unwrap();
        source.write_all_at(&[7; 3 * 4096], 0).unwrap();
        let target = tempfile::tempfile_in(dir.path()).unwrap();
        clone_range(&source, 4096, 0, &target).unwrap();
        match clone_range(&source, 4096, 5000, &target) {
            Ok(()) => {
                let mut bytes = vec![0; 5000];
                target.read_exact_at(&mut bytes, 0).unwrap();
                assert_eq!(
                    (bytes, target.metadata().unwrap().len()),
                    (vec![7; 5000], 5000)
                );
            }
            Err(error) => {
                let error = error.raw_os_error();
                assert!(matches!(
                    error,
                    Some(libc::EOPNOTSUPP | libc::EXDEV | libc::EINVAL)
                ));
                assert_eq!(target.metadata().unwrap().len(), 0);
            }
        }
    }
}
