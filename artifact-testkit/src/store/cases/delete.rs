//! BS-3: to delete is to have nothing there.

use std::sync::Arc;

use artifact_core::BlobKey;

use crate::store::kit::{SIZES, StoreKit, write_all};

/// BS-3: to delete a key under which there is nothing is a success.
pub async fn bs_3_what_is_absent_is_deleted(kit: &mut StoreKit) {
    let key = kit.put(&kit.bytes(10)).await;
    kit.clear(&key).await;
    kit.store()
        .delete(&key)
        .await
        .expect("a key that was deleted");
    let (_, writer) = kit.begin(10).await;
    let key = writer.key().clone();
    kit.abort(writer).await;
    kit.store()
        .delete(&key)
        .await
        .expect("a key that was aborted");
    let strange: BlobKey = "no/such-key".parse().expect("a key");
    kit.store()
        .delete(&strange)
        .await
        .expect("a key that never was");
}

/// BS-3: what was deleted is not found, and others are.
pub async fn bs_3_delete_removes_the_blob(kit: &mut StoreKit) {
    for size in SIZES {
        let (kept, gone) = (kit.bytes(size), kit.bytes(size));
        let kept_key = kit.put(&kept).await;
        let gone_key = kit.put(&gone).await;
        kit.clear(&gone_key).await;
        kit.check_visible(&kept_key, &kept).await;
    }
}

/// BS-3: what a suspended upload has staged is deleted by its key, and does not go on.
pub async fn bs_3_delete_removes_what_is_staged(kit: &mut StoreKit) {
    for size in SIZES {
        let (id, mut writer) = kit.begin(size + 1).await;
        write_all(&mut *writer, &kit.bytes(size)).await;
        let at = writer.suspend().await.expect("an upload is suspended");
        kit.clear(&at.key).await;
        let resumed = kit.resume(&id, &at).await;
        assert!(resumed.is_none(), "what was deleted goes on");
    }
}

/// BS-3: what was deleted is not there when the store is opened again.
pub async fn bs_3_what_was_deleted_stays_so_after_reopening(kit: &mut StoreKit) {
    if !kit.can_reopen() {
        return;
    }
    let mut gone = Vec::new();
    for size in SIZES {
        let key = kit.put(&kit.bytes(size)).await;
        kit.clear(&key).await;
        gone.push(key);
        let (_, mut writer) = kit.begin(size).await;
        write_all(&mut *writer, &kit.bytes(size)).await;
        let at = writer.suspend().await.expect("an upload is suspended");
        kit.clear(&at.key).await;
        gone.push(at.key);
    }
    kit.reopen().await;
    for key in gone {
        kit.check_invisible(&key).await;
    }
    assert_eq!(kit.list().await, [], "everything was deleted");
}

/// BS-3: of two that delete the same key both succeed, and the blob is gone.
pub async fn bs_3_two_deleters_both_succeed(kit: &mut StoreKit) {
    for size in [100, 64 << 10, 5 << 20] {
        let key = kit.put(&kit.bytes(size)).await;
        let delete = |key: BlobKey| {
            let store = Arc::clone(kit.store());
            tokio::spawn(async move { store.delete(&key).await })
        };
        for deleter in [delete(key.clone()), delete(key.clone())] {
            let deleted = deleter.await.expect("a deleter ends");
            deleted.expect("a deleter that comes second succeeds, too");
        }
        kit.clear(&key).await;
    }
}
