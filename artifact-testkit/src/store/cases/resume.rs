//! BS-8: an upload goes on where it was suspended.

use artifact_core::{BlobWriter, Suspended, UploadId};

use crate::store::kit::{SIZES, StoreKit, collect, commit, write_all};

/// Goes on with an upload that is there.
async fn resume(kit: &StoreKit, id: &UploadId, at: &Suspended) -> Box<dyn BlobWriter> {
    let resumed = kit.resume(id, at).await;
    let writer = resumed.expect("an upload that was suspended");
    assert_eq!(writer.offset(), at.offset, "where the upload goes on");
    writer
}

/// Deletes what the earlier key may have left, where the upload took another.
async fn clear_old(kit: &StoreKit, old: &Suspended, key: &artifact_core::BlobKey) {
    if old.key != *key {
        kit.clear(&old.key).await;
    }
}

/// BS-8: an upload of each size is suspended, resumed for more bytes, and committed whole.
pub async fn bs_8_an_upload_goes_on_at_its_offset(kit: &mut StoreKit) {
    for size in SIZES {
        // A large first part goes on for a little, a small one also for much.
        let mores = [0, 1, if size > 1 << 20 { 4096 } else { 2 << 20 }];
        for more in mores {
            let bytes = kit.bytes(size + more);
            // The size that is announced is the first part's, so that the rest comes unawares.
            let (id, mut writer) = kit.begin(size).await;
            write_all(&mut *writer, &bytes.slice(..size)).await;
            let at = writer.suspend().await.expect("an upload is suspended");
            assert_eq!(at.offset, size as u64, "the offset of the suspension");
            assert!(at.state.len() <= 64 << 10, "the state is too long");
            kit.check_invisible(&at.key).await;
            let mut writer = resume(kit, &id, &at).await;
            write_all(&mut *writer, &bytes.slice(size..)).await;
            let key = writer.key().clone();
            commit(writer, &bytes).await;
            kit.check_visible(&key, &bytes).await;
            clear_old(kit, &at, &key).await;
        }
    }
}

/// BS-8: an upload of many sittings is the bytes of all of them.
pub async fn bs_8_an_upload_goes_on_many_times(kit: &mut StoreKit) {
    let parts = [0, 1, 4095, 4096, 1, 0, 70_000, (1 << 20) + 1, 3];
    let bytes = kit.bytes(parts.iter().sum());
    let (id, mut writer) = kit.begin(bytes.len()).await;
    let mut done = 0;
    for part in parts {
        write_all(&mut *writer, &bytes.slice(done..done + part)).await;
        done += part;
        let at = writer.suspend().await.expect("an upload is suspended");
        assert_eq!(at.offset, done as u64, "the offset of the suspension");
        writer = resume(kit, &id, &at).await;
        clear_old(kit, &at, writer.key()).await;
    }
    let key = writer.key().clone();
    commit(writer, &bytes).await;
    kit.check_visible(&key, &bytes).await;
}

/// BS-8: what a sitting wrote that ended in a crash is dropped, and the suspension still holds.
pub async fn bs_8_what_came_after_is_dropped(kit: &mut StoreKit) {
    for size in SIZES {
        let bytes = kit.bytes(size + 5000);
        let (id, mut writer) = kit.begin(size + 5000).await;
        write_all(&mut *writer, &bytes.slice(..size)).await;
        let at = writer.suspend().await.expect("an upload is suspended");
        for lost in [1, 4096, 100_000] {
            let mut writer = resume(kit, &id, &at).await;
            let key = writer.key().clone();
            write_all(&mut *writer, &kit.bytes(lost)).await;
            drop(writer);
            clear_crashed(kit, &at, &key).await;
        }
        let mut writer = resume(kit, &id, &at).await;
        write_all(&mut *writer, &bytes.slice(size..)).await;
        let key = writer.key().clone();
        commit(writer, &bytes).await;
        kit.check_visible(&key, &bytes).await;
        clear_old(kit, &at, &key).await;
    }
}

/// Deletes what a sitting that crashed left under a key of its own.
async fn clear_crashed(kit: &StoreKit, at: &Suspended, key: &artifact_core::BlobKey) {
    if at.key != *key {
        kit.clear(key).await;
    }
}

