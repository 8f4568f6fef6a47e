//! BS-9: one upload, one writer.

use std::sync::Arc;

use artifact_core::{BlobWriter, StoreError, Suspended, UploadId};

use crate::store::kit::{SIZES, StoreKit, commit, write_all};

/// Begins an upload, suspends it, and goes on with it.
async fn held(kit: &StoreKit, size: usize) -> (UploadId, Suspended, Box<dyn BlobWriter>) {
    let (id, mut writer) = kit.begin(size + 10).await;
    write_all(&mut *writer, &kit.bytes(size)).await;
    let at = writer.suspend().await.expect("an upload is suspended");
    let resumed = kit
        .store()
        .resume(&id, at.clone())
        .await
        .expect("resume answers");
    (id, at, resumed.expect("an upload that was suspended"))
}

/// BS-9: while a writer lives, nobody else goes on with its upload or deletes it.
pub async fn bs_9_a_live_writer_holds_its_upload(kit: &mut StoreKit) {
    for size in SIZES {
        let (id, at, mut writer) = held(kit, size).await;
        let key = writer.key().clone();
        let store = kit.store();
        assert!(
            store.is_held(&key).await.expect("is_held answers"),
            "a live writer"
        );
        let resumed = store.resume(&id, at.clone()).await;
        let is_held = matches!(resumed, Err(StoreError::Held { .. }));
        assert!(is_held, "a second writer: {resumed:?}");
        let deleted = store.delete(&key).await;
        let is_held = matches!(deleted, Err(StoreError::Held { .. }));
        assert!(is_held, "delete under a live writer: {deleted:?}");
        let more = kit.bytes(10);
        write_all(&mut *writer, &more).await;
        assert_eq!(
            writer.offset(),
            size as u64 + 10,
            "the writer goes on unharmed"
        );
        kit.abort(writer).await;
        kit.clear(&at.key).await;
    }
}

/// BS-9: of two that resume at once, one goes on, and the other is told that it is held.
pub async fn bs_9_one_of_two_resumes_wins(kit: &mut StoreKit) {
    for (size, rounds) in [(0, 8), (100, 8), (64 << 10, 8), (5 << 20, 2)] {
        for _ in 0..rounds {
            let (id, mut writer) = kit.begin(size).await;
            write_all(&mut *writer, &kit.bytes(size)).await;
            let at = writer.suspend().await.expect("an upload is suspended");
            let resume = || {
                let (store, at) = (Arc::clone(kit.store()), at.clone());
                tokio::spawn(async move { store.resume(&id, at).await })
            };
            let mut writers = Vec::new();
            for resumed in [resume(), resume()] {
                match resumed.await.expect("a resume ends") {
                    Ok(writer) => writers.push(writer.expect("an upload that was suspended")),
                    Err(StoreError::Held { .. }) => {}
                    Err(other) => assert!(other.is_transient(), "{other:?}"),
                }
            }
            assert_eq!(writers.len(), 1, "so many writers hold one upload");
            for writer in writers {
                let key = writer.key().clone();
                drop(writer);
                kit.clear(&key).await;
            }
            kit.clear(&at.key).await;
        }
    }
}

/// BS-9: when a writer ended, in whatever way, its upload is not held.
pub async fn bs_9_who_ended_holds_nothing(kit: &mut StoreKit) {
    for size in [0, 4096, 64 << 10, (1 << 20) + 1] {
        for end in ["suspend", "commit", "abort", "drop"] {
            let bytes = kit.bytes(size);
            let (_, mut writer) = kit.begin(size).await;
            let key = writer.key().clone();
            let held = kit.store().is_held(&key).await;
            assert!(held.expect("is_held answers"), "a writer that just began");
            write_all(&mut *writer, &bytes).await;
            match end {
                "suspend" => drop(writer.suspend().await.expect("an upload is suspended")),
                "commit" => drop(commit(writer, &bytes).await),
                "abort" => kit.abort(writer).await,
                _ => drop(writer),
            }
            let held = kit.store().is_held(&key).await;
            assert!(!held.expect("is_held answers"), "held after its {end}");
            kit.clear(&key).await;
        }
    }
}

/// BS-9: a writer holds its own upload and no other.
pub async fn bs_9_other_uploads_are_not_held(kit: &mut StoreKit) {
    let (_, own, live) = held(kit, 100).await;
    for size in SIZES {
        let bytes = kit.bytes(size);
        let (_, mut writer) = kit.begin(size).await;
        write_all(&mut *writer, &bytes).await;
        let at = writer.suspend().await.expect("an upload is suspended");
        let is_held = kit.store().is_held(&at.key).await;
        assert!(
            !is_held.expect("is_held answers"),
            "another's writer holds it"
        );
        let deleted = kit.store().delete(&at.key).await;
        deleted.expect("what another writer does not hold");
    }
    kit.abort(live).await;
    kit.clear(&own.key).await;
}
