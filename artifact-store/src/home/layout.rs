//! What is where in a registry's directory.

use artifact_core::guard;
use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    sys::file_io,
    vfs::{Vfs, VfsError},
};

/// The parts of a registry's directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Says which registry this is: a directory without it is none.
    pub(super) fn settings(&self) -> PathBuf {
        self.root.join("artifact.toml")
    }

    /// What becomes `artifact.toml` when all else is there: it marks a directory that is being made.
    pub(super) fn settings_staged(&self) -> PathBuf {
        self.root.join("artifact.toml.new")
    }

    pub(super) fn index(&self) -> PathBuf {
        self.root.join("index.db")
    }

    /// Where an index is rebuilt before it takes the place of the other.
    pub(super) fn index_rebuilt(&self) -> PathBuf {
        self.root.join("index.db.new")
    }

    /// What a rebuilt index is called from when it is whole until it has taken the place of the other:
    /// who finds it ends what a crash has cut off.
    pub(super) fn index_ready(&self) -> PathBuf {
        self.root.join("index.db.ready")
    }

    /// Where the index goes that was replaced.
    pub(super) fn index_replaced(&self) -> PathBuf {
        self.root.join("index.db.replaced")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// Held shared by each process that has the registry open, and alone by who rebuilds it.
    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(super) fn writer_lock(&self) -> PathBuf {
        self.root.join("writer.lock")
    }

    /// An entry for each process that has the registry open.
    pub(super) fn open(&self) -> PathBuf {
        self.root.join("open")
    }

    pub(super) fn reserve(&self) -> PathBuf {
        self.root.join("reserve")
    }

    pub(super) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Makes the directories that are neither the blob store's nor the journal's. Who gives the registry
    /// its name makes all of them durable before.
    pub(super) fn create(&self, vfs: &dyn Vfs) -> Result<(), VfsError> {
        for directory in [self.open(), self.keys(), self.log()] {
            vfs.create_directory(&directory, MODE)?;
        }
        Ok(())
    }

    /// Removes all that [`Layout::create`] and who else makes a registry may have begun.
    pub(super) fn clear(&self) -> io::Result<()> {
        for directory in [
            "blobs", "segments", "staging", "journal", "open", "keys", "log",
        ] {
            absent(std::fs::remove_dir_all(self.root.join(directory)))?;
        }
        let index = self.index();
        for file in index_files(&index)
            .into_iter()
            .chain([self.writer_lock(), self.reserve()])
        {
            absent(std::fs::remove_file(file))?;
        }
        Ok(())
    }
}

/// The registry is one user's.
pub(super) const MODE: u32 = 0o700;
/// Its files, too.
pub(super) const FILE_MODE: u32 = 0o600;

/// Returns the file of an index and those that SQLite keeps beside it, the index first.
pub(super) fn index_files(index: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = index.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}

/// Makes a directory and those above it that are missing, each name durable.
pub(super) fn make_all(path: &Path) -> io::Result<()> {
    let missing = path.ancestors().take_while(|part| !part.exists());
    let missing: Vec<_> = missing.filter(|part| *part != Path::new("")).collect();
    for directory in missing.into_iter().rev() {
        match std::fs::create_dir(directory) {
            // Somebody was quicker; whether he is through with it nobody knows.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if let Some(parent) = directory.parent() {
            guard!(30, file_io::sync_directory(parent))?;
        }
    }
    Ok(())
}

/// Writes a file anew, durably and with its name.
pub(super) fn write_durably(path: &Path, text: &str) -> io::Result<()> {
    absent(std::fs::remove_file(path))?;
    let file = file_io::create_new(path, FILE_MODE)?;
    file_io::write_all_at(&file, text.as_bytes(), 0)?;
    guard!(21, file.sync_all())?;
    match path.parent() {
        Some(parent) => guard!(22, file_io::sync_directory(parent)),
        None => Ok(()),
    }
}

/// Takes it for a success when there was nothing.
pub(super) fn absent(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
