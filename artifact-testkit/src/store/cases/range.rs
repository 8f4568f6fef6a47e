//! BS-7: a read gives what was asked for, or fails.

use std::sync::Arc;

use artifact_core::{BlobKey, ByteRange, StoreError, UploadHint};
use bytes::Bytes;
use futures::{StreamExt as _, future::join_all};

use crate::store::kit::{SIZES, StoreKit, collect, commit, get, write_all};

/// BS-7: blobs of all sizes read back, at once and in many chunks, with and without a hint.
pub async fn bs_7_all_sizes_read_back(kit: &mut StoreKit) {
    for size in SIZES {
        for hint in [UploadHint::sized(Some(size as u64)), UploadHint::default()] {
            let bytes = kit.bytes(size);
            let id = kit.upload_id();
            let mut writer = kit
                .store()
                .begin(&id, hint)
                .await
                .expect("an upload begins");
            writer
                .write(bytes.clone())
                .await
                .expect("a chunk is written");
            let key = writer.key().clone();
            commit(writer, &bytes).await;
            kit.check_visible(&key, &bytes).await;
        }
    }
}

/// BS-7: a hint that is wrong changes nothing of what is read.
pub async fn bs_7_a_wrong_hint_does_no_harm(kit: &mut StoreKit) {
    for (size, said) in [
        (0, 5 << 20),
        (5 << 20, 0),
        (4097, 4096),
        (1 << 21, 100),
        (10, 1 << 40),
    ] {
        let bytes = kit.bytes(size);
        let id = kit.upload_id();
        let hint = UploadHint::sized(Some(said));
        // A store may refuse what would not fit: then it must say so, and not take it.
        let mut writer = match kit.store().begin(&id, hint).await {
            Err(StoreError::NoSpace { .. }) if said > 1 << 30 => continue,
            begun => begun.expect("an upload begins"),
        };
        write_all(&mut *writer, &bytes).await;
        let key = writer.key().clone();
        commit(writer, &bytes).await;
        kit.check_visible(&key, &bytes).await;
    }
}

/// BS-7: each range gives its own bytes, cut at the end of the blob.
pub async fn bs_7_ranges_are_exact(kit: &mut StoreKit) {
    for size in SIZES {
        let bytes = kit.bytes(size);
        let key = kit.put(&bytes).await;
        let places = [
            0,
            1,
            size / 3,
            size.saturating_sub(4096),
            size.saturating_sub(1),
        ];
        let lengths = [0, 1, 4095, 4096, 65_537, size, size + 1, usize::MAX];
        for from in places.into_iter().filter(|from| *from < size || *from == 0) {
            for length in lengths {
                let range = ByteRange::new(from as u64, Some(length as u64));
                let to = from.saturating_add(length).min(size);
                check_range(kit, &key, range, bytes.slice(from..to)).await;
            }
            check_range(
                kit,
                &key,
                ByteRange::new(from as u64, None),
                bytes.slice(from..),
            )
            .await;
        }
    }
}

async fn check_range(kit: &StoreKit, key: &BlobKey, range: ByteRange, expected: Bytes) {
    let reader = kit
        .store()
        .read(key, range)
        .await
        .expect("a range within the blob");
    let reader = reader.expect("a blob that is there");
    assert_eq!(
        reader.length(),
        expected.len() as u64,
        "the length of {range:?}"
    );
    let read = collect(reader).await.expect("a read that ends well");
    assert!(read == expected, "{range:?} gives other bytes");
}

/// BS-7: what starts at or after the end of a blob with bytes is refused, and its size told.
pub async fn bs_7_ranges_beyond_the_end_are_refused(kit: &mut StoreKit) {
    for blob in SIZES.into_iter().filter(|size| *size > 0) {
        let key = kit.put(&kit.bytes(blob)).await;
        let blob = blob as u64;
        for from in [blob, blob + 1, u64::MAX] {
            for length in [None, Some(0), Some(1), Some(u64::MAX)] {
                let range = ByteRange::new(from, length);
                match kit.store().read(&key, range).await {
                    Err(StoreError::RangeNotSatisfiable { size }) => assert_eq!(size, blob),
                    other => assert!(
                        other.is_err(),
                        "{range:?} of {blob} bytes is read: {other:?}"
                    ),
                }
            }
        }
    }
}

