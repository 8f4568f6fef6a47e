//! What the kernel has in memory, without waiting for a disk (Linux: `openat2(2)`, `preadv2(2)`).

use std::{fs::File, io::IoSliceMut, path::Path};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
    io::{ReadWriteFlags, preadv2},
};

/// Opens a file for reading if the kernel knows every part of its path; `None` tells nothing.
pub(crate) fn open(path: &Path) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    // An error is no news either: a filter of system calls may refuse what the kernel would allow.
    openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED)
        .ok()
        .map(File::from)
}

/// Reads once what the page cache has at `offset`; `None` tells nothing.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> Option<usize> {
    let mut buffers = [IoSliceMut::new(buffer)];
    match preadv2(file, &mut buffers, offset, ReadWriteFlags::NOWAIT) {
        // Kernels 5.9 and 5.10 say 0 for what is not in the cache.
        Ok(0) | Err(_) => None,
        Ok(read) => Some(read),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_written_is_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        assert!(open(&path).is_none());
        std::fs::write(&path, b"hello").unwrap();
        let file = open(&path).expect("a path that was just made is known to the kernel");
        let mut buffer = [0; 8];
        assert_eq!(read_at(&file, &mut buffer, 1), Some(4));
        assert_eq!(&buffer[..4], b"ello");
        assert_eq!(read_at(&file, &mut buffer, 5), None);
    }
}
