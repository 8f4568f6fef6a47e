//! Whether the blobs are there that an index names, and what is there that it does not name.

use std::{fs::File, io, num::NonZeroU32, path::Path};

use artifact_core::{
    Actor, Algorithm, BlobEntry, BlobKey, BlobRecord, BlobStore as _, Bookkeeping, Change,
    ChangeSet, Digest, Hasher, LocalBlob, LocalBlobs as _, Location, ManifestIndex as _, Page,
    Principal, SpawnExt as _, StoreError, VerifiedBlob,
};
use futures::StreamExt as _;

use super::{error::HomeError, layout::Layout, options::OpenOptions};
use crate::{blob::fs::store::FsBlobStore, index::sqlite::index::SqliteIndex, sys::file_io};

const PAGE: NonZeroU32 = NonZeroU32::new(500).expect("500 is not 0");
const CHUNK: usize = 1 << 20;

/// What was found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Verified {
    pub(super) hashed: u64,
    pub(super) hashed_bytes: u64,
    pub(super) missing: Vec<Digest>,
    pub(super) corrupt: Vec<Digest>,
    pub(super) adopted: u64,
    pub(super) freed: u64,
}

/// Hashes the blobs that an index names, then takes in or frees what the store has beside them.
pub(super) async fn verify(
    layout: &Layout,
    options: &OpenOptions,
    index: &SqliteIndex,
    store: &FsBlobStore,
) -> Result<Verified, HomeError> {
    let work = Verify {
        root: layout.root(),
        options,
        index,
        store,
    };
    let mut found = Verified::default();
    work.named(&mut found).await?;
    work.unnamed(&mut found).await?;
    Ok(found)
}

struct Verify<'a> {
    root: &'a Path,
    options: &'a OpenOptions,
    index: &'a SqliteIndex,
    store: &'a FsBlobStore,
}

