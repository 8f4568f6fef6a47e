//! What befalls the files of a registry that lies in a directory.

use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::Path,
};

/// Inverts one byte in the middle of the first file below `directory` whose content is `blob`: rot.
///
/// A blob that shares a file with others is not found.
///
/// # Errors
/// Those of the file system; `NotFound` when no file holds the blob, `InvalidInput` when it is empty.
///
/// ```
/// let directory = tempfile::tempdir()?;
/// std::fs::write(directory.path().join("blob"), b"abc")?;
/// artifact_testkit::files::rot(directory.path(), b"abc")?;
/// assert_eq!(std::fs::read(directory.path().join("blob"))?, b"a\x9dc");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn rot(directory: &Path, blob: &[u8]) -> io::Result<()> {
    let middle = blob.len() / 2;
    let byte = !*blob
        .get(middle)
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let (path, meta) = (entry.path(), entry.metadata()?);
            if meta.is_dir() {
                directories.push(path);
            } else if meta.len() == blob.len() as u64 && fs::read(&path)? == blob {
                fs::set_permissions(&path, Permissions::from_mode(0o600))?;
                let file = OpenOptions::new().write(true).open(&path)?;
                return file.write_all_at(&[byte], middle as u64);
            }
        }
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        "no file holds the blob",
    ))
}
