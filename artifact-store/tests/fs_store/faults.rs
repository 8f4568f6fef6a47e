//! Faults of the file system.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use artifact_core::{BlobKey, BlobStore as _, ByteRange, StoreError, UploadHint};
use artifact_store::FsBlobStore;
use bytes::Bytes;

use crate::kit::{ID, LARGE, Place, begin, collect, commit, get, list, put, random, try_put};

fn io_error() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

fn full() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOSPC)
}

/// Makes the first call fail from now on of which `which` says yes.
fn fail_once(
    place: &Place,
    error: fn() -> io::Error,
    which: impl Fn(&str, &Path) -> bool + Send + Sync + 'static,
) {
    let armed = AtomicBool::new(true);
    place.vfs.set(move |operation, path| {
        let fails = which(operation, path) && armed.swap(false, Ordering::SeqCst);
        fails.then(error)
    });
}

async fn assert_poisoned(place: &Place, store: &FsBlobStore) {
    for size in [10, LARGE] {
        let put = try_put(store, &random(size)).await;
        assert!(matches!(put, Err(StoreError::Poisoned { .. })), "{put:?}");
    }
    let mended = place.open();
    put(&mended, &random(10)).await;
}

/// F6, F7, BS-10: each of the syncs that an acknowledgement stands on poisons the store when it
/// fails, in whatever home.
#[tokio::test]
async fn f6_f7_each_failed_sync_poisons() {
    for (size, operation, directory) in [
        (LARGE, "sync", "staging"),
        (LARGE, "sync directory", "blobs"),
        (70_000, "sync", "segments"),
        (70_000, "sync directory", "segments"),
    ] {
        let place = Place::new();
        let store = place.open();
        fail_once(&place, io_error, move |found, path| {
            found == operation && path.to_string_lossy().contains(directory)
        });
        let failed = try_put(&store, &random(size)).await;
        let is_told = matches!(failed, Err(StoreError::Backend { .. }));
        assert!(is_told, "{operation} of {directory}: {failed:?}");
        assert_poisoned(&place, &store).await;
    }
}

/// F6, BS-10: so do those of a suspension.
#[tokio::test]
async fn f6_f7_each_failed_sync_of_a_suspension_poisons() {
    for (size, operation) in [(LARGE, "sync"), (LARGE, "sync directory"), (70_000, "sync")] {
        let place = Place::new();
        let store = place.open();
        fail_once(&place, io_error, move |found, _| found == operation);
        let mut writer = begin(&store, size).await;
        writer.write(random(5000)).await.unwrap();
        assert!(writer.suspend().await.is_err(), "{operation} of {size}");
        assert_poisoned(&place, &store).await;
    }
}

/// F6, BS-4: a blob whose commit is not known to have ended is told of when it is durable, and not
/// before: whoever reads it first sees to that.
#[tokio::test]
async fn f6_a_reader_ends_a_commit_durably() {
    let place = Place::new();
    let store = place.open();
    let (synced, failed) = (AtomicBool::new(false), AtomicBool::new(false));
    let failed = Arc::new(failed);
    let marks = Arc::clone(&failed);
    place.vfs.set(move |operation, path| {
        let of_segment = path.to_string_lossy().contains("segments");
        if operation == "sync" && of_segment {
            synced.store(true, Ordering::SeqCst);
        }
        // The mark that says that the sync is through.
        let mark = operation == "write" && of_segment && synced.load(Ordering::SeqCst);
        (mark && !marks.swap(true, Ordering::SeqCst)).then(io_error)
    });
    let bytes = random(70_000);
    let key = put(&store, &bytes).await;
    assert!(failed.load(Ordering::SeqCst), "the mark was lost");
    let reader = place.open();
    fail_once(&place, io_error, |operation, _| operation == "sync");
    assert!(reader.read(&key, ByteRange::ALL).await.is_err());
    assert_poisoned(&place, &reader).await;
    assert!(get(&place.open(), &key).await.unwrap() == bytes);
}

