//! A file without a name until it is whole (Linux: `O_TMPFILE`): of a process that is killed while it
//! writes, nothing is left.

use std::{fs::File, io, os::fd::AsRawFd as _, path::Path};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, linkat, openat},
    io::Errno,
};

/// Where each open file of the process has a name.
const HANDLES: &str = "/proc/self/fd";

/// Makes a file without a name on the file system of a directory, or returns `None` where that is not
/// known.
pub(crate) fn create(directory: &Path, mode: u32) -> io::Result<Option<File>> {
    if !Path::new(HANDLES).exists() {
        return Ok(None);
    }
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match openat(CWD, directory, flags, Mode::from_raw_mode(mode)) {
        Ok(file) => Ok(Some(file.into())),
        // The file system, or the kernel, does not know the flag.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Gives the file a name that nobody has.
pub(crate) fn give_name(file: &File, name: &Path) -> io::Result<()> {
    let handle = format!("{HANDLES}/{}", file.as_raw_fd());
    Ok(linkat(CWD, handle, CWD, name, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::*;

    /// F6: until it has its name, nothing is seen of it, and a name that is taken stays.
    #[test]
    fn f6_a_file_is_there_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let Some(mut file) = create(dir.path(), 0o640).unwrap() else {
            panic!("the file systems that are tested on know it");
        };
        file.write_all(b"whole").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let (name, taken) = (dir.path().join("name"), dir.path().join("taken"));
        fs::write(&taken, "other").unwrap();
        let refused = give_name(&file, &taken).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        give_name(&file, &name).unwrap();
        assert_eq!(fs::read(&name).unwrap(), b"whole");
        assert_eq!(fs::read(&taken).unwrap(), b"other");
        assert!(
            create(&dir.path().join("missing"), 0o640)
                .unwrap()
                .is_none()
        );
    }
}
