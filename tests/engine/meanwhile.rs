//! What happens between two steps of the engine: a store that has something else done just before it answers.

use std::{path::Path, sync::Arc, time::Duration};

use artifact::{
    AsOf, BlobInfo, BlobKey, BlobRange, Bookkeeping, BootId, CollectOptions, ErrorKind, Holder,
    Location, Principal, RegistryId, RequestContext, ScrubOptions, Session, UploadHint, UploadId,
    UploadOptions, UploadRecord,
};
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};
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
    let options = UploadOptions::default().sized(Some(data.len() as u64));
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

/// F26: what one registry's index does not want may be another's.
#[tokio::test]
async fn f26_another_registrys_blobs_are_not_collected() {
    let world = World::on_disk(|parts| {
        let other = RegistryId::from_random([2; 16]);
        parts.store = Hooked::of_registry(Arc::clone(&parts.store), other);
    });
    let session = session(&world);
    let blob = push(&session, &bytes(1, 2_000_000)).await;
    session
        .delete_blob(&package("app"), &blob.digest)
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(100 * 24 * 60 * 60));
    let options = CollectOptions::default().allowing_mass_delete();
    for options in [options.clone(), options.dry_run()] {
        let refused = session.collect(&options).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
    }
    let there: Vec<_> = world.registry.parts().store.list().collect().await;
    assert_eq!(there.len(), 1, "{there:?}");
}

/// I8: the bytes of a slot stay for as long as a transfer of them may last, counted from when a collection
/// first saw that they are not wanted; those of another boot are nobody's any more.
#[tokio::test]
async fn i8_a_slot_stays_while_somebody_may_read_it() {
    const MINUTE: Duration = Duration::from_secs(60);
    let (world, _deed) = world();
    let session = session(&world);
    let options = CollectOptions::default().allowing_mass_delete();
    let collect = async || {
        let collected = session.collect(&options).await.unwrap();
        (collected.freed, collected.waiting)
    };
    for boots in [false, true] {
        let slot = push(&session, &bytes(1, 20_000)).await;
        let file = push(&session, &bytes(2, 2_000_000)).await;
        let linger = world
            .registry
            .parts()
            .store
            .linger(&key_of(&world, &slot).await);
        assert!(linger > MINUTE);
        for blob in [slot, file] {
            let app = package("app");
            session.delete_blob(&app, &blob.digest).await.unwrap();
        }
        // A file of its own stays with who has it open.
        assert_eq!(collect().await, (1, 1));
        if boots {
            world.clock.reboot(BootId::new("another"));
        } else {
            world.clock.advance(linger - MINUTE);
            assert_eq!(collect().await, (0, 1));
            world.clock.advance(MINUTE);
        }
        assert_eq!(collect().await, (1, 0));
    }
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
