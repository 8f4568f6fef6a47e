//! Blobs that have a slot of a segment.

use std::{fs, os::unix::fs::FileExt as _, os::unix::fs::MetadataExt as _, sync::Arc};

use artifact_core::{BlobStore as _, ByteRange, StoreError, Suspended, UploadHint};
use bytes::Bytes;
use parking_lot::Mutex;

use crate::kit::{ID, Place, assert_held, begin, collect, commit, get, list, put, random};

/// Where the table of a segment begins, and how long a row of it is.
const TABLE: u64 = 4096;
const ROW: u64 = 32;
/// Where in a row it is said that a sync has covered it.
const SYNCED: u64 = 25;

#[tokio::test]
async fn small_blobs_share_a_file() {
    let place = Place::new();
    let store = place.open();
    let blobs: Vec<Bytes> = [0, 1, 4096, 4097, 65_536, 1 << 20].map(random).into();
    let mut keys = Vec::new();
    for bytes in &blobs {
        keys.push(put(&store, bytes).await);
    }
    assert_eq!(place.names("segments").len(), 1);
    assert!(place.files().is_empty() && place.names("staging").is_empty());
    for (key, bytes) in keys.iter().zip(&blobs) {
        assert!(key.as_str().starts_with("segments/"), "{key}");
        assert!(get(&store, key).await.unwrap() == bytes);
        let stat = store.stat(key).await.unwrap().unwrap();
        assert_eq!((stat.size, stat.stamp), (bytes.len() as u64, None));
        assert_eq!(store.linger(key).as_secs(), 15 * 60);
    }
    let larger = put(&store, &random((1 << 20) + 1)).await;
    assert!(larger.as_str().starts_with("blobs/"), "{larger}");
}

/// A slot is freed by a hole, and its neighbours keep their bytes.
#[tokio::test]
async fn a_deleted_slot_gives_its_blocks_back() {
    let place = Place::new();
    let store = place.open();
    let blobs = [random(1 << 20), random(1 << 20), random(1 << 20)];
    let mut keys = Vec::new();
    for bytes in &blobs {
        keys.push(put(&store, bytes).await);
    }
    let blocks = || fs::metadata(place.path(&keys[0])).unwrap().blocks();
    let before = blocks();
    store.delete(&keys[1]).await.unwrap();
    assert!(
        before - blocks() >= (1 << 20) / 512,
        "{before} {}",
        blocks()
    );
    assert!(get(&store, &keys[1]).await.is_none());
    for at in [0, 2] {
        assert!(get(&store, &keys[at]).await.unwrap() == blobs[at]);
    }
}

/// Who reads or has the file keeps the bytes: F11 never, not even for zeros.
#[tokio::test]
async fn a_slot_that_is_read_is_not_punched() {
    let place = Place::new();
    let (one, two) = (place.open(), place.open());
    let bytes = random(1 << 20);
    let key = put(&one, &bytes).await;
    let reader = one.read(&key, ByteRange::ALL).await.unwrap().unwrap();
    assert_held(one.delete(&key).await);
    assert_held(two.delete(&key).await);
    assert!(collect(reader).await.unwrap() == bytes);
    let blob = two.local().unwrap().open(&key).unwrap().unwrap();
    assert!(!blob.whole_file);
    assert_held(one.delete(&key).await);
    let copy = blob.file.try_clone().unwrap();
    let offset = blob.offset;
    drop(blob);
    assert_held(two.delete(&key).await);
    let mut read = vec![0; 1 << 20];
    copy.read_exact_at(&mut read, offset).unwrap();
    assert!(read == bytes);
    drop(copy);
    two.delete(&key).await.unwrap();
    assert!(one.stat(&key).await.unwrap().is_none());
}

