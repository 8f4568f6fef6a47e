//! Files without a name, where no call is known that makes one.

use std::{fs::File, io, path::Path};

/// Returns `None`: it is not known here.
#[expect(clippy::unnecessary_wraps, reason = "its twin can fail")]
pub(crate) fn create(_: &Path, _: u32) -> io::Result<Option<File>> {
    Ok(None)
}

/// Refuses: nobody has such a file.
pub(crate) fn give_name(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
