//! A registry over backends of one's own: blobs in plain files, and an index that keeps every state
//! it was in, in memory.
//!
//! `store.rs` is a whole [`BlobStore`](artifact::BlobStore), `index/` a whole
//! [`ManifestIndex`](artifact::ManifestIndex). Both were written from the clauses of the two traits,
//! and the tests at the end of this file prove that they keep them. [`main`] runs a registry over
//! both: it pushes, tags, reads what is and what was, deletes and collects.
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

use std::{error::Error, path::Path, sync::Arc};

use artifact::{
    Algorithm, AsOf, BlobRange, CollectOptions, Collected, Digest, Forget, Holder, Holders,
    Manifest, MediaType, PackageRef, Principal, PutManifest, RegistryId, RegistryParts,
    RepositoryName, RepositorySettings, RequestContext, Rng, Scope, Seams, Session, SystemClock,
    Tag, Tokio, UploadOptions,
    parts::{self, SystemRng},
};

use crate::{index::PlainIndex, store::FileStore};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Knows one process: this one.
#[derive(Debug)]
struct Alone(Holder);

impl Holders for Alone {
    fn is_alive(&self, holder: &Holder) -> bool {
        *holder == self.0
    }
}

/// Opens a registry over the two backends.
fn open(directory: &Path) -> Outcome<Session> {
    let rng: Arc<dyn Rng> = Arc::new(SystemRng::new()?);
    let store = FileStore::open(directory, Arc::clone(&rng))?;
    let index = PlainIndex::new(RegistryId::from_random([1; 16]));
    let holder = Holder::new("example");
    let seams = Seams {
        clock: Arc::new(SystemClock::on_tokio()?),
        rng,
        spawn: Arc::new(Tokio::current().ok_or("no runtime")?),
        holders: Arc::new(Alone(holder.clone())),
    };
    let parts = RegistryParts::new(Arc::new(index), Arc::new(store), seams, holder);
    let registry = parts::Registry::new(parts);
    Ok(registry.session(Principal::Embedder, RequestContext::default()))
}

/// Pushes a file of many lines as an artifact, and points a tag at it.
async fn push(session: &Session, package: &PackageRef, tag: &Tag, line: &str) -> Outcome<Digest> {
    let mut upload = session
        .begin_upload(package, UploadOptions::default())
        .await?;
    for number in 0..10_000 {
        upload.write(format!("{line} {number}\n").into()).await?;
    }
    let blob = upload.finish(None).await?;
    // The file is config and layer at once: one that says no more of itself needs no other.
    let descriptor = format!(
        r#"{{"mediaType":"text/plain","digest":"{}","size":{}}}"#,
        blob.digest, blob.size
    );
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{descriptor},"layers":[{descriptor}]}}"#,
        MediaType::OCI_MANIFEST
    );
    let manifest = Manifest::parse(manifest.into(), None, Algorithm::Sha256)?;
    let options = PutManifest::tagged(vec![tag.clone()]);
    session.put_manifest(package, &manifest, &options).await?;
    Ok(manifest.digest())
}

/// Returns how many bytes the artifact has to which a tag pointed.
async fn read(session: &Session, at: AsOf, package: &PackageRef, tag: &Tag) -> Outcome<usize> {
    let coordinate = package.at(tag.clone());
    let found = session.get_manifest(at, &coordinate).await?;
    let record = found.record;
    let kind = Some(&record.media_type);
    let manifest = Manifest::parse(record.bytes, kind, record.digest.algorithm())?;
    let layer = manifest.references().last().ok_or("it has a layer")?;
    let digest = &layer.descriptor.digest;
    let body = session
        .read_blob(at, package, digest, BlobRange::All)
        .await?;
    Ok(body.collect(1 << 20).await?.len())
}

/// Does what registries do, and returns what the last collection freed.
async fn work(session: &Session) -> Outcome<Collected> {
    let default = RepositoryName::default_repository();
    let settings = RepositorySettings::default();
    session
        .create_repository(&default, &settings, false)
        .await?;
    let package = PackageRef::in_default(&"team/app".parse()?);
    let latest: Tag = "latest".parse()?;
    let old = push(session, &package, &latest, "old line").await?;
    let before = AsOf::Revision(session.revision().await?.revision);
    push(session, &package, &latest, "line").await?;
    let now = read(session, AsOf::Now, &package, &latest).await?;
    let was = read(session, before, &package, &latest).await?;
    println!("{package}:{latest} has {now} bytes, and had {was}");

    session.delete_manifest(&package, &old).await?;
    let usage = session.usage(&Scope::all()).await?;
    println!("{} bytes are charged", usage.charged);
    let kept = session.collect(&CollectOptions::default()).await?;
    println!(
        "{} bytes were freed while history keeps them",
        kept.freed_bytes
    );
    let forget = Forget {
        repository: None,
        before: session.revision().await?.revision,
    };
    let options = CollectOptions::default().forgetting(forget);
    let freed = session.collect(&options).await?;
    println!(
        "{} bytes were freed when it was forgotten",
        freed.freed_bytes
    );
    Ok(freed)
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let session = open(directory.path())?;
    work(&session).await?;
    Ok(())
}

#[cfg(test)]
mod conformance {
    use std::sync::Arc;

    use artifact::{MemoryIndex, RegistryId};
    use artifact_testkit::{
        blob_store_conformance, compare::check_same, fault_trials, faults::Backends,
        manifest_index_conformance, seams::SeededRng,
    };

    use crate::{index::PlainIndex, open, store::FileStore, work};

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

    fn index() -> PlainIndex {
        PlainIndex::new(RegistryId::from_random([7; 16]))
    }

    manifest_index_conformance!(plain_index, async { index() }, lacks: [reopen]);

    fault_trials!(both_fail, every: 5, async || {
        let directory = tempfile::tempdir().unwrap();
        let store = FileStore::open(directory.path(), Arc::new(SeededRng::new(1)));
        Backends::new(store.unwrap(), index()).keeping(directory)
    });

    #[test]
    fn the_index_answers_as_the_model_does() {
        let model = || MemoryIndex::new(RegistryId::from_random([7; 16]));
        check_same(8, async || (Arc::new(model()) as _, Arc::new(index()) as _));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_registry_over_both_keeps_history_until_it_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let session = open(directory.path()).unwrap();
        let freed = work(&session).await.unwrap();
        assert_eq!((freed.blobs, freed.freed), (1, 1));
        // One file is left, under the key of the artifact that is still there.
        let blobs = std::fs::read_dir(directory.path().join("blobs")).unwrap();
        assert_eq!(blobs.count(), 1);
    }
}
