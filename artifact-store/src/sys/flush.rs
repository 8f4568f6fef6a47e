//! Everything that was written below a directory, made durable at once (Linux: `syncfs(2)`).

use std::{fs::File, io, path::Path};

use rustix::{fs::syncfs, io::Errno};

#[path = "flush_portable.rs"]
mod portable;

/// Makes durable all that was written below a directory, names and all.
pub(crate) fn flush(directory: &Path) -> io::Result<()> {
    match syncfs(File::open(directory)?) {
        Ok(()) => Ok(()),
        Err(Errno::NOSYS) => portable::flush(directory),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_flushed_either_way() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::fs::write(dir.path().join("a/b"), "c").unwrap();
        flush(dir.path()).unwrap();
        portable::flush(dir.path()).unwrap();
        for flush in [flush, portable::flush] {
            assert!(flush(&dir.path().join("x")).is_err());
        }
    }
}