/// BS-8: an upload that was committed, aborted or never there does not go on.
pub async fn bs_8_what_is_gone_is_none(kit: &mut StoreKit) {
    for size in [0, 100, 64 << 10, 5 << 20] {
        let bytes = kit.bytes(size);
        let (id, mut writer) = kit.begin(size).await;
        write_all(&mut *writer, &bytes).await;
        let at = writer.suspend().await.expect("an upload is suspended");
        let writer = resume(kit, &id, &at).await;
        let key = writer.key().clone();
        commit(writer, &bytes).await;
        clear_old(kit, &at, &key).await;
        check_gone(kit, &id, &at).await;
        kit.check_visible(&key, &bytes).await;

        let (id, mut writer) = kit.begin(size).await;
        write_all(&mut *writer, &bytes).await;
        let at = writer.suspend().await.expect("an upload is suspended");
        let writer = resume(kit, &id, &at).await;
        let key = writer.key().clone();
        kit.abort(writer).await;
        clear_old(kit, &at, &key).await;
        check_gone(kit, &id, &at).await;
    }
    let key = "no/such-key".parse().expect("a key");
    let never = Suspended::new(key, 0, bytes::Bytes::new());
    check_gone(kit, &kit.upload_id(), &never).await;
}

/// BS-8: where an upload goes on under another key, what was suspended stays as it was until that key is deleted,
/// also after the upload has ended: a crash may take away the record of the new key, and leave that of the old.
pub async fn bs_8_what_was_left_stays_until_it_is_deleted(kit: &mut StoreKit) {
    for (size, more) in [(100, 10), (64 << 10, 1), (64 << 10, 2 << 20)] {
        for commits in [true, false] {
            let bytes = kit.bytes(size + more);
            let (id, mut writer) = kit.begin(size).await;
            write_all(&mut *writer, &bytes.slice(..size)).await;
            let at = writer.suspend().await.expect("an upload is suspended");
            let mut writer = resume(kit, &id, &at).await;
            let key = writer.key().clone();
            write_all(&mut *writer, &bytes.slice(size..)).await;
            if commits {
                commit(writer, &bytes).await;
            } else {
                kit.abort(writer).await;
            }
            if at.key == key {
                check_gone(kit, &id, &at).await;
                continue;
            }
            let mut writer = resume(kit, &id, &at).await;
            let again = writer.key().clone();
            let back = writer.read_back().await.expect("what was suspended");
            let back = collect(back).await.expect("a read that ends well");
            assert!(back == bytes.slice(..size), "other bytes were left");
            kit.abort(writer).await;
            clear_old(kit, &at, &again).await;
            check_gone(kit, &id, &at).await;
        }
    }
}

async fn check_gone(kit: &StoreKit, id: &UploadId, at: &Suspended) {
    let resumed = kit.resume(id, at).await;
    assert!(resumed.is_none(), "an upload goes on that is over");
}

/// BS-8: an upload that holds fewer bytes than are said to be durable does not go on.
pub async fn bs_8_fewer_bytes_than_said_are_none(kit: &mut StoreKit) {
    for size in [0, 100, 64 << 10, 5 << 20] {
        let (id, mut writer) = kit.begin(size).await;
        write_all(&mut *writer, &kit.bytes(size)).await;
        let at = writer.suspend().await.expect("an upload is suspended");
        let mut more = at.clone();
        more.offset += 1;
        let resumed = kit.resume(&id, &more).await;
        assert!(resumed.is_none(), "an upload goes on behind its last byte");
        kit.clear(&at.key).await;
    }
}

/// BS-8: a writer that goes on gives back the bytes of earlier sittings, too.
pub async fn bs_8_a_resumed_upload_reads_back(kit: &mut StoreKit) {
    for size in [0, 100, 64 << 10, 5 << 20] {
        let bytes = kit.bytes(size + 10);
        let (id, mut writer) = kit.begin(size + 10).await;
        write_all(&mut *writer, &bytes.slice(..size)).await;
        let at = writer.suspend().await.expect("an upload is suspended");
        let mut writer = resume(kit, &id, &at).await;
        write_all(&mut *writer, &bytes.slice(size..)).await;
        let back = writer.read_back().await.expect("what was written");
        let back = collect(back).await.expect("a read that ends well");
        assert!(back == bytes, "other bytes come back");
        clear_old(kit, &at, writer.key()).await;
        kit.abort(writer).await;
    }
}
