//! Blobs that have a file of their own.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use artifact_core::{BlobStore as _, ByteRange, Stamp, StoreError, UploadHint};

use crate::kit::{ID, LARGE, Place, assert_held, begin, collect, commit, get, list, put, random};

#[tokio::test]
async fn a_blob_is_a_read_only_file_of_its_own_name() {
    let place = Place::new();
    let store = place.open();
    let bytes = random(LARGE);
    // Of unknown size, so that it is large for all that is known.
    let mut writer = store.begin(&ID, UploadHint::default()).await.unwrap();
    let key = writer.key().clone();
    for chunk in [0..1, 1..70_000, 70_000..70_001, 70_001..LARGE] {
        writer.write(bytes.slice(chunk)).await.unwrap();
    }
    assert_eq!(place.names("staging").len(), 1);
    let stamp = commit(writer, &bytes).await.unwrap();
    assert!(place.names("staging").is_empty() && place.names("segments").is_empty());
    let meta = fs::metadata(place.path(&key)).unwrap();
    assert_eq!(meta.permissions().mode() & 0o222, 0);
    let nanoseconds = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
    let expected = format!("{}:{LARGE}:{nanoseconds}", meta.ino());
    assert_eq!(stamp.as_ref().map(Stamp::as_str), Some(&*expected));
    let stat = store.stat(&key).await.unwrap().unwrap();
    assert_eq!((stat.size, stat.stamp), (LARGE as u64, stamp));
    assert!(fs::read(place.path(&key)).unwrap() == bytes);
    assert_eq!(store.linger(&key).as_secs(), 0);
}

/// F11: a file that was changed behind the store's back has another stamp.
#[tokio::test]
async fn f11_a_changed_file_has_another_stamp() {
    let place = Place::new();
    let store = place.open();
    let key = put(&store, &random(LARGE)).await;
    let before = store.stat(&key).await.unwrap().unwrap();
    let path = place.path(&key);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, random(LARGE)).unwrap();
    let after = store.stat(&key).await.unwrap().unwrap();
    assert_eq!(before.size, after.size);
    assert_ne!(before.stamp, after.stamp);
}

/// F9: a file that was cut is an error, and never a short success.
#[tokio::test]
async fn f9_a_file_that_was_cut_is_corrupt() {
    let place = Place::new();
    let store = place.open();
    let key = put(&store, &random(LARGE)).await;
    let reader = store.read(&key, ByteRange::ALL).await.unwrap().unwrap();
    let path = place.path(&key);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(LARGE as u64 - 1).unwrap();
    let read = collect(reader).await;
    assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
}

/// Another process goes on, and only one at a time.
#[tokio::test]
async fn two_stores_share_an_upload_by_turns() {
    let place = Place::new();
    let (one, two) = (place.open(), place.open());
    let bytes = random(LARGE);
    let mut writer = begin(&one, LARGE).await;
    let key = writer.key().clone();
    writer.write(bytes.slice(..100_000)).await.unwrap();
    assert!(two.is_held(&key).await.unwrap());
    assert_held(two.delete(&key).await);
    let at = writer.suspend().await.unwrap();
    assert!(!two.is_held(&key).await.unwrap());
    let mut writer = two.resume(&ID, at.clone()).await.unwrap().unwrap();
    assert_held(one.resume(&ID, at.clone()).await);
    assert_held(one.delete(&key).await);
    writer.write(bytes.slice(100_000..)).await.unwrap();
    assert!(one.stat(&key).await.unwrap().is_none());
    commit(writer, &bytes).await.unwrap();
    assert!(get(&one, &key).await.unwrap() == bytes);
    assert!(one.resume(&ID, at).await.unwrap().is_none());
    assert!(
        get(&one, &key).await.unwrap() == bytes,
        "it is hidden from nobody"
    );
}

