//! Which file system a directory is on, where the system does not tell: the probe must do.

use std::{io, path::Path};

use super::file_system_kind::FileSystem;

/// Returns a file system of which nothing is known.
pub(crate) fn of(path: &Path) -> io::Result<FileSystem> {
    std::fs::metadata(path).map(|_| FileSystem::OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_on_something() {
        assert_eq!(of(Path::new("/")).unwrap(), FileSystem::OTHER);
        assert!(of(Path::new("/nowhere at all")).is_err());
    }
}