/// F3, BS-4: the directories of a store are durable when they were made.
#[test]
fn f3_a_layout_is_durable_when_it_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let vfs = crate::hooked_vfs::HookedVfs::default();
    let calls = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let told = Arc::clone(&calls);
    vfs.set(move |operation, path| {
        told.lock().push((operation, path.to_owned()));
        None
    });
    FsBlobStore::create_layout(&vfs, directory.path()).unwrap();
    let calls = calls.lock();
    let last_made = calls
        .iter()
        .rposition(|call| call.0 == "create directory")
        .unwrap();
    for path in [directory.path().join("blobs"), directory.path().to_owned()] {
        let synced = calls
            .iter()
            .rposition(|call| *call == ("sync directory", path.clone()));
        assert!(
            synced.is_some_and(|at| at > last_made),
            "{}",
            path.display()
        );
    }
}

/// F8: of those who commit together, a full disk fails the one whose bytes it could not take.
#[tokio::test]
async fn f8_a_full_disk_fails_one_alone() {
    let place = Place::new();
    let store = place.open();
    let kept = random(70_000);
    let kept_key = put(&store, &kept).await;
    fail_once(&place, full, |operation, _| operation == "write");
    let failed = try_put(&store, &random(70_000)).await;
    assert!(
        matches!(failed, Err(StoreError::NoSpace { .. })),
        "{failed:?}"
    );
    let next = random(70_000);
    let next_key = put(&store, &next).await;
    for (key, bytes) in [(kept_key, kept), (next_key, next)] {
        assert!(get(&store, &key).await.unwrap() == bytes);
    }
    assert_eq!(list(&store).await.len(), 2);
}

/// F8: an upload whose write failed goes on where it was suspended, and not otherwise.
#[tokio::test]
async fn f8_a_failed_write_falls_back_to_the_suspension() {
    let place = Place::new();
    let store = place.open();
    let bytes = random(LARGE);
    let mut writer = begin(&store, LARGE).await;
    writer.write(bytes.slice(..300_000)).await.unwrap();
    let at = writer.suspend().await.unwrap();
    let mut writer = store.resume(&ID, at.clone()).await.unwrap().unwrap();
    fail_once(&place, full, |operation, _| operation == "write");
    let failed = writer.write(bytes.slice(300_000..)).await;
    assert!(
        matches!(failed, Err(StoreError::NoSpace { .. })),
        "{failed:?}"
    );
    assert!(writer.write(bytes.slice(300_000..)).await.is_err());
    assert!(writer.read_back().await.is_err());
    assert!(commit(writer, &bytes).await.is_err());
    let mut writer = store.resume(&ID, at.clone()).await.unwrap().unwrap();
    writer.write(bytes.slice(300_000..)).await.unwrap();
    commit(writer, &bytes).await.unwrap();
    assert!(get(&store, &at.key).await.unwrap() == bytes);
}

/// F9: what is not in memory, comes in small parts or not at all, is read all the same or an error.
#[tokio::test]
async fn f9_reads_are_whole_or_an_error() {
    let place = Place::new();
    let store = place.open();
    let blobs = [random(LARGE), random(70_000), random(9)];
    let mut keys = Vec::new();
    for bytes in &blobs {
        keys.push(put(&store, bytes).await);
    }
    let cold = |operation: &str| operation.ends_with("cached");
    place
        .vfs
        .set(move |operation, _| cold(operation).then(io_error));
    for most in [usize::MAX, 4096, 7000] {
        place.vfs.shorten_reads(most);
        for (key, bytes) in keys.iter().zip(&blobs) {
            assert!(get(&store, key).await.unwrap() == bytes, "{most}");
        }
    }
    place.vfs.set(|_, _| None);
    for (key, bytes) in keys.iter().zip(&blobs) {
        assert!(
            get(&store, key).await.unwrap() == bytes,
            "in memory, in parts"
        );
    }
    place.vfs.shorten_reads(usize::MAX);
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reads);
    place.vfs.set(move |operation, path| {
        let of_blob = operation == "read" && path.to_string_lossy().contains("/blobs/");
        let fails = of_blob && counted.fetch_add(1, Ordering::SeqCst) > 2;
        (cold(operation) || fails).then(io_error)
    });
    let reader = store.read(&keys[0], ByteRange::ALL).await.unwrap().unwrap();
    assert!(collect(reader).await.is_err());
    assert!(reads.load(Ordering::SeqCst) > 2);
}

/// F28: without a free handle a call may be made again.
#[tokio::test]
async fn f28_a_lack_of_handles_passes() {
    let place = Place::new();
    let store = place.open();
    let none_left = || io::Error::from_raw_os_error(libc::EMFILE);
    fail_once(&place, none_left, |operation, _| operation == "create");
    let begun = store.begin(&ID, UploadHint::default()).await;
    assert!(begun.is_err_and(|error| error.is_transient()));
    put(&store, &random(LARGE)).await;
}

