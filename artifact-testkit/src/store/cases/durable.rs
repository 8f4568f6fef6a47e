//! BS-4 and BS-10: what was acknowledged is kept, and nothing is acknowledged that may not be.

use artifact_core::{Algorithm, Hasher, StoreError};

use crate::store::kit::{SIZES, StoreKit, commit, write_all};

/// BS-4: what was committed is there when the store is opened again.
pub async fn bs_4_a_commit_survives_reopening(kit: &mut StoreKit) {
    if !kit.can_reopen() {
        return;
    }
    let mut blobs = Vec::new();
    for size in SIZES {
        let bytes = kit.bytes(size);
        blobs.push((kit.put(&bytes).await, bytes));
    }
    kit.reopen().await;
    for (key, bytes) in blobs {
        kit.check_visible(&key, &bytes).await;
    }
}

/// BS-4: what was suspended goes on in a store that was opened again.
pub async fn bs_4_a_suspension_survives_reopening(kit: &mut StoreKit) {
    if !kit.can_reopen() {
        return;
    }
    let mut uploads = Vec::new();
    for size in SIZES {
        let bytes = kit.bytes(size + 100);
        let (id, mut writer) = kit.begin(size + 100).await;
        write_all(&mut *writer, &bytes.slice(..size)).await;
        let at = writer.suspend().await.expect("an upload is suspended");
        uploads.push((id, at, bytes));
    }
    kit.reopen().await;
    for (id, at, bytes) in uploads {
        let (old_key, offset) = (at.key.clone(), at.offset);
        let resumed = kit.resume(&id, &at).await;
        let mut writer = resumed.expect("an upload that was suspended before");
        assert_eq!(writer.offset(), offset, "where it goes on");
        let rest = usize::try_from(offset).expect("an offset of this case");
        write_all(&mut *writer, &bytes.slice(rest..)).await;
        let key = writer.key().clone();
        commit(writer, &bytes).await;
        kit.check_visible(&key, &bytes).await;
        if key != old_key {
            kit.clear(&old_key).await;
        }
    }
}

/// BS-4: neither a commit nor a suspension is acknowledged when the sync of its bytes failed.
pub async fn bs_4_nothing_is_acknowledged_without_its_sync(kit: &mut StoreKit) {
    for size in [4097, 64 << 10, 5 << 20] {
        for suspends in [false, true] {
            let bytes = kit.bytes(size);
            let blob = Hasher::hash(Algorithm::Sha256, &bytes);
            let (_, mut writer) = kit.begin(size).await;
            if !kit.fail_next_sync() {
                return kit.abort(writer).await;
            }
            // A store may sync what it is given at once, and say so there.
            let ended = match writer.write(bytes).await {
                Err(error) => Err(error),
                Ok(()) if suspends => writer.suspend().await.map(|_| ()),
                Ok(()) => writer.commit(&blob).await.map(|_| ()),
            };
            let what = if suspends { "a suspension" } else { "a commit" };
            kit.check_refused(ended.is_err(), what).await;
            kit.reopen().await;
            for entry in kit.list().await {
                kit.clear(&entry.key).await;
            }
        }
    }
}

/// BS-10: when a sync failed, nothing is acknowledged any more.
pub async fn bs_10_nothing_is_acknowledged_after_a_failed_sync(kit: &mut StoreKit) {
    for size in [0, 4097, 64 << 10, 5 << 20] {
        if !kit.fail_next_sync() {
            return;
        }
        let bytes = kit.bytes(size);
        let blob = Hasher::hash(Algorithm::Sha256, &bytes);
        let (_, mut writer) = kit.begin(size).await;
        let (_, mut other) = kit.begin(size).await;
        let (_, mut third) = kit.begin(size).await;
        for writer in [&mut writer, &mut other, &mut third] {
            write_all(&mut **writer, &bytes).await;
        }
        let key = writer.key().clone();
        let failed = writer.commit(&blob).await;
        kit.check_refused(failed.is_err(), "a commit").await;
        let later = other.commit(&blob).await;
        assert!(
            matches!(later, Err(StoreError::Poisoned { .. })),
            "a later commit: {later:?}"
        );
        let later = third.suspend().await;
        assert!(
            matches!(later, Err(StoreError::Poisoned { .. })),
            "a suspension: {later:?}"
        );
        kit.reopen().await;
        for entry in kit.list().await {
            kit.clear(&entry.key).await;
        }
        kit.check_invisible(&key).await;
    }
}

/// BS-10: a store whose sync failed is read, and one that is opened again takes blobs.
pub async fn bs_10_reads_go_on_and_reopening_mends(kit: &mut StoreKit) {
    let mut blobs = Vec::new();
    for size in SIZES {
        let bytes = kit.bytes(size);
        blobs.push((kit.put(&bytes).await, bytes));
    }
    if !kit.fail_next_sync() {
        return;
    }
    let lost = kit.bytes(5 << 20);
    let (_, mut writer) = kit.begin(lost.len()).await;
    write_all(&mut *writer, &lost).await;
    let failed = writer.commit(&Hasher::hash(Algorithm::Sha256, &lost)).await;
    kit.check_refused(failed.is_err(), "a commit").await;
    for (key, bytes) in &blobs {
        let read = kit.get(key).await.expect("a blob of before");
        assert!(read == bytes, "the bytes of {key} are others");
    }
    kit.reopen().await;
    for entry in kit.list().await.iter().filter(|entry| entry.staged) {
        kit.clear(&entry.key).await;
    }
    let bytes = kit.bytes(5 << 20);
    let key = kit.put(&bytes).await;
    kit.check_visible(&key, &bytes).await;
    for (key, bytes) in &blobs {
        kit.check_kept(key, bytes).await;
    }
}