#[tokio::test]
async fn a_dropped_writer_leaves_only_what_was_suspended() {
    let place = Place::new();
    let store = place.open();
    let bytes = random(LARGE);
    let mut writer = begin(&store, LARGE).await;
    let key = writer.key().clone();
    writer.write(bytes.clone()).await.unwrap();
    drop(writer);
    // It answers when the dropped writer's last work has ended.
    assert!(!store.is_held(&key).await.unwrap());
    assert!(place.names("staging").is_empty());

    let mut writer = begin(&store, LARGE).await;
    writer.write(bytes.slice(..100_000)).await.unwrap();
    let at = writer.suspend().await.unwrap();
    let mut writer = store.resume(&ID, at.clone()).await.unwrap().unwrap();
    writer.write(bytes.slice(100_000..LARGE - 1)).await.unwrap();
    drop(writer);
    assert!(!store.is_held(&at.key).await.unwrap());
    assert_eq!(place.names("staging").len(), 1);
    let mut writer = store.resume(&ID, at.clone()).await.unwrap().unwrap();
    let staged = place
        .root()
        .join("staging")
        .join(&place.names("staging")[0]);
    assert_eq!(fs::metadata(staged).unwrap().len(), 100_000);
    writer.write(bytes.slice(100_000..)).await.unwrap();
    commit(writer, &bytes).await.unwrap();
    assert!(get(&store, &at.key).await.unwrap() == bytes);
}

#[tokio::test]
async fn what_is_no_blob_is_not_listed() {
    let place = Place::new();
    let store = place.open();
    let key = put(&store, &random(LARGE)).await;
    for path in ["blobs/ab/.nfs0001", "staging/notes.txt", "segments/README"] {
        fs::write(place.root().join(path), b"mine").unwrap();
    }
    let listed = list(&store).await;
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].key, listed[0].staged), (&key, false));
}

#[tokio::test]
async fn a_store_is_not_opened_where_none_was_made() {
    let place = Place::new();
    fs::remove_dir(place.root().join("blobs/ff")).unwrap();
    let options = place.options();
    let error = artifact_store::FsBlobStore::open(options).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("blobs/ff"), "{source}");
    artifact_store::FsBlobStore::create_layout(&place.vfs, place.root()).unwrap();
    place.open();
}

/// BS-10: a store that is opened to be read takes nothing, and deletes nothing.
#[tokio::test]
async fn bs10_a_read_only_store_changes_nothing() {
    let place = Place::new();
    let key = put(&place.open(), &random(LARGE)).await;
    let mut options = place.options();
    options.read_only = true;
    let store = artifact_store::FsBlobStore::open(options).unwrap();
    let begun = store.begin(&ID, UploadHint::default()).await;
    assert!(
        matches!(begun, Err(StoreError::ReadOnly { .. })),
        "{begun:?}"
    );
    let deleted = store.delete(&key).await;
    assert!(
        matches!(deleted, Err(StoreError::ReadOnly { .. })),
        "{deleted:?}"
    );
    assert_eq!(place.files().len(), 1);
}

/// F4, BS-4: an upload of which less is there than was suspended is not gone on with: the rest would be zeros.
#[tokio::test]
async fn f4_an_upload_that_lost_bytes_does_not_go_on() {
    let place = Place::new();
    let store = place.open();
    let mut writer = store.begin(&ID, UploadHint::default()).await.unwrap();
    writer.write(random(100_000)).await.unwrap();
    let at = writer.suspend().await.unwrap();
    let path = place
        .root()
        .join("staging")
        .join(&place.names("staging")[0]);
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(99_999).unwrap();
    let resumed = store.resume(&ID, at.clone()).await.unwrap();
    assert!(resumed.is_none(), "{resumed:?}");
    file.set_len(100_000).unwrap();
    assert!(store.resume(&ID, at).await.unwrap().is_some());
}

#[tokio::test]
async fn a_read_only_store_reads_both_homes() {
    let place = Place::new();
    let store = place.open();
    let (large, small) = (random(LARGE), random(70_000));
    let keys = [put(&store, &large).await, put(&store, &small).await];
    drop(store);
    let mut options = place.options();
    options.read_only = true;
    place.vfs.set(|operation, _| {
        let reads = [
            "open",
            "open cached",
            "examine",
            "list",
            "read",
            "read cached",
        ];
        let locks = ["lock range", "unlock range", "duplicate"];
        let writes = !reads.contains(&operation) && !locks.contains(&operation);
        writes.then(|| std::io::ErrorKind::ReadOnlyFilesystem.into())
    });
    let store = artifact_store::FsBlobStore::open(options).unwrap();
    for (key, bytes) in keys.iter().zip([large, small]) {
        assert!(get(&store, key).await.unwrap() == bytes);
    }
    let listed = list(&store).await;
    assert!(keys.iter().all(|key| {
        listed
            .iter()
            .any(|entry| entry.key == *key && !entry.staged)
    }));
    assert_eq!(listed.len(), 2);
}
