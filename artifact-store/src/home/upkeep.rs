//! What is done beside commits: the reserve, purges, and the journal's rewriting.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use artifact_core::{
    Digest, ErrorKind, Event, IndexError, ManifestIndex as _, Revision, Rng, Spawn, SpawnExt as _,
    guard,
};
use futures::FutureExt as _;

use super::{
    error::HomeError,
    layout::Layout,
    purges::{Intent, Purges, no_name},
    replace::remove_index,
    room::Room,
};
use crate::{
    index::sqlite::index::SqliteIndex,
    journal::{ClosedFiles, Journal, JournalError},
    sys::{
        flush::flush,
        lock::{Hold, RecordLock},
    },
    vfs::Vfs,
};

/// How long is waited for others that write to, or copy, the journal.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);
const ONE: NonZeroU32 = NonZeroU32::MIN;
/// How often a name is sought for the record of a purge: others take one for cut off only in the
/// moment in which it is made.
const NAME_TRIES: usize = 16;
/// How many free pages of the index a collection gives back: what a commit can take along.
const FREE_PAGES: u32 = 1000;

/// What is done beside commits.
#[derive(Debug)]
pub(super) struct Upkeep {
    vfs: Arc<dyn Vfs>,
    spawn: Arc<dyn Spawn>,
    rng: Arc<dyn Rng>,
    journal: Arc<Journal>,
    layout: Layout,
    room: Arc<Room>,
    tidying: AtomicBool,
}

impl Upkeep {
    pub(super) fn new(
        vfs: Arc<dyn Vfs>,
        spawn: Arc<dyn Spawn>,
        rng: Arc<dyn Rng>,
        journal: Arc<Journal>,
        layout: Layout,
        room: Arc<Room>,
    ) -> Self {
        Self {
            vfs,
            spawn,
            rng,
            journal,
            layout,
            room,
            tidying: AtomicBool::new(false),
        }
    }

    /// Gives the reserve up; says whether that made room.
    pub(super) async fn give_up_reserve(&self) -> bool {
        let room = Arc::clone(&self.room);
        let given = self.spawn.run_blocking(move || room.give_up()).await;
        matches!(given, Ok(Ok(true)))
    }

    /// Makes the reserve again, if it was given up and there is room.
    pub(super) async fn restore_reserve(&self) {
        if self.room.misses_reserve() {
            let room = Arc::clone(&self.room);
            // Where it fails, the next deletion tries again.
            let _restored = self.spawn.run_blocking(move || room.restore()).await;
        }
    }

    /// Records that content is to be purged, so that the files forget it even over a crash.
    pub(super) async fn intend_purge(
        &self,
        head: Revision,
        digests: Vec<Digest>,
    ) -> Result<Intent, IndexError> {
        match self.record_purge(head, digests.clone()).await {
            Err(error) if error.kind() == ErrorKind::NoSpace && self.give_up_reserve().await => {
                self.record_purge(head, digests).await
            }
            recorded => recorded,
        }
        .map_err(|error| failed("recording a purge", error))
    }

    async fn record_purge(
        &self,
        head: Revision,
        digests: Vec<Digest>,
    ) -> Result<Intent, HomeError> {
        let (vfs, directory) = (Arc::clone(&self.vfs), self.journal.directory().to_owned());
        let rng = Arc::clone(&self.rng);
        let recorded = self.spawn.run_blocking(move || {
            let purges = Purges::new(vfs, directory.clone());
            for _ in 0..NAME_TRIES {
                let mut name = [0; 16];
                rng.fill(&mut name);
                let recorded = purges.intend(&hex::encode(name), head, digests.clone())?;
                if let Some(intent) = recorded {
                    return Ok(intent);
                }
            }
            Err(no_name(&directory))
        });
        let lost = HomeError::lost(self.journal.directory());
        recorded.await.map_err(lost)?
    }

    /// Takes bytes that were purged at a revision out of all files, and ends what was recorded. What
    /// does not succeed stays recorded, and is done at the next collection or open.
    pub(super) async fn end_purge(
        self: &Arc<Self>,
        index: &SqliteIndex,
        intent: Intent,
        at: Revision,
    ) {
        let this = Arc::clone(self);
        let work = move || this.purge(&intent.digests, at).is_ok().then_some(intent);
        let Ok(Some(intent)) = self.spawn.run_blocking(work).await else {
            return;
        };
        // In the index they are overwritten; this brings that to the disk, and empties the WAL.
        if index.checkpoint(0).await.is_err() {
            return;
        }
        // SQLite does not wait until it is empty on the disk, too: a power cut would bring it back.
        let root = self.layout.root().to_owned();
        let flushed = self.spawn.run_blocking(move || guard!(45, flush(&root)));
        if let Ok(Ok(())) = flushed.await {
            intent.end();
        }
    }

    /// Ends the purges that were cut off.
    async fn end_left_purges(self: &Arc<Self>, index: &SqliteIndex) {
        let purges = Purges::new(Arc::clone(&self.vfs), self.journal.directory().to_owned());
        let left = self.spawn.run_blocking(move || purges.left()).await;
        // What cannot be read now is found the next time.
        for intent in left.ok().and_then(Result::ok).unwrap_or_default() {
            match purged_at(index, intent.after, &intent.digests).await {
                Ok(Some(at)) => self.end_purge(index, intent, at).await,
                // It was never made.
                Ok(None) => intent.end(),
                Err(_) => {}
            }
        }
    }

