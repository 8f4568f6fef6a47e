//! What happens between two calls of a store: others remove what is not locked yet, a sync of another
//! upload fails, a writer is dropped. A hook before each call of the file system does it at its moment.

use std::{
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use artifact_core::{BlobStore as _, BlobWriter, StoreError, UploadHint};
use bytes::Bytes;
use parking_lot::Mutex;

use crate::kit::{ID, LARGE, Place, assert_held, begin, commit, get, list, put, random};

/// Waits on a thread that does what blocks.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Handle::current().block_on(future)
}

/// Does something once, before the first call of which `which` says yes.
fn once(
    place: &Place,
    which: impl Fn(&str, &Path) -> bool + Send + Sync + 'static,
    act: impl Fn(&Path) + Send + Sync + 'static,
) -> Arc<AtomicBool> {
    let done = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&done);
    place.vfs.set(move |operation, path| {
        if which(operation, path) && !told.swap(true, Ordering::SeqCst) {
            act(path);
        }
        None
    });
    done
}

fn is_in(path: &Path, directory: &str) -> bool {
    path.components().any(|part| part.as_os_str() == directory)
}

#[track_caller]
fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

/// F24: a file that a scrub removes between the calls that make and lock it is made anew.
#[tokio::test]
async fn f24_what_is_removed_before_it_is_locked_is_made_again() {
    for (directory, size) in [("staging", LARGE), ("segments", 70_000)] {
        let place = Place::new();
        let store = place.open();
        let lock =
            move |operation: &str, path: &Path| operation == "lock" && is_in(path, directory);
        let done = once(&place, lock, remove);
        let bytes = random(size);
        let key = put(&store, &bytes).await;
        assert!(done.load(Ordering::SeqCst));
        drop(store);
        let read = get(&place.open(), &key).await;
        assert!(read.is_some_and(|read| read == bytes), "{directory}");
    }
}

/// F24: a segment that goes before it is locked is not gone on with.
#[tokio::test]
async fn f24_a_segment_that_goes_is_not_adopted() {
    let place = Place::new();
    let store = place.open();
    put(&store, &random(70_000)).await;
    drop(store);
    place.until_nobody_appends();
    let store = place.open();
    let lock = |operation: &str, path: &Path| operation == "lock" && is_in(path, "segments");
    let done = once(&place, lock, remove);
    let bytes = random(70_000);
    let key = put(&store, &bytes).await;
    assert!(done.load(Ordering::SeqCst));
    drop(store);
    assert!(
        get(&place.open(), &key)
            .await
            .is_some_and(|read| read == bytes)
    );
}

/// I15, F14: an upload that is over before it is locked does not go on.
#[tokio::test]
async fn f14_an_upload_that_ended_does_not_go_on() {
    let place = Place::new();
    let store = place.open();
    let mut writer = begin(&store, LARGE).await;
    writer.write(random(5000)).await.unwrap();
    let at = writer.suspend().await.unwrap();
    let lock = |operation: &str, path: &Path| operation == "lock" && is_in(path, "staging");
    let done = once(&place, lock, remove);
    assert!(store.resume(&ID, at).await.unwrap().is_none());
    assert!(done.load(Ordering::SeqCst));
}

/// BS-1: what has its final name, and is not durable yet, is seen by nobody.
#[tokio::test(flavor = "multi_thread")]
async fn bs1_a_blob_is_seen_when_it_is_durable() {
    let place = Place::new();
    let store = place.open();
    let bytes = random(LARGE);
    // From memory, and where the disk is asked.
    for cold in [false, true] {
        let mut writer = begin(&store, LARGE).await;
        writer.write(bytes.clone()).await.unwrap();
        let key = writer.key().clone();
        let (asked, reader) = (key.clone(), store.clone());
        let hidden = Arc::new(AtomicBool::new(true));
        let told = Arc::clone(&hidden);
        let looked = Arc::new(AtomicUsize::new(0));
        let looks = Arc::clone(&looked);
        let armed = AtomicBool::new(true);
        place.vfs.set(move |operation, path| {
            if cold && operation == "open cached" {
                return Some(io::ErrorKind::WouldBlock.into());
            }
            let is_moment = operation == "sync directory" && is_in(path, "blobs");
            if is_moment && armed.swap(false, Ordering::SeqCst) {
                let seen = block_on(reader.stat(&asked)).unwrap().is_some();
                let listed = block_on(list(&reader));
                let told_of = listed
                    .iter()
                    .any(|entry| entry.key == asked && !entry.staged);
                told.store(!seen && !told_of, Ordering::SeqCst);
                looks.fetch_add(1, Ordering::SeqCst);
            }
            None
        });
        commit(writer, &bytes).await.unwrap();
        place.vfs.set(|_, _| None);
        assert_eq!(looked.load(Ordering::SeqCst), 1);
        assert!(hidden.load(Ordering::SeqCst), "cold: {cold}");
    }
}

