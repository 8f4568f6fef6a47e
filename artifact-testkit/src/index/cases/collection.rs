//! MI-14: what is collected, and what is not.

use std::sync::Arc;

use artifact_core::{AsOf, Bookkeeping, Change, Event};

use crate::index::{
    goods::{
        Parts, all, boot, digest, lease_until, link, package, package_of, put_at, put_inline,
        put_manifest, repository, size,
    },
    kit::IndexKit,
};

/// No blobs.
const NONE: [u8; 0] = [];

/// Asks to collect blobs; returns which of them were.
async fn collect(kit: &IndexKit, numbers: &[u8]) -> Vec<u8> {
    let digests = numbers.iter().map(|number| digest(*number)).collect();
    let committed = kit.make([Change::Collect(digests)]).await;
    let mut collected = Vec::new();
    for number in numbers {
        let event = Event::Collected {
            digest: digest(*number),
            size: size(*number),
        };
        if committed.events.contains(&event) {
            collected.push(*number);
            let row = kit
                .index()
                .blob_row(&digest(*number))
                .await
                .expect("blob_row answers");
            assert_eq!(row, None, "what was collected has no row");
        }
    }
    assert_eq!(
        collected.len(),
        committed.events.len(),
        "{:?}",
        committed.events
    );
    collected
}

/// MI-14: a blob that any package links stays.
pub async fn mi_14_what_is_linked_is_not_collected(kit: &mut IndexKit) {
    let (a, x) = (package("a"), package_of("team", "x"));
    kit.publish(&a, "v1", &[1, 2]).await;
    kit.make([put_at(3, 3), link(&x, 3), put_at(4, 4), put_inline(5)])
        .await;
    assert_eq!(
        collect(kit, &[1, 2, 3, 4, 5, 6]).await,
        [4, 5],
        "what nothing wants"
    );
    assert_eq!(
        collect(kit, &[1, 2, 3, 4, 5]).await,
        NONE,
        "it is collected once"
    );
    let trash = kit.index().trash(all()).await.expect("trash answers");
    assert_eq!(trash.len(), 1, "bytes in the index leave no key");
}

/// MI-14: a blob that a manifest of kept history names stays, in whatever package.
pub async fn mi_14_what_history_names_is_not_collected(kit: &mut IndexKit) {
    let (a, x) = (package("a"), package_of("team", "x"));
    let image = kit.publish(&a, "v1", &[1, 2]).await;
    let other = kit.publish(&x, "v1", &[2, 3]).await;
    kit.make([Change::DeleteManifest(a.clone(), image.digest())])
        .await;
    kit.make([Change::DeleteManifest(x.clone(), other.digest())])
        .await;
    let head = kit.head().await;
    // The horizon of the default repository is the last revision that has its image.
    let last = artifact_core::Revision::new(head.get() - 2);
    kit.make([Change::Forget(repository("default"), last)])
        .await;
    assert_eq!(
        collect(kit, &[1, 2, 3]).await,
        NONE,
        "all of them were there at the horizons"
    );
    kit.make([Change::Forget(repository("default"), last.next())])
        .await;
    assert_eq!(
        collect(kit, &[1, 2, 3]).await,
        [1],
        "2 is of the other's history"
    );
    let at = AsOf::Revision(last);
    let blob = kit
        .index()
        .blob(at, &x, &digest(2))
        .await
        .expect("blob answers");
    assert!(blob.is_some(), "kept history has its bytes");
}

/// MI-14: what is forgotten, and pruned, is listed and collected.
pub async fn mi_14_what_is_forgotten_is_collected(kit: &mut IndexKit) {
    let a = package("a");
    let image = kit.publish(&a, "v1", &[1, 2]).await;
    kit.publish(&a, "v1", &[2, 3]).await;
    kit.make([Change::DeleteManifest(a.clone(), image.digest())])
        .await;
    let unwanted = async || {
        let rows = kit.index().unwanted(all()).await.expect("unwanted answers");
        rows.into_iter().map(|row| row.digest).collect::<Vec<_>>()
    };
    assert_eq!(unwanted().await, [], "history wants it");
    kit.make([Change::Forget(repository("default"), kit.head().await)])
        .await;
    let mut pruned = 0;
    loop {
        let rows = kit.note(Bookkeeping::Prune(repository("default"), 1)).await;
        assert!(rows <= 1, "more than was asked for");
        pruned += rows;
        if rows == 0 {
            break;
        }
    }
    assert_eq!(pruned, 2, "the tag that moved, and the manifest");
    assert_eq!(unwanted().await, [digest(1)], "nothing wants it any more");
    assert_eq!(collect(kit, &[1, 2, 3]).await, [1]);
    assert_eq!(unwanted().await, []);
}