    /// Does beside the caller's work what was left to do: ends purges that were cut off, gives back
    /// pages of the index that are free, and makes one file of what the journal has below the oldest
    /// revision of the feed. Nothing, where that is being done.
    pub(super) fn tidy_soon(self: &Arc<Self>, index: SqliteIndex) {
        if self.tidying.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = Arc::clone(self);
        let work = async move {
            this.end_left_purges(&index).await;
            // Where there is no room for it, the next collection tries again.
            let _given = index.give_back(FREE_PAGES).await;
            if let Err(IndexError::HistoryForgotten { oldest }) =
                index.changes(Revision::ZERO, ONE).await
            {
                let compactor = Arc::clone(&this);
                let work = move || match compactor.compact(oldest, false) {
                    // Else the journal would grow for ever.
                    Err(error) if error.is_passable() => {
                        let mended = compactor.mend_journal(&index);
                        mended.is_ok() && compactor.compact(oldest, true).is_ok()
                    }
                    compacted => compacted.is_ok(),
                };
                // Where it fails nothing changed, and the next collection tries again.
                let _outcome = this.spawn.run_blocking(work).await;
            }
            this.tidying.store(false, Ordering::Release);
        };
        self.spawn.spawn(work.boxed());
    }

    /// Ends the purges that a crash has left, beside the caller's work.
    pub(super) fn end_left_purges_soon(self: &Arc<Self>, index: SqliteIndex) {
        let this = Arc::clone(self);
        let work = async move { this.end_left_purges(&index).await };
        self.spawn.spawn(work.boxed());
    }

    fn compact(&self, horizon: Revision, over_gaps: bool) -> Result<(), JournalError> {
        let directory = self.journal.directory();
        let vfs = Arc::clone(&self.vfs);
        let Some(files) = ClosedFiles::take(vfs, directory, Hold::Exclusive)? else {
            return Ok(());
        };
        if over_gaps {
            files.compact_over_gaps(horizon)?;
        } else {
            files.compact(horizon, false)?;
        }
        Ok(())
    }

    /// Takes the bytes of content out of the journal, and removes what is left of other indexes.
    fn purge(&self, digests: &[Digest], at: Revision) -> Result<(), HomeError> {
        // Who replaces the index has the directory alone: these are in nobody's hands.
        for left in [self.layout.index_replaced(), self.layout.index_rebuilt()] {
            remove_index(&left)?;
        }
        let failed = HomeError::journal(self.journal.directory());
        self.close_files()?.purge(digests, at).map_err(failed)?;
        Ok(())
    }

    /// Writes what is damaged or missing in the journal anew, from what the index still has of it.
    /// Says whether anything was.
    pub(super) fn mend_journal(&self, index: &SqliteIndex) -> Result<bool, HomeError> {
        let feed = |after, through| {
            let known = index.entries(after, through);
            known.map_err(JournalError::Index)
        };
        let mended = self.close_files()?.mend(&feed);
        mended.map_err(HomeError::journal(self.journal.directory()))
    }

    /// Closes the newest file of the journal, and takes all that are closed.
    fn close_files(&self) -> Result<ClosedFiles, HomeError> {
        let directory = self.journal.directory();
        let failed = HomeError::journal(directory);
        let path = self.layout.writer_lock();
        let io = HomeError::io("lock", &path);
        {
            let lock = RecordLock::open(&path).map_err(&io)?;
            let acquire = || lock.acquire(PATIENCE).map(Some);
            let locked = guard!(127, acquire(), else Ok(None));
            let _locked = locked.map_err(|error| io(std::io::Error::other(error)))?;
            self.journal.rotate().map_err(&failed)?;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let vfs = Arc::clone(&self.vfs);
            let taken = ClosedFiles::take(vfs, directory, Hold::Exclusive).map_err(&failed)?;
            if let Some(files) = taken {
                return Ok(files);
            }
            if Instant::now() > deadline {
                return Err(io(std::io::Error::from(std::io::ErrorKind::TimedOut)));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Returns the revision after `after` at which content was purged last, if it was. Where the feed does
/// not reach back that far, it was long ago: then it is taken for purged by the oldest that is kept,
/// for the record was made right before.
async fn purged_at(
    index: &SqliteIndex,
    mut after: Revision,
    digests: &[Digest],
) -> Result<Option<Revision>, IndexError> {
    const PAGE: NonZeroU32 = NonZeroU32::new(100).expect("100 is not 0");
    let mut found = None;
    loop {
        let page = match index.changes(after, PAGE).await {
            Err(IndexError::HistoryForgotten { oldest }) => {
                (found, after) = (Some(oldest), oldest);
                continue;
            }
            page => page?,
        };
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = last.revision;
        let purges =
            |event: &Event| matches!(event, Event::Purged { digest } if digests.contains(digest));
        let made = page.iter().rfind(|set| set.events.iter().any(purges));
        found = made.map(|set| set.revision).or(found);
    }
}

fn failed(operation: &'static str, error: HomeError) -> IndexError {
    const BACKEND: &str = "home";
    if error.kind() == ErrorKind::NoSpace {
        return IndexError::NoSpace {
            backend: BACKEND,
            operation,
            source: error.into(),
        };
    }
    IndexError::Backend {
        backend: BACKEND,
        operation,
        source: error.into(),
    }
}
