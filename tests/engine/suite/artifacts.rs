//! Manifests, tags, referrers, lists.

use artifact::{
    AsOf, Bookkeeping, Condition, ErrorKind, Generation, Hasher, Location, ManifestRef, Page,
    PutManifest, blocking::wait,
};

use crate::support::{
    assert_kind, by_tag, bytes, digest, image, image_about, index_of, package, page, publish, push,
    tag,
};

#[test]
fn a_manifest_is_served_to_the_byte() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let (manifest, published) = publish(&session, &app, "v1", 1);
    assert_eq!(published.tags, [(tag("v1"), Generation::new(1))]);
    for reference in [by_tag("v1"), ManifestRef::Digest(manifest.digest())] {
        let found = session.get_manifest(AsOf::Now, &app.at(reference)).unwrap();
        assert_eq!(found.record.bytes, manifest.bytes());
    }
}

/// I3, I22: what is known to have rotted is named by no new manifest; pushed again, it is.
#[test]
fn i22_a_rotten_blob_is_in_no_new_manifest() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let data = bytes(1, 20_000);
    let blob = push(&session, &app, &data).unwrap();
    let index = &world.registry.parts().index;
    let row = wait(index.blob_row(&blob.digest))
        .unwrap()
        .unwrap()
        .unwrap();
    let Location::Key(key) = row.location else {
        panic!("{row:?}");
    };
    let wrong = Bookkeeping::Quarantine(blob.digest, key);
    wait(index.note(wrong)).unwrap().unwrap();
    let manifest = image(&[blob]);
    let options = PutManifest::tagged(vec![tag("v1")]);
    let put = session.put_manifest(&app, &manifest, &options);
    assert_kind(put, ErrorKind::Corrupt);
    push(&session, &app, &data).unwrap();
    session.put_manifest(&app, &manifest, &options).unwrap();
}

/// I2, A6: what a manifest names must be in its package; in another one it does not count.
#[test]
fn i2_a_manifest_names_only_what_its_package_has() {
    let world = super::world();
    let (session, app, other) = (world.embedder(), package("app"), package("other"));
    let elsewhere = push(&session, &other, &bytes(1, 5_000)).unwrap();
    let options = PutManifest::default();
    let missing = image(&[elsewhere]);
    assert_kind(
        session.put_manifest(&app, &missing, &options),
        ErrorKind::NotFound,
    );
    let here = push(&session, &app, &bytes(1, 5_000)).unwrap();
    let mut wrong = here;
    wrong.size -= 1;
    let sized = session.put_manifest(&app, &image(&[wrong]), &options);
    assert_kind(sized, ErrorKind::InvalidArgument);
    session.put_manifest(&app, &missing, &options).unwrap();
    let child = image(&[push(&session, &other, &bytes(2, 10)).unwrap()]);
    let index = index_of(&[&child]);
    assert_kind(
        session.put_manifest(&app, &index, &options),
        ErrorKind::NotFound,
    );
    assert!(
        session
            .list_manifests(AsOf::Now, &app, page(10))
            .unwrap()
            .len()
            == 1
    );
}

/// I6: a tag moves by its generation, and an old condition never holds again.
#[test]
fn i6_tags_move_on_conditions() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let (one, _) = publish(&session, &app, "one", 1);
    let (two, _) = publish(&session, &app, "two", 2);
    let latest = tag("latest");
    let put = |digest, condition| session.put_tag(&app, &latest, &digest, &condition);
    put(one.digest(), Condition::Absent).unwrap();
    assert_kind(put(two.digest(), Condition::Absent), ErrorKind::Conflict);
    let first = session.tag(AsOf::Now, &app, &latest).unwrap().generation;
    put(two.digest(), Condition::Generations(vec![first])).unwrap();
    put(one.digest(), Condition::Digests(vec![two.digest()])).unwrap();
    assert_kind(
        put(two.digest(), Condition::Generations(vec![first])),
        ErrorKind::Conflict,
    );
    session.delete_tag(&app, &latest, &Condition::Any).unwrap();
    assert_kind(
        session.delete_tag(&app, &latest, &Condition::Any),
        ErrorKind::NotFound,
    );
    put(one.digest(), Condition::Absent).unwrap();
    let again = session.tag(AsOf::Now, &app, &latest).unwrap().generation;
    assert!(
        again > Generation::new(4),
        "generations go on counting: {again}"
    );
    let unknown = digest(b"unknown");
    assert_kind(put(unknown, Condition::Any), ErrorKind::NotFound);
}

/// I13: what is there already makes no revision and raises no generation.
#[test]
fn i13_the_same_again_changes_nothing() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let (_, first) = publish(&session, &app, "v1", 1);
    let (_, second) = publish(&session, &app, "v1", 1);
    assert_eq!(first.committed.revision, second.committed.revision);
    assert_eq!(first.tags, second.tags);
}

