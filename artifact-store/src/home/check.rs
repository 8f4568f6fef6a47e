//! Whether index and journal of a registry are whole: the part of `fsck` that is not about blobs.

use std::sync::Arc;

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
        let read = self
            .spawn()
            .run_blocking(move || read(vfs, &directory, revision));
        let read = read.await.map_err(HomeError::lost(self.path()))?;
        let (journal, entries) = read.map_err(HomeError::journal(self.path()))?;
        Ok(Checked {
            revision,
            index,
            journal,
            entries,
        })
    }
}

fn read(
    vfs: Arc<dyn Vfs>,
    directory: &std::path::Path,
    head: Revision,
) -> Result<(Vec<String>, u64), JournalError> {
    let mut problems = Vec::new();
    let mut count = 0;
    let mut entries = Journal::read(vfs, directory, Revision::ZERO)?;
    for entry in entries.by_ref() {
        match entry {
            Ok(_) => count += 1,
            Err(error) if error.is_passable() => problems.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    // Another process may be writing the last line; what it committed before is there.
    if entries.reached() < head {
        problems.push(format!(
            "it ends at revision {}, and the index is at {head}",
            entries.reached()
        ));
    }
    Ok((problems, count))
}
