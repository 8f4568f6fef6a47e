//! A rename that replaces nothing (Linux: `renameat2(2)`).

use std::{io, path::Path};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};

#[path = "rename_portable.rs"]
mod portable;

/// Gives the file another name that nobody has.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system does not know the flag.
        Err(Errno::INVAL | Errno::NOSYS) => portable::rename_new(from, to),
        renamed => renamed.map_err(io::Error::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name| dir.path().join(name);
        for rename in [rename_new, portable::rename_new] {
            std::fs::write(path("a"), b"a").unwrap();
            std::fs::write(path("b"), b"b").unwrap();
            let refused = rename(&path("a"), &path("b")).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read(path("b")).unwrap(), b"b");
            std::fs::remove_file(path("b")).unwrap();
            rename(&path("a"), &path("b")).unwrap();
            assert!(!path("a").exists());
            assert_eq!(std::fs::read(path("b")).unwrap(), b"a");
        }
    }
}
