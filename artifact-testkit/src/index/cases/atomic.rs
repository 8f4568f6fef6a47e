//! MI-1 and MI-5: a change set is made whole, lasts, and is seen.

use std::sync::Arc;

use artifact_core::{AsOf, Bookkeeping, Conflict, Room, Scope};

use crate::{
    harness::{polls::poll_at_most, run::eventually},
    index::{
        goods::{
            Parts, digest, link, package, put_inline, put_manifest, put_tag, tag, upload, upload_id,
        },
        kit::IndexKit,
    },
};

/// MI-1: when the last change of a set cannot be made, none of it is.
pub async fn mi_1_a_change_that_cannot_be_made_undoes_its_set(kit: &mut IndexKit) {
    let a = package("a");
    let image = kit.publish(&a, "v1", &[1, 2]).await;
    let other = Parts::of(&[1, 3]).image();
    let set = kit.set_of([
        put_inline(3),
        link(&a, 3),
        put_manifest(&a, &other),
        put_tag(&a, "v1", &other),
        put_tag(&a, "v2", &image),
        link(&a, 7),
    ]);
    let refused = kit.refuse(set).await;
    assert_eq!(refused, Conflict::BlobUnknown { digest: digest(7) });
}

/// MI-1: when a room is exceeded by a set, nothing of it is made.
pub async fn mi_1_a_room_that_is_exceeded_undoes_its_set(kit: &mut IndexKit) {
    let a = package("a");
    kit.publish(&a, "v1", &[1, 2]).await;
    let room = Room {
        scope: Scope::all(),
        limit: 10,
    };
    let set = kit.set_of([put_inline(6), link(&a, 6)]).room(room);
    let refused = kit.refuse(set).await;
    assert!(
        matches!(refused, Conflict::NoRoom { limit: 10, .. }),
        "{refused:?}"
    );
}

/// MI-1: all that was applied, with its past, is there when the index is opened again.
pub async fn mi_1_what_was_applied_survives_reopening(kit: &mut IndexKit) {
    if !kit.can_reopen() {
        return;
    }
    let a = package("a");
    kit.publish(&a, "v1", &[1, 2]).await;
    let image = kit.publish(&a, "v1", &[2, 3]).await;
    kit.make([put_tag(&a, "v2", &image)]).await;
    let now = kit.dump().await;
    let past = kit.dump_at(artifact_core::Revision::new(1)).await;
    kit.reopen().await;
    kit.dump()
        .await
        .check_equal(&now, "another state after reopening");
    let again = kit.dump_at(artifact_core::Revision::new(1)).await;
    again.check_equal(&past, "another past after reopening");
    let next = kit.make([put_tag(&a, "latest", &image)]).await;
    assert_eq!(next.revision.get(), 4, "revisions go on counting");
}

/// MI-1: a set that was handed over is made whole, also when nobody waits for it.
pub async fn mi_1_a_dropped_apply_is_made_whole(kit: &mut IndexKit) {
    let a = package("a");
    for polls in 1..6 {
        let before = kit.head().await;
        let number = u8::try_from(polls).expect("a small number");
        let image = Parts::of(&[number]).image();
        let set = kit.set_of([
            put_inline(number),
            link(&a, number),
            put_manifest(&a, &image),
            put_tag(&a, "latest", &image),
        ]);
        let made = poll_at_most(polls, kit.index().apply(set)).await;
        if let Some(made) = &made {
            assert!(made.is_ok(), "{made:?}");
        }
        eventually("a set that was handed over is made", async || {
            kit.head().await > before
        })
        .await;
        let record = kit.index().tag(AsOf::Now, &a, &tag("latest")).await;
        let record = record.expect("tag answers").expect("the tag of the set");
        assert_eq!(record.digest, image.digest(), "the set is made whole");
        assert_eq!(kit.head().await, before.next(), "the set is made once");
    }
}

/// MI-5: a read that begins when `apply` or `note` returned sees what they did.
pub async fn mi_5_reads_see_what_was_acknowledged(kit: &mut IndexKit) {
    let a = package("a");
    for round in 1..6_u8 {
        let image = kit.publish(&a, "latest", &[round]).await;
        let record = kit.index().tag(AsOf::Now, &a, &tag("latest")).await;
        let record = record.expect("tag answers").expect("the tag that was put");
        assert_eq!(record.digest, image.digest(), "the newest digest");
        let manifest = kit.index().manifest(AsOf::Now, &a, &image.digest()).await;
        let manifest = manifest
            .expect("manifest answers")
            .expect("the manifest that was put");
        assert_eq!(
            manifest.bytes,
            *image.bytes(),
            "the bytes as they were pushed"
        );
        let begin = upload(round, &a, Some(u32::from(round)));
        kit.note(Bookkeeping::BeginUpload(
            Box::new(begin.clone()),
            Vec::new(),
        ))
        .await;
        let there = kit
            .index()
            .upload(&upload_id(round))
            .await
            .expect("upload answers");
        assert_eq!(there, Some(begin), "the upload that was noted");
    }
}

/// MI-5: so does a read of another task.
pub async fn mi_5_other_tasks_see_it_too(kit: &mut IndexKit) {
    let a = package("a");
    for round in 1..6 {
        let image = kit.publish(&a, "latest", &[round]).await;
        let readers = [(); 3].map(|()| {
            let (index, a) = (Arc::clone(kit.index()), a.clone());
            tokio::spawn(async move { index.tag(AsOf::Now, &a, &tag("latest")).await })
        });
        for reader in readers {
            let record = reader.await.expect("a reader ends").expect("tag answers");
            let digest = record.map(|record| record.digest);
            assert_eq!(digest, Some(image.digest()), "the newest digest");
        }
    }
}