/// BS-5: a writer that is dropped while its commit syncs publishes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn bs5_a_writer_that_is_dropped_publishes_nothing() {
    let place = Place::new();
    let store = place.open();
    let bytes = random(LARGE);
    let mut writer = begin(&store, LARGE).await;
    writer.write(bytes.clone()).await.unwrap();
    let task: Arc<Mutex<Option<tokio::task::JoinHandle<()>>>> = Arc::default();
    let dropped = Arc::clone(&task);
    let sync = |operation: &str, path: &Path| operation == "sync" && is_in(path, "staging");
    let done = once(&place, sync, move |_| {
        let mut task = dropped.lock();
        let task = task.as_mut().expect("it was begun");
        task.abort();
        while !task.is_finished() {
            std::thread::yield_now();
        }
    });
    {
        // The hook waits for this.
        let mut begun = task.lock();
        *begun = Some(tokio::spawn(async move {
            commit(writer, &bytes).await.unwrap();
        }));
    }
    while !done.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    // The last work of the store is over when nothing of it can be listed any more.
    while !list(&store).await.is_empty() {
        assert_eq!(place.files().len(), 0, "it was published");
        tokio::task::yield_now().await;
    }
    assert_eq!(place.files().len(), 0, "it was published");
}

/// An upload whose sync will fail, at another's moment.
struct Failing(Mutex<Option<Box<dyn BlobWriter>>>);

impl Failing {
    /// Lets it fail: from here on the store is poisoned.
    fn fail(&self) {
        let writer = self.0.lock().take().expect("it fails once");
        block_on(writer.suspend()).unwrap_err();
    }
}

/// Returns an upload whose file no sync succeeds of, and a hook's condition for that.
async fn failing(place: &Place) -> (Failing, std::path::PathBuf) {
    let before = place.names("staging");
    let mut writer = begin(&place.open_shared(), LARGE).await;
    writer.write(random(5000)).await.unwrap();
    let new = place
        .names("staging")
        .into_iter()
        .find(|name| !before.contains(name));
    let path = place.root().join("staging").join(new.unwrap());
    (Failing(Mutex::new(Some(writer))), path)
}

/// What another upload does while a sync fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Doing {
    Commit(usize),
    Suspend(usize),
}

async fn run(doing: Doing, writer: Box<dyn BlobWriter>, bytes: &Bytes) -> Result<(), StoreError> {
    match doing {
        Doing::Commit(_) => commit(writer, bytes).await.map(drop),
        Doing::Suspend(_) => writer.suspend().await.map(drop),
    }
}

/// I21, BS-10: an upload whose own sync went well is not acknowledged when another's failed before it
/// was through; and of a large one nothing is published where that can still be left.
#[tokio::test(flavor = "multi_thread")]
async fn i21_nothing_is_acknowledged_after_a_failed_sync() {
    let moments = [
        (Doing::Commit(LARGE), "sync", "staging"),
        (Doing::Commit(LARGE), "sync directory", "blobs"),
        (Doing::Commit(70_000), "sync", "segments"),
        (Doing::Suspend(LARGE), "sync", "staging"),
        (Doing::Suspend(LARGE), "sync directory", "staging"),
    ];
    for (doing, moment, directory) in moments {
        let place = Place::new();
        let store = place.open_shared();
        let (Doing::Commit(size) | Doing::Suspend(size)) = doing;
        let bytes = random(size);
        let (other, bad) = failing(&place).await;
        let mut writer = begin(&store, size).await;
        writer.write(bytes.clone()).await.unwrap();
        let armed = AtomicBool::new(true);
        place.vfs.set(move |operation, path| {
            if operation == "sync" && path == bad {
                return Some(io::Error::from_raw_os_error(libc::EIO));
            }
            let is_moment = operation == moment && is_in(path, directory);
            if is_moment && armed.swap(false, Ordering::SeqCst) {
                other.fail();
            }
            None
        });
        let outcome = run(doing, writer, &bytes).await;
        let poisoned = matches!(outcome, Err(StoreError::Poisoned { .. }));
        assert!(
            poisoned,
            "{doing:?} at {moment} of {directory}: {outcome:?}"
        );
        if moment == "sync" && doing == Doing::Commit(LARGE) {
            assert_eq!(place.files().len(), 0, "it was published");
        }
    }
}

