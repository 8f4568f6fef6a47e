//! BS-6: no key is made twice.

use std::collections::BTreeSet;

use artifact_core::{Algorithm, Hasher, UploadHint};

use crate::store::kit::{StoreKit, commit, write_all};

/// BS-6: the same bytes get as many keys as they are stored times, also by one upload's id.
pub async fn bs_6_the_same_bytes_get_another_key(kit: &mut StoreKit) {
    let bytes = kit.bytes(100);
    let mut keys = BTreeSet::new();
    for _ in 0..32 {
        assert!(keys.insert(kit.put(&bytes).await), "a key was made twice");
    }
    let (id, writer) = kit.begin(100).await;
    keys.insert(writer.key().clone());
    kit.abort(writer).await;
    let mut writer = kit
        .store()
        .begin(&id, UploadHint::default())
        .await
        .expect("an upload begins");
    assert!(
        keys.insert(writer.key().clone()),
        "a key was made twice for one upload"
    );
    write_all(&mut *writer, &bytes).await;
    commit(writer, &bytes).await;
}

/// BS-6: a key that was deleted is not made again.
pub async fn bs_6_a_deleted_key_does_not_come_back(kit: &mut StoreKit) {
    for size in [0, 100, 64 << 10] {
        let bytes = kit.bytes(size);
        let mut keys = BTreeSet::new();
        for _ in 0..16 {
            let key = kit.put(&bytes).await;
            kit.clear(&key).await;
            assert!(keys.insert(key), "a key was made twice");
        }
    }
}

/// BS-6: nor by a store that was opened again.
pub async fn bs_6_keys_do_not_come_back_after_reopening(kit: &mut StoreKit) {
    if !kit.can_reopen() {
        return;
    }
    let bytes = kit.bytes(100);
    let mut keys = BTreeSet::new();
    for _ in 0..4 {
        for _ in 0..4 {
            let key = kit.put(&bytes).await;
            kit.clear(&key).await;
            assert!(keys.insert(key), "a key was made twice");
        }
        kit.reopen().await;
    }
}

/// BS-6: a key tells nothing of the bytes, so they can have many.
pub async fn bs_6_a_key_holds_no_digest(kit: &mut StoreKit) {
    let bytes = kit.bytes(1000);
    let key = kit.put(&bytes).await;
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let hex = Hasher::hash(algorithm, &bytes).digest().hex();
        assert!(!key.as_str().contains(&hex[..16]), "{key} holds a digest");
    }
}
