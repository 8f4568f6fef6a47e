//! A process's seat at a registry's directory: the locks by which processes know of each other.
//!
//! * `lock` is held shared by each process that has the registry open, and alone by who rebuilds,
//!   migrates or restores it.
//! * `open/<boot>-<pid namespace>-<pid>` is held alone by the process, as long as it has the registry
//!   open. A second copy of the library in the process finds it held: `SQLite`'s own locks belong to the
//!   process, so two copies would take each other's.

use std::{
    any::Any,
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use artifact_core::{Holder, Holders, guard};
use futures::lock::{Mutex as AsyncMutex, MutexGuard};
use parking_lot::Mutex;

use super::{
    error::HomeError,
    layout::{Layout, absent},
};
use crate::sys::{
    boot::BootClock,
    file_id::FileId,
    lock::{FileLock, Hold, open_file},
    process,
};

/// How long is waited for what others hold only for a moment: they look who is alive.
const PATIENCE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(1);

/// The seats of this copy of the library: handles on one directory share one.
static SEATS: Mutex<BTreeMap<FileId, Weak<Seat>>> = Mutex::new(BTreeMap::new());

/// What the handles on one directory share, as long as there are any.
pub(super) type Shared = Option<Weak<dyn Any + Send + Sync>>;

/// A process's seat at a directory.
#[derive(Debug)]
pub(super) struct Seat {
    directory: FileId,
    layout: Layout,
    holder: Holder,
    process: u32,
    shared: AsyncMutex<Shared>,
    entry: PathBuf,
    /// Dropped before the other: who has the directory alone finds no entry that is held.
    _entry: FileLock,
    _shared: FileLock,
}

impl Seat {
    /// Takes this process's seat, or shares the one it has.
    pub(super) fn take(layout: &Layout) -> Result<Arc<Self>, HomeError> {
        let root = layout.root();
        let directory = FileId::of(root).map_err(HomeError::io("examine", root))?;
        loop {
            let mut seats = SEATS.lock();
            match seats.get(&directory).map(Weak::upgrade) {
                // A seat that a parent had before it forked is not this process's.
                Some(Some(seat)) if seat.process == std::process::id() => return Ok(seat),
                // It is being dropped, and that ends as soon as the mutex is free.
                Some(None) => {
                    drop(seats);
                    thread::sleep(PAUSE);
                }
                Some(Some(_)) | None => {
                    let seat = Arc::new(Self::new(directory, layout)?);
                    seats.insert(directory, Arc::downgrade(&seat));
                    return Ok(seat);
                }
            }
        }
    }

    /// Returns what the handles on the directory share. Who holds it opens; others wait.
    pub(super) async fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().await
    }

    /// Returns the directory's identity.
    pub(super) const fn directory(&self) -> FileId {
        self.directory
    }

    /// Returns the name by which the process is known as a writer of uploads.
    pub(super) const fn holder(&self) -> &Holder {
        &self.holder
    }

    fn new(directory: FileId, layout: &Layout) -> Result<Self, HomeError> {
        let shared = lock(layout, Hold::Shared)?.ok_or_else(|| HomeError::BeingRebuilt {
            path: layout.root().to_owned(),
        })?;
        let name = own_name(layout)?;
        let entry = layout.open().join(&name);
        let held = take_entry(&entry)?.ok_or_else(|| HomeError::InUse {
            path: layout.root().to_owned(),
        })?;
        remove_dead(&layout.open(), &name)?;
        Ok(Self {
            directory,
            layout: layout.clone(),
            holder: Holder::new(name),
            process: std::process::id(),
            shared: AsyncMutex::default(),
            entry,
            _entry: held,
            _shared: shared,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            return;
        }
        let mut seats = SEATS.lock();
        let own = seats.get(&self.directory);
        if own.is_some_and(|seat| std::ptr::eq(seat.as_ptr(), self)) {
            seats.remove(&self.directory);
        }
        // Whoever opens next would remove it, too.
        let _removed = fs::remove_file(&self.entry);
    }
}

impl Holders for Seat {
    /// Says whether the process lives: whether its entry is held. What cannot be found out counts as
    /// alive.
    fn is_alive(&self, holder: &Holder) -> bool {
        if *holder == self.holder {
            return true;
        }
        let name = holder.as_str();
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return false;
        }
        is_held(&self.layout.open().join(name)).unwrap_or(true)
    }
}

/// Takes the directory alone: nobody else has the registry open, or opens it, as long as the lock
/// lives.
pub(super) fn take_alone(layout: &Layout) -> Result<FileLock, HomeError> {
    lock(layout, Hold::Exclusive)?.ok_or_else(|| HomeError::Open {
        path: layout.root().to_owned(),
        processes: processes(layout).unwrap_or_default(),
    })
}