/// I6, A87: of many who move a tag at once, each gets an outcome that stands in the one history.
#[test]
fn a87_concurrent_moves_linearize() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let manifests: Vec<_> = (0..8)
        .map(|n| publish(&session, &app, "seed", n * 10).0)
        .collect();
    let before = session.revision().unwrap().revision;
    std::thread::scope(|scope| {
        for manifest in &manifests {
            let (session, app) = (world.embedder(), &app);
            scope.spawn(move || {
                session
                    .put_tag(app, &tag("hot"), &manifest.digest(), &Condition::Any)
                    .unwrap();
            });
        }
    });
    let moves = session
        .history(before, std::num::NonZeroU32::new(100).unwrap())
        .unwrap();
    assert_eq!(moves.len(), 8);
    let last = session.tag(AsOf::Now, &app, &tag("hot")).unwrap();
    assert_eq!(last.generation, Generation::new(8));
}

#[test]
fn a_manifest_goes_with_its_tags_unless_an_index_names_it() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let (child, _) = publish(&session, &app, "child", 1);
    let index = index_of(&[&child]);
    let options = PutManifest::tagged(vec![tag("a"), tag("b")]);
    session.put_manifest(&app, &index, &options).unwrap();
    assert_kind(
        session.delete_manifest(&app, &child.digest()),
        ErrorKind::Unsupported,
    );
    session.delete_manifest(&app, &index.digest()).unwrap();
    let tags = session.list_tags(AsOf::Now, &app, page(10)).unwrap();
    assert_eq!(
        tags.iter().map(|tag| tag.tag.as_str()).collect::<Vec<_>>(),
        ["child"]
    );
    session.delete_manifest(&app, &child.digest()).unwrap();
    assert_kind(
        session.list_tags(AsOf::Now, &app, page(10)),
        ErrorKind::NotFound,
    );
    assert_kind(
        session.delete_manifest(&app, &child.digest()),
        ErrorKind::NotFound,
    );
}

#[test]
fn a_blob_that_a_manifest_names_stays() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let (manifest, _) = publish(&session, &app, "v1", 1);
    let layer = manifest.references()[1].descriptor.digest;
    assert_kind(session.delete_blob(&app, &layer), ErrorKind::Unsupported);
    session.delete_manifest(&app, &manifest.digest()).unwrap();
    assert_kind(
        session.stat_blob(AsOf::Now, &app, &layer),
        ErrorKind::NotFound,
    );
}

#[test]
fn referrers_are_listed_by_type_and_page_and_adopted_from_the_fallback_tag() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let (subject, _) = publish(&session, &app, "v1", 1);
    let options = PutManifest::default();
    let mut expected = Vec::new();
    for n in 0..5 {
        let config = push(&session, &app, &bytes(100 + n, 50)).unwrap();
        let about = image_about(&[config], Some(&subject));
        session.put_manifest(&app, &about, &options).unwrap();
        expected.push(about.digest());
    }
    let (old, _) = publish(&session, &app, "old-signature", 200);
    let kept = index_of(&[&old]);
    let fallback = format!("sha256-{}", subject.digest().hex());
    session
        .put_manifest(&app, &kept, &PutManifest::tagged(vec![tag(&fallback)]))
        .unwrap();
    expected.push(old.digest());
    expected.sort();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let two = Page {
            after,
            limit: std::num::NonZeroU32::new(2).unwrap(),
        };
        let part = session
            .referrers(AsOf::Now, &app, &subject.digest(), None, two)
            .unwrap();
        let Some(last) = part.last() else { break };
        after = Some(last.descriptor.digest);
        found.extend(part.into_iter().map(|summary| summary.descriptor.digest));
    }
    assert_eq!(found, expected);
    let kind = "application/vnd.example.config".parse().unwrap();
    let typed = session
        .referrers(AsOf::Now, &app, &subject.digest(), Some(&kind), page(100))
        .unwrap();
    assert_eq!(typed.len(), 5, "the entry of the old list tells no type");
    let nobody = Hasher::hash(artifact::Algorithm::Sha256, b"nobody").digest();
    assert!(
        session
            .referrers(AsOf::Now, &app, &nobody, None, page(9))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn an_artifact_is_copied_without_its_bytes() {
    let world = super::world();
    let (session, app, release) = (world.embedder(), package("app"), package("release"));
    let (child, _) = publish(&session, &app, "child", 1);
    let index = index_of(&[&child]);
    session
        .put_manifest(&app, &index, &PutManifest::tagged(vec![tag("v1")]))
        .unwrap();
    let before = session.totals().unwrap().stored_bytes;
    let v1 = tag("v1");
    session
        .copy(
            &app.at(by_tag("v1")),
            &release,
            Some(&v1),
            &Condition::Absent,
        )
        .unwrap();
    let found = session
        .get_manifest(AsOf::Now, &release.at(by_tag("v1")))
        .unwrap();
    assert_eq!(found.record.digest, index.digest());
    let layer = child.references()[1].descriptor.digest;
    session.stat_blob(AsOf::Now, &release, &layer).unwrap();
    assert_eq!(session.totals().unwrap().stored_bytes, before);
}
