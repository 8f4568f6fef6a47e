//! MI-15: what is refused changes nothing.

use artifact_core::{
    Bookkeeping, Change, Expectation, Generation, IndexError, PackageRef, Room, Scope,
};

use crate::index::{
    goods::{
        Parts, digest, holder, key, lease_until, link, package, package_of, put_at, put_inline,
        put_manifest, put_tag, repository, repository_document, tag, upload, upload_id,
    },
    kit::IndexKit,
};

/// Fills an index with something of everything.
async fn fill(kit: &IndexKit) -> PackageRef {
    let a = package("a");
    let first = kit.publish(&a, "v1", &[1, 2]).await;
    kit.publish(&a, "v2", &[1, 3]).await;
    kit.make([put_manifest(&a, &Parts::default().index(&[&first]))])
        .await;
    kit.make([
        put_at(4, 4),
        link(&a, 4),
        Change::Pin(a.clone(), digest(4), "kept".to_owned()),
        Change::Link(a.clone(), digest(4), Some(lease_until(1_000))),
        Change::PutDocument(repository_document("team"), "{}".to_owned()),
    ])
    .await;
    kit.publish(&package("team/x"), "v1", &[1, 2]).await;
    kit.publish(&package_of("team", "x"), "v1", &[2, 3]).await;
    let record = upload(1, &a, Some(1));
    kit.note(Bookkeeping::BeginUpload(Box::new(record), Vec::new()))
        .await;
    kit.note(Bookkeeping::Trash(vec![key(2)])).await;
    a
}

/// MI-15: each change set that cannot be made leaves the state as it was, though it begins with
/// changes that can.
pub async fn mi_15_a_change_set_that_is_refused_changes_nothing(kit: &mut IndexKit) {
    let a = fill(kit).await;
    let image = Parts::of(&[1, 2]).image();
    let unknown = Parts::of(&[1, 7]).image();
    let good = [
        put_at(5, 5),
        link(&a, 5),
        link(&package("b"), 1),
        put_tag(&a, "latest", &image),
        Change::DeleteTag(a.clone(), tag("v2")),
        Change::PutDocument(repository_document("other"), "{}".to_owned()),
        Change::Forget(repository("default"), kit.head().await),
    ];
    let bad = [
        Change::Adopt(repository("team")),
        Change::DeleteDocument(repository_document("never")),
        Change::DeleteManifest(a.clone(), image.digest()),
        Change::DeleteManifest(a.clone(), unknown.digest()),
        Change::DeleteTag(a.clone(), tag("never")),
        link(&a, 7),
        Change::Pin(a.clone(), digest(7), "kept".to_owned()),
        Change::Purge(digest(1)),
        Change::Purge(image.digest()),
        put_at(6, 2),
        put_manifest(&a, &unknown),
        put_tag(&a, "latest", &unknown),
        Change::Unlink(a.clone(), digest(1)),
        Change::Unlink(a.clone(), digest(4)),
        Change::Unlink(a.clone(), digest(7)),
        Change::Unpin(a.clone(), digest(4), "never".to_owned()),
    ];
    for change in bad {
        let changes = good.iter().cloned().chain([change]);
        kit.refuse(kit.set_of(changes)).await;
    }
    let room = Room {
        scope: Scope::all(),
        limit: 1,
    };
    kit.refuse(kit.set_of(good.clone()).room(room)).await;
    let expectations = [
        Expectation::Document(repository_document("team"), Generation::NONE),
        Expectation::TagAbsent(a.clone(), tag("v1")),
        Expectation::TagAt(a.clone(), tag("v1"), Generation::new(2)),
        Expectation::Upload(upload_id(1), 2, holder(1)),
        Expectation::Upload(upload_id(2), 1, holder(1)),
    ];
    for expectation in expectations {
        kit.refuse(kit.set_of(good.clone()).expect(expectation))
            .await;
    }
    kit.make(good).await;
}

/// MI-15: so does bookkeeping.
pub async fn mi_15_bookkeeping_that_is_refused_changes_nothing(kit: &mut IndexKit) {
    let a = fill(kit).await;
    let advanced = |number, at, version| {
        let mut record = upload(number, &a, Some(at));
        record.version = version;
        Box::new(record)
    };
    let full = || {
        vec![Room {
            scope: Scope::all(),
            limit: 1,
        }]
    };
    let mut reserving = upload(2, &a, None);
    reserving.reserved = 1_000;
    let refused = [
        Bookkeeping::BeginUpload(advanced(1, 9, 1), Vec::new()),
        Bookkeeping::BeginUpload(advanced(2, 1, 1), Vec::new()),
        Bookkeeping::BeginUpload(Box::new(reserving), full()),
        Bookkeeping::AdvanceUpload(2, advanced(1, 1, 3), Vec::new()),
        Bookkeeping::AdvanceUpload(1, advanced(1, 2, 2), Vec::new()),
        Bookkeeping::AdvanceUpload(1, advanced(3, 9, 2), Vec::new()),
        Bookkeeping::EndUpload(upload_id(1), 2),
        Bookkeeping::EndUpload(upload_id(2), 1),
        Bookkeeping::Lease(a.clone(), digest(7), lease_until(5)),
        Bookkeeping::Lease(package("never"), digest(1), lease_until(5)),
    ];
    for bookkeeping in refused {
        kit.refuse_note(bookkeeping).await;
    }
}

/// MI-15: a horizon above the newest revision is refused.
pub async fn mi_15_a_horizon_that_is_not_made_yet_is_refused(kit: &mut IndexKit) {
    fill(kit).await;
    let newest = kit.head().await;
    let before = kit.dump().await;
    let set = kit.set_of([
        put_inline(9),
        Change::Forget(repository("team"), newest.next()),
    ]);
    let refused = kit.index().apply(set).await;
    let told = match refused {
        Err(IndexError::FutureRevision { asked, newest }) => Some((asked, newest)),
        _ => None,
    };
    assert_eq!(told, Some((newest.next(), newest)), "what is not made yet");
    kit.dump()
        .await
        .check_equal(&before, "a change set that was refused changed something");
    kit.make([Change::Forget(repository("team"), newest)]).await;
}
