//! Writes closed files anew, where lines of them are damaged or missing that somebody still knows.

use std::sync::Arc;

use artifact_core::Revision;

use super::{
    entry::JournalEntry,
    error::JournalError,
    files::{self, Files, Staged},
    line::{FORMAT, Header},
    read::Entries,
    rewrite::{ClosedFiles, encode},
};
use crate::vfs::OpenMode;

/// Somebody who knows what was committed after a revision, up to another: as much as he still knows,
/// in order, and so many at a time as he likes; none when there are none.
pub type Feed<'a> = dyn Fn(Revision, Revision) -> Result<Vec<JournalEntry>, JournalError> + 'a;

impl ClosedFiles {
    /// Writes the closed files behind the base anew as one, with what `feed` knows in the place of
    /// what is damaged or missing; where nothing is, it writes nothing and returns `false`.
    ///
    /// What was appended in the newest file must be closed before ([`Journal::rotate`]).
    ///
    /// A crash leaves the files as they were, or those beside it that the new one stands for.
    ///
    /// [`Journal::rotate`]: super::log::Journal::rotate
    ///
    /// # Errors
    /// Where the file system or the feed fails: then nothing changes.
    pub fn mend(&self, feed: &Feed<'_>) -> Result<bool, JournalError> {
        let found = Files::list(&*self.vfs, &self.directory)?;
        let Some((newest, closed)) = found.numbers.split_last() else {
            return Ok(false);
        };
        let newest = files::path(&self.directory, *newest);
        let newest = files::open(&*self.vfs, &newest, OpenMode::Read)?;
        let (Some(newest), Some((first, rest))) = (newest, closed.split_first()) else {
            return Ok(false);
        };
        let paths: Vec<_> = (closed.iter())
            .map(|number| files::path(&self.directory, *number))
            .collect();
        let after = found.base.map_or(Revision::ZERO, |base| base.revision);
        let through = newest.header.after;
        let entries = || Entries::over(Arc::clone(&self.vfs), paths.clone()).beyond(after);
        if is_whole(entries(), through) {
            return Ok(false);
        }
        let header = Header {
            format: FORMAT,
            registry: newest.header.registry,
            epoch: newest.header.epoch,
            after,
            base: None,
        };
        let path = files::path(&self.directory, *first);
        let mut mended = Mended {
            staged: Staged::begin(&*self.vfs, path, &header)?,
            feed,
            last: after,
        };
        for entry in entries() {
            match entry {
                Ok(entry) => mended.append(&entry)?,
                Err(error) if error.is_passable() => {}
                Err(error) => return Err(error),
            }
        }
        mended.fill(through)?;
        mended.staged.finish()?;
        self.remove(rest)?;
        Ok(true)
    }
}

/// Says whether each revision up to one is there.
fn is_whole(mut entries: Entries, through: Revision) -> bool {
    entries.by_ref().all(|entry| entry.is_ok())
        && entries.torn().is_none()
        && entries.reached() >= through
}

struct Mended<'a> {
    staged: Staged<'a>,
    feed: &'a Feed<'a>,
    last: Revision,
}

impl Mended<'_> {
    /// Writes an entry, behind what is missing before it.
    fn append(&mut self, entry: &JournalEntry) -> Result<(), JournalError> {
        let revision = entry.revision();
        if revision <= self.last {
            return Ok(());
        }
        self.fill(Revision::new(revision.get() - 1))?;
        self.staged.write(&encode(entry)?)?;
        self.last = revision;
        Ok(())
    }

    /// Writes what the feed knows up to a revision.
    fn fill(&mut self, through: Revision) -> Result<(), JournalError> {
        while self.last < through {
            let known = (self.feed)(self.last, through)?;
            let Some(newest) = known.last().map(JournalEntry::revision) else {
                return Ok(());
            };
            for entry in &known {
                self.staged.write(&encode(entry)?)?;
            }
            self.last = newest;
        }
        Ok(())
    }
}
