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

/// BS-5: an upload that is aborted leaves nothing, also what was staged before it was resumed.
pub async fn bs_5_what_is_aborted_is_gone(kit: &mut StoreKit) {
    for size in SIZES {
        let (id, mut writer) = kit.begin(size).await;
        write_all(&mut *writer, &kit.bytes(size)).await;
        let at = writer.suspend().await.expect("an upload is suspended");
        let resumed = kit.resume(&id, &at).await;
        let writer = resumed.expect("an upload that was suspended");
        let moved = *writer.key() != at.key;
        kit.abort(writer).await;
        if moved {
            kit.clear(&at.key).await;
        }
    }
}

/// BS-5: what is suspended is listed, also by a store that was opened again: nobody else could find it when its
/// record is lost.
pub async fn bs_5_what_is_suspended_is_listed(kit: &mut StoreKit) {
    let mut left = Vec::new();
    for size in SIZES {
        let (_, mut writer) = kit.begin(size).await;
        write_all(&mut *writer, &kit.bytes(size)).await;
        let at = writer.suspend().await.expect("an upload is suspended");
        left.push(at.key);
    }
    check_staged(kit, &left).await;
    if kit.can_reopen() {
        kit.reopen().await;
        check_staged(kit, &left).await;
    }
    for key in left {
        kit.clear(&key).await;
    }
}

async fn check_staged(kit: &StoreKit, keys: &[BlobKey]) {
    let listed = kit.list().await;
    for key in keys {
        let found = listed.iter().find(|entry| entry.key == *key);
        let is_staged = found.is_some_and(|entry| entry.staged);
        assert!(is_staged, "{key} is suspended, and listed as {found:?}");
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
    kit.expect_dropped_begins();
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