/// A push of each kind; returns what was acknowledged.
async fn push(store: &FsBlobStore, bytes: &Bytes) -> Result<BlobKey, StoreError> {
    let half = bytes.len() / 2;
    let hint = UploadHint::sized(Some(bytes.len() as u64));
    let mut writer = store.begin(&ID, hint).await?;
    for chunk in [bytes.slice(..half), bytes.slice(half..)] {
        writer.write(chunk).await?;
    }
    let key = writer.key().clone();
    commit(writer, bytes).await?;
    Ok(key)
}

/// As [`push`], in two sittings.
async fn push_in_two(store: &FsBlobStore, bytes: &Bytes) -> Result<BlobKey, StoreError> {
    let half = bytes.len() / 2;
    let hint = UploadHint::sized(Some(bytes.len() as u64));
    let mut writer = store.begin(&ID, hint).await?;
    writer.write(bytes.slice(..half)).await?;
    let at = writer.suspend().await?;
    let resumed = store.resume(&ID, at.clone()).await?;
    let mut writer = resumed.expect("what was suspended goes on");
    writer.write(bytes.slice(half..)).await?;
    let key = writer.key().clone();
    commit(writer, bytes).await?;
    if key != at.key {
        store.delete(&at.key).await?;
    }
    Ok(key)
}

/// As [`push`], of more bytes than were announced.
async fn push_too_much(store: &FsBlobStore, bytes: &Bytes) -> Result<BlobKey, StoreError> {
    let mut writer = store.begin(&ID, UploadHint::sized(Some(5))).await?;
    for chunk in [bytes.slice(..3), bytes.slice(3..)] {
        writer.write(chunk).await?;
    }
    let key = writer.key().clone();
    commit(writer, bytes).await?;
    Ok(key)
}

/// F8: whichever call fails, and however, what was acknowledged is there, what was not is whole or
/// absent, earlier blobs are untouched, and all that is left can be listed and deleted.
#[tokio::test]
async fn f8_any_failing_call_leaves_all_or_nothing() {
    const OWN: usize = (1 << 20) + 1;
    let place = Place::new();
    let kept = random(7000);
    let kept_key = put(&place.open(), &kept).await;
    for (kind, size) in [(0, OWN), (0, 600_000), (1, OWN), (1, 600_000), (2, 9000)] {
        let bytes = random(size);
        for error in [io_error, full] {
            let mut failing = 0;
            while push_with_failing_call(&place, kind, &bytes, failing, error).await {
                let store = place.open();
                assert!(
                    get(&store, &kept_key)
                        .await
                        .is_some_and(|read| read == kept)
                );
                assert_eq!(list(&store).await.len(), 1, "{kind} {size} {failing}");
                failing += 1;
            }
            assert!(failing > 5, "{failing} calls were made to fail");
        }
    }
}

/// Makes one call of a push fail, and deletes what it left; `false` when it made fewer calls.
async fn push_with_failing_call(
    place: &Place,
    kind: u8,
    bytes: &Bytes,
    failing: usize,
    error: fn() -> io::Error,
) -> bool {
    let before = list(&place.open()).await;
    let store = place.open();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let count = move || counted.fetch_add(1, Ordering::SeqCst);
    place.vfs.set(move |_, _| (count() == failing).then(error));
    let pushed = match kind {
        0 => push(&store, bytes).await,
        1 => push_in_two(&store, bytes).await,
        _ => push_too_much(&store, bytes).await,
    };
    let was_reached = calls.load(Ordering::SeqCst) > failing;
    place.vfs.set(|_, _| None);
    let store = place.open();
    if let Ok(key) = &pushed {
        let read = get(&store, key).await;
        assert!(read.is_some_and(|read| read == bytes), "{kind} {failing}");
    }
    for entry in list(&store).await {
        if before.contains(&entry) {
            continue;
        }
        if let Some(read) = get(&store, &entry.key).await {
            assert!(read == bytes && !entry.staged, "{entry:?} after {failing}");
        }
        // Work of writers that were dropped may still be ending.
        while let Err(held) = store.delete(&entry.key).await {
            assert!(held.is_transient(), "{held:?}");
            tokio::task::yield_now().await;
        }
    }
    was_reached
}
