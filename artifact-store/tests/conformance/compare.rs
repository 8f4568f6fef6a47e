//! The durable index beside the model, over the same runs.

use std::sync::Arc;

use artifact_core::{ManifestIndex, RegistryId};
use artifact_store::{MemoryIndex, NewIndex, SqliteIndex, SqliteOptions};
use artifact_testkit::{compare::check_same, seams::TokioSpawn};

/// MI-1 to MI-15: the same changes give the same answers, errors, pages, past and feed.
#[test]
fn sqlite_answers_as_the_model_does() {
    let directories = tempfile::tempdir().unwrap();
    let registry = RegistryId::from_random([7; 16]);
    check_same(48, async || {
        // The directory of a run goes with all others: its index still has it open.
        let directory = tempfile::tempdir_in(directories.path()).unwrap().keep();
        let path = directory.join("index.db");
        SqliteIndex::create(&path, NewIndex::new(registry)).unwrap();
        let spawn = Arc::new(TokioSpawn::current());
        let options = SqliteOptions::new(path, directory.join("writer.lock"), spawn);
        let sqlite: Arc<dyn ManifestIndex> = Arc::new(SqliteIndex::open(options).unwrap());
        (Arc::new(MemoryIndex::new(registry)) as _, sqlite)
    });
}
