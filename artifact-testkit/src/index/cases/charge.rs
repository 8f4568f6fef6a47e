//! MI-12: what a repository is charged for.

use std::sync::Arc;

use artifact_core::{Bookkeeping, Change, ChangeSet, Conflict, Room, Usage};
use futures::future::join_all;

use crate::index::{
    goods::{
        Parts, boot, digest, key, lease_until, link, package, package_of, put_at, put_inline,
        repository, scope, size, tag, upload, upload_id,
    },
    kit::{IndexKit, conflict},
};

async fn usage(kit: &IndexKit, path: &str) -> Usage {
    kit.index()
        .usage(&scope(path))
        .await
        .expect("usage answers")
}

async fn charged(kit: &IndexKit, path: &str) -> u64 {
    usage(kit, path).await.charged
}

fn room(path: &str, limit: u64) -> Room {
    Room {
        scope: scope(path),
        limit,
    }
}

/// MI-12: each repository is charged once for a digest, whoever stored it first.
pub async fn mi_12_a_digest_is_charged_once(kit: &mut IndexKit) {
    let in_default = [package("a"), package("b")];
    let x = package_of("team", "x");
    let z = package_of("team/models", "z");
    let image = Parts::of(&[1, 2]).image();
    let whole = size(1) + size(2) + image.size();
    for package in in_default.iter().chain([&x, &z]) {
        kit.publish(package, "v1", &[1, 2]).await;
    }
    assert_eq!(
        charged(kit, "default").await,
        whole,
        "two packages of one repository"
    );
    assert_eq!(
        charged(kit, "team/models").await,
        whole,
        "a repository below another"
    );
    assert_eq!(
        charged(kit, "team").await,
        2 * whole,
        "a namespace is charged their sum"
    );
    assert_eq!(charged(kit, "").await, 3 * whole, "so is the registry");
    assert_eq!(
        charged(kit, "tea").await,
        0,
        "a scope is of whole components"
    );
    kit.make([put_inline(9), link(&x, 9)]).await;
    assert_eq!(
        charged(kit, "team").await,
        2 * whole + size(9),
        "a link alone is charged"
    );
}

/// MI-12: what is deleted, unlinked, expired or moved is charged no more.
pub async fn mi_12_what_goes_is_not_charged(kit: &mut IndexKit) {
    let (a, b) = (package("a"), package("b"));
    let image = kit.publish(&a, "v1", &[1, 2]).await;
    kit.publish(&b, "v1", &[1, 3]).await;
    let rest = size(1) + size(3) + Parts::of(&[1, 3]).image().size();
    kit.make([Change::DeleteManifest(a.clone(), image.digest())])
        .await;
    assert_eq!(
        charged(kit, "default").await,
        rest,
        "what b has is still charged"
    );
    let leased = Change::Link(a.clone(), digest(7), Some(lease_until(1_000)));
    kit.make([put_inline(7), leased, link(&a, 3)]).await;
    assert_eq!(charged(kit, "default").await, rest + size(7));
    kit.make([
        Change::ExpireLeases {
            now: boot("first", 1_000),
            limit: 10,
        },
        Change::Unlink(a.clone(), digest(3)),
    ])
    .await;
    assert_eq!(charged(kit, "default").await, rest);
    let old = kit.publish(&package("team/x"), "v1", &[1, 4]).await;
    kit.make([Change::Adopt(repository("team"))]).await;
    let moved = size(1) + size(4) + old.size();
    assert_eq!(
        (charged(kit, "default").await, charged(kit, "team").await),
        (rest, moved)
    );
    kit.make([Change::DeleteTag(a, tag("v1"))].into_iter().take(0))
        .await;
}

