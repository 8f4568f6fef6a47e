//! Everything that was written below a directory, made durable file by file.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use crate::sys::file_io::sync_directory;

/// Makes durable all that was written below a directory, names and all.
pub(crate) fn flush(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            flush(&entry.path())?;
        } else if kind.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_directory(directory)
}