/// Returns the processes that have the registry open, of those that this one could name by a number.
pub(super) fn processes(layout: &Layout) -> io::Result<Vec<u32>> {
    let Ok(boot) = BootClock::new() else {
        return Ok(Vec::new());
    };
    let ours = format!("{}-{}-", boot.id().as_str(), process::namespace());
    let mut found = Vec::new();
    for entry in entries(&layout.open())? {
        let name = entry.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix(&ours)?.parse().ok());
        if let Some(number) = number
            && is_held(&entry)?
        {
            found.push(number);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Says whether any process has the registry open, also one that cannot be named here.
pub(super) fn any_open(layout: &Layout) -> io::Result<bool> {
    for entry in entries(&layout.open())? {
        if is_held(&entry)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn lock(layout: &Layout, hold: Hold) -> Result<Option<FileLock>, HomeError> {
    let path = layout.lock();
    let file = open_file(&path).map_err(HomeError::io("open", &path))?;
    let locked = match hold {
        Hold::Shared => {
            let within = FileLock::lock_within(&file, hold, PATIENCE);
            guard!(118, within, else FileLock::unlocked(&file))
        }
        Hold::Exclusive => {
            let within = FileLock::lock_within(&file, hold, PATIENCE);
            guard!(119, within, else FileLock::unlocked(&file))
        }
    };
    locked.map_err(HomeError::io("lock", &path))
}

fn own_name(layout: &Layout) -> Result<String, HomeError> {
    let boot = BootClock::new().map_err(HomeError::io("find out the boot for", layout.root()))?;
    let namespace = process::namespace();
    let process = std::process::id();
    Ok(format!("{}-{namespace}-{process}", boot.id().as_str()))
}

/// Makes and locks an entry; `None` when another copy of the library in this process has it.
fn take_entry(path: &Path) -> Result<Option<FileLock>, HomeError> {
    let deadline = Instant::now() + PATIENCE;
    let failed = HomeError::io("lock", path);
    loop {
        let file = open_file(path).map_err(HomeError::io("make", path))?;
        let locked = FileLock::lock_within(&file, Hold::Exclusive, PATIENCE);
        let locked = guard!(120, locked, else FileLock::unlocked(&file));
        let Some(lock) = locked.map_err(&failed)? else {
            return Ok(None);
        };
        // It may have been removed, for a dead process's, before it was locked.
        if guard!(140, leads_to(path, &lock)) {
            return Ok(Some(lock));
        }
        if Instant::now() > deadline {
            return Err(failed(io::Error::from(io::ErrorKind::TimedOut)));
        }
    }
}

/// Says whether a path still leads to the file that was locked.
fn leads_to(path: &Path, lock: &FileLock) -> bool {
    let named = FileId::of(path);
    named.is_ok_and(|named| FileId::of_file(lock.file(), path).is_ok_and(|id| id == named))
}

/// Removes the entries of processes that are no more.
fn remove_dead(directory: &Path, own: &str) -> Result<(), HomeError> {
    let failed = HomeError::io("list", directory);
    for path in entries(directory).map_err(failed)? {
        if path.ends_with(own) {
            continue;
        }
        let failed = HomeError::io("remove", &path);
        let Some(file) = open_existing(&path).map_err(&failed)? else {
            continue;
        };
        // While it is locked, nobody else takes it: it is removed as long as it is ours.
        let locked =
            guard!(121, FileLock::try_lock(file, Hold::Exclusive), else FileLock::unlocked(&file));
        if let Some(lock) = locked.map_err(&failed)?
            && leads_to(&path, &lock)
        {
            absent(fs::remove_file(&path)).map_err(&failed)?;
        }
    }
    Ok(())
}

/// Says whether an entry is there and held.
fn is_held(path: &Path) -> io::Result<bool> {
    let Some(file) = open_existing(path)? else {
        return Ok(false);
    };
    let free = guard!(122, FileLock::try_lock(file, Hold::Shared), else FileLock::unlocked(&file))?;
    Ok(free.is_none())
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn open_existing(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I16: an entry that another process removes while this one waits for it is made anew.
    #[test]
    fn i16_an_entry_that_goes_while_it_is_waited_for_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("entry");
        let held = FileLock::try_lock(open_file(&path).unwrap(), Hold::Exclusive)
            .unwrap()
            .unwrap();
        let waiting = path.clone();
        let taker = thread::spawn(move || take_entry(&waiting).unwrap().unwrap());
        // It has opened the file when this process has two handles on it.
        let handles = || {
            let all = fs::read_dir("/proc/self/fd").unwrap();
            let of_entry = |fd: io::Result<fs::DirEntry>| {
                fd.is_ok_and(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == path))
            };
            all.map(of_entry).filter(|of| *of).count()
        };
        while handles() < 2 {
            thread::yield_now();
        }
        fs::remove_file(&path).unwrap();
        drop(held);
        let taken = taker.join().unwrap();
        assert!(leads_to(&path, &taken));
    }
}
