//! An exact copy of a registry that others go on using.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use artifact_core::{
    BlobEntry, BlobKey, BlobStore as _, Digest, LocalBlobs as _, Location, ManifestIndex as _,
    Page, Revision, SpawnExt as _, StoreError, Way, guard,
};
use futures::StreamExt as _;

use super::{
    error::HomeError,
    home::Home,
    layout::{Layout, MODE, absent, index_files, make_all},
    open_parts::{open_index, open_store},
    place::{mark_place, place},
    settings::Manifesto,
    transfer::{copy_backwards, copy_tree},
};
use crate::{
    blob::fs::store::FsBlobStore,
    index::sqlite::{index::SqliteIndex, options::Access},
    journal::ClosedFiles,
    sys::{
        file_io,
        flush::flush,
        lock::{FileLock, Hold},
    },
};

const PAGE: NonZeroU32 = NonZeroU32::new(500).expect("500 is not 0");

/// How often the index is copied anew because blobs were collected while they were copied. The
/// second time little is left to copy.
const ROUNDS: usize = 8;

/// How long is waited between two tries for files that are being rewritten.
const PAUSE: Duration = Duration::from_millis(50);
const TRIES: usize = 200;

/// What a snapshot holds.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The revision that it is of.
    pub revision: Revision,
    /// How many blobs it has in files; those in the index come with that.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that the registry itself has lost.
    pub missing: Vec<Digest>,
}

impl Home {
    /// Copies the registry, as it is at one revision, into a directory that is new or empty. Others
    /// go on using it.
    ///
    /// The index is copied first, then the blobs that it names, shared with the originals where the
    /// file system can. Where a collection removes one of them meanwhile, the index is copied anew.
    /// The directory gets its name when all is in it, durable.
    ///
    /// `progress` is told, now and then, how many blobs and bytes are done.
    ///
    /// # Errors
    /// [`HomeError::NotEmpty`], and where something fails: then nothing is left. What a process that is
    /// killed leaves beside the target, the next snapshot of that name removes.
    pub async fn snapshot(
        &self,
        target: &Path,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Snapshot, HomeError> {
        let staged = stage(self, target)?;
        let work = Work {
            home: self,
            layout: Layout::new(staged.path.clone()),
            progress,
        };
        let snapshot = work.run().await?;
        let root = staged.path.clone();
        let flush = move || guard!(27, flush(&root));
        let flushed = self.spawn().run_blocking(flush).await;
        let flushed = flushed.map_err(HomeError::lost(target))?;
        flushed.map_err(HomeError::io("sync", target))?;
        staged.publish(target)?;
        Ok(snapshot)
    }
}

/// A directory beside the target, which is gone when this is dropped unless it became the target. As
/// long as it is locked, nobody takes it for what a killed process has left.
struct Staged {
    path: PathBuf,
    _lock: FileLock,
}

fn stage(home: &Home, target: &Path) -> Result<Staged, HomeError> {
    let failed = HomeError::io("make", target);
    let absolute = std::path::absolute(target).map_err(&failed)?;
    let taken = || HomeError::NotEmpty {
        path: target.to_owned(),
    };
    match fs::read_dir(&absolute).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => return Err(taken()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(taken());
    };
    make_all(parent).map_err(&failed)?;
    let prefix = format!(".{}.partial-", name.to_string_lossy());
    remove_left(parent, &prefix).map_err(&failed)?;
    for _ in 0..TRIES {
        let mut random = [0; 8];
        home.rng().fill(&mut random);
        let path = parent.join(format!("{prefix}{}", hex::encode(random)));
        file_io::create_directory(&path, MODE).map_err(&failed)?;
        // Before it is locked, another snapshot may take it for left.
        if let Some(lock) = lock(&path).map_err(&failed)? {
            return Ok(Staged { path, _lock: lock });
        }
    }
    Err(failed(io::ErrorKind::ResourceBusy.into()))
}

/// Locks a directory, unless somebody else has it, or has removed it.
fn lock(path: &Path) -> io::Result<Option<FileLock>> {
    let opened = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let lock =
        guard!(123, FileLock::try_lock(opened, Hold::Exclusive), else FileLock::unlocked(&opened))?;
    Ok(lock.filter(|_| path.exists()))
}

/// Removes the directories of snapshots of the same name whose processes were killed.
fn remove_left(parent: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        if let Some(_lock) = lock(&entry.path())? {
            absent(fs::remove_dir_all(entry.path()))?;
        }
    }
    Ok(())
}

