//! What a case of a store has at hand.

use std::{fmt, sync::Arc, time::Duration};

use artifact_core::{
    Algorithm, BlobEntry, BlobKey, BlobReader, BlobStore, BlobWriter, ByteRange, Hasher, Rng as _,
    Stamp, StoreError, Suspended, UploadHint, UploadId,
};
use bytes::Bytes;
use futures::TryStreamExt as _;

use super::place::StorePlace;
use crate::{
    harness::{focus::Focus, lacks::Lacks, run},
    seams::SeededRng,
};

/// The sizes at which stores change their ways, and their neighbours, in bytes.
pub(crate) const SIZES: [usize; 9] = [
    0,
    1,
    4095,
    4096,
    4097,
    64 << 10,
    1 << 20,
    (1 << 20) + 1,
    5 << 20,
];

/// A store, its place, and chance.
pub struct StoreKit {
    place: Box<dyn StorePlace>,
    store: Option<Arc<dyn BlobStore>>,
    lacks: Lacks,
    case: &'static str,
    focus: Focus,
    rng: SeededRng,
    /// Whether uploads were begun of whose keys nobody was told.
    dropped_begins: bool,
}

impl fmt::Debug for StoreKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreKit")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl StoreKit {
    /// Opens the store of a place.
    pub(crate) async fn open(
        mut place: Box<dyn StorePlace>,
        lacks: Lacks,
        case: &'static str,
        focus: Focus,
    ) -> Self {
        let store = Some(place.open().await);
        Self {
            place,
            store,
            lacks,
            case,
            focus,
            rng: SeededRng::new(case.len() as u64),
            dropped_begins: false,
        }
    }

    /// Returns the store.
    pub(crate) fn store(&self) -> &Arc<dyn BlobStore> {
        self.store
            .as_ref()
            .expect("a store is open between cases' steps")
    }

    /// Returns what the store lacks.
    pub(crate) fn lacking(&mut self) -> Vec<&'static str> {
        let mut lacking = Vec::new();
        if !self.place.fail_next_sync() {
            lacking.push("failing_sync");
        }
        if self.store().local().is_none() {
            lacking.push("local");
        }
        if !self.place.can_reopen() {
            lacking.push("reopen");
        }
        lacking
    }

    /// Says whether the store has its blobs in files; reports it where it has not.
    pub(crate) fn has_local(&self) -> bool {
        let has = self.store().local().is_some();
        if !has {
            self.lacks.report(self.case, "local");
        }
        has
    }

    /// Says whether the store can be opened again; reports it where it cannot.
    pub(crate) fn can_reopen(&self) -> bool {
        let can = self.place.can_reopen();
        if !can {
            self.lacks.report(self.case, "reopen");
        }
        can
    }

    /// Makes the next sync fail; reports it where that cannot be done.
    pub(crate) fn fail_next_sync(&mut self) -> bool {
        let fails = self.place.fail_next_sync();
        if !fails {
            self.lacks.report(self.case, "failing_sync");
        }
        fails
    }

    /// Closes the store, and opens it again.
    pub(crate) async fn reopen(&mut self) {
        self.store = None;
        self.store = Some(self.place.open().await);
    }

    /// Returns an upload's id that nobody else has.
    pub(crate) fn upload_id(&self) -> UploadId {
        let mut bytes = [0; 16];
        self.rng.fill(&mut bytes);
        UploadId::from_random(bytes)
    }

    /// Returns bytes that no other call returned, if they are more than a few.
    pub(crate) fn bytes(&self, length: usize) -> Bytes {
        let mut bytes = vec![0; length];
        self.rng.fill(&mut bytes);
        bytes.into()
    }

    /// Begins an upload of a size that is announced.
    pub(crate) async fn begin(&self, size: usize) -> (UploadId, Box<dyn BlobWriter>) {
        let id = self.upload_id();
        let hint = UploadHint::sized(Some(size as u64));
        let writer = self.store().begin(&id, hint).await;
        (id, writer.expect("an upload begins"))
    }

    /// Stores a blob.
    pub(crate) async fn put(&self, bytes: &Bytes) -> BlobKey {
        let (_, mut writer) = self.begin(bytes.len()).await;
        let key = writer.key().clone();
        write_all(&mut *writer, bytes).await;
        commit(writer, bytes).await;
        key
    }

    /// Reads a blob.
    pub(crate) async fn get(&self, key: &BlobKey) -> Option<Bytes> {
        get(&**self.store(), key).await
    }

    /// Checks that nothing is visible under the key, and that the list shows it as staged if at all.
    pub(crate) async fn check_invisible(&self, key: &BlobKey) {
        let store = self.store();
        let stat = store.stat(key).await.expect("stat answers");
        assert_eq!(stat, None, "stat finds {key}");
        let read = store.read(key, ByteRange::ALL).await;
        assert!(read.expect("read answers").is_none(), "read finds {key}");
        if let Some(local) = store.local() {
            let opened = tokio::task::block_in_place(|| local.open(key));
            let opened = opened.expect("open answers");
            assert!(opened.is_none(), "a local file of {key} is found");
        }
        for entry in self.list().await {
            assert!(
                entry.key != *key || entry.staged,
                "{entry:?} is listed as a blob"
            );
        }
    }

    /// Checks that the bytes are visible under the key.
    pub(crate) async fn check_visible(&self, key: &BlobKey, bytes: &Bytes) {
        let stat = self.store().stat(key).await.expect("stat answers");
        let size = stat.map(|stat| stat.size);
        assert_eq!(size, Some(bytes.len() as u64), "the size of {key}");
        let read = self.get(key).await.expect("a blob that was committed");
        assert!(read == bytes, "the bytes of {key} are others");
        let entry = BlobEntry::new(key.clone(), bytes.len() as u64, false);
        assert!(
            self.list().await.contains(&entry),
            "{entry:?} is not listed"
        );
    }

    /// BS-4, whatever the case is about: a blob of before is there after the store was opened again.
    pub(crate) async fn check_kept(&self, key: &BlobKey, bytes: &Bytes) {
        self.focus.on("BS-4", self.check_visible(key, bytes)).await;
    }

    /// Lists the store.
    pub(crate) async fn list(&self) -> Vec<BlobEntry> {
        let entries = self.store().list().try_collect().await;
        entries.expect("a list that ends")
    }

    /// Deletes what is under a key, as soon as nobody holds it, and checks that it is gone and
    /// stays so.
    pub(crate) async fn clear(&self, key: &BlobKey) {
        // BS-9 and BS-3, whatever the case is about.
        let deleted = self.focus.on("BS-9", self.delete_unheld(key)).await;
        let gone = async {
            deleted.expect("delete answers");
            self.check_invisible(key).await;
            let listed = self.list().await;
            let left = listed.iter().find(|entry| entry.key == *key);
            assert_eq!(left, None, "what was deleted is listed");
        };
        self.focus.on("BS-3", gone).await;
    }

    async fn delete_unheld(&self, key: &BlobKey) -> Result<(), StoreError> {
        let mut deleted = Ok(());
        run::eventually("nobody holds what is to be deleted", async || {
            deleted = self.store().delete(key).await;
            !matches!(deleted, Err(StoreError::Held { .. }))
        })
        .await;
        deleted
    }

    /// Aborts an upload, and checks that nothing of it is staged any more.
    pub(crate) async fn abort(&self, writer: Box<dyn BlobWriter>) {
        let key = writer.key().clone();
        writer.abort().await.expect("an upload is aborted");
        // BS-5, whatever the case is about.
        let gone = async {
            let listed = self.list().await;
            let left = listed.iter().find(|e| e.staged && e.key == key);
            assert_eq!(left, None, "what was aborted is staged");
        };
        self.focus.on("BS-5", gone).await;
    }

    /// Goes on with an upload that nobody writes.
    pub(crate) async fn resume(
        &self,
        id: &UploadId,
        at: &Suspended,
    ) -> Option<Box<dyn BlobWriter>> {
        let resumed = self.store().resume(id, at.clone()).await;
        let is_held = matches!(resumed, Err(StoreError::Held { .. }));
        // BS-9, whatever the case is about.
        let free = async { assert!(!is_held, "an upload that nobody writes is held") };
        self.focus.on("BS-9", free).await;
        resumed.expect("resume answers")
    }

    /// BS-4, whatever the case is about: what could not be synced is not acknowledged.
    pub(crate) async fn check_refused(&self, is_refused: bool, what: &str) {
        let refused = async { assert!(is_refused, "{what} whose sync failed is acknowledged") };
        self.focus.on("BS-4", refused).await;
    }

    /// Says that uploads were begun of whose keys nobody was told: a store whose work goes on after its caller went
    /// away may stage them at any time, and its list is what finds them.
    pub(crate) const fn expect_dropped_begins(&mut self) {
        self.dropped_begins = true;
    }

    /// Deletes what nobody was told of, until nothing more is there.
    async fn clear_untold(&self) {
        run::eventually("what nobody was told of is deleted", async || {
            for entry in self.list().await {
                self.clear(&entry.key).await;
            }
            self.list().await.is_empty()
        })
        .await;
    }

    /// Deletes all that is left, and checks that the store then lists nothing.
    pub(crate) async fn check_no_leftovers(&self) {
        if self.dropped_begins {
            return self.clear_untold().await;
        }
        // Work that a dropped future left behind may still be ending.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let left = self.list().await;
        // BS-5, whatever the case is about: a case deletes what its writers left.
        let unstaged = async {
            let staged = left.iter().find(|entry| entry.staged);
            assert_eq!(
                staged, None,
                "the case is over, and something is still staged"
            );
        };
        self.focus.on("BS-5", unstaged).await;
        for entry in left {
            self.clear(&entry.key).await;
        }
        assert_eq!(self.list().await, [], "everything was deleted");
    }
}