/// MI-12: a set that would exceed a bound is refused, with what it would hold.
pub async fn mi_12_rooms_hold(kit: &mut IndexKit) {
    let a = package("a");
    kit.make([put_inline(3), put_inline(4), put_inline(5)])
        .await;
    let limit = size(3) + size(4);
    let set = kit
        .set_of([link(&a, 3), link(&a, 4)])
        .room(room("default", limit));
    kit.apply(set).await;
    let set = kit
        .set_of([link(&a, 5)])
        .room(room("", 1 << 40))
        .room(room("default", limit));
    let full = Conflict::NoRoom {
        scope: scope("default"),
        usage: Usage::new(limit + size(5), 0),
        limit,
    };
    assert_eq!(kit.refuse(set).await, full, "what it would hold");
    let set = kit.set_of([Change::Unlink(a.clone(), digest(4)), link(&a, 5)]);
    let refused = kit.refuse(set.room(room("default", limit))).await;
    assert!(
        matches!(refused, Conflict::NoRoom { .. }),
        "one more than goes: {refused:?}"
    );
    let swap = [
        Change::Unlink(a.clone(), digest(4)),
        put_inline(2),
        link(&a, 2),
    ];
    kit.apply(kit.set_of(swap).room(room("default", limit)))
        .await;
    let other = kit
        .set_of([link(&package_of("team", "x"), 5)])
        .room(room("default", limit));
    kit.apply(other).await;
}

/// MI-12: what does not raise the usage is never refused for it.
pub async fn mi_12_what_does_not_raise_is_not_refused(kit: &mut IndexKit) {
    let a = package("a");
    let image = kit.publish(&a, "v1", &[5, 6]).await;
    let bound = |set: ChangeSet| set.room(room("default", 1)).room(room("", 1));
    kit.apply(bound(kit.set())).await;
    kit.apply(bound(kit.set_of([link(&package("b"), 5)]))).await;
    kit.apply(bound(kit.set_of([Change::PutTag(
        a.clone(),
        tag("v2"),
        image.digest(),
    )])))
    .await;
    let swap = [
        Change::DeleteManifest(a.clone(), image.digest()),
        put_inline(1),
        link(&a, 1),
    ];
    kit.apply(bound(kit.set_of(swap))).await;
    let refused = kit
        .refuse(bound(kit.set_of([put_inline(0), link(&a, 0)])))
        .await;
    assert!(
        matches!(refused, Conflict::NoRoom { limit: 1, .. }),
        "{refused:?}"
    );
}

/// MI-12: what uploads reserve counts, and goes with them.
pub async fn mi_12_reservations_count(kit: &mut IndexKit) {
    let x = package_of("team", "x");
    let reserving = |version, reserved| {
        let mut record = upload(1, &x, None);
        (record.version, record.reserved) = (version, reserved);
        Box::new(record)
    };
    let rooms = || vec![room("team", 100)];
    let refused = kit
        .refuse_note(Bookkeeping::BeginUpload(reserving(1, 101), rooms()))
        .await;
    assert!(matches!(refused, Conflict::NoRoom { .. }), "{refused:?}");
    kit.note(Bookkeeping::BeginUpload(reserving(1, 60), rooms()))
        .await;
    assert_eq!(usage(kit, "team").await, Usage::new(0, 60));
    assert_eq!(usage(kit, "default").await, Usage::new(0, 0));
    let refused = kit
        .refuse_note(Bookkeeping::AdvanceUpload(1, reserving(2, 101), rooms()))
        .await;
    let full = Conflict::NoRoom {
        scope: scope("team"),
        usage: Usage::new(0, 101),
        limit: 100,
    };
    assert_eq!(refused, full);
    kit.note(Bookkeeping::AdvanceUpload(1, reserving(2, 99), rooms()))
        .await;
    kit.make([put_inline(1)]).await;
    let refused = kit
        .refuse(kit.set_of([link(&x, 1)]).room(room("team", 100)))
        .await;
    assert!(matches!(refused, Conflict::NoRoom { .. }), "{refused:?}");
    // The upload brings the blob, and its reservation goes in the same set.
    let put = Change::PutBlob {
        blob: crate::index::goods::blob(9),
        location: artifact_core::Location::Key(key(9)),
        stamp: None,
        upload: Some(upload_id(1)),
    };
    kit.apply(kit.set_of([put, link(&x, 9)]).room(room("team", 20)))
        .await;
    assert_eq!(usage(kit, "team").await, Usage::new(size(9), 0));
    kit.note(Bookkeeping::BeginUpload(reserving(1, 50), rooms()))
        .await;
    kit.note(Bookkeeping::EndUpload(upload_id(1), 1)).await;
    assert_eq!(usage(kit, "team").await, Usage::new(size(9), 0));
}

