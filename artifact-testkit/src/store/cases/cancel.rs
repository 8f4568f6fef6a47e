//! BS-5: who goes away in the middle leaves no blob, and nothing that cannot be removed.

use artifact_core::{Algorithm, BlobKey, Hasher, UploadHint};
use bytes::Bytes;

use crate::{
    harness::polls::poll_at_most,
    store::kit::{SIZES, StoreKit, write_all},
};

/// At how many await points a future is dropped, at most.
const AWAITS: usize = 24;

/// BS-5: a writer that is dropped leaves no blob, and what it leaves is listed and deleted.
pub async fn bs_5_a_dropped_writer_is_no_blob(kit: &mut StoreKit) {
    for size in SIZES {
        let (_, mut writer) = kit.begin(size).await;
        let key = writer.key().clone();
        write_all(&mut *writer, &kit.bytes(size)).await;
        drop(writer);
        kit.check_invisible(&key).await;
        kit.clear(&key).await;
    }
}

/// BS-5: so does one whose `write` was dropped at any await point.
pub async fn bs_5_a_dropped_write_is_no_blob(kit: &mut StoreKit) {
    for size in [100, 64 << 10, 5 << 20] {
        for polls in 0..AWAITS {
            let (_, mut writer) = kit.begin(size).await;
            let key = writer.key().clone();
            let chunk = kit.bytes(size);
            let written = poll_at_most(polls, writer.write(chunk)).await;
            drop(writer);
            kit.check_invisible(&key).await;
            kit.clear(&key).await;
            if written.is_some() {
                break;
            }
        }
    }
}

/// BS-5: so does one whose `suspend` was dropped at any await point.
pub async fn bs_5_a_dropped_suspension_is_no_blob(kit: &mut StoreKit) {
    for size in [100, 64 << 10, 5 << 20] {
        for polls in 0..AWAITS {
            let (_, mut writer) = kit.begin(size).await;
            let key = writer.key().clone();
            write_all(&mut *writer, &kit.bytes(size)).await;
            let suspended = poll_at_most(polls, writer.suspend()).await;
            kit.check_invisible(&key).await;
            kit.clear(&key).await;
            if suspended.is_some() {
                break;
            }
        }
    }
}

/// BS-5: a commit that was dropped at any await point, as one that crashed, left nothing or all of
/// the blob, and in either case it can be deleted.
pub async fn bs_5_a_dropped_commit_is_nothing_or_all(kit: &mut StoreKit) {
    for size in [0, 100, 64 << 10, 5 << 20] {
        for polls in 0..AWAITS {
            let bytes = kit.bytes(size);
            let blob = Hasher::hash(Algorithm::Sha256, &bytes);
            let (_, mut writer) = kit.begin(size).await;
            let key = writer.key().clone();
            write_all(&mut *writer, &bytes).await;
            let committed = poll_at_most(polls, writer.commit(&blob)).await;
            check_nothing_or_all(kit, &key, &bytes).await;
            if let Some(committed) = &committed {
                assert!(committed.is_ok(), "{committed:?}");
                kit.check_visible(&key, &bytes).await;
            }
            kit.clear(&key).await;
            if committed.is_some() {
                break;
            }
        }
    }
}

async fn check_nothing_or_all(kit: &StoreKit, key: &BlobKey, bytes: &Bytes) {
    if let Some(read) = kit.get(key).await {
        assert!(read == bytes, "a commit that was dropped left other bytes");
        let stat = kit.store().stat(key).await.expect("stat answers");
        let size = stat.map(|stat| stat.size);
        assert_eq!(size, Some(bytes.len() as u64), "the size of {key}");
    }
}

/// BS-5: an upload whose `begin` was dropped leaves nothing that is not listed.
pub async fn bs_5_a_dropped_begin_leaves_nothing_that_stays(kit: &mut StoreKit) {
    for size in [100, 64 << 10, 5 << 20] {
        for polls in 0..AWAITS {
            let id = kit.upload_id();
            let hint = UploadHint::sized(Some(size));
            let begun = poll_at_most(polls, kit.store().begin(&id, hint)).await;
            let is_begun = begun.is_some();
            drop(begun);
            for entry in kit.list().await {
                assert!(entry.staged, "{entry:?} was never committed");
                kit.clear(&entry.key).await;
            }
            if is_begun {
                break;
            }
        }
    }
}
