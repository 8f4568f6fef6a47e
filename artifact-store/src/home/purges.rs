//! Purges that are under way: a file for each, so that a crash leaves no bytes behind unnoticed.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use artifact_core::{Digest, Revision, guard};
use serde::{Deserialize, Serialize};

use super::{error::HomeError, layout::FILE_MODE};
use crate::{
    sys::lock::Hold,
    vfs::{OpenMode, Vfs, VfsError, VfsFile},
};

const PREFIX: &str = "purge-";
/// The longest file that is read, in bytes.
const LENGTH_MAX: u64 = 1 << 20;

/// The purges of a journal that are under way.
#[derive(Debug)]
pub(super) struct Purges {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
}

/// A purge that was recorded. As long as this lives, nobody else ends it.
#[derive(Debug)]
pub(super) struct Intent {
    /// The newest revision before it.
    pub(super) after: Revision,
    /// What is to go.
    pub(super) digests: Vec<Digest>,
    path: PathBuf,
    vfs: Arc<dyn Vfs>,
    /// Its lock ends when it is closed.
    _file: Box<dyn VfsFile>,
}

#[derive(Deserialize, Serialize)]
struct Recorded {
    after: Revision,
    digests: Vec<Digest>,
}

impl Intent {
    /// Ends it: there is nothing left to do.
    pub(super) fn end(self) {
        // What stays is done again, and changes nothing then.
        let _ended = self.vfs.unlink(&self.path);
    }
}

impl Purges {
    /// Returns those of the journal in a directory.
    pub(super) fn new(vfs: Arc<dyn Vfs>, directory: PathBuf) -> Self {
        Self { vfs, directory }
    }

    /// Records, durably, that content is to be purged at a revision after `after`; `None` where
    /// somebody has taken the file for one that was cut off, so that another name is needed.
    pub(super) fn intend(
        &self,
        name: &str,
        after: Revision,
        digests: Vec<Digest>,
    ) -> Result<Option<Intent>, HomeError> {
        let path = self.directory.join(format!("{PREFIX}{name}"));
        let recorded = Recorded { after, digests };
        let text = serde_json::to_vec(&recorded)
            .map_err(|error| HomeError::io("record a purge in", &path)(error.into()))?;
        let file = self.vfs.create(&path, FILE_MODE)?;
        match self.write(&path, &*file, &text) {
            Ok(true) => Ok(Some(Intent {
                after,
                digests: recorded.digests,
                path,
                vfs: Arc::clone(&self.vfs),
                _file: file,
            })),
            Ok(false) => Ok(None),
            Err(error) => {
                // A part of it says nothing, and takes room.
                let _removed = self.vfs.unlink(&path);
                Err(error.into())
            }
        }
    }

    fn write(&self, path: &Path, file: &dyn VfsFile, text: &[u8]) -> Result<bool, VfsError> {
        if !self.hold(path, file)? {
            return Ok(false);
        }
        file.write_at(text, 0)?;
        guard!(31, file.sync_data())?;
        guard!(32, self.vfs.sync_directory(&self.directory))?;
        Ok(true)
    }

    /// Returns what was recorded and not ended, but for what others are about to end.
    pub(super) fn left(&self) -> Result<Vec<Intent>, HomeError> {
        let mut left = Vec::new();
        for entry in self.vfs.list(&self.directory)? {
            let name = entry?.name;
            if !name.to_str().is_some_and(|name| name.starts_with(PREFIX)) {
                continue;
            }
            let path = self.directory.join(name);
            let Some(file) = self.vfs.open(&path, OpenMode::Write)? else {
                continue;
            };
            if !self.hold(&path, &*file)? {
                continue;
            }
            // One that a crash cut off was never begun.
            match read(&*file)? {
                Some(Recorded { after, digests }) => left.push(Intent {
                    after,
                    digests,
                    path,
                    vfs: Arc::clone(&self.vfs),
                    _file: file,
                }),
                None => {
                    self.vfs.unlink(&path)?;
                }
            }
        }
        Ok(left)
    }

