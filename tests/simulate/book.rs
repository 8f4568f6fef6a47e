//! The journal, as whoever commits keeps it: every commit in plain, from which a lost index is made
//! anew.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use artifact_core::{Committed, Digest, IndexError, ManifestIndex as _, Revision};
use artifact_store::{
    MemoryIndex,
    journal::{ClosedFiles, Journal, JournalEntry, JournalError},
    sys::lock::Hold,
    vfs::Vfs,
};
use artifact_testkit::seams::{FakeClock, Simulated};
use bytes::Bytes;
use futures::FutureExt as _;

use crate::{goods::Goods, oracle::Oracle};

/// Where the journal is.
const DIRECTORY: &str = "/r/journal";

/// From this length on a file of it is closed, in bytes: small, so that there are several.
const LIMIT: u64 = 6_000;

/// The journal, as one process has it open.
#[derive(Debug)]
pub(crate) struct Book {
    journal: Journal,
    goods: Arc<Goods>,
    oracle: Arc<Oracle>,
}

impl Book {
    /// Opens the journal.
    pub(crate) fn open(
        vfs: Arc<dyn Vfs>,
        work: &Simulated,
        clock: &FakeClock,
        goods: &Arc<Goods>,
        oracle: &Arc<Oracle>,
    ) -> Result<Self, JournalError> {
        let journal = Journal::with_limit(vfs, DIRECTORY.into(), LIMIT)?;
        journal.sync_beside(Arc::new(work.clone()), Arc::new(clock.clone()));
        Ok(Self {
            journal,
            goods: Arc::clone(goods),
            oracle: Arc::clone(oracle),
        })
    }

    /// Says whether it goes on: not after a sync may have failed.
    pub(crate) fn is_sound(&self) -> bool {
        self.journal.check_sound().is_ok()
    }

    /// Fills in what is missing up to the newest revision; without that nothing is committed.
    pub(crate) fn fill(&self, rows: &MemoryIndex, head: Revision) -> Result<(), IndexError> {
        self.try_fill(rows, head).map_err(|error| match error {
            JournalError::Poisoned => IndexError::Poisoned { backend: "journal" },
            other => IndexError::Backend {
                backend: "journal",
                operation: "filling it",
                source: other.into(),
            },
        })
    }

    fn try_fill(&self, rows: &MemoryIndex, head: Revision) -> Result<(), JournalError> {
        self.journal.check_sound()?;
        let last = self.journal.last()?;
        if last > head {
            let what = format!(
                "I10 the journal follows the index: it is at {last}, and the index at {head}"
            );
            self.oracle.fail(what);
        }
        let limit = std::num::NonZeroU32::new(1_000).expect("not zero");
        let missing = rows.changes(last, limit).now_or_never();
        let missing = missing.and_then(Result::ok).unwrap_or_default();
        let entries = missing.into_iter().map(|committed| self.entry(committed));
        self.journal.append(&entries.collect::<Vec<_>>())
    }

    /// Appends what was just committed. It is durable in the index; what is missing here is filled in
    /// before the next commit.
    pub(crate) fn append(&self, committed: &Committed) {
        drop(self.journal.append(&[self.entry(committed.clone())]));
    }

    /// Mends what a power cut damaged, as a collection does, from what the index still tells.
    pub(crate) fn mend(
        &self,
        vfs: Arc<dyn Vfs>,
        commits: &[Committed],
    ) -> Result<(), JournalError> {
        self.journal.rotate()?;
        let feed = |after: Revision, to: Revision| {
            let known = commits
                .iter()
                .filter(|c| after < c.revision && c.revision <= to);
            Ok(known
                .map(|committed| self.entry(committed.clone()))
                .collect())
        };
        let closed = ClosedFiles::take(vfs, Path::new(DIRECTORY), Hold::Exclusive)?;
        let closed = closed.expect("nobody else rewrites them");
        closed.mend(&feed).map(drop)
    }

    fn entry(&self, committed: Committed) -> JournalEntry {
        let contents = JournalEntry::names(&committed);
        let contents =
            contents.filter_map(|digest| Some((*digest, self.goods.contents.get(digest)?.clone())));
        JournalEntry {
            contents: contents.collect(),
            committed,
        }
    }
}

/// What is found in the journal.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The revisions whose entries are whole.
    pub(crate) whole: BTreeSet<u64>,
    /// What is damaged or missing between them, in words.
    pub(crate) damage: Vec<String>,
}

/// Reads the journal, and says whether its entries are the commits as they were made.
pub(crate) fn check(
    vfs: Arc<dyn Vfs>,
    goods: &Goods,
    commits: &[Committed],
) -> Result<Found, String> {
    let unreadable =
        |error: JournalError| format!("I18 the journal can be read after any crash: {error:?}");
    let entries = Journal::read(vfs, Path::new(DIRECTORY), Revision::ZERO).map_err(unreadable)?;
    let mut found = Found::default();
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.is_passable() => {
                found.damage.push(error.to_string());
                continue;
            }
            Err(error) => return Err(unreadable(error)),
        };
        let revision = entry.revision().get();
        let made = commits
            .iter()
            .find(|made| made.revision == entry.revision());
        if made != Some(&entry.committed) {
            return Err(format!(
                "I18 the journal tells what was committed: {:?} instead of {made:?}",
                entry.committed
            ));
        }
        let whole = |(digest, bytes): &(Digest, Bytes)| goods.contents.get(digest) == Some(bytes);
        if !entry.contents.iter().all(whole) {
            return Err(format!(
                "I18 the journal has the bytes of manifests: revision {revision} has others"
            ));
        }
        found.whole.insert(revision);
    }
    Ok(found)
}
