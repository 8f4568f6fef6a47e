//! The engine over the backends of this crate while they fail, at each of their calls.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::sync::Arc;

use artifact_core::RegistryId;
use artifact_store::{
    FsBlobStore, FsOptions, MemoryBlobStore, MemoryIndex, NewIndex, SqliteIndex, SqliteOptions,
    vfs::RealVfs,
};
use artifact_testkit::{
    fault_trials,
    faults::Backends,
    seams::{SeededRng, TokioSpawn},
};

fault_trials!(in_memory, async || {
    let store = MemoryBlobStore::new(Arc::new(SeededRng::new(1)));
    Backends::new(store, MemoryIndex::new(registry()))
});

// A run takes its syncs: the calls of the engine are those that are all struck in memory.
fault_trials!(on_disk, every: 29, async || {
    let directory = tempfile::tempdir().unwrap();
    let (root, spawn) = (directory.path(), Arc::new(TokioSpawn::current()));
    let (path, lock) = (root.join("index.db"), root.join("writer.lock"));
    SqliteIndex::create(&path, NewIndex::new(registry())).unwrap();
    let index = SqliteIndex::open(SqliteOptions::new(path, lock, spawn.clone())).unwrap();
    let (vfs, rng) = (Arc::new(RealVfs::new()), Arc::new(SeededRng::new(8)));
    FsBlobStore::create_layout(&*vfs, root).unwrap();
    let store = FsBlobStore::open(FsOptions::new(root, vfs, spawn, rng)).unwrap();
    Backends::new(store, index).keeping(directory)
});

fn registry() -> RegistryId {
    RegistryId::from_random([7; 16])
}
