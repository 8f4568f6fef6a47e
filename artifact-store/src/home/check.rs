//! Whether index and journal of a registry are whole: the part of `fsck` that is not about blobs.

use std::{path::Path, sync::Arc};

use artifact_core::{ManifestIndex as _, Revision, SpawnExt as _};

use super::{error::HomeError, home::Home};
use crate::{
    journal::{Journal, JournalError},
    vfs::Vfs,
};

/// What a check of index and journal found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Checked {
    /// The revision of the index.
    pub revision: Revision,
    /// What is wrong with the index, in words. Its remedy is to rebuild it.
    pub index: Vec<String>,
    /// What is damaged or missing in the journal, in words with its place. The index is not
    /// concerned; a rebuild would lack it.
    pub journal: Vec<String>,
    /// How many entries the journal has.
    pub entries: u64,
}

impl Home {
    /// Checks that the index is whole and agrees with itself, and that the journal is whole and
    /// reaches it. It reads all of both, and changes nothing.
    ///
    /// # Errors
    /// Where something cannot be read at all.
    pub async fn check(&self) -> Result<Checked, HomeError> {
        let failed = HomeError::index(self.path());
        let index = self.sqlite().check().await.map_err(&failed)?.problems;
        // What is committed from here on may be missing in the journal: it is behind.
        let revision = self.sqlite().head().await.map_err(&failed)?.revision;
        let vfs = Arc::clone(&self.parts().options.vfs);
        let directory = self.parts().layout.journal();
        let read = self.spawn().run_blocking(move || read(vfs, &directory));
        let read = read.await.map_err(HomeError::lost(self.path()))?;
        let Read {
            problems: mut journal,
            entries,
            reached,
        } = read.map_err(HomeError::journal(self.path()))?;
        // Another process may be writing the last line; what it committed before is there.
        if reached < revision {
            journal.push(format!(
                "it ends at revision {reached}, and the index is at {revision}"
            ));
        }
        Ok(Checked {
            revision,
            index,
            journal,
            entries,
        })
    }

    /// Writes what is damaged or missing in the journal anew, from what the index still has of it: what
    /// happened since the horizon. Says whether anything was.
    ///
    /// What is damaged below the horizon the index cannot tell: there [`Home::check`] goes on telling
    /// of it.
    ///
    /// # Errors
    /// [`HomeError::ReadOnly`], and where the index or the file system fails: then the journal is as it
    /// was.
    pub async fn mend_journal(&self) -> Result<bool, HomeError> {
        let Some(writing) = &self.parts().writing else {
            return Err(HomeError::ReadOnly {
                path: self.path().to_owned(),
            });
        };
        let (upkeep, index) = (Arc::clone(&writing.upkeep), self.sqlite().clone());
        let mended = self
            .spawn()
            .run_blocking(move || upkeep.mend_journal(&index));
        mended.await.map_err(HomeError::lost(self.path()))?
    }
}

/// What was read of a journal.
#[derive(Debug)]
pub(super) struct Read {
    /// What is damaged or missing, in words.
    pub(super) problems: Vec<String>,
    /// How many entries are whole.
    pub(super) entries: u64,
    /// The newest revision.
    pub(super) reached: Revision,
}

/// Reads a journal from its beginning to its end.
pub(super) fn read(vfs: Arc<dyn Vfs>, directory: &Path) -> Result<Read, JournalError> {
    let (mut problems, mut count) = (Vec::new(), 0);
    let mut entries = Journal::read(vfs, directory, Revision::ZERO)?;
    for entry in entries.by_ref() {
        match entry {
            Ok(_) => count += 1,
            Err(error) if error.is_passable() => problems.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok(Read {
        problems,
        entries: count,
        reached: entries.reached(),
    })
}
