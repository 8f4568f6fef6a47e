//! Whether this process may write somewhere, as far as the file tells.

use std::path::Path;

/// Says whether the file is not marked read-only. Where nothing is there, it is not writable.
pub(crate) fn is_writable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.permissions().readonly())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_only_is_not_writable() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(is_writable(file.path()));
        let mut permissions = file.as_file().metadata().unwrap().permissions();
        permissions.set_readonly(true);
        file.as_file().set_permissions(permissions).unwrap();
        assert!(!is_writable(file.path()));
        assert!(!is_writable(&file.path().join("x")));
    }
}
