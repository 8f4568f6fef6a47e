//! Blobs as files of others.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use artifact_core::{BlobKey, BlobStore as _, LocalBlobs as _, StoreError, Way};
use artifact_store::FsBlobStore;

use crate::kit::{LARGE, Place, begin, commit, put, random};

fn materialize(
    store: &FsBlobStore,
    key: &BlobKey,
    target: &Path,
    ways: &[Way],
) -> Result<Option<Way>, StoreError> {
    store.materialize(key, target, ways)
}

fn names(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[tokio::test]
async fn a_hard_link_is_the_file_itself() {
    let place = Place::new();
    let store = place.open();
    let key = put(&store, &random(LARGE)).await;
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("model.bin");
    let made = materialize(&store, &key, &target, &[Way::HardLink, Way::Copy]).unwrap();
    assert_eq!(made, Some(Way::HardLink));
    let (ours, theirs) = (fs::metadata(place.path(&key)), fs::metadata(&target));
    assert_eq!(ours.unwrap().ino(), theirs.unwrap().ino());
    // The blob goes, and their name keeps the bytes.
    store.delete(&key).await.unwrap();
    assert_eq!(fs::metadata(&target).unwrap().len(), LARGE as u64);
}

#[tokio::test]
async fn a_slot_is_copied_as_it_cannot_be_linked() {
    let place = Place::new();
    let store = place.open();
    let bytes = random(70_001);
    let key = put(&store, &bytes).await;
    put(&store, &random(5000)).await;
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("wheel");
    let refused = materialize(&store, &key, &target, &[Way::HardLink]);
    let closed = matches!(&refused, Err(StoreError::NoWay { path, .. }) if *path == target);
    assert!(closed && names(out.path()) == 0, "{refused:?}");
    let ways = [Way::HardLink, Way::Reflink, Way::Copy];
    let made = materialize(&store, &key, &target, &ways).unwrap();
    assert!(matches!(made, Some(Way::Reflink | Way::Copy)), "{made:?}");
    assert!(fs::read(&target).unwrap() == bytes);
    assert_eq!(names(out.path()), 1);
    // A file of its own: as writable as any that its owner makes.
    let plain = out.path().join("plain");
    fs::write(&plain, b"").unwrap();
    let allowed = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(allowed(&target), allowed(&plain));
    // A reader does not hold the slot for longer than the copy.
    store.delete(&key).await.unwrap();
}

/// LB-2: nothing is replaced, and no part of a file is ever under the target's name.
#[tokio::test]
async fn lb2_a_failed_way_leaves_nothing() {
    let place = Place::new();
    let store = place.open();
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("there");
    for size in [70_000, LARGE] {
        let key = put(&store, &random(size)).await;
        fs::write(&target, b"mine").unwrap();
        for way in [Way::HardLink, Way::Reflink, Way::Copy] {
            let refused = materialize(&store, &key, &target, &[way]);
            let told = matches!(&refused, Err(StoreError::Exists { path }) if *path == target);
            assert!(told, "{refused:?}");
            assert_eq!(fs::read(&target).unwrap(), b"mine");
        }
        assert!(materialize(&store, &key, &out.path().join("no/where"), &[Way::Copy]).is_err());
        let refused = materialize(&store, &key, &out.path().join("none"), &[]);
        assert!(
            matches!(refused, Err(StoreError::NoWay { .. })),
            "{refused:?}"
        );
        assert_eq!(names(out.path()), 1, "only what was there");
    }
    let gone = put(&store, &random(10)).await;
    store.delete(&gone).await.unwrap();
    let made = materialize(&store, &gone, &out.path().join("gone"), &[Way::Copy]).unwrap();
    assert_eq!((made, names(out.path())), (None, 1));
}

/// BS-1: a file that has its final name is not given out while its commit is not through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bs1_a_commit_under_way_shows_no_file() {
    let place = Place::new();
    let store = place.open();
    let bytes = random(LARGE);
    let mut writer = begin(&store, LARGE).await;
    writer.write(bytes.clone()).await.unwrap();
    let key = writer.key().clone();
    let (in_sync, may_end) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    let gates = std::sync::Arc::new((in_sync, may_end));
    let waits = std::sync::Arc::clone(&gates);
    place.vfs.set(move |operation, _| {
        if operation == "sync directory" {
            waits.0.wait();
            waits.1.wait();
        }
        None
    });
    let commit = tokio::spawn(async move { commit(writer, &bytes).await });
    tokio::task::block_in_place(|| gates.0.wait());
    assert!(place.path(&key).exists(), "it has its final name");
    assert!(store.stat(&key).await.unwrap().is_none());
    assert!(store.open(&key).unwrap().is_none());
    tokio::task::block_in_place(|| gates.1.wait());
    commit.await.unwrap().unwrap();
    assert!(store.stat(&key).await.unwrap().is_some());
    assert!(store.open(&key).unwrap().is_some());
}
