//! The files of a layout, on the calling thread.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use artifact_core::{Digest, Rng as _, guard};
use artifact_store::sys::random::SystemRng;

use super::{
    document::{Index, check_marker, marker},
    error::LayoutError,
};

/// The file that says that a directory is a layout. Whoever changes the index locks it.
pub(super) const MARKER: &str = "oci-layout";

/// The list of what a layout holds.
const INDEX: &str = "index.json";

/// The longest document that is read, in bytes.
const DOCUMENT_MAX: u64 = 64 << 20;

/// Returns where a blob is.
pub(super) fn blob_path(root: &Path, digest: &Digest) -> PathBuf {
    root.join("blobs")
        .join(digest.algorithm().name())
        .join(digest.hex())
}

pub(super) fn failed(
    path: &Path,
    operation: &'static str,
) -> impl FnOnce(io::Error) -> LayoutError {
    move |source| LayoutError::Io {
        path: path.to_owned(),
        operation,
        source,
    }
}

/// Reads a document, or returns `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, LayoutError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, "opened")(error)),
    };
    let mut bytes = Vec::new();
    file.take(DOCUMENT_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(failed(path, "read"))?;
    if guard!(565) && bytes.len() as u64 > DOCUMENT_MAX {
        let what = format!("it is longer than {DOCUMENT_MAX} bytes");
        return Err(LayoutError::Document {
            path: path.to_owned(),
            what,
            source: None,
        });
    }
    Ok(Some(bytes))
}

/// Checks that a directory is a layout.
pub(super) fn check(root: &Path) -> Result<(), LayoutError> {
    let path = root.join(MARKER);
    let bytes = read(&path)?.ok_or_else(|| LayoutError::NotALayout {
        path: root.to_owned(),
    })?;
    check_marker(&bytes).map_err(|what| LayoutError::Document {
        path,
        what,
        source: None,
    })
}

/// Makes a layout of a directory that is absent, empty or a layout already.
pub(super) fn create(root: &Path) -> Result<(), LayoutError> {
    make_directory(root)?;
    if root.join(MARKER).exists() {
        return check(root);
    }
    let mut entries = fs::read_dir(root).map_err(failed(root, "read"))?;
    if entries.next().is_some() {
        return Err(LayoutError::NotALayout {
            path: root.to_owned(),
        });
    }
    let blobs = root.join("blobs").join("sha256");
    make_directory(&blobs)?;
    write_index(root, &Index::empty())?;
    // The marker last: a directory that has it has the rest.
    replace(root, MARKER, &marker())
}

/// Makes a directory that is missing, and those above it, each durable in the one that holds it.
fn make_directory(path: &Path) -> Result<(), LayoutError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    make_directory(parent)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed(path, "made")(error));
        }
        _ => {}
    }
    guard!(37, sync_directory(parent))
}

fn sync_directory(path: &Path) -> Result<(), LayoutError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(failed(path, "synced"))
}

/// Reads the list of what the layout holds.
pub(super) fn read_index(root: &Path) -> Result<Index, LayoutError> {
    let path = root.join(INDEX);
    let Some(bytes) = read(&path)? else {
        return Ok(Index::empty());
    };
    Index::parse(&bytes).map_err(|source| LayoutError::Document {
        path,
        what: "it is no list of manifests".to_owned(),
        source: Some(source.into()),
    })
}

/// Writes the list of what the layout holds.
pub(super) fn write_index(root: &Path, index: &Index) -> Result<(), LayoutError> {
    let bytes = index.to_bytes().map_err(|source| LayoutError::Document {
        path: root.join(INDEX),
        what: "it cannot be written".to_owned(),
        source: Some(source.into()),
    })?;
    replace(root, INDEX, &bytes)
}

fn replace(root: &Path, name: &str, bytes: &[u8]) -> Result<(), LayoutError> {
    let mut partial = Partial::create(root)?;
    partial.write(bytes)?;
    partial.finish(&root.join(name))
}

/// A file that is being written, and is not there until it is whole. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Partial {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl Partial {
    /// Makes a file that nobody else writes.
    pub(super) fn create(root: &Path) -> Result<Self, LayoutError> {
        let mut random = [0; 16];
        SystemRng::new()
            .map_err(failed(root, "written"))?
            .fill(&mut random);
        let hex = format!("{:032x}", u128::from_le_bytes(random));
        let path = root.join(format!(".partial-{hex}"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(failed(&path, "made"))?;
        Ok(Self {
            file,
            path,
            kept: false,
        })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), LayoutError> {
        self.file
            .write_all(bytes)
            .map_err(failed(&self.path, "written"))
    }

    /// Makes what was written durable, and gives it its name.
    pub(super) fn finish(mut self, target: &Path) -> Result<(), LayoutError> {
        guard!(41, self.file.sync_all()).map_err(failed(&self.path, "synced"))?;
        if let Some(directory) = target.parent() {
            make_directory(directory)?;
            fs::rename(&self.path, target).map_err(failed(target, "written"))?;
            self.kept = true;
            guard!(42, sync_directory(directory))?;
        }
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.kept {
            // What remains after a failure here is a file that no reader looks at.
            let _removed = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I23: a document without end is not taken for one.
    #[test]
    fn i23_a_document_without_end_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.json");
        let file = File::create(&path).unwrap();
        file.set_len(DOCUMENT_MAX).unwrap();
        let read_whole = read(&path).unwrap().unwrap();
        assert_eq!(read_whole.len() as u64, DOCUMENT_MAX);
        file.set_len(DOCUMENT_MAX + 1).unwrap();
        let refused = read(&path);
        assert!(matches!(refused, Err(LayoutError::Document { .. })));
    }
}