/// BS-7: of a key under which there is nothing, nothing is read.
pub async fn bs_7_what_is_absent_is_none(kit: &mut StoreKit) {
    let gone = kit.put(&kit.bytes(10)).await;
    kit.clear(&gone).await;
    let strange: BlobKey = "no/such-key".parse().expect("a key");
    for key in [gone, strange] {
        kit.check_invisible(&key).await;
        let range = ByteRange::new(u64::MAX, None);
        let read = kit.store().read(&key, range).await.expect("read answers");
        assert!(read.is_none(), "absence comes before the range");
    }
}

/// BS-7: many readers of many blobs do not mix their bytes.
pub async fn bs_7_many_readers_read_at_once(kit: &mut StoreKit) {
    let mut blobs = Vec::new();
    for size in [4097, 64 << 10, 1 << 20, 5 << 20] {
        let bytes = kit.bytes(size);
        blobs.push((kit.put(&bytes).await, bytes));
    }
    let readers = blobs.iter().cycle().take(16).cloned().map(|(key, bytes)| {
        let store = Arc::clone(kit.store());
        tokio::spawn(async move {
            let read = get(&*store, &key).await.expect("a blob that is there");
            assert!(read == bytes, "the bytes of {key} are others");
        })
    });
    for reader in join_all(readers.collect::<Vec<_>>()).await {
        reader.expect("a reader reads its own blob");
    }
}

/// BS-7: a reader whose blob is deleted under it gets all its bytes, or an error. Blobs that must
/// linger are deleted when it has ended, as the collector does.
pub async fn bs_7_a_reader_beside_a_deleter_is_not_cheated(kit: &mut StoreKit) {
    for size in SIZES {
        let bytes = kit.bytes(size);
        let key = kit.put(&bytes).await;
        let reader = kit
            .store()
            .read(&key, ByteRange::ALL)
            .await
            .expect("read answers");
        let mut reader = reader.expect("a blob that is there");
        let first = reader.next().await;
        if kit.store().linger(&key).is_zero() {
            // Held or done: both are right while somebody reads.
            drop(kit.store().delete(&key).await);
        }
        let mut read = Vec::new();
        let mut failed = false;
        let mut next = first;
        while let Some(chunk) = next {
            match chunk {
                Ok(chunk) => read.extend_from_slice(&chunk),
                Err(_) => failed = true,
            }
            next = reader.next().await;
        }
        assert!(bytes.starts_with(&read), "other bytes than the blob's");
        assert!(
            failed || read.len() == size,
            "{} of {size} bytes, and no error",
            read.len()
        );
        drop(reader);
        kit.clear(&key).await;
    }
}

/// BS-7: a writer gives back what was written so far, and goes on.
pub async fn bs_7_read_back_gives_all_that_was_written(kit: &mut StoreKit) {
    for size in SIZES {
        let bytes = kit.bytes(2 * size);
        let (_, mut writer) = kit.begin(2 * size).await;
        write_all(&mut *writer, &bytes.slice(..size)).await;
        let back = writer.read_back().await.expect("what was written");
        let back = collect(back).await.expect("a read that ends well");
        assert!(back == bytes.slice(..size), "other bytes come back");
        write_all(&mut *writer, &bytes.slice(size..)).await;
        let back = writer.read_back().await.expect("what was written");
        let back = collect(back).await.expect("a read that ends well");
        assert!(back == bytes, "other bytes come back");
        let key = writer.key().clone();
        commit(writer, &bytes).await;
        kit.check_visible(&key, &bytes).await;
    }
}
