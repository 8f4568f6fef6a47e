//! MI-7: where a key of the blob store is known.

use artifact_core::{Bookkeeping, Change, Conflict, KeyOwner, Location, PackageRef, TrashRecord};

use crate::index::{
    goods::{all, blob, digest, key, link, package, put_at, size, stamp, upload, upload_id},
    kit::IndexKit,
};

async fn owner(kit: &IndexKit, number: u32) -> Option<KeyOwner> {
    kit.index()
        .key_owner(&key(number))
        .await
        .expect("key_owner answers")
}

/// Returns the keys in the trash, by their numbers, with their sizes.
async fn trash(kit: &IndexKit) -> Vec<TrashRecord> {
    kit.index().trash(all()).await.expect("trash answers")
}

async fn begin(kit: &IndexKit, number: u8, package: &PackageRef, at: u32) {
    let record = upload(number, package, Some(at));
    kit.note(Bookkeeping::BeginUpload(Box::new(record), Vec::new()))
        .await;
}

fn put_by_upload(number: u8, at: u32, by: u8) -> Change {
    Change::PutBlob {
        blob: blob(number),
        location: Location::Key(key(at)),
        stamp: Some(stamp(at)),
        upload: Some(upload_id(by)),
    }
}

/// MI-7: a key is the upload's, then the blob's, then trash, then nobody's.
pub async fn mi_7_a_key_goes_from_upload_to_row_to_trash(kit: &mut IndexKit) {
    let a = package("a");
    assert_eq!(owner(kit, 1).await, None, "a key of which nobody knows");
    begin(kit, 1, &a, 1).await;
    assert_eq!(owner(kit, 1).await, Some(KeyOwner::Upload(upload_id(1))));
    kit.make([put_by_upload(5, 1, 1)]).await;
    assert_eq!(owner(kit, 1).await, Some(KeyOwner::Blob(digest(5))));
    let there = kit
        .index()
        .upload(&upload_id(1))
        .await
        .expect("upload answers");
    assert_eq!(there, None, "an upload that brought its blob is over");
    kit.make([Change::Collect(vec![digest(5)])]).await;
    assert_eq!(owner(kit, 1).await, Some(KeyOwner::Trash));
    assert_eq!(trash(kit).await, [TrashRecord::new(key(1), size(5))]);
    assert_eq!(
        kit.note(Bookkeeping::Untrash(vec![key(1), key(2)])).await,
        1
    );
    assert_eq!(owner(kit, 1).await, None, "a key whose bytes are gone");
}

/// MI-7: a digest keeps its first key, and the second goes to the trash.
pub async fn mi_7_the_second_key_of_a_digest_is_trash(kit: &mut IndexKit) {
    let a = package("a");
    let first = kit.make([put_at(5, 1)]).await;
    assert_eq!(first.events.len(), 1, "a blob was entered");
    begin(kit, 2, &a, 2).await;
    let second = kit.make([put_by_upload(5, 2, 2)]).await;
    assert!(
        second.events.is_empty(),
        "nothing was entered: {:?}",
        second.events
    );
    assert_eq!(second.revision, first.revision, "nothing changed");
    assert_eq!(owner(kit, 1).await, Some(KeyOwner::Blob(digest(5))));
    assert_eq!(trash(kit).await, [TrashRecord::new(key(2), size(5))]);
    // The same key again is the row's own, and must stay.
    kit.make([put_at(5, 1)]).await;
    assert_eq!(owner(kit, 1).await, Some(KeyOwner::Blob(digest(5))));
    // An upload that ends in a blob at another key leaves its own in the trash.
    begin(kit, 3, &a, 3).await;
    kit.make([put_by_upload(6, 4, 3)]).await;
    assert_eq!(owner(kit, 4).await, Some(KeyOwner::Blob(digest(6))));
    assert_eq!(owner(kit, 3).await, Some(KeyOwner::Trash));
}

