//! Whether a file system keeps what a registry stands on.

use artifact_core::guard;
use std::{fs, io, path::Path};

use rusqlite::Connection;

use super::{
    error::HomeError,
    layout::{FILE_MODE, absent},
    note::Note,
};
use crate::{
    sys::{
        file_system,
        file_system_kind::{FileSystem, Suitability},
        lock::{FileLock, Hold, RecordLock, open_file},
    },
    vfs::{Vfs, VfsError},
};

/// Refuses a file system that is not allowed, and says what one that passes does not keep.
///
/// # Errors
/// [`HomeError::FileSystemRefused`] unless `allowed` names it.
pub(super) fn judge(directory: &Path, allowed: &[String]) -> Result<Option<Note>, HomeError> {
    let found = file_system::of(directory).map_err(HomeError::io("examine", directory))?;
    judge_kind(directory, found, allowed)
}

fn judge_kind(
    directory: &Path,
    found: FileSystem,
    allowed: &[String],
) -> Result<Option<Note>, HomeError> {
    let name = found.name;
    match found.suitability {
        Suitability::Refused if !allowed.iter().any(|allowed| allowed == name) => {
            Err(HomeError::FileSystemRefused {
                path: directory.to_owned(),
                name,
            })
        }
        Suitability::Refused => Ok(Some(Note::FileSystem {
            name,
            lacks: "allowed by artifact.toml; with writers on several machines it loses data",
        })),
        Suitability::Passes { lacks } => Ok(Some(Note::FileSystem { name, lacks })),
        Suitability::Suits => Ok(None),
    }
}

/// Tries, in a directory of its own that it leaves nothing of, what a registry needs.
///
/// # Errors
/// [`HomeError::FileSystemFails`] with the first that does not work.
pub(super) fn probe(vfs: &dyn Vfs, directory: &Path) -> Result<(), HomeError> {
    let place = directory.join("probe");
    let failed = HomeError::io("make", &place);
    absent(fs::remove_dir_all(&place)).map_err(&failed)?;
    fs::create_dir(&place).map_err(&failed)?;
    let fails = |check, source| HomeError::FileSystemFails {
        path: directory.to_owned(),
        check,
        source,
    };
    let outcome = (CHECKS.iter()).try_for_each(|(check, works)| match works(vfs, &place) {
        Ok(true) => Ok(()),
        Ok(false) => Err(fails(check, None)),
        Err(error) => Err(fails(check, Some(error))),
    });
    let removed = absent(fs::remove_dir_all(&place)).map_err(&failed);
    outcome.and(removed)
}

/// What is tried: a name for messages, and whether it works.
type Check = (&'static str, fn(&dyn Vfs, &Path) -> io::Result<bool>);

const CHECKS: &[Check] = &[
    ("a lock between two handles", locks_exclude),
    ("a record lock", record_lock_works),
    ("a rename over another file", rename_replaces),
    ("a hard link", links_work),
    ("the sync of a directory", directory_syncs),
    ("a mapping that two handles share", mapping_is_shared),
];

fn locks_exclude(_vfs: &dyn Vfs, place: &Path) -> io::Result<bool> {
    let path = place.join("lock");
    let open = || open_file(&path);
    let Some(held) = FileLock::try_lock(open()?, Hold::Exclusive)? else {
        return Ok(false);
    };
    let excluded = FileLock::try_lock(open()?, Hold::Shared)?.is_none();
    drop(held);
    Ok(excluded && FileLock::try_lock(open()?, Hold::Exclusive)?.is_some())
}

fn record_lock_works(_vfs: &dyn Vfs, place: &Path) -> io::Result<bool> {
    let lock = RecordLock::open(&place.join("writer.lock"))?;
    let held = lock.acquire(std::time::Duration::ZERO);
    held.map(|_held| true).map_err(io::Error::other)
}

fn rename_replaces(_vfs: &dyn Vfs, place: &Path) -> io::Result<bool> {
    let (from, to) = (place.join("from"), place.join("to"));
    fs::write(&from, "new")?;
    fs::write(&to, "old")?;
    fs::rename(&from, &to)?;
    Ok(fs::read(&to)? == b"new" && !from.try_exists()?)
}

fn links_work(_vfs: &dyn Vfs, place: &Path) -> io::Result<bool> {
    let (first, second) = (place.join("first"), place.join("second"));
    fs::write(&first, "one")?;
    fs::hard_link(&first, &second)?;
    fs::remove_file(&first)?;
    Ok(fs::read(&second)? == b"one")
}

fn directory_syncs(vfs: &dyn Vfs, place: &Path) -> io::Result<bool> {
    let sync = || {
        let file = vfs.create(&place.join("synced"), FILE_MODE)?;
        guard!(43, file.sync_data())?;
        guard!(44, vfs.sync_directory(place))
    };
    sync().map_err(|error: VfsError| io::Error::new(error.kind(), error))?;
    Ok(true)
}

/// `SQLite` is asked, for it is what maps files: without shared mappings it has no WAL.
fn mapping_is_shared(_vfs: &dyn Vfs, place: &Path) -> io::Result<bool> {
    let path = place.join("mapped.db");
    let probe = || {
        let first = Connection::open(&path)?;
        let mode: String = first.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        first.execute_batch("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (7)")?;
        let second = Connection::open(&path)?;
        let found: i64 = second.query_row("SELECT n FROM t", [], |row| row.get(0))?;
        Ok(mode == "wal" && found == 7)
    };
    probe().map_err(|error: rusqlite::Error| io::Error::other(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::RealVfs;

    /// F15: a local file system passes, and nothing of the probe is left.
    #[test]
    fn f15_a_local_file_system_passes() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("probe")).unwrap();
        fs::write(dir.path().join("probe/left"), "by a crash").unwrap();
        probe(&RealVfs::new(), dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(judge(dir.path(), &[]).unwrap(), None);
    }

    /// F15: one on which writers do not see each other is refused by its name, unless that is allowed.
    #[test]
    fn f15_a_network_file_system_is_refused_unless_it_is_named() {
        let nfs = FileSystem {
            name: "nfs",
            suitability: Suitability::Refused,
        };
        let place = Path::new("/mnt/registry");
        for allowed in [&[][..], &["smb".into(), "NFS".into()]] {
            let refused = judge_kind(place, nfs, allowed).unwrap_err();
            assert_eq!(refused.kind(), artifact_core::ErrorKind::Unsupported);
            let line = refused.to_string();
            assert!(line.contains("allow_filesystem = [\"nfs\"]"), "{line}");
        }
        let note = judge_kind(place, nfs, &["nfs".into()]).unwrap().unwrap();
        assert!(note.to_string().contains("nfs"), "{note}");
    }

    /// F15: what does not keep everything passes with a line.
    #[cfg(target_os = "linux")]
    #[test]
    fn f15_a_volatile_file_system_passes_with_a_note() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        probe(&RealVfs::new(), dir.path()).unwrap();
        let note = judge(dir.path(), &[]).unwrap().unwrap();
        assert!(note.to_string().contains("tmpfs"), "{note}");
    }
}
