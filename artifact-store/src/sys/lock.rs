//! Locks between processes.
//!
//! [`FileLock`] is a lock of an open file (`flock(2)`): two handles exclude each other, also within
//! one process. A forked child keeps it while its copy of the file is open, so after a parent was
//! killed it may last as long as the child: what it protects is only taken back later.
//!
//! [`RecordLock`] is a lock of the process (`fcntl(2)`): it ends with the process, whatever its
//! children hold. The other side of that: closing *any* handle of the file in the process ends it,
//! and threads do not exclude each other. So a process opens the file once, whoever asks, and a
//! mutex stands in front of it.

use artifact_core::guard;
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use super::{fcntl, file_id::FileId};

/// The first wait between two tries to take a lock; later ones double up to [`LAST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_micros(50);
const LAST_WAIT: Duration = Duration::from_millis(2);

/// How a [`FileLock`] is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a lock has no third way of being held"
)]
pub enum Hold {
    /// By one handle alone.
    Exclusive,
    /// Together with others.
    Shared,
}

/// A lock on an open file, until it is dropped.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    process: u32,
}

impl FileLock {
    /// Locks the file, unless a handle that excludes it has it.
    ///
    /// # Errors
    /// Where the file system fails, or has no locks.
    pub fn try_lock(file: File, hold: Hold) -> io::Result<Option<Self>> {
        let tried = match hold {
            Hold::Exclusive => file.try_lock(),
            Hold::Shared => file.try_lock_shared(),
        };
        match tried {
            Ok(()) => Ok(Some(Self::held(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Locks the file as soon as no other handle excludes it.
    ///
    /// # Errors
    /// Where the file system fails, or has no locks.
    pub fn lock(file: File, hold: Hold) -> io::Result<Self> {
        match hold {
            Hold::Exclusive => file.lock()?,
            Hold::Shared => file.lock_shared()?,
        }
        Ok(Self::held(file))
    }

    /// Locks the file, waiting for it up to `patience`; `None` when that was not enough.
    ///
    /// # Errors
    /// Where the file system fails, or has no locks.
    pub fn lock_within(file: &File, hold: Hold, patience: Duration) -> io::Result<Option<Self>> {
        let mut wait = Wait::until(Instant::now() + patience);
        loop {
            // The handle is kept: what is tried again is the lock, not the path.
            if let Some(lock) = Self::try_lock(file.try_clone()?, hold)? {
                return Ok(Some(lock));
            }
            if !wait.once_more() {
                return Ok(None);
            }
        }
    }

    /// Takes no lock, and says that it did: for what is proved with a lock left out.
    ///
    /// # Errors
    /// Where there is no handle left.
    #[cfg(prove)]
    pub fn unlocked(file: &File) -> io::Result<Option<Self>> {
        file.try_clone().map(|file| Some(Self::held(file)))
    }

    /// Returns the file.
    pub const fn file(&self) -> &File {
        &self.file
    }

    fn held(file: File) -> Self {
        Self {
            file,
            process: std::process::id(),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // A forked child shares the lock with its parent: it closes its copy of the file, and no
        // more. Where we do own it, it ends here even if a child has a copy.
        if self.process == std::process::id() {
            // The file is closed next, which ends the lock in any case.
            let _ended = self.file.unlock();
        }
    }
}

/// A file whose record lock this process takes and lets go; clones are the same one.
#[derive(Debug)]
pub struct RecordLock {
    id: FileId,
    /// Taken only when dropped.
    entry: Option<Arc<Entry>>,
}

#[derive(Debug)]
struct Entry {
    path: PathBuf,
    file: File,
    held: Mutex<bool>,
    free: Condvar,
}

/// The files that this process has open for their record locks, with the number of their handles.
static FILES: Mutex<BTreeMap<FileId, (Arc<Entry>, usize)>> = Mutex::new(BTreeMap::new());

impl RecordLock {
    /// Opens the file, and makes it (mode 0600) when it is absent.
    ///
    /// # Errors
    /// Where the file system fails.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut files = FILES.lock();
        // Looked up before it is opened: to open it a second time, and close that, would end a lock.
        if let Ok(id) = FileId::of(path)
            && let Some((entry, handles)) = files.get_mut(&id)
        {
            *handles += 1;
            let entry = Some(Arc::clone(entry));
            return Ok(Self { id, entry });
        }
        let file = open_file(path)?;
        let id = FileId::of_file(&file, path)?;
        let entry = Arc::new(Entry {
            path: path.to_owned(),
            file,
            held: Mutex::new(false),
            free: Condvar::new(),
        });
        files.insert(id, (Arc::clone(&entry), 1));
        let entry = Some(entry);
        Ok(Self { id, entry })
    }

    /// Returns a lock that no other process has or wants: for what is proved with a lock left out.
    ///
    /// # Panics
    /// Where the system has no room for a file.
    #[cfg(prove)]
    pub fn elsewhere() -> Self {
        let name = format!("artifact-prove-{}", std::process::id());
        Self::open(&std::env::temp_dir().join(name)).unwrap()
    }

    /// Takes the lock, waiting for other threads and processes up to `patience`.
    ///
    /// # Errors
    /// [`RecordLockError::Busy`] when that was not enough, and where the file system fails.
    pub fn acquire(&self, patience: Duration) -> Result<RecordGuard, RecordLockError> {
        let deadline = Instant::now() + patience;
        let lock = self.clone();
        let entry = lock.entry();
        guard!(128, entry.take_turn(deadline))?;
        match guard!(129, entry.lock_file(deadline)) {
            Ok(()) => Ok(RecordGuard { lock }),
            Err(error) => {
                entry.end_turn();
                Err(error)
            }
        }
    }

    /// Returns the process that has the lock, unless it is this one or nobody; 0 when it is of
    /// another pid namespace.
    ///
    /// # Errors
    /// Where the file system fails.
    pub fn holder(&self) -> io::Result<Option<u32>> {
        fcntl::holder(&self.entry().file)
    }

    fn entry(&self) -> &Entry {
        self.entry
            .as_deref()
            .expect("the entry is taken only when the handle is dropped")
    }
}

impl Clone for RecordLock {
    fn clone(&self) -> Self {
        if let Some((_, handles)) = FILES.lock().get_mut(&self.id) {
            *handles += 1;
        }
        Self {
            id: self.id,
            entry: self.entry.clone(),
        }
    }
}

impl Drop for RecordLock {
    fn drop(&mut self) {
        let mut files = FILES.lock();
        let entry = self.entry.take();
        let last = files.get_mut(&self.id).is_none_or(|(_, handles)| {
            *handles -= 1;
            *handles == 0
        });
        if last {
            files.remove(&self.id);
        }
        // Closed before anybody can open the file anew: closing it later would end their lock.
        drop(entry);
        drop(files);
    }
}

impl Entry {
    fn take_turn(&self, deadline: Instant) -> Result<(), RecordLockError> {
        let mut held = self.held.lock();
        while *held {
            if self.free.wait_until(&mut held, deadline).timed_out() && *held {
                return Err(self.busy());
            }
        }
        *held = true;
        Ok(())
    }

    fn end_turn(&self) {
        *self.held.lock() = false;
        self.free.notify_one();
    }

    fn lock_file(&self, deadline: Instant) -> Result<(), RecordLockError> {
        let mut wait = Wait::until(deadline);
        loop {
            if fcntl::try_lock(&self.file).map_err(|source| self.failed(source))? {
                return Ok(());
            }
            if !wait.once_more() {
                return Err(self.busy());
            }
        }
    }

    fn busy(&self) -> RecordLockError {
        RecordLockError::Busy {
            path: self.path.clone(),
            holder: fcntl::holder(&self.file).ok().flatten(),
        }
    }

    fn failed(&self, source: io::Error) -> RecordLockError {
        RecordLockError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

/// A record lock that is held, until it is dropped.
#[derive(Debug)]
pub struct RecordGuard {
    lock: RecordLock,
}

impl Drop for RecordGuard {
    fn drop(&mut self) {
        let entry = self.lock.entry();
        // It fails only where the file has no locks at all, and then it was not taken.
        let _ended = fcntl::unlock(&entry.file);
        entry.end_turn();
    }
}

/// Why a record lock was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordLockError {
    /// Another thread or process kept it for longer than the caller would wait.
    #[error("{} is held by {}", .path.display(), match .holder {
        Some(0) => String::from("a process of another pid namespace"),
        Some(pid) => format!("process {pid}"),
        None => String::from("another thread"),
    })]
    Busy {
        /// The file.
        path: PathBuf,
        /// The process; 0 when it is of another pid namespace, `None` when it is this one.
        holder: Option<u32>,
    },
    /// The file system failed.
    #[error("{} cannot be locked", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Waits between two tries, a little longer each time.
struct Wait {
    deadline: Instant,
    next: Duration,
}

impl Wait {
    const fn until(deadline: Instant) -> Self {
        Self {
            deadline,
            next: FIRST_WAIT,
        }
    }

    /// Waits, and says whether there is time for another try.
    fn once_more(&mut self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(self.next.min(left));
        self.next = (self.next * 2).min(LAST_WAIT);
        true
    }
}

/// Opens a file that holds nothing but locks, and makes it (mode 0600) when it is absent.
#[cfg(unix)]
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// Opens a file that holds nothing but locks, and makes it when it is absent.
#[cfg(not(unix))]
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(30);
    const LONG: Duration = Duration::from_secs(20);

    fn file(path: &Path) -> File {
        open_file(path).unwrap()
    }

    #[test]
    fn file_locks_exclude_within_a_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let shared = FileLock::try_lock(file(&path), Hold::Shared).unwrap();
        assert!(shared.is_some());
        let second = FileLock::lock(file(&path), Hold::Shared).unwrap();
        let exclusive = |patience| FileLock::lock_within(&file(&path), Hold::Exclusive, patience);
        assert!(exclusive(SHORT).unwrap().is_none());
        drop(shared);
        assert!(exclusive(Duration::ZERO).unwrap().is_none());
        drop(second);
        assert!(exclusive(Duration::ZERO).unwrap().is_some());
    }

    /// The lock ends with its owner, even if a copy of the file is still open (in a child).
    #[test]
    fn a_dropped_file_lock_is_free_although_a_copy_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = FileLock::lock(file(&path), Hold::Exclusive).unwrap();
        let copy = lock.file().try_clone().unwrap();
        drop(lock);
        assert!(
            FileLock::try_lock(file(&path), Hold::Exclusive)
                .unwrap()
                .is_some()
        );
        drop(copy);
    }

    /// I16: a process opens the file once, so that no handle that is closed ends the lock.
    #[test]
    fn i16_threads_take_turns_at_a_record_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("writer.lock");
        let lock = RecordLock::open(&path).unwrap();
        let guard = lock.acquire(SHORT).unwrap();
        let other = RecordLock::open(&dir.path().join("./writer.lock")).unwrap();
        assert!(Arc::ptr_eq(
            lock.entry.as_ref().unwrap(),
            other.entry.as_ref().unwrap()
        ));
        let refused = other.acquire(SHORT).unwrap_err();
        assert!(
            matches!(refused, RecordLockError::Busy { holder: None, .. }),
            "{refused}"
        );
        let waiter = std::thread::spawn(move || other.acquire(LONG).map(drop));
        std::thread::sleep(SHORT);
        drop(guard);
        waiter.join().unwrap().unwrap();
    }

    #[test]
    fn the_file_is_closed_with_the_last_handle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("writer.lock");
        let lock = RecordLock::open(&path).unwrap();
        let id = lock.id;
        let guard = lock.acquire(SHORT).unwrap();
        drop(lock);
        assert!(FILES.lock().contains_key(&id), "the guard is a handle");
        drop(guard);
        assert!(!FILES.lock().contains_key(&id));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("writer.lock");
        let _lock = RecordLock::open(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
