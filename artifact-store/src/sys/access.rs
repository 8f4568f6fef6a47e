//! Whether this process may write somewhere (`access(2)`).

use std::path::Path;

use rustix::fs::{Access, access};

/// Says whether this process may write to what a path leads to. Where nothing is there, it may not.
pub(crate) fn is_writable(path: &Path) -> bool {
    access(path, Access::WRITE_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_writable_and_what_is_not_there_is_not() {
        let dir = tempfile::tempdir().unwrap();
        assert!(is_writable(dir.path()));
        assert!(!is_writable(&dir.path().join("x")));
    }
}