/// MI-7: who removes an upload puts its key into the trash.
pub async fn mi_7_an_upload_that_ends_leaves_its_key_in_the_trash(kit: &mut IndexKit) {
    let a = package("a");
    begin(kit, 1, &a, 1).await;
    kit.note(Bookkeeping::EndUpload(upload_id(1), 1)).await;
    assert_eq!(owner(kit, 1).await, Some(KeyOwner::Trash));
    let suspended = upload(1, &a, Some(1)).at.expect("an upload with a key");
    assert_eq!(
        trash(kit).await,
        [TrashRecord::new(key(1), suspended.offset)]
    );
    let record = upload(2, &a, None);
    kit.note(Bookkeeping::BeginUpload(Box::new(record), Vec::new()))
        .await;
    kit.note(Bookkeeping::EndUpload(upload_id(2), 1)).await;
    assert_eq!(
        trash(kit).await.len(),
        1,
        "an upload without a key leaves none"
    );
}

/// MI-7: an upload that goes on under another key puts the old one into the trash.
pub async fn mi_7_an_upload_that_moves_leaves_its_key_in_the_trash(kit: &mut IndexKit) {
    let a = package("a");
    begin(kit, 1, &a, 1).await;
    for (version, at, trashed) in [
        (1, Some(1), 0),
        (2, Some(2), 1),
        (3, None, 2),
        (4, Some(3), 2),
    ] {
        let mut record = upload(1, &a, at);
        record.version = version + 1;
        kit.note(Bookkeeping::AdvanceUpload(
            version,
            Box::new(record),
            Vec::new(),
        ))
        .await;
        assert_eq!(
            trash(kit).await.len(),
            trashed,
            "keys in the trash at version {version}"
        );
        if let Some(at) = at {
            assert_eq!(owner(kit, at).await, Some(KeyOwner::Upload(upload_id(1))));
        }
    }
}

/// MI-7: a blob that was found wrong is stored again at the new key, and is sound.
pub async fn mi_7_a_quarantined_row_takes_the_new_key(kit: &mut IndexKit) {
    kit.make([put_at(5, 1), link(&package("a"), 5)]).await;
    kit.note(Bookkeeping::Quarantine(digest(5), key(1))).await;
    let stored = kit.make([put_at(5, 2)]).await;
    assert_eq!(
        stored.events.len(),
        1,
        "a blob was entered again: {:?}",
        stored.events
    );
    assert_eq!(owner(kit, 2).await, Some(KeyOwner::Blob(digest(5))));
    assert_eq!(trash(kit).await, [TrashRecord::new(key(1), size(5))]);
    let row = kit
        .index()
        .blob_row(&digest(5))
        .await
        .expect("blob_row answers");
    let row = row.expect("the row of the blob");
    assert!(!row.quarantined, "what was stored again is sound");
    assert_eq!(row.stamp, Some(stamp(2)), "the stamp of the new bytes");
}

/// MI-7: keys that a row or an upload names are not put into the trash, others are, once.
pub async fn mi_7_a_key_in_use_is_not_trashed(kit: &mut IndexKit) {
    begin(kit, 1, &package("a"), 1).await;
    kit.make([put_at(5, 2)]).await;
    let keys = vec![key(1), key(2), key(3), key(3), key(4)];
    assert_eq!(kit.note(Bookkeeping::Trash(keys.clone())).await, 2);
    assert_eq!(kit.note(Bookkeeping::Trash(keys)).await, 0);
    let records = [3, 4].map(|number| TrashRecord::new(key(number), 0));
    assert_eq!(trash(kit).await, records);
}

/// MI-7: a key that is in the trash or another's is not taken.
pub async fn mi_7_a_key_that_is_taken_is_refused(kit: &mut IndexKit) {
    let a = package("a");
    begin(kit, 1, &a, 1).await;
    kit.make([put_at(5, 2)]).await;
    kit.note(Bookkeeping::Trash(vec![key(3)])).await;
    for taken in [1, 2, 3] {
        let expected = Conflict::KeyTaken { key: key(taken) };
        let refused = kit.refuse(kit.set_of([put_at(6, taken)])).await;
        assert_eq!(refused, expected, "a blob at key {taken}");
        let record = Box::new(upload(2, &a, Some(taken)));
        let refused = kit
            .refuse_note(Bookkeeping::BeginUpload(record, Vec::new()))
            .await;
        assert_eq!(refused, expected, "an upload at key {taken}");
    }
    let mut record = upload(1, &a, Some(3));
    record.version = 2;
    let refused = kit
        .refuse_note(Bookkeeping::AdvanceUpload(1, Box::new(record), Vec::new()))
        .await;
    assert_eq!(
        refused,
        Conflict::KeyTaken { key: key(3) },
        "an upload that moves"
    );
}
