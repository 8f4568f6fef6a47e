//! Appends to the journal.

use std::{
    any::Any,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use artifact_core::{Clock, Identity, Revision, Spawn, SpawnExt as _, guard};
use futures::FutureExt as _;
use parking_lot::Mutex;

use super::{
    entry::JournalEntry,
    error::JournalError,
    files::{self, Files, Staged},
    line::{self, FORMAT, Header},
    newest::Newest,
    read::Entries,
};
use crate::vfs::{OpenMode, Vfs};

/// From this length on a file is closed, and another one begun.
pub(crate) const FILE_LIMIT: u64 = 8 << 20;
/// How many bytes are gathered before they are written.
const WRITE: usize = 1 << 20;
/// How long after an append the journal is synced, so that this is within a second.
const SYNC_AFTER: Duration = Duration::from_millis(500);

/// Every change set that was committed, in plain, in the order of revisions.
///
/// The index is the truth and is ahead of it: who commits appends to it afterwards, under the
/// writer's lock, what it has not got yet. It is for a lost index.
///
/// Several processes append, one at a time. A file that was begun is only appended to; one that is
/// not the newest is durable. A tail that is torn is cut by the next who appends.
#[derive(Debug)]
pub struct Journal {
    inner: Arc<Inner>,
    kept: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
}

#[derive(Debug)]
struct Inner {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    limit: u64,
    state: Mutex<State>,
    background: Mutex<Option<Background>>,
}

#[derive(Debug)]
struct Background {
    spawn: Arc<dyn Spawn>,
    clock: Arc<dyn Clock>,
    under_way: bool,
}

#[derive(Debug, Default)]
struct State {
    identity: Option<Identity>,
    newest: Option<Newest>,
    poisoned: bool,
}

impl Journal {
    /// Opens the journal in a directory, and makes the directory (mode 0700) when it is absent.
    ///
    /// # Errors
    /// Where the file system fails.
    pub fn open(vfs: Arc<dyn Vfs>, directory: PathBuf) -> Result<Self, JournalError> {
        Self::with_limit(vfs, directory, FILE_LIMIT)
    }

    /// Opens the journal, whose files are closed from `limit` bytes on.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn with_limit(
        vfs: Arc<dyn Vfs>,
        directory: PathBuf,
        limit: u64,
    ) -> Result<Self, JournalError> {
        if vfs.create_directory(&directory, 0o700)?
            && let Some(parent) = directory.parent()
        {
            guard!(13, vfs.sync_directory(parent))?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                vfs,
                directory,
                limit,
                state: Mutex::default(),
                background: Mutex::default(),
            }),
            kept: Mutex::default(),
        })
    }

    /// Keeps something alive as long as the journal: who writes to the index has the journal longer
    /// than its connections, so a lock that is kept here is held until they are closed.
    pub fn keep(&self, kept: Arc<dyn Any + Send + Sync>) {
        *self.kept.lock() = Some(kept);
    }

    /// Says of which registry the journal is, and in which epoch it goes on; files that are begun
    /// from now on tell it.
    pub fn set_identity(&self, identity: Identity) {
        self.inner.state.lock().identity = Some(identity);
    }

    /// Has what is appended from now on synced within a second, beside the caller's work.
    pub fn sync_beside(&self, spawn: Arc<dyn Spawn>, clock: Arc<dyn Clock>) {
        *self.inner.background.lock() = Some(Background {
            spawn,
            clock,
            under_way: false,
        });
    }

    /// Returns the newest revision in the files as they are now; [`Revision::ZERO`] when there is
    /// none.
    ///
    /// # Errors
    /// Where the file system fails, and [`JournalError::Format`].
    pub fn last(&self) -> Result<Revision, JournalError> {
        let mut state = self.inner.state.lock();
        self.inner.refresh(&mut state)
    }

    /// Appends entries in the order of their revisions; they are written, not synced.
    ///
    /// The caller holds the writer's lock. What fails leaves no more than a torn tail.
    ///
    /// # Errors
    /// [`JournalError::Ahead`] when a revision is there already, [`JournalError::Poisoned`], and
    /// where the file system fails.
    pub fn append(&self, entries: &[JournalEntry]) -> Result<(), JournalError> {
        let Some(first) = entries.first() else {
            return Ok(());
        };
        let inner = &self.inner;
        {
            let mut state = inner.state.lock();
            if guard!(172) && state.poisoned {
                return Err(JournalError::Poisoned);
            }
            let last = inner.refresh(&mut state)?;
            if guard!(198) && first.revision() <= last {
                let revision = first.revision();
                return Err(JournalError::Ahead { last, revision });
            }
            inner.make_room(&mut state, first.revision(), last)?;
            state.write(entries)?;
        }
        Inner::sync_soon(inner);
        Ok(())
    }

    /// Refuses to go on after a sync has failed: what the files hold is not known then (I21).
    ///
    /// # Errors
    /// [`JournalError::Poisoned`].
    pub fn check_sound(&self) -> Result<(), JournalError> {
        if self.inner.state.lock().poisoned {
            return Err(JournalError::Poisoned);
        }
        Ok(())
    }

    /// Makes durable what this process has appended.
    ///
    /// # Errors
    /// Where the file system fails; then the journal is poisoned.
    pub fn sync(&self) -> Result<(), JournalError> {
        self.inner.sync()
    }

    /// Closes the newest file, so that what it holds can be rewritten, and begins another.
    ///
    /// The caller holds the writer's lock.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn rotate(&self) -> Result<(), JournalError> {
        let mut state = self.inner.state.lock();
        if guard!(173) && state.poisoned {
            return Err(JournalError::Poisoned);
        }
        let last = self.inner.refresh(&mut state)?;
        self.inner.begin(&mut state, last)
    }

    /// Reads the journal in a directory: the entries after a revision, oldest first.
    ///
    /// # Errors
    /// Where the file system fails, and [`JournalError::Format`].
    pub fn read(
        vfs: Arc<dyn Vfs>,
        directory: &Path,
        after: Revision,
    ) -> Result<Entries, JournalError> {
        Entries::new(vfs, directory, after)
    }

    /// Returns the revision up to which only the state is kept, not how it came to be:
    /// [`Revision::ZERO`] when nothing was forgotten.
    ///
    /// # Errors
    /// Where the file system fails, and [`JournalError::Format`].
    pub fn horizon(vfs: &dyn Vfs, directory: &Path) -> Result<Revision, JournalError> {
        let base = Files::list(vfs, directory)?.base;
        Ok(base.map_or(Revision::ZERO, |base| base.revision))
    }

    /// Returns what the newest file in a directory says of its registry.
    ///
    /// # Errors
    /// Where the file system fails, and [`JournalError::Format`].
    pub fn identity(vfs: &dyn Vfs, directory: &Path) -> Result<Option<Identity>, JournalError> {
        let numbers = Files::list(vfs, directory)?.numbers;
        let newer = numbers
            .iter()
            .rev()
            .map(|number| files::path(directory, *number));
        for path in newer.chain([files::base_path(directory)]) {
            let header = match files::open(vfs, &path, OpenMode::Read) {
                Ok(opened) => opened.map(|opened| opened.header),
                Err(JournalError::Damaged { .. }) => None,
                Err(error) => return Err(error),
            };
            let registry = header.as_ref().and_then(|header| header.registry);
            if let (Some(registry), Some(epoch)) = (registry, header.and_then(|h| h.epoch)) {
                return Ok(Some(Identity::new(registry, epoch)));
            }
        }
        Ok(None)
    }

    /// Returns its directory.
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Nobody is there to be told of a failure, and the index is the truth: what is lost of the
        // journal now, the next process fills in again.
        let _synced = guard!(16, self.inner.sync());
    }
}

