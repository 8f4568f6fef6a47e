//! Purges that are under way: a file for each, so that a crash leaves no bytes behind unnoticed.

use std::{path::PathBuf, sync::Arc};

use artifact_core::{Digest, Revision};
use serde::{Deserialize, Serialize};

use super::{error::HomeError, layout::FILE_MODE};
use crate::vfs::{OpenMode, Vfs};

const PREFIX: &str = "purge-";
/// The longest file that is read, in bytes.
const LENGTH_MAX: u64 = 1 << 20;

/// The purges of a journal that are under way.
#[derive(Debug)]
pub(super) struct Purges {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
}

#[derive(Deserialize, Serialize)]
struct Recorded {
    after: Revision,
    digests: Vec<Digest>,
}

impl Purges {
    /// Returns those of the journal in a directory.
    pub(super) fn new(vfs: Arc<dyn Vfs>, directory: PathBuf) -> Self {
        Self { vfs, directory }
    }

    /// Records, durably, that content is to be purged at a revision after `after`.
    pub(super) fn intend(
        &self,
        name: &str,
        after: Revision,
        digests: &[Digest],
    ) -> Result<PathBuf, HomeError> {
        let path = self.directory.join(format!("{PREFIX}{name}"));
        let recorded = Recorded {
            after,
            digests: digests.to_vec(),
        };
        let text = serde_json::to_vec(&recorded)
            .map_err(|error| HomeError::io("record a purge in", &path)(error.into()))?;
        let file = self.vfs.create(&path, FILE_MODE)?;
        file.write_at(&text, 0)?;
        file.sync_data()?;
        self.vfs.sync_directory(&self.directory)?;
        Ok(path)
    }

    /// Returns what was recorded and not ended.
    pub(super) fn left(&self) -> Result<Vec<(PathBuf, Revision, Vec<Digest>)>, HomeError> {
        let mut left = Vec::new();
        for entry in self.vfs.list(&self.directory)? {
            let name = entry?.name;
            if !name.to_str().is_some_and(|name| name.starts_with(PREFIX)) {
                continue;
            }
            let path = self.directory.join(name);
            // One that a crash cut off was never begun.
            match self.read(&path)? {
                Some(Recorded { after, digests }) => left.push((path, after, digests)),
                None => {
                    self.vfs.unlink(&path)?;
                }
            }
        }
        Ok(left)
    }

    fn read(&self, path: &std::path::Path) -> Result<Option<Recorded>, HomeError> {
        let Some(file) = self.vfs.open(path, OpenMode::Read)? else {
            return Ok(None);
        };
        let length = file.metadata()?.size.min(LENGTH_MAX);
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::RealVfs;

    #[test]
    fn what_was_recorded_is_left_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let purges = Purges::new(Arc::new(RealVfs::new()), dir.path().to_owned());
        let digest: Digest = format!("sha256:{:064x}", 5).parse().unwrap();
        let path = purges.intend("a", Revision::new(4), &[digest]).unwrap();
        std::fs::write(dir.path().join("purge-torn"), r#"{"after":4,"dig"#).unwrap();
        std::fs::write(dir.path().join("0000000001.journal"), "x").unwrap();
        let expected = vec![(path.clone(), Revision::new(4), vec![digest])];
        assert_eq!(purges.left().unwrap(), expected);
        assert!(!dir.path().join("purge-torn").exists());
        std::fs::remove_file(path).unwrap();
        assert!(purges.left().unwrap().is_empty());
    }
}