/// I21, F6: after a failed sync nothing more is synced: one that went well would prove nothing.
#[tokio::test(flavor = "multi_thread")]
async fn i21_nothing_is_synced_after_a_failed_sync() {
    for doing in [
        Doing::Commit(LARGE),
        Doing::Commit(70_000),
        Doing::Suspend(LARGE),
        Doing::Suspend(70_000),
    ] {
        let place = Place::new();
        let store = place.open_shared();
        let (Doing::Commit(size) | Doing::Suspend(size)) = doing;
        let bytes = random(size);
        let mut writer = begin(&store, size).await;
        writer.write(bytes.clone()).await.unwrap();
        let (other, bad) = failing(&place).await;
        let syncs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&syncs);
        place.vfs.set(move |operation, path| {
            if operation == "sync" && path == bad {
                return Some(io::Error::from_raw_os_error(libc::EIO));
            }
            counted.fetch_add(usize::from(operation.starts_with("sync")), Ordering::SeqCst);
            None
        });
        tokio::task::spawn_blocking(move || other.fail())
            .await
            .unwrap();
        let outcome = run(doing, writer, &bytes).await;
        assert!(
            matches!(outcome, Err(StoreError::Poisoned { .. })),
            "{outcome:?}"
        );
        assert_eq!(syncs.load(Ordering::SeqCst), 0, "{doing:?}");
    }
}

/// I21, BS-10: after a failed sync what is there is read, and nothing is tidied.
#[tokio::test(flavor = "multi_thread")]
async fn i21_after_a_failed_sync_a_store_only_reads() {
    let place = Place::new();
    let first = place.open();
    let bytes = random(70_000);
    // Its mark is lost, so that who reads it first would sync it.
    let synced = AtomicBool::new(false);
    place.vfs.set(move |operation, path| {
        if operation == "sync" && is_in(path, "segments") {
            synced.store(true, Ordering::SeqCst);
        }
        let mark = operation == "write" && synced.load(Ordering::SeqCst);
        mark.then(|| io::Error::from_raw_os_error(libc::EIO))
    });
    let key = put(&first, &bytes).await;
    drop(first);
    place.until_nobody_appends();
    // Somebody died making this one.
    let segments = place.root().join("segments");
    fs::write(segments.join("ab".repeat(16)), "").unwrap();
    let store = place.open_shared();
    let (other, bad) = failing(&place).await;
    let changed = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&changed);
    place.vfs.set(move |operation, path| {
        if operation == "sync" && path == bad {
            return Some(io::Error::from_raw_os_error(libc::EIO));
        }
        let changes = ["write", "sync", "unlink", "punch", "set length"];
        let of_segment = is_in(path, "segments");
        let changes = of_segment && changes.contains(&operation);
        counted.fetch_add(usize::from(changes), Ordering::SeqCst);
        None
    });
    tokio::task::spawn_blocking(move || other.fail())
        .await
        .unwrap();
    assert!(get(&store, &key).await.is_some_and(|read| read == bytes));
    let listed = list(&store).await;
    assert!(listed.iter().any(|entry| entry.key == key && !entry.staged));
    assert_eq!(changed.load(Ordering::SeqCst), 0);
    let begun = store.begin(&ID, UploadHint::default()).await;
    assert!(
        matches!(begun, Err(StoreError::Poisoned { .. })),
        "{begun:?}"
    );
}

/// F24: who lists a store leaves a segment alone that another appends to.
#[tokio::test]
async fn f24_a_list_tidies_nothing_that_is_written() {
    let place = Place::new();
    let (one, two) = (place.open(), place.open());
    let bytes = random(900_000);
    let mut writer = begin(&one, 900_000).await;
    let key = writer.key().clone();
    writer.write(bytes.slice(..600_000)).await.unwrap();
    let listed = list(&two).await;
    assert!(listed.iter().all(|entry| entry.staged), "{listed:?}");
    writer.write(bytes.slice(600_000..)).await.unwrap();
    commit(writer, &bytes).await.unwrap();
    assert!(get(&two, &key).await.is_some_and(|read| read == bytes));
}

/// F24: a slot that an upload goes on from is not deleted while its bytes are copied.
#[tokio::test(flavor = "multi_thread")]
async fn f24_a_slot_is_not_deleted_while_it_is_copied() {
    let place = Place::new();
    let (store, other) = (place.open(), place.open());
    let bytes = random(900_000);
    let mut writer = begin(&store, 900_000).await;
    writer.write(bytes.slice(..500_000)).await.unwrap();
    let at = writer.suspend().await.unwrap();
    let (key, told) = (at.key.clone(), Arc::new(Mutex::new(None)));
    let deleted = Arc::clone(&told);
    let copies = |operation: &str, path: &Path| operation == "create" && is_in(path, "staging");
    once(&place, copies, move |_| {
        *deleted.lock() = Some(block_on(other.delete(&key)));
    });
    let mut writer = store.resume(&ID, at).await.unwrap().unwrap();
    assert_held(told.lock().take().expect("it was copied"));
    writer.write(bytes.slice(500_000..)).await.unwrap();
    commit(writer, &bytes).await.unwrap();
}