impl Inner {
    /// Looks what other processes have done, and returns the newest revision.
    fn refresh(&self, state: &mut State) -> Result<Revision, JournalError> {
        if !self.is_newest(state)? {
            state.newest = None;
            let found = Files::list(&*self.vfs, &self.directory)?;
            state.newest = self.open(&found)?;
            if state.newest.is_none() {
                return Ok(found.base.map_or(Revision::ZERO, |base| base.revision));
            }
        }
        let Some(newest) = &mut state.newest else {
            return Ok(Revision::ZERO);
        };
        newest.scan()?;
        Ok(newest.last)
    }

    /// Says whether the file that was appended to last is the newest still. Others may have begun
    /// another, or rewritten this one.
    fn is_newest(&self, state: &State) -> Result<bool, JournalError> {
        let Some(newest) = &state.newest else {
            return Ok(false);
        };
        let path = files::path(&self.directory, newest.number);
        let Some(named) = self.vfs.metadata(&path)? else {
            return Ok(false);
        };
        if named.inode != newest.file.metadata()?.inode {
            return Ok(false);
        }
        let next = files::path(&self.directory, newest.number + 1);
        Ok(self.vfs.metadata(&next)?.is_none())
    }

    fn open(&self, found: &Files) -> Result<Option<Newest>, JournalError> {
        let mut last = found.base.map_or(Revision::ZERO, |base| base.revision);
        let Some((number, earlier)) = found.numbers.split_last() else {
            return Ok(None);
        };
        let path = |number| files::path(&self.directory, number);
        let opened = match files::open(&*self.vfs, &path(*number), OpenMode::Write) {
            // The header is lost: then the file before tells what is before this one.
            Err(JournalError::Damaged { .. }) => {
                for earlier in earlier {
                    last = last.max(files::last(&*self.vfs, &path(*earlier))?);
                }
                self.vfs
                    .open(&path(*number), OpenMode::Write)?
                    .map(Arc::from)
            }
            opened => opened?.map(|opened| {
                last = opened.header.after;
                opened.file
            }),
        };
        Ok(opened.map(|file| Newest {
            number: *number,
            file,
            whole: 0,
            scanned: 0,
            last,
            unsynced: false,
        }))
    }

