//! The durable index, in a directory of its own.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::sync::Arc;

use artifact_core::RegistryId;
use artifact_store::{NewIndex, SqliteIndex, SqliteOptions};
use artifact_testkit::{manifest_index_conformance, seams::TokioSpawn};
use tempfile::TempDir;

manifest_index_conformance!(sqlite_index, reopen: || {
    let directory = tempfile::tempdir().unwrap();
    let new = NewIndex::new(RegistryId::from_random([7; 16]));
    SqliteIndex::create(&directory.path().join("index.db"), new).unwrap();
    move || std::future::ready(open(&directory))
});

fn open(directory: &TempDir) -> SqliteIndex {
    let options = SqliteOptions::new(
        directory.path().join("index.db"),
        directory.path().join("writer.lock"),
        Arc::new(TokioSpawn::current()),
    );
    SqliteIndex::open(options).unwrap()
}
