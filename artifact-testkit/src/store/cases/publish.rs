//! BS-1 and BS-2: a blob appears whole, and stays as it is.

use std::sync::Arc;

use artifact_core::{Algorithm, Hasher, StoreError};
use bytes::Bytes;

use crate::store::kit::{SIZES, StoreKit, commit, get, write_all};

/// BS-1: what is written is not there before the commit, and there after it.
pub async fn bs_1_nothing_is_visible_before_commit(kit: &mut StoreKit) {
    for size in SIZES {
        let bytes = kit.bytes(size);
        let (_, mut writer) = kit.begin(size).await;
        let key = writer.key().clone();
        kit.check_invisible(&key).await;
        write_all(&mut *writer, &bytes).await;
        assert_eq!(writer.offset(), size as u64, "the offset of the writer");
        assert_eq!(*writer.key(), key, "a writer's key stays");
        kit.check_invisible(&key).await;
        commit(writer, &bytes).await;
        kit.check_visible(&key, &bytes).await;
    }
}

/// BS-1: who looks while it is committed finds nothing or all the bytes.
pub async fn bs_1_a_reader_beside_the_commit_finds_nothing_or_all(kit: &mut StoreKit) {
    for size in [4096, 64 << 10, 5 << 20] {
        let bytes = kit.bytes(size);
        let (_, mut writer) = kit.begin(size).await;
        let key = writer.key().clone();
        let (store, looked_for, whole) = (Arc::clone(kit.store()), key.clone(), bytes.clone());
        let reader = tokio::spawn(async move {
            loop {
                let stat = store.stat(&looked_for).await.expect("stat answers");
                let read = get(&*store, &looked_for).await;
                if let Some(stat) = &stat {
                    assert_eq!(stat.size, whole.len() as u64, "a part is visible");
                    assert!(read.is_some(), "stat found what read does not find");
                }
                if let Some(read) = read {
                    assert!(read == whole, "other bytes are visible");
                    break;
                }
                tokio::task::yield_now().await;
            }
        });
        write_all(&mut *writer, &bytes).await;
        commit(writer, &bytes).await;
        kit.check_visible(&key, &bytes).await;
        reader.await.expect("the reader finds nothing or all");
    }
}

/// BS-1: a proof of another length than was written is refused, and nothing appears.
pub async fn bs_1_a_wrong_length_publishes_nothing(kit: &mut StoreKit) {
    for (written, said) in [(10, 9), (10, 11), (0, 1), (64 << 10, 0)] {
        let bytes = kit.bytes(written);
        let (upload, mut writer) = kit.begin(written).await;
        let key = writer.key().clone();
        write_all(&mut *writer, &bytes).await;
        let blob = Hasher::hash(Algorithm::Sha256, &kit.bytes(said));
        match writer.commit(&blob).await {
            Err(StoreError::OffsetMismatch {
                id,
                expected,
                actual,
            }) => {
                assert_eq!(id, upload, "the upload that is named");
                assert_eq!((expected, actual), (said as u64, written as u64));
            }
            other => assert!(
                matches!(other, Err(StoreError::OffsetMismatch { .. })),
                "{other:?}"
            ),
        }
        kit.check_invisible(&key).await;
        kit.clear(&key).await;
    }
}

/// BS-1: what is aborted does not appear.
pub async fn bs_1_abort_publishes_nothing(kit: &mut StoreKit) {
    for size in SIZES {
        let bytes = kit.bytes(size);
        let (_, mut writer) = kit.begin(size).await;
        let key = writer.key().clone();
        write_all(&mut *writer, &bytes).await;
        kit.abort(writer).await;
        kit.check_invisible(&key).await;
    }
}

/// BS-1: writers at the same time do not mix their bytes.
pub async fn bs_1_many_writers_publish_their_own(kit: &mut StoreKit) {
    let mut writers = Vec::new();
    for size in SIZES.into_iter().cycle().take(12) {
        let bytes = kit.bytes(size);
        let (_, mut writer) = kit.begin(size).await;
        writers.push(tokio::spawn(async move {
            let key = writer.key().clone();
            write_all(&mut *writer, &bytes).await;
            commit(writer, &bytes).await;
            (key, bytes)
        }));
    }
    for writer in writers {
        let (key, bytes): (_, Bytes) = writer.await.expect("a writer ends");
        kit.check_visible(&key, &bytes).await;
    }
}

/// BS-2: what happens beside a blob changes neither its bytes nor its stamp.
pub async fn bs_2_bytes_and_stamp_stay(kit: &mut StoreKit) {
    let mut blobs = Vec::new();
    for size in SIZES {
        let bytes = kit.bytes(size);
        let (_, mut writer) = kit.begin(size).await;
        let key = writer.key().clone();
        write_all(&mut *writer, &bytes).await;
        let stamp = commit(writer, &bytes).await;
        blobs.push((key, bytes, stamp));
    }
    let deleted = kit.put(&kit.bytes(4096)).await;
    kit.clear(&deleted).await;
    let (_, mut writer) = kit.begin(100).await;
    write_all(&mut *writer, &kit.bytes(100)).await;
    kit.abort(writer).await;
    for (key, bytes, stamp) in blobs {
        kit.check_visible(&key, &bytes).await;
        let stat = kit.store().stat(&key).await.expect("stat answers");
        let now = stat.and_then(|stat| stat.stamp);
        assert_eq!(now, stamp, "the stamp of {key} since its commit");
    }
}

/// BS-2: a stamp is what [`Stamp`](artifact_core::Stamp) says it is.
pub async fn bs_2_a_stamp_is_short_plain_text(kit: &mut StoreKit) {
    for size in [0, 4096, 5 << 20] {
        let bytes = kit.bytes(size);
        let (_, mut writer) = kit.begin(size).await;
        write_all(&mut *writer, &bytes).await;
        if let Some(stamp) = commit(writer, &bytes).await {
            let text = stamp.as_str();
            let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            assert!(is_plain && text.len() <= 255, "{text:?} is no stamp");
        }
    }
}
