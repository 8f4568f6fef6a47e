//! What was: as-of reads, undelete, the feed, the horizon, purge.

use std::{num::NonZeroU32, time::Duration};

use artifact::{
    AsOf, CollectOptions, Condition, ErrorKind, Event, Forget, ManifestRef, PutManifest, Revision,
};

use crate::support::{
    World, assert_kind, by_tag, index_of, package, page, publish, read, read_at, tag,
};

#[test]
fn the_past_is_read_as_it_was() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let (first, _) = publish(&session, &app, "v1", 1);
    let then = session.revision().unwrap();
    world.clock.advance(Duration::from_secs(60));
    let (second, _) = publish(&session, &app, "v1", 2);
    session.delete_manifest(&app, &first.digest()).unwrap();
    let past = AsOf::Revision(then.revision);
    assert_eq!(
        session.at_time(then.time.plus_millis(30_000)).unwrap(),
        past
    );
    let found = session.get_manifest(past, &app.at(by_tag("v1"))).unwrap();
    assert_eq!(found.record.digest, first.digest());
    let now = session
        .get_manifest(AsOf::Now, &app.at(by_tag("v1")))
        .unwrap();
    assert_eq!(now.record.digest, second.digest());
    let layer = first.references()[1].descriptor.digest;
    assert_kind(read(&session, &app, &layer), ErrorKind::NotFound);
    assert_eq!(read_at(&session, past, &app, &layer).unwrap().len(), 20_000);
}

/// I23: an artifact that has more manifests than one may have is neither brought back nor copied, and nothing of
/// it is.
#[test]
fn i23_an_artifact_without_end_is_not_brought_back() {
    let world = super::world_with(|parts| parts.limits.manifests = 3);
    let (session, app, other) = (world.embedder(), package("app"), package("other"));
    let children = [1, 2, 3].map(|seed| publish(&session, &app, &format!("c{seed}"), seed).0);
    let [a, b, c] = &children;
    for (name, parts) in [("v1", vec![a, b]), ("v2", vec![a, b, c])] {
        let options = PutManifest::tagged(vec![tag(name)]);
        session
            .put_manifest(&app, &index_of(&parts), &options)
            .unwrap();
    }
    let then = AsOf::Revision(session.revision().unwrap().revision);
    let to = |name: &str| session.copy(&app.at(by_tag(name)), &other, None, &Condition::Any);
    assert_kind(to("v2"), ErrorKind::TooLarge);
    let found = session.list_manifests(AsOf::Now, &other, page(10));
    assert_eq!(found.unwrap(), []);
    to("v1").unwrap();
    for name in ["v1", "v2"] {
        session
            .delete_tag(&app, &tag(name), &Condition::Any)
            .unwrap();
    }
    let back = |name: &str| session.undelete(then, &app.at(by_tag(name)), &Condition::Absent);
    back("v1").unwrap();
    assert_kind(back("v2"), ErrorKind::TooLarge);
}

#[test]
fn what_was_deleted_comes_back_whole() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let (child, _) = publish(&session, &app, "child", 1);
    let index = index_of(&[&child]);
    session
        .put_manifest(&app, &index, &PutManifest::tagged(vec![tag("v1")]))
        .unwrap();
    let then = AsOf::Revision(session.revision().unwrap().revision);
    session.delete_manifest(&app, &index.digest()).unwrap();
    session.delete_manifest(&app, &child.digest()).unwrap();
    let layer = child.references()[1].descriptor.digest;
    assert_kind(read(&session, &app, &layer), ErrorKind::NotFound);
    session
        .undelete(then, &app.at(by_tag("v1")), &Condition::Absent)
        .unwrap();
    let found = session
        .get_manifest(AsOf::Now, &app.at(by_tag("v1")))
        .unwrap();
    assert_eq!(found.record.bytes, index.bytes());
    assert_eq!(read(&session, &app, &layer).unwrap().len(), 20_000);
    let child = ManifestRef::Digest(child.digest());
    session.get_manifest(AsOf::Now, &app.at(child)).unwrap();
}