/// MI-14: a blob under a lease or a pin stays, until they end.
pub async fn mi_14_what_is_leased_or_pinned_is_not_collected(kit: &mut IndexKit) {
    let a = package("a");
    kit.make([put_inline(1), put_inline(2)]).await;
    kit.make([
        Change::Link(a.clone(), digest(1), Some(lease_until(100))),
        Change::Link(a.clone(), digest(2), Some(lease_until(100))),
        Change::Pin(a.clone(), digest(2), "kept".to_owned()),
        Change::Pin(a.clone(), digest(2), "also".to_owned()),
    ])
    .await;
    assert_eq!(collect(kit, &[1, 2]).await, NONE);
    kit.make([Change::ExpireLeases {
        now: boot("first", 100),
        limit: 9,
    }])
    .await;
    assert_eq!(
        collect(kit, &[1, 2]).await,
        [1],
        "a pin holds longer than a lease"
    );
    kit.make([Change::Unpin(a.clone(), digest(2), "also".to_owned())])
        .await;
    let refused = kit
        .refuse(kit.set_of([Change::Unlink(a.clone(), digest(2))]))
        .await;
    let pinned = artifact_core::Conflict::BlobPinned {
        digest: digest(2),
        name: "kept".to_owned(),
    };
    assert_eq!(refused, pinned);
    let unpinned = kit
        .make([Change::Unpin(a.clone(), digest(2), "kept".to_owned())])
        .await;
    assert_eq!(unpinned.events.len(), 2, "the link goes with its last pin");
    assert_eq!(collect(kit, &[2]).await, [2]);
}

/// MI-14: what nothing wants is listed, however it came to be so.
pub async fn mi_14_the_unwanted_are_listed(kit: &mut IndexKit) {
    let (a, b) = (package("a"), package("b"));
    kit.make((0..7).map(put_inline)).await;
    kit.make([
        link(&a, 1),
        Change::Link(a.clone(), digest(2), Some(lease_until(100))),
        link(&b, 3),
        link(&a, 4),
        link(&b, 4),
    ])
    .await;
    kit.make([
        Change::Unlink(a.clone(), digest(1)),
        Change::ExpireLeases {
            now: boot("first", 100),
            limit: 9,
        },
        Change::Unlink(a.clone(), digest(4)),
    ])
    .await;
    kit.make([put_manifest(&b, &Parts::of(&[3]).image())]).await;
    let rows = kit.index().unwanted(all()).await.expect("unwanted answers");
    let mut expected = [0, 1, 2, 5, 6].map(digest);
    expected.sort_unstable();
    assert_eq!(
        rows.iter().map(|row| row.digest).collect::<Vec<_>>(),
        expected
    );
    kit.make([link(&a, 1)]).await;
    let rows = kit.index().unwanted(all()).await.expect("unwanted answers");
    assert_eq!(rows.len(), 4, "what is linked again is wanted again");
}

/// MI-14: who links and who collects at the same time lose nothing: either the link finds no row,
/// or the collection finds the link.
pub async fn mi_14_a_race_of_link_and_collection_loses_nothing(kit: &mut IndexKit) {
    let a = package("a");
    for number in 0..8 {
        kit.make([put_inline(number)]).await;
        let linking = kit.set_of([link(&a, number)]);
        let collecting = kit.set_of([Change::Collect(vec![digest(number)])]);
        let sets = [linking, collecting].map(|set| {
            let index = Arc::clone(kit.index());
            tokio::spawn(async move { index.apply(set).await })
        });
        let [linked, collected] = sets;
        let linked = linked.await.expect("a task ends").is_ok();
        let collected = collected
            .await
            .expect("a task ends")
            .expect("a collection is made");
        assert_eq!(
            linked,
            collected.events.is_empty(),
            "one of both comes first"
        );
        let row = kit
            .index()
            .blob_row(&digest(number))
            .await
            .expect("blob_row answers");
        assert_eq!(row.is_some(), linked, "a link has its row");
    }
}