/// More bytes than were announced: the key stays, the bytes move.
#[tokio::test]
async fn a_blob_that_outgrows_its_slot_keeps_its_key() {
    let place = Place::new();
    let (one, two) = (place.open(), place.open());
    let bytes = random(2 << 20);
    for (announced, first) in [
        (1, 100),
        (5000, 4096),
        (1 << 20, (1 << 20) - 1),
        (1 << 20, 700_000),
    ] {
        let mut writer = begin(&one, announced).await;
        let key = writer.key().clone();
        for chunk in [0..1, 1..first, first..2 << 20] {
            writer.write(bytes.slice(chunk)).await.unwrap();
        }
        assert_eq!((writer.key(), writer.offset()), (&key, 2 << 20));
        let back = collect(writer.read_back().await.unwrap()).await.unwrap();
        assert!(back == bytes, "{announced} {first}");
        assert!(two.is_held(&key).await.unwrap());
        assert_held(two.delete(&key).await);
        let at = writer.suspend().await.unwrap();
        let listed = list(&two).await;
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert!(listed[0].key == key && listed[0].staged);
        let writer = two.resume(&ID, at.clone()).await.unwrap().unwrap();
        assert_eq!((writer.key(), writer.offset()), (&key, 2 << 20));
        assert_held(one.resume(&ID, at).await);
        assert!(
            commit(writer, &bytes).await.unwrap().is_some(),
            "a file has a stamp"
        );
        assert!(get(&one, &key).await.unwrap() == bytes);
        let local = one.local().unwrap().open(&key).unwrap().unwrap();
        assert!(local.whole_file && local.length == 2 << 20);
        one.delete(&key).await.unwrap();
        assert!(get(&two, &key).await.is_none() && place.files().is_empty());
    }
    let mut writer = begin(&one, 10).await;
    let key = writer.key().clone();
    writer.write(bytes.clone()).await.unwrap();
    drop(writer);
    assert!(!one.is_held(&key).await.unwrap());
    assert!(list(&one).await.is_empty());
}

/// F9, F11: a slot whose bytes are gone when they are to move is an error, never a shorter blob.
#[tokio::test]
async fn f11_a_slot_that_was_cut_is_not_outgrown() {
    let place = Place::new();
    let store = place.open();
    let bytes = random(700_000);
    let mut writer = begin(&store, 500_000).await;
    let key = writer.key().clone();
    // The second batch drives the first one into the slot.
    for chunk in [0..200_000, 200_000..400_000] {
        writer.write(bytes.slice(chunk)).await.unwrap();
    }
    let segment = fs::OpenOptions::new()
        .write(true)
        .open(place.path(&key))
        .unwrap();
    let length = segment.metadata().unwrap().len();
    segment.set_len(length - 1).unwrap();
    let moved = writer.write(bytes.slice(400_000..)).await;
    assert!(
        matches!(&moved, Err(StoreError::Corrupt { key: of }) if *of == key),
        "{moved:?}"
    );
    assert!(writer.write(bytes.slice(400_000..)).await.is_err());
    assert!(commit(writer, &bytes).await.is_err());
    assert!(get(&store, &key).await.is_none() && place.names("staging").is_empty());
    assert!(list(&store).await.is_empty());
}

/// A suspended slot goes on in a file of its own; until that is suspended or committed, the slot is
/// what an upload falls back to.
#[tokio::test]
async fn a_suspended_slot_goes_on_elsewhere() {
    let place = Place::new();
    let (one, two) = (place.open(), place.open());
    let bytes = random(900_000);
    let mut writer = begin(&one, 900_000).await;
    writer.write(bytes.slice(..500_000)).await.unwrap();
    let at = writer.suspend().await.unwrap();
    let listed = list(&two).await;
    assert!(listed[0].staged && listed[0].size == 500_000, "{listed:?}");
    let writer = two.resume(&ID, at.clone()).await.unwrap().unwrap();
    let elsewhere = writer.key().clone();
    assert!(elsewhere.as_str().starts_with("blobs/"));
    assert!(one.is_held(&at.key).await.unwrap());
    assert_held(one.resume(&ID, at.clone()).await);
    drop(writer);
    assert!(!two.is_held(&at.key).await.unwrap());
    // Who was told the new key may have recorded it: it goes on from there, too (BS-4).
    let there = Suspended::new(elsewhere.clone(), at.offset, Bytes::new());
    drop(two.resume(&ID, there).await.unwrap().unwrap());
    two.delete(&elsewhere).await.unwrap();
    let mut writer = one.resume(&ID, at.clone()).await.unwrap().unwrap();
    two.delete(&at.key).await.unwrap();
    writer.write(bytes.slice(500_000..)).await.unwrap();
    let key = writer.key().clone();
    commit(writer, &bytes).await.unwrap();
    assert!(get(&two, &key).await.unwrap() == bytes);
    assert!(one.resume(&ID, at).await.unwrap().is_none());
    assert_eq!(list(&two).await.len(), 1);
}