impl Verify<'_> {
    /// Hashes what the index names; what is not right is quarantined, so that no read ends well and
    /// a push of the same bytes mends it.
    async fn named(&self, found: &mut Verified) -> Result<(), HomeError> {
        let mut page = Page::first(PAGE);
        loop {
            let rows = self
                .index
                .blob_rows(page)
                .await
                .map_err(HomeError::index(self.root))?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            page = Page::after(last.digest, PAGE);
            for row in rows {
                self.check(row, found).await?;
            }
        }
    }

    async fn check(&self, row: BlobRecord, found: &mut Verified) -> Result<(), HomeError> {
        let digest = row.digest;
        let Location::Key(key) = row.location else {
            return Ok(());
        };
        let note = match self.hash(&key, digest.algorithm()).await? {
            Found::Hashed(blob) if blob.digest() == digest && blob.size() == row.size => {
                found.hashed += 1;
                found.hashed_bytes += blob.size();
                let stat = self
                    .store
                    .stat(&key)
                    .await
                    .map_err(HomeError::store(self.root))?;
                Bookkeeping::Stamp {
                    digest,
                    key,
                    stamp: stat.and_then(|stat| stat.stamp),
                    hashed_at: self.options.clock.now(),
                }
            }
            Found::Hashed(_) | Found::Unreadable => {
                found.corrupt.push(digest);
                Bookkeeping::Quarantine(digest, key)
            }
            Found::Absent => {
                found.missing.push(digest);
                Bookkeeping::Quarantine(digest, key)
            }
        };
        self.index
            .note(note)
            .await
            .map_err(HomeError::index(self.root))?;
        Ok(())
    }

    /// Takes in whole files that no row names, and frees the rest.
    async fn unnamed(&self, found: &mut Verified) -> Result<(), HomeError> {
        let failed = HomeError::store(self.root);
        let mut entries = self.store.list();
        while let Some(entry) = entries.next().await {
            let BlobEntry { key, staged, .. } = match entry {
                Ok(entry) => entry,
                // A part that cannot be read says nothing of the others (I22): a scrub tells of it.
                Err(StoreError::Backend { .. } | StoreError::Corrupt { .. }) => continue,
                Err(error) => return Err(failed(error)),
            };
            let owner = self.index.key_owner(&key).await;
            if owner.map_err(HomeError::index(self.root))?.is_some() {
                continue;
            }
            let fate = if staged {
                Fate::Freed
            } else {
                self.adopt(&key).await?
            };
            match fate {
                Fate::Adopted => found.adopted += 1,
                Fate::Left => {}
                Fate::Freed => match self.store.delete(&key).await {
                    Ok(()) => found.freed += 1,
                    // Somebody maps it still: a scrub frees it later.
                    Err(StoreError::Held { .. }) => {}
                    Err(error) => return Err(failed(error)),
                },
            }
        }
        Ok(())
    }

    /// Enters a blob that has a file of its own, if it has.
    async fn adopt(&self, key: &BlobKey) -> Result<Fate, HomeError> {
        let (store, own) = (self.store.clone(), key.clone());
        let opened = self.options.spawn.run_blocking(move || store.open(&own));
        let opened = opened.await.map_err(HomeError::lost(self.root))?;
        let opened = opened.map_err(HomeError::store(self.root))?;
        if !opened.is_some_and(|blob| blob.whole_file) {
            return Ok(Fate::Freed);
        }
        let blob = match self.hash(key, Algorithm::Sha256).await? {
            Found::Hashed(blob) => blob,
            Found::Absent => return Ok(Fate::Freed),
            // Nobody knows whose it is: a scrub may read it, and frees it then.
            Found::Unreadable => return Ok(Fate::Left),
        };
        let known = self.index.blob_row(&blob.digest()).await;
        if known
            .map_err(HomeError::index(self.root))?
            .is_some_and(|row| !row.quarantined)
        {
            return Ok(Fate::Freed);
        }
        let stat = self
            .store
            .stat(key)
            .await
            .map_err(HomeError::store(self.root))?;
        let actor = Actor::new(Principal::System, None);
        let set = ChangeSet::new(actor, self.options.clock.now()).change(Change::PutBlob {
            blob,
            location: Location::Key(key.clone()),
            stamp: stat.and_then(|stat| stat.stamp),
            upload: None,
        });
        self.index
            .apply(set)
            .await
            .map_err(HomeError::index(self.root))?;
        Ok(Fate::Adopted)
    }

    /// Hashes the bytes of a key.
    async fn hash(&self, key: &BlobKey, algorithm: Algorithm) -> Result<Found, HomeError> {
        let (store, key) = (self.store.clone(), key.clone());
        let hashed = self.options.spawn.run_blocking(move || {
            let blob = store.open(&key).map_err(io::Error::from)?;
            // A disk that cannot read this blob may read the next (I22).
            let hashed =
                blob.map(|blob| hash(&blob, algorithm).map_or(Found::Unreadable, Found::Hashed));
            Ok(hashed.unwrap_or(Found::Absent))
        });
        let hashed = hashed.await.map_err(HomeError::lost(self.root))?;
        hashed.map_err(HomeError::io("open a blob of", self.root))
    }
}

/// What was found under a key.
enum Found {
    Absent,
    Hashed(VerifiedBlob),
    /// It is there, and the disk does not give it.
    Unreadable,
}

/// What becomes of something that no row names.
enum Fate {
    Adopted,
    Freed,
    Left,
}

fn hash(blob: &LocalBlob, algorithm: Algorithm) -> io::Result<VerifiedBlob> {
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; CHUNK];
    let mut left = blob.length;
    let mut offset = blob.offset;
    while left > 0 {
        let most = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        let room = buffer.get_mut(..most).unwrap_or_default();
        match read(&blob.file, room, offset)? {
            // Shorter than it says: then its digest is another.
            0 => break,
            length => {
                hasher.update(room.get(..length).unwrap_or_default());
                offset += length as u64;
                left -= length as u64;
            }
        }
    }
    Ok(hasher.finish())
}

fn read(file: &File, room: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file_io::read_at(file, room, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