/// MI-12: many that link at once do not exceed the bound together.
pub async fn mi_12_rooms_hold_in_a_race(kit: &mut IndexKit) {
    let a = package("a");
    kit.make((100..116).map(put_inline)).await;
    let limit = 500;
    let sets = (100..116).map(|number| {
        let set = kit.set_of([link(&a, number)]).room(room("default", limit));
        let index = Arc::clone(kit.index());
        tokio::spawn(async move { index.apply(set).await })
    });
    let mut made = 0;
    for applied in join_all(sets.collect::<Vec<_>>()).await {
        match applied.expect("a task ends") {
            Ok(_) => made += 1,
            refused => assert!(matches!(conflict(refused), Conflict::NoRoom { .. })),
        }
    }
    assert_eq!(made, 4, "as many as fit");
    assert!(charged(kit, "default").await <= limit, "the bound holds");
}

/// Fills an index with what is counted. Returns the sizes of a past manifest and of one that is there.
async fn fill(kit: &IndexKit) -> (u64, u64) {
    let (a, x) = (package("a"), package_of("team", "x"));
    let first = kit.publish(&a, "v1", &[1, 2]).await;
    let second = kit.publish(&x, "v1", &[2, 3]).await;
    kit.make([put_at(4, 4), link(&x, 4), put_at(5, 5), put_at(6, 6)])
        .await;
    let delete = Change::DeleteManifest(a.clone(), first.digest());
    kit.make([delete, link(&a, 2)]).await;
    kit.make([Change::Collect(vec![digest(6)])]).await;
    kit.note(Bookkeeping::Quarantine(digest(5), key(5))).await;
    kit.note(Bookkeeping::Trash(vec![key(7)])).await;
    let record = Box::new(upload(1, &a, Some(8)));
    kit.note(Bookkeeping::BeginUpload(record, Vec::new())).await;
    (first.size(), second.size())
}

/// MI-12: the counts of the registry are those of what is there.
pub async fn mi_12_totals_are_exact(kit: &mut IndexKit) {
    let (past, there) = fill(kit).await;
    let totals = kit.index().totals().await.expect("totals answers");
    let counts = (totals.blobs, totals.quarantined, totals.uploads);
    assert_eq!(counts, (5, 1, 1), "blobs, bad ones, uploads");
    assert_eq!(totals.stored_bytes, size(4) + size(5), "bytes in the store");
    let inline = size(1) + size(2) + size(3);
    assert_eq!(totals.inline_bytes, inline, "bytes in the index");
    assert_eq!(totals.manifest_bytes, past + there, "also what is past");
    let trash = (totals.trash, totals.trash_bytes);
    assert_eq!(
        trash,
        (2, size(6)),
        "keys in the trash, and what is known of them"
    );
    kit.make([Change::Forget(repository("default"), kit.head().await)])
        .await;
    kit.prune("default").await;
    let totals = kit.index().totals().await.expect("totals answers");
    assert_eq!(totals.manifest_bytes, there, "what was pruned is gone");
}

/// MI-12: so are those of scopes.
pub async fn mi_12_footprints_are_exact(kit: &mut IndexKit) {
    fill(kit).await;
    let footprint = async |path| {
        let footprint = kit.index().footprint(&scope(path)).await;
        footprint.expect("footprint answers")
    };
    let all = footprint("").await;
    assert_eq!((all.packages, all.tags, all.manifests), (1, 1, 1));
    let linked = (3, size(2) + size(3) + size(4));
    assert_eq!((all.blobs, all.blob_bytes), linked, "what is linked");
    assert_eq!(all.history_bytes, size(1), "what only history wants");
    let default = footprint("default").await;
    let counts = (default.packages, default.blobs, default.blob_bytes);
    assert_eq!(
        counts,
        (0, 1, size(2)),
        "a package without a manifest is none"
    );
    assert_eq!(default.history_bytes, size(1));
    kit.make([Change::Forget(repository("default"), kit.head().await)])
        .await;
    let bytes = footprint("").await.history_bytes;
    assert_eq!(bytes, 0, "history that is forgotten wants nothing");
}
