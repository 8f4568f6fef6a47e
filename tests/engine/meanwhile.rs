//! What happens between two steps of the engine: a store that has something else done just before it answers.

use std::{path::Path, sync::Arc};

use artifact::{
    AsOf, BlobInfo, BlobKey, BlobRange, Bookkeeping, CollectOptions, ErrorKind, Holder, Location,
    Principal, RequestContext, ScrubOptions, Session, UploadHint, UploadId, UploadOptions,
    UploadRecord,
};
use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use parking_lot::Mutex;

use crate::{
    hooked::Hooked,
    support::{World, bytes, digest, package},
};

/// What is done once, before the next answer about a key.
type Deed = Arc<Mutex<Option<BoxFuture<'static, ()>>>>;

async fn happen(deed: Deed) {
    let deed = deed.lock().take();
    if let Some(deed) = deed {
        deed.await;
    }
}

/// Returns a registry in a directory, and where what happens is laid down.
fn world() -> (World, Deed) {
    let deed = Deed::default();
    let (laid, world) = (
        Arc::clone(&deed),
        World::on_disk(|parts| {
            let inner = Arc::clone(&parts.store);
            parts.store = Hooked::new(inner, move |call| match call {
                "stat" | "is_held" | "delete" => happen(Arc::clone(&deed)).boxed(),
                _ => std::future::ready(()).boxed(),
            });
        }),
    );
    (world, laid)
}

fn session(world: &World) -> Session {
    world
        .registry
        .session(Principal::Embedder, RequestContext::default())
}

async fn push(session: &Session, data: &[u8]) -> BlobInfo {
    let options = UploadOptions::default();
    let mut upload = session
        .begin_upload(&package("app"), options)
        .await
        .unwrap();
    upload.write(Bytes::copy_from_slice(data)).await.unwrap();
    upload.finish(Some(&digest(data))).await.unwrap()
}

async fn key_of(world: &World, blob: &BlobInfo) -> BlobKey {
    let index = &world.registry.parts().index;
    let link = index.blob(AsOf::Now, &package("app"), &blob.digest).await;
    match link.unwrap().unwrap().blob.location {
        Location::Key(key) => key,
        Location::Inline(_) => panic!("it has a file of its own"),
    }
}

/// Who reads a blob that is collected at this moment finds none: it is not a corrupt one.
#[tokio::test]
async fn a_blob_that_is_collected_meanwhile_is_not_there() {
    let (world, deed) = world();
    let reader = session(&world);
    let blob = push(&reader, &bytes(1, 2_000_000)).await;
    let other = session(&world);
    *deed.lock() = Some(Box::pin(async move {
        other
            .delete_blob(&package("app"), &blob.digest)
            .await
            .unwrap();
        let options = CollectOptions::default().allowing_mass_delete();
        assert_eq!(other.collect(&options).await.unwrap().blobs, 1);
    }));
    let read = reader
        .read_blob(AsOf::Now, &package("app"), &blob.digest, BlobRange::All)
        .await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(deed.lock().is_none());
}

/// Who reads a blob that is mended at this moment, which moves it to another key, reads it there.
#[tokio::test]
async fn i22_a_blob_that_is_mended_meanwhile_is_read() {
    let (world, deed) = world();
    let reader = session(&world);
    let data = bytes(1, 2_000_000);
    let blob = push(&reader, &data).await;
    let (other, index) = (session(&world), Arc::clone(&world.registry.parts().index));
    let (key, again) = (key_of(&world, &blob).await, data.clone());
    *deed.lock() = Some(Box::pin(async move {
        let wrong = Bookkeeping::Quarantine(blob.digest, key);
        index.note(wrong).await.unwrap();
        push(&other, &again).await;
        let options = CollectOptions::default().allowing_mass_delete();
        other.collect(&options).await.unwrap();
    }));
    let body = reader
        .read_blob(AsOf::Now, &package("app"), &blob.digest, BlobRange::All)
        .await
        .unwrap();
    assert_eq!(body.collect(u64::MAX).await.unwrap(), data);
    assert!(deed.lock().is_none());
}

/// I1: what an upload has suspended is not deleted by a scrub that saw it before it was recorded.
#[tokio::test]
async fn i1_a_scrub_leaves_what_is_recorded_meanwhile() {
    let (world, deed) = world();
    let parts = world.registry.parts();
    let id = UploadId::from_random([7; 16]);
    let mut writer = parts.store.begin(&id, UploadHint::default()).await.unwrap();
    writer.write(Bytes::from(bytes(3, 100_000))).await.unwrap();
    let at = writer.suspend().await.unwrap();
    let holder = Holder::new("another");
    let now = parts.clock.now();
    let mut record = UploadRecord::new(id, package("app"), Principal::Embedder, holder, now);
    (record.offset, record.at) = (at.offset, Some(at.clone()));
    let (index, recorded) = (Arc::clone(&parts.index), Arc::new(Mutex::new(false)));
    let told = Arc::clone(&recorded);
    *deed.lock() = Some(Box::pin(async move {
        let begin = Bookkeeping::BeginUpload(Box::new(record), Vec::new());
        *told.lock() = index.note(begin).await.is_ok();
    }));
    let options = ScrubOptions::default();
    let found = session(&world).scrub(options, |_| ()).await.unwrap();
    assert!(deed.lock().is_none(), "it happened");
    assert!(*recorded.lock(), "nobody had the key yet");
    assert_eq!(found.leaked, 0);
    let resumed = parts.store.resume(&id, at).await.unwrap();
    assert_eq!(resumed.expect("it is there").offset(), 100_000);
}

/// What is staged and nobody's is freed.
#[tokio::test]
async fn i9_a_scrub_frees_what_nobody_has() {
    let (world, _deed) = world();
    let parts = world.registry.parts();
    let id = UploadId::from_random([7; 16]);
    let mut writer = parts.store.begin(&id, UploadHint::default()).await.unwrap();
    writer.write(Bytes::from(bytes(3, 100_000))).await.unwrap();
    let options = ScrubOptions::default();
    let living = session(&world).scrub(options, |_| ()).await.unwrap();
    assert_eq!(living.leaked, 0, "somebody writes it");
    let at = writer.suspend().await.unwrap();
    let found = session(&world).scrub(options, |_| ()).await.unwrap();
    assert_eq!((found.leaked, found.leaked_bytes), (1, 100_000));
    assert!(parts.store.resume(&id, at).await.unwrap().is_none());
    let staging: &Path = world.directory.as_ref().unwrap().path();
    assert_eq!(
        std::fs::read_dir(staging.join("staging")).unwrap().count(),
        0
    );
    assert_eq!(parts.index.totals().await.unwrap().trash, 0);
}
