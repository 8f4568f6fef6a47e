//! A store in a directory that goes with its test.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use artifact_core::{
    Algorithm, BlobEntry, BlobKey, BlobReader, BlobStore, BlobWriter, ByteRange, Hasher, Rng,
    Stamp, StoreError, UploadHint, UploadId,
};
use artifact_store::{FsBlobStore, FsOptions, sys::random::SystemRng};
use artifact_testkit::seams::TokioSpawn;
use bytes::Bytes;
use futures::TryStreamExt as _;
use tempfile::TempDir;

use crate::hooked_vfs::HookedVfs;

/// The upload of every test that has but one.
pub(crate) const ID: UploadId = UploadId::from_random([9; 16]);

/// More than a slot holds.
pub(crate) const LARGE: usize = 3 << 20;

/// A directory of a store, and the file system that it is on.
pub(crate) struct Place {
    directory: TempDir,
    pub(crate) vfs: HookedVfs,
    shared: OnceLock<FsBlobStore>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let (directory, vfs) = (tempfile::tempdir().unwrap(), HookedVfs::default());
        FsBlobStore::create_layout(&vfs, directory.path()).unwrap();
        Self {
            directory,
            vfs,
            shared: OnceLock::new(),
        }
    }

    pub(crate) fn options(&self) -> FsOptions {
        options(self.root(), self.vfs.clone())
    }

    /// Opens a store; each call opens another, as another process would.
    pub(crate) fn open(&self) -> FsBlobStore {
        FsBlobStore::open(self.options()).unwrap()
    }

    /// Returns the same store each time.
    pub(crate) fn open_shared(&self) -> FsBlobStore {
        self.shared.get_or_init(|| self.open()).clone()
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the path of a key's file, or of its segment.
    pub(crate) fn path(&self, key: &BlobKey) -> PathBuf {
        let parts: Vec<_> = key.as_str().split('/').collect();
        match parts[..] {
            ["segments", id, _] => self.root().join("segments").join(id),
            _ => self.root().join(key.as_str()),
        }
    }

    /// Waits until no segment is locked: who led the last commits of a store lets go of it soon
    /// after all were answered.
    pub(crate) fn until_nobody_appends(&self) {
        for name in self.names("segments") {
            let path = self.root().join("segments").join(name);
            fs::File::open(path).unwrap().lock().unwrap();
        }
    }

    /// Returns the names in a directory of the store.
    pub(crate) fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root().join(directory)).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
        entries.map(|entry| name(entry).unwrap()).collect()
    }

    /// Returns the paths of all finished files.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let shards = self.names("blobs").into_iter();
        let shards = shards.map(|shard| self.root().join("blobs").join(shard));
        let files = shards.flat_map(|shard| fs::read_dir(shard).unwrap());
        files.map(|file| file.unwrap().path()).collect()
    }
}

/// Returns the options of a store in a directory.
pub(crate) fn options(root: &Path, vfs: HookedVfs) -> FsOptions {
    FsOptions::new(
        root,
        Arc::new(vfs),
        Arc::new(TokioSpawn::current()),
        Arc::new(SystemRng::new().unwrap()),
    )
}

/// Returns bytes that no other call returned.
pub(crate) fn random(length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    SystemRng::new().unwrap().fill(&mut bytes);
    bytes.into()
}

/// Begins an upload of a size that is announced.
pub(crate) async fn begin(store: &FsBlobStore, size: usize) -> Box<dyn BlobWriter> {
    let hint = UploadHint::sized(Some(size as u64));
    store.begin(&ID, hint).await.unwrap()
}

/// Commits what was written, which is `bytes`.
pub(crate) async fn commit(
    writer: Box<dyn BlobWriter>,
    bytes: &Bytes,
) -> Result<Option<Stamp>, StoreError> {
    let blob = Hasher::hash(Algorithm::Sha256, bytes);
    writer.commit(&blob).await
}

/// Stores a blob.
pub(crate) async fn try_put(store: &FsBlobStore, bytes: &Bytes) -> Result<BlobKey, StoreError> {
    let hint = UploadHint::sized(Some(bytes.len() as u64));
    let mut writer = store.begin(&ID, hint).await?;
    let key = writer.key().clone();
    writer.write(bytes.clone()).await?;
    commit(writer, bytes).await?;
    Ok(key)
}

/// Stores a blob.
pub(crate) async fn put(store: &FsBlobStore, bytes: &Bytes) -> BlobKey {
    try_put(store, bytes).await.unwrap()
}

/// Reads what a reader gives.
pub(crate) async fn collect(reader: BlobReader) -> Result<Bytes, StoreError> {
    let length = reader.length();
    let chunks: Vec<Bytes> = reader.try_collect().await?;
    let bytes = chunks.concat();
    assert_eq!(bytes.len() as u64, length);
    Ok(bytes.into())
}

/// Reads a blob.
pub(crate) async fn get(store: &FsBlobStore, key: &BlobKey) -> Option<Bytes> {
    let reader = store.read(key, ByteRange::ALL).await.unwrap()?;
    Some(collect(reader).await.unwrap())
}

/// Lists a store.
pub(crate) async fn list(store: &FsBlobStore) -> Vec<BlobEntry> {
    store.list().try_collect().await.unwrap()
}

/// Checks that somebody holds what was asked for.
pub(crate) fn assert_held<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    let error = answer.expect_err("somebody holds it");
    assert!(matches!(error, StoreError::Held { .. }), "{error:?}");
}
