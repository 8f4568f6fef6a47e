//! Every store and index of this crate, by every clause of its contract.

#[path = "conformance/faults.rs"]
mod faults;
#[path = "conformance/fs.rs"]
mod fs;
#[path = "support/hooked_vfs.rs"]
mod hooked_vfs;
#[path = "conformance/sqlite.rs"]
mod sqlite;

use std::sync::Arc;

use artifact_core::RegistryId;
use artifact_store::{MemoryBlobStore, MemoryIndex};
use artifact_testkit::{blob_store_conformance, manifest_index_conformance, seams::SeededRng};

blob_store_conformance!(
    memory_store,
    async { MemoryBlobStore::new(Arc::new(SeededRng::new(1))) },
    lacks: [local, reopen, failing_sync]
);

manifest_index_conformance!(
    memory_index,
    async { MemoryIndex::new(RegistryId::from_random([7; 16])) },
    lacks: [reopen]
);
