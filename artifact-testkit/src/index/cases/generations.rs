//! MI-10: generations count changes.

use artifact_core::{AsOf, Change, Conflict, Expectation, Generation, PackageRef};

use crate::index::{
    goods::{package, package_of, put_tag, repository, repository_document, tag},
    kit::IndexKit,
};

/// Returns the generation of a tag that is there.
async fn generation(kit: &IndexKit, package: &PackageRef, name: &str) -> Option<u64> {
    let record = kit.tag(package, name).await;
    record.map(|record| record.generation.get())
}

/// MI-10: a tag counts when it is made, moved, deleted and made anew, and else not.
pub async fn mi_10_tags_count_every_change(kit: &mut IndexKit) {
    let (a, b) = (package("a"), package("b"));
    let first = kit.publish(&a, "v1", &[1]).await;
    assert_eq!(generation(kit, &a, "v1").await, Some(1));
    kit.make([put_tag(&a, "v1", &first)]).await;
    assert_eq!(
        generation(kit, &a, "v1").await,
        Some(1),
        "the digest that it has already"
    );
    let second = kit.publish(&a, "v1", &[2]).await;
    assert_eq!(generation(kit, &a, "v1").await, Some(2));
    kit.make([Change::DeleteTag(a.clone(), tag("v1"))]).await;
    assert_eq!(generation(kit, &a, "v1").await, None);
    kit.make([put_tag(&a, "v1", &second)]).await;
    assert_eq!(
        generation(kit, &a, "v1").await,
        Some(4),
        "a deletion counts, too"
    );
    kit.make([Change::DeleteManifest(a.clone(), second.digest())])
        .await;
    kit.make([put_tag(&a, "v1", &first)]).await;
    assert_eq!(
        generation(kit, &a, "v1").await,
        Some(6),
        "also one with its manifest"
    );
    kit.publish(&b, "v1", &[1]).await;
    assert_eq!(
        generation(kit, &b, "v1").await,
        Some(1),
        "each package counts its own"
    );
    let head = kit.head().await;
    kit.make([
        Change::DeleteTag(a.clone(), tag("v1")),
        Change::Forget(repository("default"), head),
    ])
    .await;
    while kit
        .note(artifact_core::Bookkeeping::Prune(repository("default"), 10))
        .await
        > 0
    {}
    kit.make([put_tag(&a, "v1", &first)]).await;
    assert_eq!(
        generation(kit, &a, "v1").await,
        Some(8),
        "it outlives what is forgotten"
    );
}

/// MI-10: so does a document.
pub async fn mi_10_documents_count_every_change(kit: &mut IndexKit) {
    let key = repository_document("team");
    let put = |body: &str| Change::PutDocument(key.clone(), body.to_owned());
    let steps = [
        (put("1"), 1, Some("1")),
        (put("1"), 1, Some("1")),
        (put("2"), 2, Some("2")),
        (Change::DeleteDocument(key.clone()), 3, None),
        (put("2"), 4, Some("2")),
    ];
    for (change, generation, body) in steps {
        kit.make([change]).await;
        let record = kit
            .index()
            .document(AsOf::Now, &key)
            .await
            .expect("document answers");
        let record = record.expect("a document that was once");
        let place = (record.generation.get(), record.body.as_deref());
        assert_eq!(place, (generation, body), "the document");
    }
    let refused = kit.refuse(kit.set_of([Change::DeleteDocument(repository_document("other"))]));
    let never = Conflict::Document {
        key: repository_document("other"),
        generation: Generation::NONE,
    };
    assert_eq!(refused.await, never, "a document that never was");
}

/// MI-10: an expectation holds for one generation alone.
pub async fn mi_10_expectations_are_exact(kit: &mut IndexKit) {
    let a = package("a");
    let image = kit.publish(&a, "v1", &[1]).await;
    kit.make([Change::DeleteTag(a.clone(), tag("v1"))]).await;
    let absent = Expectation::TagAbsent(a.clone(), tag("v1"));
    kit.apply(
        kit.set_of([put_tag(&a, "v1", &image)])
            .expect(absent.clone()),
    )
    .await;
    for expected in [0, 1, 2, 4] {
        let expectation = Expectation::TagAt(a.clone(), tag("v1"), Generation::new(expected));
        let set = kit
            .set_of([Change::DeleteTag(a.clone(), tag("v1"))])
            .expect(expectation);
        check_tag_conflict(&kit.refuse(set).await, 3);
    }
    check_tag_conflict(&kit.refuse(kit.set().expect(absent)).await, 3);
    let exact = Expectation::TagAt(a.clone(), tag("v1"), Generation::new(3));
    kit.apply(
        kit.set_of([Change::DeleteTag(a.clone(), tag("v1"))])
            .expect(exact),
    )
    .await;
    let gone = Expectation::TagAt(a.clone(), tag("v1"), Generation::new(4));
    check_tag_conflict(&kit.refuse(kit.set().expect(gone)).await, 4);

    let key = repository_document("team");
    let body = "{}".to_owned();
    kit.make([Change::PutDocument(key.clone(), body)]).await;
    kit.make([Change::DeleteDocument(key.clone())]).await;
    let at = |generation| Expectation::Document(key.clone(), Generation::new(generation));
    for generation in [0, 1, 3] {
        let refused = kit.refuse(kit.set().expect(at(generation))).await;
        let generation = Generation::new(2);
        assert_eq!(
            refused,
            Conflict::Document {
                key: key.clone(),
                generation
            }
        );
    }
    kit.apply(kit.set().expect(at(2))).await;
    let never = Expectation::Document(repository_document("other"), Generation::NONE);
    kit.apply(kit.set().expect(never)).await;
}

fn check_tag_conflict(refused: &Conflict, expected: u64) {
    let told = match refused {
        Conflict::Tag { generation, .. } => Some(generation.get()),
        _ => None,
    };
    assert_eq!(told, Some(expected), "the generation that is there");
}

/// MI-10: tags that move with their package go on counting under both names.
pub async fn mi_10_adopted_tags_go_on_counting(kit: &mut IndexKit) {
    let (old, new) = (package("team/x"), package_of("team", "x"));
    // The new name once had tags, which were deleted: v1 three times, v2 once.
    let image = kit.publish(&new, "v1", &[1]).await;
    for _ in 0..2 {
        kit.make([
            Change::DeleteTag(new.clone(), tag("v1")),
            put_tag(&new, "v1", &image),
        ])
        .await;
    }
    kit.make([put_tag(&new, "v2", &image)]).await;
    kit.make([Change::DeleteManifest(new.clone(), image.digest())])
        .await;
    // The old one has v1 at 1, and had v2 up to 4.
    kit.publish(&old, "v1", &[1]).await;
    for _ in 0..2 {
        kit.make([
            put_tag(&old, "v2", &image),
            Change::DeleteTag(old.clone(), tag("v2")),
        ])
        .await;
    }
    kit.make([Change::Adopt(repository("team"))]).await;
    assert_eq!(
        generation(kit, &new, "v1").await,
        Some(6),
        "the higher of both"
    );
    kit.make([put_tag(&new, "v2", &image)]).await;
    assert_eq!(
        generation(kit, &new, "v2").await,
        Some(5),
        "also of a deleted one"
    );
    kit.publish(&old, "v1", &[1]).await;
    assert_eq!(
        generation(kit, &old, "v1").await,
        Some(2),
        "the old name goes on, too"
    );
}
