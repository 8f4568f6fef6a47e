//! Appends to the journal.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use artifact_core::{Clock, Identity, Revision, Spawn, SpawnExt as _};
use futures::FutureExt as _;
use parking_lot::Mutex;

use super::{
    entry::JournalEntry,
    error::JournalError,
    files::{self, Files, Staged},
    line::{self, FORMAT, Header, Line},
    read::Entries,
    scan::Scan,
};
use crate::vfs::{OpenMode, Vfs, VfsFile};

/// From this length on a file is closed, and another one begun.
const FILE_LIMIT: u64 = 8 << 20;
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

/// The file that is appended to.
#[derive(Debug)]
struct Newest {
    number: u64,
    file: Arc<dyn VfsFile>,
    /// Up to where its lines are whole, in bytes.
    whole: u64,
    /// Up to where it was scanned: the rest behind `whole` is torn.
    scanned: u64,
    /// The newest revision.
    last: Revision,
    /// Up to where this process wrote and did not sync.
    unsynced: bool,
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
            vfs.sync_directory(parent)?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                vfs,
                directory,
                limit,
                state: Mutex::default(),
                background: Mutex::default(),
            }),
        })
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
            if state.poisoned {
                return Err(JournalError::Poisoned);
            }
            let last = inner.refresh(&mut state)?;
            if first.revision() <= last {
                let revision = first.revision();
                return Err(JournalError::Ahead { last, revision });
            }
            inner.make_room(&mut state, first.revision(), last)?;
            inner.write(&mut state, entries)?;
        }
        Inner::sync_soon(inner);
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
        if state.poisoned {
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

    /// Returns its directory.
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Nobody is there to be told of a failure, and the index is the truth: what is lost of the
        // journal now, the next process fills in again.
        let _synced = self.inner.sync();
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
            opened => opened?.map(|(file, header)| {
                last = header.after;
                file
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
        let number = match &mut state.newest {
            Some(newest) => {
                newest.cut_tail()?;
                // Another process may have written what it did not sync.
                if let Err(error) = newest.file.sync_data() {
                    state.poisoned = true;
                    return Err(error.into());
                }
                newest.number + 1
            }
            None => {
                let found = Files::list(&*self.vfs, &self.directory)?;
                found.base.map_or(1, |base| base.file + 1)
            }
        };
        let header = Header {
            format: FORMAT,
            registry: state.identity.map(|identity| identity.registry),
            epoch: state.identity.map(|identity| identity.epoch),
            after,
            base: None,
        };
        let path = files::path(&self.directory, number);
        let (file, length) = Staged::begin(&*self.vfs, path, &header)?.finish()?;
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

    fn write(&self, state: &mut State, entries: &[JournalEntry]) -> Result<(), JournalError> {
        let Some(newest) = &mut state.newest else {
            return Ok(());
        };
        let mut lines = Vec::new();
        let mut last = newest.last;
        for entry in entries {
            let revision = entry.revision();
            if revision <= last {
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

    fn sync(&self) -> Result<(), JournalError> {
        // Not under the mutex: who commits must not wait for this.
        let file = match &mut self.state.lock().newest {
            Some(newest) if newest.unsynced => {
                newest.unsynced = false;
                Arc::clone(&newest.file)
            }
            _ => return Ok(()),
        };
        file.sync_data().map_err(|error| {
            self.state.lock().poisoned = true;
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

impl Newest {
    /// Reads the lines that were added since it was looked at last.
    fn scan(&mut self) -> Result<(), JournalError> {
        // A torn tail may have been cut, and as many bytes written: so it is always read again.
        if self.scanned == self.whole && self.file.metadata()?.size == self.scanned {
            return Ok(());
        }
        let mut scan = Scan::new(Arc::clone(&self.file), self.whole);
        self.scanned = self.whole;
        while let Some(found) = scan.advance()? {
            let line = scan.line();
            self.scanned = found.offset + line.len() as u64 + u64::from(found.ended);
            match line::read(line) {
                Some(read) if found.ended => {
                    self.whole = self.scanned;
                    if let Line::Entry(revision, _) = read {
                        self.last = self.last.max(revision);
                    }
                }
                // What follows a damaged line may be whole: then it is kept, and told by who reads.
                _ => {}
            }
        }
        Ok(())
    }

    fn cut_tail(&mut self) -> Result<(), JournalError> {
        if self.scanned > self.whole {
            self.file.set_length(self.whole)?;
            self.scanned = self.whole;
        }
        Ok(())
    }

    fn append(&mut self, lines: &[u8], last: Revision) -> Result<(), JournalError> {
        if lines.is_empty() {
            return Ok(());
        }
        // Set first: should the write fail halfway, the rest is a torn tail that is cut later.
        self.unsynced = true;
        self.scanned = u64::MAX;
        self.file.write_at(lines, self.whole)?;
        self.whole += lines.len() as u64;
        self.scanned = self.whole;
        self.last = last;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use artifact_core::{Actor, Committed, Digest, Epoch, Event, Principal, RegistryId, Timestamp};
    use bytes::Bytes;

    use super::*;
    use crate::vfs::RealVfs;

    const SMALL: u64 = 600;

    fn entry(number: u64) -> JournalEntry {
        let digest: Digest = format!("sha256:{number:064x}").parse().unwrap();
        let event = Event::BlobStored {
            digest,
            size: 3,
            key: None,
        };
        let actor = Actor::new(Principal::System, None);
        let time = Timestamp::from_millis(i64::try_from(number).unwrap());
        JournalEntry {
            committed: Committed::new(Revision::new(number), time, actor, vec![event]),
            contents: vec![(digest, Bytes::from_static(b"abc"))],
        }
    }

    fn entries(numbers: std::ops::RangeInclusive<u64>) -> Vec<JournalEntry> {
        numbers.map(entry).collect()
    }

    fn journal(directory: &Path, limit: u64) -> Journal {
        Journal::with_limit(Arc::new(RealVfs::new()), directory.to_owned(), limit).unwrap()
    }

    fn read(directory: &Path, after: u64) -> Vec<JournalEntry> {
        let vfs = Arc::new(RealVfs::new());
        let read = Journal::read(vfs, directory, Revision::new(after)).unwrap();
        read.map(Result::unwrap).collect()
    }

    fn newest(directory: &Path) -> PathBuf {
        let found = Files::list(&RealVfs::new(), directory).unwrap();
        files::path(directory, *found.numbers.last().unwrap())
    }

    #[test]
    fn what_is_appended_reads_back_over_many_files() {
        let dir = tempfile::tempdir().unwrap();
        let journal = journal(dir.path(), SMALL);
        assert_eq!(journal.last().unwrap(), Revision::ZERO);
        assert!(read(dir.path(), 0).is_empty());
        for number in 1..=20 {
            journal.append(&[entry(number)]).unwrap();
            assert_eq!(journal.last().unwrap(), Revision::new(number));
        }
        let found = Files::list(&RealVfs::new(), dir.path()).unwrap();
        assert!(found.numbers.len() > 3, "{found:?}");
        for after in [0, 1, 7, 19, 20] {
            assert_eq!(read(dir.path(), after), entries(after + 1..=20), "{after}");
        }
    }

    /// F13, I16: two handles, as two processes have them, append in turn and see each other.
    #[test]
    fn f13_handles_append_in_turn() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (journal(dir.path(), SMALL), journal(dir.path(), SMALL));
        for number in (1..=30).step_by(3) {
            first.append(&[entry(number)]).unwrap();
            assert_eq!(second.last().unwrap(), Revision::new(number));
            second.append(&entries(number + 1..=number + 2)).unwrap();
            assert_eq!(first.last().unwrap(), Revision::new(number + 2));
        }
        assert_eq!(read(dir.path(), 0), entries(1..=30));
    }

    /// F1, F4: wherever a process died while it appended, the rest is read and the next one cuts it.
    #[test]
    fn f4_a_torn_tail_is_told_and_cut() {
        let dir = tempfile::tempdir().unwrap();
        journal(dir.path(), u64::MAX)
            .append(&entries(1..=2))
            .unwrap();
        let path = newest(dir.path());
        let before = std::fs::read(&path).unwrap();
        journal(dir.path(), u64::MAX).append(&[entry(3)]).unwrap();
        let after = std::fs::read(&path).unwrap();
        for cut in (before.len() + 1..after.len()).step_by(7) {
            std::fs::write(&path, &after[..cut]).unwrap();
            let vfs = Arc::new(RealVfs::new());
            let mut found = Journal::read(vfs, dir.path(), Revision::ZERO).unwrap();
            let whole: Vec<_> = found.by_ref().map(Result::unwrap).collect();
            assert_eq!(whole, entries(1..=2), "cut to {cut}");
            let torn = found.torn().unwrap();
            assert_eq!((&torn.path, torn.offset), (&path, before.len() as u64));
            let journal = journal(dir.path(), u64::MAX);
            assert_eq!(journal.last().unwrap(), Revision::new(2));
            journal.append(&[entry(3)]).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), after);
        }
    }

    /// Another handle cut a torn tail and wrote as many bytes in its place.
    #[test]
    fn a_tail_that_was_replaced_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (journal(dir.path(), u64::MAX), journal(dir.path(), u64::MAX));
        first.append(&entries(1..=2)).unwrap();
        let path = newest(dir.path());
        let whole = std::fs::metadata(&path).unwrap().len();
        second.append(&[entry(3)]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let mut torn = bytes.clone();
        *torn.last_mut().unwrap() = b'x';
        std::fs::write(&path, &torn).unwrap();
        assert_eq!(first.last().unwrap(), Revision::new(2));
        std::fs::write(&path, &bytes).unwrap();
        assert!(bytes.len() as u64 > whole);
        assert_eq!(first.last().unwrap(), Revision::new(3));
    }

    /// F10, I22: damage in the middle costs the line that it is in, and is told with its place.
    #[test]
    fn f10_damage_in_the_middle_is_told_and_passed() {
        let dir = tempfile::tempdir().unwrap();
        let journal = journal(dir.path(), u64::MAX);
        journal.append(&entries(1..=5)).unwrap();
        let path = newest(dir.path());
        let mut bytes = std::fs::read(&path).unwrap();
        let lines: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
        bytes[lines[2] + 40] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let vfs = Arc::new(RealVfs::new());
        let mut found = Journal::read(vfs, dir.path(), Revision::ZERO).unwrap();
        let read: Vec<_> = found.by_ref().collect();
        assert_eq!(read.len(), 5);
        let damage = read[2].as_ref().unwrap_err();
        let offset = lines[2] as u64 + 1;
        assert!(
            matches!(damage, JournalError::Damaged { offset: at, .. } if *at == offset),
            "{damage}"
        );
        assert_eq!(read[3].as_ref().unwrap(), &entry(4));
        assert_eq!(found.torn(), None);
        // Who appends goes on behind what is whole.
        let again = self::journal(dir.path(), u64::MAX);
        assert_eq!(again.last().unwrap(), Revision::new(5));
        again.append(&[entry(6)]).unwrap();
    }

    /// F10: a file without its header is read, and does not set the journal back.
    #[test]
    fn f10_a_lost_header_loses_no_entry() {
        let dir = tempfile::tempdir().unwrap();
        let first = journal(dir.path(), u64::MAX);
        first.append(&entries(1..=3)).unwrap();
        first.rotate().unwrap();
        let path = newest(dir.path());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[3] ^= 4;
        std::fs::write(&path, &bytes).unwrap();
        let again = journal(dir.path(), u64::MAX);
        assert_eq!(again.last().unwrap(), Revision::new(3));
        again.append(&entries(4..=5)).unwrap();
        let vfs = Arc::new(RealVfs::new());
        let found = Journal::read(vfs, dir.path(), Revision::ZERO).unwrap();
        let whole: Vec<_> = found.filter_map(Result::ok).collect();
        assert_eq!(whole, entries(1..=5));
    }

    #[test]
    fn what_is_there_is_not_appended_again() {
        let dir = tempfile::tempdir().unwrap();
        let journal = journal(dir.path(), u64::MAX);
        journal.append(&entries(1..=3)).unwrap();
        let refused = journal.append(&[entry(3)]).unwrap_err();
        assert!(matches!(refused, JournalError::Ahead { .. }), "{refused}");
        assert_eq!(read(dir.path(), 0), entries(1..=3));
    }

    /// MI-9: what is missing is told, never passed over in silence.
    #[test]
    fn mi9_a_gap_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let journal = journal(dir.path(), u64::MAX);
        journal.append(&entries(1..=2)).unwrap();
        journal.append(&entries(5..=6)).unwrap();
        let vfs = Arc::new(RealVfs::new());
        let read: Vec<_> = Journal::read(vfs, dir.path(), Revision::ZERO)
            .unwrap()
            .collect();
        let gap = read[2].as_ref().unwrap_err();
        assert!(
            matches!(gap, JournalError::Gap { after, next, .. }
                if after.get() == 2 && next.get() == 5),
            "{gap}"
        );
        assert_eq!(read[3].as_ref().unwrap(), &entry(5));
        assert_eq!(read.len(), 5);
    }

    /// I25: what a newer program wrote is refused, and not changed.
    #[test]
    fn i25_a_newer_form_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let header = Header {
            format: FORMAT + 1,
            registry: None,
            epoch: None,
            after: Revision::ZERO,
            base: None,
        };
        let path = files::path(dir.path(), 1);
        let newer = line::header(&header).unwrap();
        std::fs::write(&path, &newer).unwrap();
        let journal = journal(dir.path(), u64::MAX);
        let refused = journal.append(&[entry(1)]).unwrap_err();
        assert!(matches!(refused, JournalError::Format { .. }), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), newer);
    }

    #[test]
    fn files_tell_their_registry_and_are_their_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::new(RegistryId::from_random([7; 16]), Epoch::new(3));
        let journal = journal(&dir.path().join("journal"), u64::MAX);
        journal.set_identity(identity);
        journal.append(&[entry(1)]).unwrap();
        journal.sync().unwrap();
        let vfs = Arc::new(RealVfs::new());
        let mut read = Journal::read(vfs, journal.directory(), Revision::ZERO).unwrap();
        assert!(read.next().is_some());
        assert_eq!(read.identity(), Some(identity));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&newest(journal.directory())), 0o600);
            assert_eq!(mode(journal.directory()), 0o700);
        }
    }
}
