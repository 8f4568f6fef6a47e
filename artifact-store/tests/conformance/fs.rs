//! The file system store, on a real directory.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use artifact_core::BlobStore;
use artifact_store::{FsBlobStore, FsOptions, vfs::RealVfs};
use artifact_testkit::{
    blob_store_conformance,
    seams::{SeededRng, TokioSpawn},
    store::StorePlace,
};
use async_trait::async_trait;
use tempfile::TempDir;

use crate::hooked_vfs::HookedVfs;

blob_store_conformance!(fs_store, place: FsPlace::new());

/// A directory, and a file system on which the next sync fails when it is told to.
struct FsPlace {
    directory: TempDir,
    vfs: HookedVfs,
    sync_fails: Arc<AtomicBool>,
    rng: Arc<SeededRng>,
}

impl FsPlace {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        FsBlobStore::create_layout(&RealVfs::new(), directory.path()).expect("a store is made");
        let (vfs, sync_fails) = (HookedVfs::default(), Arc::new(AtomicBool::new(false)));
        // Reads may give less than was asked for at any time.
        vfs.shorten_reads(100_000);
        let fails = Arc::clone(&sync_fails);
        vfs.set(move |operation, _| {
            let is_sync = matches!(operation, "sync" | "sync directory");
            let fails = is_sync && fails.swap(false, Ordering::SeqCst);
            fails.then(|| io::Error::other("the disk is gone"))
        });
        Self {
            directory,
            vfs,
            sync_fails,
            rng: Arc::new(SeededRng::new(3)),
        }
    }
}

#[async_trait]
impl StorePlace for FsPlace {
    async fn open(&mut self) -> Arc<dyn BlobStore> {
        let options = FsOptions::new(
            self.directory.path(),
            Arc::new(self.vfs.clone()),
            Arc::new(TokioSpawn::current()),
            Arc::<SeededRng>::clone(&self.rng),
        );
        Arc::new(FsBlobStore::open(options).expect("a store is opened"))
    }

    fn can_reopen(&self) -> bool {
        true
    }

    fn fail_next_sync(&mut self) -> bool {
        self.sync_fails.store(true, Ordering::SeqCst);
        true
    }
}