    /// Cuts a torn tail, and begins a file where there is none or the newest is full or the entry
    /// does not follow it.
    fn make_room(
        &self,
        state: &mut State,
        first: Revision,
        last: Revision,
    ) -> Result<(), JournalError> {
        match &mut state.newest {
            // A gap is told by the header of a file, so that nothing is taken for it.
            Some(newest) if newest.whole < self.limit && first == last.next() => {
                newest.cut_tail()?;
                Ok(())
            }
            _ => self.begin(state, Revision::new(first.get() - 1)),
        }
    }

    /// Makes the newest file durable, and begins the next one.
    fn begin(&self, state: &mut State, after: Revision) -> Result<(), JournalError> {
        let number = if let Some(newest) = &mut state.newest {
            newest.cut_tail()?;
            // Another process may have written what it did not sync.
            if let Err(error) = guard!(14, newest.file.sync_data()) {
                state.poisoned = guard!(175);
                return Err(error.into());
            }
            newest.number + 1
        } else {
            let found = Files::list(&*self.vfs, &self.directory)?;
            found.base.map_or(1, |base| base.file + 1)
        };
        let header = Header {
            format: FORMAT,
            registry: state.identity.map(|identity| identity.registry),
            epoch: state.identity.map(|identity| identity.epoch),
            after,
            base: None,
        };
        let path = files::path(&self.directory, number);
        let finished = Staged::begin(&*self.vfs, path, &header)?.finish();
        let (file, length) = finished.inspect_err(|error| {
            // A full disk is told before anything is acknowledged; another failure may be a sync's.
            state.poisoned |= guard!(176) && !error.is_no_space();
        })?;
        state.newest = Some(Newest {
            number,
            file,
            whole: length,
            scanned: length,
            last: after,
            unsynced: false,
        });
        Ok(())
    }

    fn sync(&self) -> Result<(), JournalError> {
        // Not under the mutex: who commits must not wait for this.
        let file = match &mut self.state.lock().newest {
            Some(newest) if newest.unsynced => {
                newest.unsynced = false;
                Arc::clone(&newest.file)
            }
            _ => return Ok(()),
        };
        guard!(15, file.sync_data()).map_err(|error| {
            self.state.lock().poisoned = guard!(177);
            error.into()
        })
    }

    /// Begins the background's work, unless it is under way.
    fn sync_soon(inner: &Arc<Self>) {
        let mut background = inner.background.lock();
        let Some(background) = &mut *background else {
            return;
        };
        if std::mem::replace(&mut background.under_way, true) {
            return;
        }
        let (spawn, clock) = (Arc::clone(&background.spawn), Arc::clone(&background.clock));
        let work = Self::sync_until_idle(Arc::downgrade(inner), Arc::clone(&spawn), clock);
        spawn.spawn(work.boxed());
    }

    async fn sync_until_idle(inner: Weak<Self>, spawn: Arc<dyn Spawn>, clock: Arc<dyn Clock>) {
        loop {
            clock.sleep(SYNC_AFTER).await;
            let Some(inner) = inner.upgrade() else {
                return;
            };
            let synced = Arc::clone(&inner);
            // A failure is told to who appends next.
            let _outcome = spawn.run_blocking(move || synced.sync()).await;
            let mut background = inner.background.lock();
            let state = inner.state.lock();
            let unsynced = state.newest.as_ref().is_some_and(|newest| newest.unsynced);
            if let Some(background) = &mut *background
                && (state.poisoned || !unsynced)
            {
                background.under_way = false;
                return;
            }
        }
    }
}

impl State {
    fn write(&mut self, entries: &[JournalEntry]) -> Result<(), JournalError> {
        let Some(newest) = &mut self.newest else {
            return Ok(());
        };
        let mut lines = Vec::new();
        let mut last = newest.last;
        for entry in entries {
            let revision = entry.revision();
            if guard!(199) && revision <= last {
                return Err(JournalError::Ahead { last, revision });
            }
            let json = entry.to_json();
            let json = json.map_err(|source| JournalError::Encode { revision, source })?;
            lines.extend_from_slice(&line::entry(revision, &json));
            last = revision;
            if lines.len() >= WRITE {
                newest.append(&lines, last)?;
                lines.clear();
            }
        }
        newest.append(&lines, last)
    }
}