/// Writes bytes in chunks of uneven sizes.
pub(crate) async fn write_all(writer: &mut dyn BlobWriter, bytes: &Bytes) {
    let mut rest = bytes.clone();
    for length in [1, 4095, 65_536, 300_001].into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let chunk = rest.split_to(length.min(rest.len()));
        writer.write(chunk).await.expect("a chunk is written");
    }
}

/// Commits what was written, which is `bytes`.
pub(crate) async fn commit(writer: Box<dyn BlobWriter>, bytes: &Bytes) -> Option<Stamp> {
    let blob = Hasher::hash(Algorithm::Sha256, bytes);
    let stamp = writer.commit(&blob).await;
    stamp.expect("a blob is committed")
}

/// Reads a blob of a store.
pub(crate) async fn get(store: &dyn BlobStore, key: &BlobKey) -> Option<Bytes> {
    let reader = store.read(key, ByteRange::ALL).await.expect("read answers");
    Some(collect(reader?).await.expect("a read that ends well"))
}

/// Reads to the end, and checks that it was as much as was said.
pub(crate) async fn collect(reader: BlobReader) -> Result<Bytes, StoreError> {
    let length = reader.length();
    let chunks: Vec<Bytes> = reader.try_collect().await?;
    let bytes = Bytes::from(chunks.concat());
    assert_eq!(
        bytes.len() as u64,
        length,
        "as many bytes as the reader said"
    );
    Ok(bytes)
}