    /// Takes the lock of a record; `false` where somebody else has it, or had it and removed the file.
    fn hold(&self, path: &Path, file: &dyn VfsFile) -> Result<bool, VfsError> {
        if !guard!(117, file.try_lock(Hold::Exclusive))? {
            return Ok(false);
        }
        let named = self.vfs.metadata(path)?.map(|found| found.inode);
        Ok(guard!(139, named == Some(file.metadata()?.inode), else true))
    }
}

fn read(file: &dyn VfsFile) -> Result<Option<Recorded>, VfsError> {
    let length = file.metadata()?.size;
    let length = guard!(574, length.min(LENGTH_MAX), else length);
    let mut text = vec![0; usize::try_from(length).unwrap_or(0)];
    let mut read = 0;
    while let Some(rest) = text.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, read as u64)? {
            0 => break,
            length => read += length,
        }
    }
    Ok(serde_json::from_slice(text.get(..read).unwrap_or_default()).ok())
}

/// Returns the failure of who found no name for a record.
pub(super) fn no_name(directory: &Path) -> HomeError {
    HomeError::io("record a purge in", directory)(io::ErrorKind::ResourceBusy.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::RealVfs;

    /// A record that another ended between the calls that open and lock it is nobody's, also where its name
    /// is another record's by then.
    #[test]
    fn i16_a_record_that_ends_before_it_is_locked_is_not_held() {
        let dir = tempfile::tempdir().unwrap();
        let vfs = Arc::new(RealVfs::new());
        let purges = Purges::new(Arc::clone(&vfs) as Arc<dyn Vfs>, dir.path().to_owned());
        let path = dir.path().join("purge-a");
        let opened = || vfs.open(&path, OpenMode::Write).unwrap().unwrap();
        std::fs::write(&path, "one").unwrap();
        assert!(purges.hold(&path, &*opened()).unwrap());
        let ended = opened();
        std::fs::remove_file(&path).unwrap();
        assert!(!purges.hold(&path, &*ended).unwrap());
        std::fs::write(&path, "another").unwrap();
        assert!(!purges.hold(&path, &*ended).unwrap());
    }

    /// I23: no more of a record is read than a record has.
    #[test]
    fn i23_a_record_without_end_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("purge-long");
        let mut text = String::from(r#"{"after":4,"digests":[]}"#);
        let vfs = RealVfs::new();
        let found = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let file = vfs.open(&path, OpenMode::Read).unwrap().unwrap();
            read(&*file).unwrap().map(|recorded| recorded.after)
        };
        let four = Some(Revision::new(4));
        assert_eq!(found(&text), four);
        let room = usize::try_from(LENGTH_MAX).unwrap();
        text.insert_str(1, &" ".repeat(room - text.len()));
        assert_eq!(found(&text), four);
        text.insert(1, ' ');
        assert_eq!(found(&text), None);
    }

    #[test]
    fn what_was_recorded_is_left_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let purges = Purges::new(Arc::new(RealVfs::new()), dir.path().to_owned());
        let digest: Digest = format!("sha256:{:064x}", 5).parse().unwrap();
        let four = Revision::new(4);
        let intent = purges.intend("a", four, vec![digest]).unwrap().unwrap();
        std::fs::write(dir.path().join("purge-torn"), r#"{"after":4,"dig"#).unwrap();
        std::fs::write(dir.path().join("0000000001.journal"), "x").unwrap();
        // Who recorded it is at it still.
        assert!(purges.left().unwrap().is_empty());
        assert!(!dir.path().join("purge-torn").exists());
        drop(intent);
        let mut left = purges.left().unwrap();
        let found = left.pop().unwrap();
        assert_eq!((found.after, &*found.digests), (four, &[digest][..]));
        assert!(left.is_empty() && purges.left().unwrap().is_empty());
        found.end();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