/// I18: the feed tells every change, to this and every other process.
#[test]
fn i18_the_feed_tells_what_happened() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let start = session.revision().unwrap().revision;
    let mut feed = session.feed(start).unwrap();
    let waiting = std::thread::spawn(move || {
        let mut tags = Vec::new();
        while tags.len() < 2 {
            for event in feed.wait().unwrap().events {
                if let Event::TagPut { tag, .. } = event {
                    tags.push(tag.to_string());
                }
            }
        }
        tags
    });
    publish(&session, &app, "one", 1);
    world.clock.advance(Duration::from_millis(60));
    publish(&session, &app, "two", 2);
    while !waiting.is_finished() {
        world.clock.advance(Duration::from_millis(60));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(waiting.join().unwrap(), ["one", "two"]);
}

#[test]
fn what_is_forgotten_says_so() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let (first, _) = publish(&session, &app, "v1", 1);
    let then = session.revision().unwrap().revision;
    publish(&session, &app, "v1", 2);
    session.delete_manifest(&app, &first.digest()).unwrap();
    let head = session.revision().unwrap().revision;
    let forget = Forget {
        repository: None,
        before: head,
    };
    session
        .collect(&CollectOptions::default().forgetting(forget))
        .unwrap();
    let past = session.get_manifest(AsOf::Revision(then), &app.at(by_tag("v1")));
    assert_kind(past, ErrorKind::HistoryForgotten);
    let undelete = session.undelete(AsOf::Revision(then), &app.at(by_tag("v1")), &Condition::Any);
    assert_kind(undelete, ErrorKind::HistoryForgotten);
    session
        .get_manifest(AsOf::Revision(head), &app.at(by_tag("v1")))
        .unwrap();
    let beyond = AsOf::Revision(Revision::new(1_000_000));
    assert_kind(session.tag(beyond, &app, &tag("v1")), ErrorKind::NotFound);
}

#[test]
fn what_is_purged_is_gone_from_the_past_too() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let (manifest, _) = publish(&session, &app, "v1", 1);
    let then = AsOf::Revision(session.revision().unwrap().revision);
    let layer = manifest.references()[1].descriptor.digest;
    assert_kind(session.purge(&layer), ErrorKind::Conflict);
    session.delete_manifest(&app, &manifest.digest()).unwrap();
    session.purge(&layer).unwrap();
    assert_kind(read_at(&session, then, &app, &layer), ErrorKind::Purged);
    session.get_manifest(then, &app.at(by_tag("v1"))).unwrap();
    session.purge(&manifest.digest()).unwrap();
    assert_kind(
        session.get_manifest(then, &app.at(by_tag("v1"))),
        ErrorKind::Purged,
    );
    session.collect(&CollectOptions::default()).unwrap();
    publish(&session, &app, "v1", 1);
    assert_eq!(read(&session, &app, &layer).unwrap().len(), 20_000);
}

#[test]
fn history_is_read_in_pages() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    publish(&session, &app, "v1", 1);
    let head = session.revision().unwrap().revision;
    let (mut all, mut after) = (Vec::new(), Revision::ZERO);
    loop {
        let part = session.history(after, NonZeroU32::new(2).unwrap()).unwrap();
        let Some(last) = part.last() else { break };
        after = last.revision;
        all.extend(part);
    }
    let numbers: Vec<_> = all.iter().map(|commit| commit.revision.get()).collect();
    assert_eq!(numbers, (1..=head.get()).collect::<Vec<_>>());
    assert!(
        all.is_sorted_by(|one, next| one.time < next.time),
        "times rise strictly"
    );
    assert!(
        !session
            .list_manifests(AsOf::Now, &app, page(5))
            .unwrap()
            .is_empty()
    );
}

/// I23: an index of an index, and so on for as long as somebody likes to push them, is copied and brought back
/// without a step deeper into the stack for each.
#[test]
fn i23_indexes_of_indexes_take_no_stack() {
    const DEPTH: usize = 3_000;
    let world = World::in_memory(|_| {});
    let (session, app, other) = (world.embedder(), package("app"), package("other"));
    let (mut deepest, _) = publish(&session, &app, "v1", 1);
    for _ in 0..DEPTH {
        let above = index_of(&[&deepest]);
        let options = PutManifest::default();
        session.put_manifest(&app, &above, &options).unwrap();
        deepest = above;
    }
    let root = app.at(deepest.digest());
    let copied = session.copy(&root, &other, None, &Condition::Any).unwrap();
    // Each manifest, and the two blobs of the image.
    assert_eq!(copied.events.len(), DEPTH + 3);
}
