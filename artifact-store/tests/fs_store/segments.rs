//! Segments: how they are shared, filled, gone on with and removed.

use std::{
    fs,
    os::unix::fs::FileExt as _,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use artifact_core::{BlobStore as _, StoreError};
use artifact_store::FsBlobStore;
use futures::{StreamExt as _, future::join_all};

use crate::kit::{Place, begin, commit, get, list, put, random};

/// One sync serves all who wait: those who come while a sync is under way share the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sync_serves_all_who_wait() {
    const WRITERS: usize = 20;
    let place = Place::new();
    let store = place.open();
    put(&store, &random(100)).await;
    let (syncs, gate) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new((Mutex::new(false), Condvar::new())),
    );
    let (counted, waited) = (Arc::clone(&syncs), Arc::clone(&gate));
    place.vfs.set(move |operation, _| {
        if operation == "sync" && counted.fetch_add(1, Ordering::SeqCst) == 0 {
            let opened = waited.0.lock().unwrap();
            drop(waited.1.wait_while(opened, |opened| !*opened).unwrap());
        }
        None
    });
    let bytes = random(5000);
    let mut commits = Vec::new();
    for _ in 0..WRITERS {
        let mut writer = begin(&store, bytes.len()).await;
        writer.write(bytes.clone()).await.unwrap();
        let bytes = bytes.clone();
        let key = writer.key().clone();
        commits.push(tokio::spawn(async move {
            commit(writer, &bytes).await.unwrap();
            key
        }));
        while syncs.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    }
    // The others can only have joined the queue when they have run: so they get the time.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    for key in join_all(commits).await {
        assert!(get(&store, &key.unwrap()).await.unwrap() == bytes);
    }
    let syncs = syncs.load(Ordering::SeqCst);
    assert!(syncs <= 4, "{syncs} syncs served {WRITERS} commits");
}

#[tokio::test]
async fn a_full_segment_is_followed_by_another() {
    let place = Place::new();
    let mut options = place.options();
    options.segment_size = 3 << 20;
    let store = FsBlobStore::open(options).unwrap();
    let mut blobs = Vec::new();
    for _ in 0..6 {
        let bytes = random(1 << 20);
        blobs.push((put(&store, &bytes).await, bytes));
    }
    assert_eq!(place.names("segments").len(), 3);
    for (key, bytes) in &blobs {
        assert!(get(&store, key).await.unwrap() == bytes);
    }
    // One whose slots are all dead is removed as soon as nobody appends to it.
    for (key, _) in &blobs[..2] {
        store.delete(key).await.unwrap();
    }
    assert_eq!(place.names("segments").len(), 2);
    for (key, _) in &blobs[2..] {
        store.delete(key).await.unwrap();
    }
    assert_eq!(
        place.names("segments").len(),
        1,
        "the one that is appended to"
    );
    drop(store);
    place.until_nobody_appends();
    assert!(list(&place.open()).await.is_empty());
    assert!(place.names("segments").is_empty());
}

/// A process that begins anew goes on with the segment of one that ended; two at once have two.
#[tokio::test]
async fn segments_are_gone_on_with() {
    let place = Place::new();
    let mut blobs = Vec::new();
    for round in 0..5 {
        let store = place.open();
        let bytes = random(5000 + round);
        blobs.push((put(&store, &bytes).await, bytes));
        drop(store);
        place.until_nobody_appends();
    }
    assert_eq!(place.names("segments").len(), 1);
    let (one, two) = (place.open(), place.open());
    for store in [&one, &two] {
        let bytes = random(5000);
        blobs.push((put(store, &bytes).await, bytes));
    }
    assert_eq!(place.names("segments").len(), 2);
    for (key, bytes) in &blobs {
        assert!(get(&two, key).await.unwrap() == bytes);
    }
}

/// BS-6: a slot that a power loss took back, row and bytes, may be made again, but not its key.
#[tokio::test]
async fn bs6_a_lost_slot_comes_back_under_another_key() {
    let place = Place::new();
    let store = place.open();
    let kept = random(5000);
    let kept_key = put(&store, &kept).await;
    let mut writer = begin(&store, 5000).await;
    let lost = writer.key().clone();
    writer.write(random(5000)).await.unwrap();
    // Nothing of it has reached the file.
    drop((writer, store));
    place.until_nobody_appends();
    let store = place.open();
    let bytes = random(5000);
    let key = put(&store, &bytes).await;
    assert_ne!(key, lost);
    store.delete(&lost).await.unwrap();
    assert!(
        get(&store, &key).await.unwrap() == bytes,
        "the old key means the old slot"
    );
    assert!(get(&store, &kept_key).await.unwrap() == kept);
}