/// BS-4: what goes on elsewhere is durable there before anybody is told of it: who records the new
/// key tells of the bytes, too.
#[tokio::test]
async fn bs4_what_goes_on_elsewhere_is_synced_first() {
    let place = Place::new();
    let store = place.open();
    let mut writer = begin(&store, 900_000).await;
    writer.write(random(500_000)).await.unwrap();
    let at = writer.suspend().await.unwrap();
    let synced = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&synced);
    place.vfs.set(move |operation, path| {
        if operation.starts_with("sync") {
            told.lock().push((operation, path.to_owned()));
        }
        None
    });
    let writer = store.resume(&ID, at).await.unwrap().unwrap();
    let synced = synced.lock().clone();
    let file = writer.key().as_str().rsplit('/').next().unwrap();
    let is_file = |path: &std::path::Path| path.ends_with(file);
    assert!(
        synced
            .iter()
            .any(|(how, path)| *how == "sync" && is_file(path))
    );
    let is_staging = |path: &std::path::Path| path.ends_with("staging");
    let named =
        |(how, path): &(&str, std::path::PathBuf)| *how == "sync directory" && is_staging(path);
    assert!(synced.iter().any(named), "{synced:?}");
}

/// After a power loss the byte may be gone that says that the sync was through: then the checksum
/// says whether all is there.
#[tokio::test]
async fn f4_a_commit_that_a_power_loss_cut_is_all_or_nothing() {
    let place = Place::new();
    let bytes = random(70_000);
    let store = place.open();
    let (whole, cut) = (put(&store, &bytes).await, put(&store, &bytes).await);
    drop(store);
    place.until_nobody_appends();
    let segment = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(place.path(&whole))
        .unwrap();
    let synced = |row: u64| {
        let mut byte = [0];
        segment
            .read_exact_at(&mut byte, TABLE + row * ROW + SYNCED)
            .unwrap();
        byte[0]
    };
    for row in [0, 1] {
        assert_eq!(synced(row), 1);
        segment
            .write_all_at(&[0], TABLE + row * ROW + SYNCED)
            .unwrap();
    }
    let end = segment.metadata().unwrap().len();
    segment.write_all_at(&[0; 512], end - 512).unwrap();
    let store = place.open();
    assert!(get(&store, &whole).await.unwrap() == bytes);
    assert_eq!(synced(0), 1, "it is not looked at twice");
    assert!(get(&store, &cut).await.is_none());
    assert!(store.stat(&cut).await.unwrap().is_none());
    let listed = list(&store).await;
    let staged: Vec<_> = listed.iter().filter(|entry| entry.staged).collect();
    assert!(staged.len() == 1 && staged[0].key == cut, "{listed:?}");
    store.delete(&cut).await.unwrap();
    assert_eq!(list(&store).await.len(), 1);
}

/// F10: a row that rotted hides its blob and no other, and nothing is punched for it.
#[tokio::test]
async fn f10_a_rotten_row_costs_one_blob_and_can_be_mended() {
    let place = Place::new();
    let bytes = random(70_000);
    let store = place.open();
    let (rotten, good) = (put(&store, &bytes).await, put(&store, &bytes).await);
    drop(store);
    place.until_nobody_appends();
    let segment = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(place.path(&good))
        .unwrap();
    let mut row = [0; 32];
    segment.read_exact_at(&mut row, TABLE).unwrap();
    segment.write_all_at(&[row[17] ^ 4], TABLE + 17).unwrap();
    let store = place.open();
    assert!(store.stat(&rotten).await.unwrap().is_none());
    assert!(get(&store, &good).await.unwrap() == bytes);
    assert_eq!(list(&store).await.len(), 1);
    put(&store, &bytes).await;
    store.delete(&good).await.unwrap();
    segment.write_all_at(&row, TABLE).unwrap();
    assert!(get(&store, &rotten).await.unwrap() == bytes);
}

/// A hint that says nothing of the size, or too much, is no matter.
#[tokio::test]
async fn a_wrong_hint_is_no_matter() {
    let place = Place::new();
    let store = place.open();
    for announced in [None, Some(1 << 20), Some(u64::MAX), Some(3)] {
        let bytes = random(5000);
        let mut writer = store
            .begin(&ID, UploadHint::sized(announced))
            .await
            .unwrap();
        let key = writer.key().clone();
        writer.write(bytes.clone()).await.unwrap();
        commit(writer, &bytes).await.unwrap();
        assert!(get(&store, &key).await.unwrap() == bytes, "{announced:?}");
    }
}
