//! MI-2: change sets take effect one after the other.

use std::sync::Arc;

use artifact_core::{
    AsOf, Change, Committed, Conflict, Event, Expectation, Generation, IndexError,
};
use futures::future::join_all;

use crate::index::{
    goods::{
        Parts, digest, link, package, put_inline, put_manifest, put_tag, repository_document, tag,
    },
    kit::{IndexKit, conflict},
};

/// MI-2: of many that want to make a tag, one makes it, and the others are told of it.
pub async fn mi_2_one_of_many_wins_a_tag(kit: &mut IndexKit) {
    let a = package("a");
    let image = kit.publish(&a, "v1", &[1]).await;
    let sets = (0..8).map(|_| {
        let set = kit.set_of([put_tag(&a, "latest", &image)]);
        let set = set.expect(Expectation::TagAbsent(a.clone(), tag("latest")));
        let index = Arc::clone(kit.index());
        tokio::spawn(async move { index.apply(set).await })
    });
    let mut won = 0;
    for applied in join_all(sets.collect::<Vec<_>>()).await {
        match applied.expect("a task ends") {
            Ok(committed) => {
                assert_eq!(committed.events.len(), 1, "{:?}", committed.events);
                won += 1;
            }
            refused => {
                let there = Conflict::Tag {
                    package: a.clone(),
                    tag: tag("latest"),
                    generation: Generation::new(1),
                    digest: Some(image.digest()),
                };
                assert_eq!(conflict(refused), there, "what is there");
            }
        }
    }
    assert_eq!(won, 1, "so many made the tag");
}

/// MI-2: writers that each read, and write on what they read, lose no step.
pub async fn mi_2_no_update_is_lost(kit: &mut IndexKit) {
    let key = repository_document("default");
    let writers = (0..4).map(|writer| {
        let (index, key) = (Arc::clone(kit.index()), key.clone());
        tokio::spawn(async move {
            for step in 0..8 {
                loop {
                    let record = index
                        .document(AsOf::Now, &key)
                        .await
                        .expect("document answers");
                    let at = record.map_or(Generation::NONE, |record| record.generation);
                    let body = format!("{writer} {step} {at}");
                    let set = crate::index::goods::set_at(1_000)
                        .expect(Expectation::Document(key.clone(), at))
                        .change(Change::PutDocument(key.clone(), body));
                    match index.apply(set).await {
                        Ok(committed) => {
                            let made = generation_made(&committed);
                            assert_eq!(made, Some(at.next()), "another wrote meanwhile");
                            break;
                        }
                        Err(IndexError::Conflict(Conflict::Document { generation, .. })) => {
                            assert!(generation > at, "a conflict over nothing");
                        }
                        Err(other) => assert!(other.is_transient(), "{other:?}"),
                    }
                }
            }
        })
    });
    for writer in join_all(writers.collect::<Vec<_>>()).await {
        writer.expect("a writer ends");
    }
    let record = kit
        .index()
        .document(AsOf::Now, &key)
        .await
        .expect("document answers");
    let generation = record.map(|record| record.generation.get());
    assert_eq!(generation, Some(32), "as many generations as writes");
}

/// Returns the generation of the document that a set made.
fn generation_made(committed: &Committed) -> Option<Generation> {
    committed.events.iter().find_map(|event| match event {
        Event::DocumentPut { generation, .. } => Some(*generation),
        _ => None,
    })
}

/// MI-2: sets that are handed over together with one that fails are made.
pub async fn mi_2_sets_beside_a_failing_one_are_made(kit: &mut IndexKit) {
    let a = package("a");
    kit.make((0..8).map(put_inline)).await;
    let before = kit.head().await;
    let sets = (0..8_u8).map(|number| {
        // The odd ones end in a change that cannot be made.
        let wrong = (number % 2 == 1).then(|| link(&a, 99));
        let set = kit.set_of([link(&a, number)].into_iter().chain(wrong));
        let index = Arc::clone(kit.index());
        tokio::spawn(async move { (number, index.apply(set).await) })
    });
    let mut revisions = Vec::new();
    for applied in join_all(sets.collect::<Vec<_>>()).await {
        let (number, applied) = applied.expect("a task ends");
        if number % 2 == 1 {
            assert_eq!(
                conflict(applied),
                Conflict::BlobUnknown { digest: digest(99) }
            );
        } else {
            revisions.push(applied.expect("a set that can be made").revision.get());
        }
        let linked = kit.index().blob(AsOf::Now, &a, &digest(number)).await;
        let is_linked = linked.expect("blob answers").is_some();
        assert_eq!(is_linked, number % 2 == 0, "blob {number} is linked");
    }
    revisions.sort_unstable();
    let expected: Vec<u64> = (before.get() + 1..=before.get() + 4).collect();
    assert_eq!(
        revisions, expected,
        "each set that was made has its own revision"
    );
}

/// MI-2: in one set, each change stands on what those before it left.
pub async fn mi_2_changes_build_on_those_before_them(kit: &mut IndexKit) {
    let a = package("a");
    let first = kit.publish(&a, "v1", &[1, 2]).await;
    let second = Parts::of(&[2, 3]).image();
    let Committed { events, .. } = kit
        .make([
            Change::DeleteManifest(a.clone(), first.digest()),
            put_inline(3),
            link(&a, 2),
            link(&a, 3),
            put_manifest(&a, &second),
            put_tag(&a, "v1", &second),
            Change::DeleteTag(a.clone(), tag("v1")),
            put_tag(&a, "v1", &second),
        ])
        .await;
    assert_eq!(events.len(), 11, "{events:#?}");
    let record = kit
        .index()
        .tag(AsOf::Now, &a, &tag("v1"))
        .await
        .expect("tag answers");
    let record = record.expect("the tag that was put last");
    assert_eq!(record.digest, second.digest(), "what was put last");
    assert_eq!(
        record.generation.get(),
        5,
        "put, deleted, put, deleted, put"
    );
}

/// MI-2: expectations are of what was before the set, and the first that fails is told.
pub async fn mi_2_expectations_are_judged_before_the_changes(kit: &mut IndexKit) {
    let a = package("a");
    let image = kit.publish(&a, "v1", &[1]).await;
    let set = kit
        .set_of([put_tag(&a, "v2", &image)])
        .expect(Expectation::TagAt(a.clone(), tag("v2"), Generation::new(1)))
        .expect(Expectation::TagAbsent(a.clone(), tag("v1")));
    let absent = Conflict::Tag {
        package: a.clone(),
        tag: tag("v2"),
        generation: Generation::NONE,
        digest: None,
    };
    assert_eq!(
        kit.refuse(set).await,
        absent,
        "what the changes would make does not count"
    );
    let set = kit
        .set_of([link(&a, 99)])
        .expect(Expectation::TagAbsent(a.clone(), tag("v1")));
    let refused = kit.refuse(set).await;
    assert!(
        matches!(refused, Conflict::Tag { .. }),
        "an expectation comes first: {refused:?}"
    );
}
