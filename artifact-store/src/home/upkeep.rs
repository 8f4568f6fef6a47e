//! What is done beside commits: the reserve, and the journal's rewriting.

use std::{
    num::NonZeroU32,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use artifact_core::{
    Digest, Event, IndexError, ManifestIndex as _, Revision, Rng, Spawn, SpawnExt as _,
};
use futures::FutureExt as _;

use super::{error::HomeError, purges::Purges, room::Room};
use crate::{
    index::sqlite::index::SqliteIndex,
    journal::{ClosedFiles, Journal, JournalError},
    sys::lock::{Hold, RecordLock},
    vfs::Vfs,
};

/// How long is waited for others that write to, or copy, the journal.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);
const ONE: NonZeroU32 = NonZeroU32::MIN;

/// What is done beside commits.
#[derive(Debug)]
pub(super) struct Upkeep {
    vfs: Arc<dyn Vfs>,
    spawn: Arc<dyn Spawn>,
    rng: Arc<dyn Rng>,
    journal: Arc<Journal>,
    writer_lock: PathBuf,
    room: Arc<Room>,
    compacting: AtomicBool,
}

impl Upkeep {
    pub(super) fn new(
        vfs: Arc<dyn Vfs>,
        spawn: Arc<dyn Spawn>,
        rng: Arc<dyn Rng>,
        journal: Arc<Journal>,
        writer_lock: PathBuf,
        room: Arc<Room>,
    ) -> Self {
        Self {
            vfs,
            spawn,
            rng,
            journal,
            writer_lock,
            room,
            compacting: AtomicBool::new(false),
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

    /// Records that content is to be purged, so that the journal forgets it even over a crash.
    pub(super) async fn intend_purge(
        &self,
        head: Revision,
        digests: Vec<Digest>,
    ) -> Result<Intent, IndexError> {
        let mut name = [0; 16];
        self.rng.fill(&mut name);
        let (vfs, directory) = (Arc::clone(&self.vfs), self.journal.directory().to_owned());
        let written = self.spawn.run_blocking(move || {
            let purges = Purges::new(vfs, directory);
            let path = purges.intend(&hex::encode(name), head, &digests)?;
            Ok(Intent { path, digests })
        });
        let written = written
            .await
            .map_err(|error| failed("recording a purge", error))?;
        written.map_err(|error: HomeError| failed("recording a purge", error))
    }

    /// Takes the bytes out of the journal if they were purged, and ends what was recorded. What does
    /// not succeed stays recorded, and is done when the registry is opened next.
    pub(super) async fn end_purge(self: &Arc<Self>, intent: Intent, purged: bool) {
        let this = Arc::clone(self);
        let work = move || {
            if !purged || this.purge(&intent.digests).is_ok() {
                // It is done again otherwise, and changes nothing then.
                let _ended = this.vfs.unlink(&intent.path);
            }
        };
        let _outcome = self.spawn.run_blocking(work).await;
    }

    /// Ends the purges that a crash has left, beside the caller's work.
    pub(super) fn end_left_purges(self: &Arc<Self>, index: SqliteIndex) {
        let this = Arc::clone(self);
        let work = async move {
            let purges = Purges::new(Arc::clone(&this.vfs), this.journal.directory().to_owned());
            // What cannot be read now is found by the next open.
            for (path, after, digests) in purges.left().unwrap_or_default() {
                let done = was_purged(&index, after, &digests).await.unwrap_or(false);
                this.end_purge(Intent { path, digests }, done).await;
            }
        };
        self.spawn.spawn(work.boxed());
    }

    /// Makes one file of what the journal has below the oldest revision of the feed, unless that is
    /// being done.
    pub(super) fn compact_soon(self: &Arc<Self>, index: SqliteIndex) {
        if self.compacting.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = Arc::clone(self);
        let work = async move {
            if let Err(IndexError::HistoryForgotten { oldest }) =
                index.changes(Revision::ZERO, ONE).await
            {
                let compactor = Arc::clone(&this);
                let work = move || compactor.compact(oldest);
                // Where it fails nothing changed, and the next collection tries again.
                let _outcome = this.spawn.run_blocking(work).await;
            }
            this.compacting.store(false, Ordering::Release);
        };
        self.spawn.spawn(work.boxed());
    }

    fn compact(&self, horizon: Revision) -> Result<(), JournalError> {
        let directory = self.journal.directory();
        let vfs = Arc::clone(&self.vfs);
        if let Some(files) = ClosedFiles::take(vfs, directory, Hold::Exclusive)? {
            files.compact(horizon, false)?;
        }
        Ok(())
    }

    /// Takes the bytes of content out of the journal.
    fn purge(&self, digests: &[Digest]) -> Result<(), HomeError> {
        let directory = self.journal.directory();
        let failed = HomeError::journal(directory);
        let io = HomeError::io("lock", &self.writer_lock);
        {
            let lock = RecordLock::open(&self.writer_lock).map_err(&io)?;
            let locked = lock.acquire(PATIENCE);
            let _locked = locked.map_err(|error| io(std::io::Error::other(error)))?;
            self.journal.rotate().map_err(&failed)?;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let vfs = Arc::clone(&self.vfs);
            let taken = ClosedFiles::take(vfs, directory, Hold::Exclusive).map_err(&failed)?;
            if let Some(files) = taken {
                files.purge(digests).map_err(&failed)?;
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(io(std::io::Error::from(std::io::ErrorKind::TimedOut)));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// A purge that was recorded.
#[derive(Debug)]
pub(super) struct Intent {
    path: PathBuf,
    digests: Vec<Digest>,
}

/// Says whether content was purged after a revision; if the feed does not reach back that far, it
/// was long ago, and it does no harm to take it for purged: the record was made right before.
async fn was_purged(
    index: &SqliteIndex,
    mut after: Revision,
    digests: &[Digest],
) -> Result<bool, IndexError> {
    const PAGE: NonZeroU32 = NonZeroU32::new(100).expect("100 is not 0");
    loop {
        let page = match index.changes(after, PAGE).await {
            Err(IndexError::HistoryForgotten { .. }) => return Ok(true),
            page => page?,
        };
        let Some(last) = page.last() else {
            return Ok(false);
        };
        after = last.revision;
        let purges =
            |event: &Event| matches!(event, Event::Purged { digest } if digests.contains(digest));
        if page
            .iter()
            .any(|committed| committed.events.iter().any(purges))
        {
            return Ok(true);
        }
    }
}

fn failed(operation: &'static str, error: impl Into<artifact_core::BoxError>) -> IndexError {
    IndexError::Backend {
        backend: "home",
        operation,
        source: error.into(),
    }
}
