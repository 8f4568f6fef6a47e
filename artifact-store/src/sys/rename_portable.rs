//! A rename that replaces nothing, by a second name and the removal of the first.

use std::{fs, io, path::Path};

/// Gives the file another name that nobody has.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}