impl Staged {
    fn publish(self, target: &Path) -> Result<(), HomeError> {
        let absolute = std::path::absolute(target);
        let publish = || {
            let target = absolute?;
            fs::rename(&self.path, &target)?;
            let parent = target.parent();
            guard!(28, parent.map_or(Ok(()), file_io::sync_directory))
        };
        publish().map_err(HomeError::io("make", target))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // It has another name when it became the target.
        let _gone = fs::remove_dir_all(&self.path);
    }
}

struct Work<'a> {
    home: &'a Home,
    layout: Layout,
    progress: &'a (dyn Fn(u64, u64) + Send + Sync),
}

/// What one round has copied, or found copied.
#[derive(Debug, Default)]
struct Round {
    segments: BTreeSet<PathBuf>,
    blobs: u64,
    bytes: u64,
    missing: BTreeSet<Digest>,
}

impl Work<'_> {
    async fn run(&self) -> Result<Snapshot, HomeError> {
        let manifesto = Manifesto {
            format: self.home.parts().options.ladder.top(),
            registry: self.home.identity().registry,
            settings: self.home.settings().clone(),
        };
        self.make_layout()?;
        let store = open_store(&self.layout, &manifesto, &self.home.parts().options, true)?;
        let mut missing = BTreeSet::new();
        for _ in 0..ROUNDS {
            let revision = self.copy_index().await?;
            let round = self.copy_blobs(&store).await?;
            // What two copies of the index name and the store has not, the registry has lost.
            if round.missing.is_subset(&missing) {
                self.finish(&manifesto, revision).await?;
                return Ok(Snapshot {
                    revision,
                    blobs: round.blobs,
                    bytes: round.bytes,
                    missing: round.missing.into_iter().collect(),
                });
            }
            missing = round.missing;
        }
        let busy = io::Error::other("blobs were collected faster than they could be copied");
        Err(HomeError::io("copy", self.home.path())(busy))
    }

    fn make_layout(&self) -> Result<(), HomeError> {
        let vfs = &*self.home.parts().options.vfs;
        let root = self.layout.root();
        self.layout.create(vfs)?;
        vfs.create_directory(&self.layout.journal(), MODE)?;
        FsBlobStore::create_layout(vfs, root).map_err(HomeError::store(root))
    }

    async fn copy_index(&self) -> Result<Revision, HomeError> {
        let path = self.layout.index();
        for file in index_files(&path) {
            absent(fs::remove_file(&file)).map_err(HomeError::io("remove", &file))?;
        }
        let copied = self.home.sqlite().backup(path).await;
        Ok(copied.map_err(HomeError::index(self.home.path()))?.revision)
    }

    /// Copies the blobs that the copy of the index names, those that an earlier round has copied
    /// apart.
    async fn copy_blobs(&self, store: &FsBlobStore) -> Result<Round, HomeError> {
        let failed = HomeError::index(self.layout.root());
        let index = open_index(
            &self.layout,
            &self.home.parts().options,
            Access::Immutable,
            None,
        );
        let index = index.map_err(HomeError::index_open(self.layout.root()))?;
        let mut round = Round::default();
        let mut page = Page::first(PAGE);
        loop {
            let rows = index.blob_rows(page).await.map_err(&failed)?;
            let Some(last) = rows.last() else {
                index.close().await.map_err(&failed)?;
                return Ok(round);
            };
            page = Page::after(last.digest, PAGE);
            for row in rows {
                let Location::Key(key) = row.location else {
                    continue;
                };
                if self.copy_blob(store, &key, &mut round).await? {
                    round.blobs += 1;
                    round.bytes += row.size;
                    (self.progress)(round.blobs, round.bytes);
                } else {
                    round.missing.insert(row.digest);
                }
            }
        }
    }

    /// Copies a blob, unless it is there; `false` when the registry does not have it.
    async fn copy_blob(
        &self,
        store: &FsBlobStore,
        key: &BlobKey,
        round: &mut Round,
    ) -> Result<bool, HomeError> {
        if self.has(store, key).await? {
            return Ok(true);
        }
        let from = self.home.files().clone();
        let (source, target) = (self.home.path().to_owned(), self.layout.root().to_owned());
        let (own, again) = (key.clone(), round.segments.clone());
        let copied = self.home.spawn().run_blocking(move || {
            let Some(blob) = from.open(&own).map_err(io::Error::from)? else {
                return Ok(None);
            };
            if let Some(segment) = FsBlobStore::segment_path(&own)
                && !blob.whole_file
            {
                // Its lock, which `blob` has, keeps the slot in place meanwhile.
                if !again.contains(&segment) {
                    copy_backwards(&source.join(&segment), &target.join(&segment))?;
                }
                return Ok(Some(segment));
            }
            let path = FsBlobStore::file_path(&own).ok_or(io::ErrorKind::NotFound)?;
            let path = target.join(path);
            let made = from.materialize(&own, &path, &[Way::Reflink, Way::Copy]);
            if made.map_err(io::Error::from)?.is_none() {
                return Ok(None);
            }
            make_read_only(&path)?;
            Ok(Some(PathBuf::new()))
        });
        let copied = copied.await.map_err(HomeError::lost(self.home.path()))?;
        let copied: Option<PathBuf> =
            copied.map_err(HomeError::io("copy a blob of", self.home.path()))?;
        let Some(segment) = copied else {
            return Ok(false);
        };
        round.segments.insert(segment);
        self.has(store, key).await
    }

    async fn has(&self, store: &FsBlobStore, key: &BlobKey) -> Result<bool, HomeError> {
        let found = store.stat(key).await;
        Ok(found
            .map_err(HomeError::store(self.layout.root()))?
            .is_some())
    }

    /// Copies the rest, and writes `artifact.toml` as the last: without it a directory is no
    /// registry.
    async fn finish(&self, manifesto: &Manifesto, revision: Revision) -> Result<(), HomeError> {
        self.copy_journal(revision)?;
        let from = &self.home.parts().layout;
        let trees = [
            (from.keys(), self.layout.keys()),
            (from.log(), self.layout.log()),
        ];
        for (from, to) in trees {
            copy_tree(&from, &to).map_err(HomeError::io("copy", &from))?;
        }
        self.settle(manifesto).await?;
        mark_place(&self.layout)?;
        let settings = self.layout.settings();
        let copied = fs::copy(from.settings(), &settings);
        copied.map_err(HomeError::io("copy", &settings))?;
        Ok(())
    }

    fn copy_journal(&self, through: Revision) -> Result<(), HomeError> {
        let from = self.home.parts().layout.journal();
        let failed = HomeError::journal(self.home.path());
        let vfs = || Arc::clone(&self.home.parts().options.vfs);
        let files = if self.home.parts().seat.is_some() {
            let mut tries = 0;
            loop {
                if let Some(files) =
                    ClosedFiles::take(vfs(), &from, Hold::Shared).map_err(&failed)?
                {
                    break files;
                }
                tries += 1;
                if tries == TRIES {
                    let busy = io::Error::from(io::ErrorKind::TimedOut);
                    return Err(HomeError::io("copy", &from)(busy));
                }
                std::thread::sleep(PAUSE);
            }
        } else {
            ClosedFiles::of_still(vfs(), &from)
        };
        files
            .copy_to(&self.layout.journal(), through)
            .map_err(&failed)
    }

    /// Tells the index in which directory it is, and removes what an earlier round has copied and
    /// this one does not name.
    async fn settle(&self, manifesto: &Manifesto) -> Result<(), HomeError> {
        let root = self.layout.root();
        let failed = HomeError::index(root);
        let options = &self.home.parts().options;
        let index = open_index(&self.layout, options, Access::ReadWrite, None);
        let index: SqliteIndex = index.map_err(HomeError::index_open(root))?;
        let store = open_store(&self.layout, manifesto, options, false)?;
        let mut entries = store.list();
        while let Some(entry) = entries.next().await {
            let BlobEntry { key, .. } = entry.map_err(HomeError::store(root))?;
            if index.key_owner(&key).await.map_err(&failed)?.is_none() {
                let deleted: Result<(), StoreError> = store.delete(&key).await;
                deleted.map_err(HomeError::store(root))?;
            }
        }
        let here = place(&self.layout)?;
        let remembered = index.remember_directory(here.device, here.inode).await;
        remembered.map_err(&failed)?;
        index.close().await.map_err(&failed)
    }
}

fn make_read_only(path: &Path) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    permissions.set_readonly(true);
    fs::set_permissions(path, permissions)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What another snapshot of the same name is writing stays; what a killed one has left goes.
    #[test]
    fn i16_a_snapshot_that_is_being_made_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (written, left) = (
            dir.path().join(".x.partial-1"),
            dir.path().join(".x.partial-2"),
        );
        let other = dir.path().join(".y.partial-3");
        for path in [&written, &left, &other] {
            fs::create_dir(path).unwrap();
        }
        let held = lock(&written).unwrap().unwrap();
        assert!(lock(&written).unwrap().is_none(), "it is held");
        remove_left(dir.path(), ".x.partial-").unwrap();
        assert!(written.exists() && !left.exists() && other.exists());
        drop(held);
        remove_left(dir.path(), ".x.partial-").unwrap();
        assert!(!written.exists());
    }
}