/// Blocks without a row, which a power loss may leave, are given back by who goes on.
#[tokio::test]
async fn blocks_that_no_row_knows_are_given_back() {
    use std::os::unix::fs::MetadataExt as _;
    let place = Place::new();
    let store = place.open();
    let bytes = random(5000);
    let key = put(&store, &bytes).await;
    drop(store);
    place.until_nobody_appends();
    let segment = fs::OpenOptions::new()
        .write(true)
        .open(place.path(&key))
        .unwrap();
    let end = segment.metadata().unwrap().len().next_multiple_of(4096);
    segment.write_all_at(&vec![7; 4 << 20], end).unwrap();
    segment.sync_all().unwrap();
    let blocks = || segment.metadata().unwrap().blocks();
    let before = blocks();
    let store = place.open();
    let next = random(5000);
    let next_key = put(&store, &next).await;
    assert!(before - blocks() >= (3 << 20) / 512);
    assert!(get(&store, &key).await.unwrap() == bytes);
    assert!(get(&store, &next_key).await.unwrap() == next);
    assert_eq!(place.names("segments").len(), 1);
}

/// F10: a segment whose header rotted is told of once, and is whole then, for the header says nothing that is
/// not known; one that was never begun goes.
#[tokio::test]
async fn f10_a_rotten_header_is_told_of_and_mended() {
    let place = Place::new();
    let store = place.open();
    let bytes = random(5000);
    let key = put(&store, &bytes).await;
    drop(store);
    place.until_nobody_appends();
    let path = place.path(&key);
    let segment = fs::OpenOptions::new().write(true).open(&path).unwrap();
    segment.write_all_at(b"A", 0).unwrap();
    fs::write(place.root().join("segments").join("0".repeat(32)), b"").unwrap();
    let store = place.open();
    let listed: Vec<_> = store.list().collect().await;
    let [Err(error)] = &listed[..] else {
        panic!("{listed:?}");
    };
    assert!(matches!(error, StoreError::Backend { .. }));
    assert_eq!(fs::read(&path).unwrap()[0], b'a');
    assert_eq!(list(&store).await.len(), 1);
    put(&store, &random(10)).await;
    assert_eq!(place.names("segments").len(), 1, "it is gone on with");
    assert!(get(&store, &key).await.unwrap() == bytes);
    // Where a row has rotted, too, nobody knows what else of it is wrong.
    segment.write_all_at(b"A", 0).unwrap();
    segment.write_all_at(b"A", 4096).unwrap();
    drop(store);
    place.until_nobody_appends();
    let listed: Vec<_> = place.open().list().collect().await;
    assert!(matches!(&listed[..], [Err(_)]), "{listed:?}");
    assert_eq!(fs::read(&path).unwrap()[0], b'A');
}

/// F6: a header that was mended is told of as whole once it is on the disk, and not before.
#[tokio::test]
async fn f6_a_mended_header_is_durable() {
    let place = Place::new();
    let store = place.open();
    let key = put(&store, &random(5000)).await;
    drop(store);
    place.until_nobody_appends();
    let path = place.path(&key);
    let segment = fs::File::options().write(true).open(&path).unwrap();
    segment.write_all_at(b"A", 0).unwrap();
    let (first, second) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (wrote, synced) = (Arc::clone(&first), Arc::clone(&second));
    place.vfs.set(move |operation, path| {
        let of_segment = path
            .parent()
            .is_some_and(|parent| parent.ends_with("segments"));
        if of_segment && operation == "write" {
            wrote.fetch_add(1, Ordering::SeqCst);
        }
        if of_segment && operation == "sync" {
            assert_eq!(wrote.load(Ordering::SeqCst), 1, "it is written by now");
            synced.fetch_add(1, Ordering::SeqCst);
        }
        None
    });
    let listed: Vec<_> = place.open().list().collect().await;
    assert!(matches!(&listed[..], [Err(_)]), "{listed:?}");
    assert_eq!(first.load(Ordering::SeqCst), 1);
    assert_eq!(second.load(Ordering::SeqCst), 1, "it was not synced");
}

/// The index of a key may be guessed, but a guess finds nothing and deletes nothing.
#[tokio::test]
async fn a_key_that_was_never_made_finds_nothing() {
    let place = Place::new();
    let store = place.open();
    let bytes = random(5000);
    let key = put(&store, &bytes).await;
    let (slot, sitting) = key.as_str().rsplit_once('-').unwrap();
    let other = u64::from_str_radix(sitting, 16).unwrap() ^ 1;
    let guess = format!("{slot}-{other:x}").parse().unwrap();
    assert!(store.stat(&guess).await.unwrap().is_none());
    assert!(!store.is_held(&guess).await.unwrap());
    store.delete(&guess).await.unwrap();
    assert!(get(&store, &key).await.unwrap() == bytes);
}
