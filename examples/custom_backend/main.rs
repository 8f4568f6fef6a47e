//! A registry over backends of one's own: blobs in plain files, and an index that keeps an eye on
//! what is committed.
//!
//! `store.rs` is a whole [`BlobStore`](artifact::BlobStore), `index.rs` wraps a whole
//! [`ManifestIndex`](artifact::ManifestIndex). Both were written from the clauses of the two traits,
//! and the tests at the end of this file prove that they keep them.
//!
//! ```text
//! cargo run --example custom_backend
//! cargo test --example custom_backend
//! ```

#![expect(
    unreachable_pub,
    reason = "the two modules are what would be a library"
)]

mod index;
mod store;

use std::{error::Error, sync::Arc};

use artifact::{
    AsOf, BlobRange, Holder, Holders, ManifestIndex as _, MemoryIndex, PackageRef, Principal,
    RegistryId, RegistryParts, RequestContext, Rng, Scope, Seams, SystemClock, Tokio,
    UploadOptions,
};
use artifact_store::sys::random::SystemRng;

use crate::{index::WatchedIndex, store::FileStore};

/// Knows one process: this one.
#[derive(Debug)]
struct Alone(Holder);

impl Holders for Alone {
    fn is_alive(&self, holder: &Holder) -> bool {
        *holder == self.0
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let rng: Arc<dyn Rng> = Arc::new(SystemRng::new()?);
    let store = FileStore::open(directory.path(), Arc::clone(&rng))?;
    let index = Arc::new(WatchedIndex::new(MemoryIndex::new(
        RegistryId::from_random([1; 16]),
    )));

    let holder = Holder::new("example");
    let seams = Seams {
        clock: Arc::new(SystemClock::on_tokio()?),
        rng,
        spawn: Arc::new(Tokio::current().ok_or("no runtime")?),
        holders: Arc::new(Alone(holder.clone())),
    };
    let parts = RegistryParts::new(Arc::clone(&index) as _, Arc::new(store), seams, holder);
    let registry = artifact_core::Registry::new(parts);
    let session = registry.session(Principal::Embedder, RequestContext::default());

    let package = PackageRef::in_default(&"team/app".parse()?);
    let mut upload = session
        .begin_upload(&package, UploadOptions::default())
        .await?;
    for line in 0..10_000 {
        upload.write(format!("line {line}\n").into()).await?;
    }
    let blob = upload.finish(None).await?;

    let body = session
        .read_blob(AsOf::Now, &package, &blob.digest, BlobRange::All)
        .await?;
    let bytes = body.collect(1 << 20).await?;
    assert_eq!(bytes.len() as u64, blob.size);

    let usage = index.usage(&Scope::all()).await?;
    println!(
        "{} holds {} bytes as {}",
        package, usage.charged, blob.digest
    );
    println!("{} change sets were committed", index.committed());
    Ok(())
}

#[cfg(test)]
mod conformance {
    use std::sync::Arc;

    use artifact::{MemoryIndex, RegistryId};
    use artifact_testkit::{
        blob_store_conformance, compare::check_same, manifest_index_conformance, seams::SeededRng,
    };

    use crate::{index::WatchedIndex, store::FileStore};

    // A closure that is called once a case, and gives one that opens the store of that case.
    blob_store_conformance!(
        file_store,
        reopen: || {
            let directory = tempfile::tempdir().unwrap();
            let rng = Arc::new(SeededRng::new(1));
            move || {
                let store = FileStore::open(directory.path(), Arc::<SeededRng>::clone(&rng));
                async { store.unwrap() }
            }
        },
        lacks: [local, failing_sync]
    );

    fn index() -> WatchedIndex<MemoryIndex> {
        WatchedIndex::new(MemoryIndex::new(RegistryId::from_random([7; 16])))
    }

    manifest_index_conformance!(watched_index, async { index() }, lacks: [reopen]);

    #[test]
    fn the_index_answers_as_the_model_does() {
        let model = || MemoryIndex::new(RegistryId::from_random([7; 16]));
        check_same(8, async || (Arc::new(model()) as _, Arc::new(index()) as _));
    }
}
