//! Room on a disk (Linux: `statvfs(3)`, `fallocate(2)`).

use std::{fs::File, io, path::Path};

use rustix::{
    fs::{FallocateFlags, fallocate, statvfs},
    io::Errno,
};

use super::space_portable;

/// Returns how many bytes this user may still write to the file system of `path`; `None` when the
/// system does not tell.
pub(crate) fn free(path: &Path) -> io::Result<Option<u64>> {
    let found = statvfs(path)?;
    Ok(Some(found.f_bavail.saturating_mul(found.f_frsize)))
}

/// Takes the blocks of a file of `length` bytes.
pub(crate) fn allocate(file: &File, length: u64) -> io::Result<()> {
    loop {
        match fallocate(file, FallocateFlags::empty(), 0, length) {
            Ok(()) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return space_portable::allocate(file, length),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn blocks_are_taken_and_room_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("reserve")).unwrap();
        allocate(&file, 1 << 20).unwrap();
        let meta = file.metadata().unwrap();
        assert_eq!(meta.len(), 1 << 20);
        assert!(meta.blocks() * 512 >= 1 << 20, "{}", meta.blocks());
        assert!(free(dir.path()).unwrap().unwrap() > 0);
        assert!(free(Path::new("/nowhere at all")).is_err());
    }
}
