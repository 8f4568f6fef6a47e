//! MI-9: the feed tells everything.

use artifact_core::{AsOf, Bookkeeping, Change, Conflict, Event, Principal, Revision, Timestamp};

use crate::index::{
    goods::{
        MANY, Parts, all, boot, digest, key, lease_until, limit, link, package, package_of, put_at,
        put_inline, put_tag, repository, repository_document, tag, upload,
    },
    kit::IndexKit,
};

/// MI-9: each kind of change is told, and the feed folds to what the index answers.
pub async fn mi_9_the_feed_tells_all_changes(kit: &mut IndexKit) {
    let a = package("a");
    let document = repository_document("team");
    let image = kit.publish(&a, "v1", &[1, 2]).await;
    kit.check_feed().await;
    kit.make([
        put_at(3, 3),
        Change::Link(a.clone(), digest(3), Some(lease_until(500))),
    ])
    .await;
    kit.make([
        put_at(4, 4),
        link(&a, 4),
        Change::Pin(a.clone(), digest(4), "kept".to_owned()),
    ])
    .await;
    kit.make([Change::PutDocument(document.clone(), "{}".to_owned())])
        .await;
    kit.check_feed().await;
    let published_at = Some(Timestamp::from_millis(42));
    let second = Parts::of(&[1, 4]).image();
    kit.make([
        Change::PutManifest {
            package: a.clone(),
            manifest: Box::new(second.clone()),
            published_at,
        },
        put_tag(&a, "v1", &second),
    ])
    .await;
    kit.make([Change::ExpireLeases {
        now: boot("first", 500),
        limit: 10,
    }])
    .await;
    kit.check_feed().await;
    kit.make([
        Change::DeleteManifest(a.clone(), image.digest()),
        Change::Unpin(a.clone(), digest(4), "kept".to_owned()),
        Change::DeleteTag(a.clone(), tag("v1")),
        Change::DeleteDocument(document),
        Change::Collect(vec![digest(3)]),
    ])
    .await;
    kit.check_feed().await;
    let head = kit.head().await;
    kit.make([
        Change::Purge(digest(2)),
        Change::Forget(repository("default"), head),
    ])
    .await;
    kit.check_feed().await;
    let feed = kit
        .index()
        .changes(Revision::ZERO, MANY)
        .await
        .expect("changes answers");
    let events: Vec<&Event> = feed
        .iter()
        .flat_map(|committed| &committed.events)
        .collect();
    let kinds: std::collections::BTreeSet<String> = events
        .iter()
        .filter_map(|event| Some(format!("{event:?}").split_whitespace().next()?.to_owned()))
        .collect();
    assert_eq!(kinds.len(), 14, "all events but the adoption: {kinds:?}");
    let put = events.iter().find_map(|event| match event {
        Event::ManifestPut {
            digest,
            published_at,
            ..
        } if *digest == second.digest() => Some(*published_at),
        _ => None,
    });
    assert_eq!(put, Some(published_at), "what its publisher says");
    kit.note(Bookkeeping::Prune(repository("default"), 1_000))
        .await;
    kit.check_feed().await;
}

/// MI-9: the feed is read in pages, with who asked, and ends where it ends.
pub async fn mi_9_the_feed_is_paged(kit: &mut IndexKit) {
    let a = package("a");
    let mut made = Vec::new();
    for number in 1..8 {
        kit.publish(&a, "latest", &[number]).await;
        let mut set = kit.set_of([Change::DeleteTag(a.clone(), tag("latest"))]);
        set.actor.principal = Principal::System;
        set.actor.request = (number % 2 == 0).then(|| format!("request {number}"));
        made.push(kit.apply(set).await);
    }
    let whole = kit
        .index()
        .changes(Revision::ZERO, MANY)
        .await
        .expect("changes answers");
    assert_eq!(whole.len(), 14);
    for (committed, told) in made.iter().zip(whole.iter().skip(1).step_by(2)) {
        assert_eq!(told, committed, "the feed tells what `apply` answered");
    }
    for size in 1..=3 {
        let mut pages: Vec<artifact_core::Committed> = Vec::new();
        loop {
            let after = pages
                .last()
                .map_or(Revision::ZERO, |committed| committed.revision);
            let page = kit
                .index()
                .changes(after, limit(size))
                .await
                .expect("changes answers");
            assert!(page.len() <= size as usize, "a page is too long");
            if page.is_empty() {
                break;
            }
            pages.extend(page);
        }
        assert_eq!(pages, whole, "the feed in pages of {size}");
    }
    let beyond = kit.index().changes(Revision::new(1_000), MANY).await;
    assert_eq!(
        beyond.expect("changes answers"),
        [],
        "nothing comes after the newest"
    );
}

/// MI-9: packages that a new repository adopts are told, and are there with all they have.
pub async fn mi_9_adoption_is_told(kit: &mut IndexKit) {
    let (old, new) = (package("team/x"), package_of("team", "x"));
    let image = kit.publish(&old, "v1", &[1, 2]).await;
    kit.publish(&package("teams/x"), "v1", &[1, 2]).await;
    kit.make([
        put_at(3, 3),
        Change::Link(old.clone(), digest(3), Some(lease_until(500))),
    ])
    .await;
    kit.make([Change::Pin(old.clone(), digest(3), "kept".to_owned())])
        .await;
    let record = upload(1, &package("team/y"), Some(9));
    kit.note(Bookkeeping::BeginUpload(Box::new(record), Vec::new()))
        .await;
    let was = kit.head().await;
    let kept = kit.dump_at(was).await;
    let adopted = kit.make([Change::Adopt(repository("team"))]).await;
    let told = ["x", "y"].map(|name| Event::Adopted {
        package: package_of("team", name),
    });
    assert_eq!(
        adopted.events, told,
        "a package with content, and one with an upload"
    );
    kit.dump_at(was)
        .await
        .check_equal(&kept, "what was stays where it was");
    let record = kit
        .index()
        .tag(AsOf::Now, &new, &tag("v1"))
        .await
        .expect("tag answers");
    let record = record.expect("the tag moved");
    let place = (record.digest, record.generation.get(), record.revision);
    assert_eq!(
        place,
        (image.digest(), 1, Revision::new(1)),
        "the tag as it was made"
    );
    for package in [&old, &new] {
        let tags = kit
            .index()
            .tags(AsOf::Now, package, all())
            .await
            .expect("tags answers");
        assert_eq!(tags.is_empty(), package == &old, "the tags of {package:?}");
        let link = kit
            .index()
            .blob(AsOf::Now, package, &digest(3))
            .await
            .expect("blob answers");
        let lease = link.and_then(|link| link.lease);
        assert_eq!(lease.is_none(), package == &old, "the lease in {package:?}");
    }
    let owner = kit
        .index()
        .key_owner(&key(9))
        .await
        .expect("key_owner answers");
    assert!(owner.is_some(), "the upload goes on");
    let uploads = kit.index().uploads(all()).await.expect("uploads answers");
    assert_eq!(
        uploads.first().map(|upload| &upload.package),
        Some(&package_of("team", "y"))
    );
    let refused = kit
        .refuse(kit.set_of([Change::Unlink(new, digest(3))]))
        .await;
    assert!(
        matches!(refused, Conflict::BlobPinned { .. }),
        "the pin moved, too: {refused:?}"
    );
    let again = kit.make([
        Change::Adopt(repository("team")),
        Change::Adopt(repository("default")),
    ]);
    assert!(
        again.await.events.is_empty(),
        "there is nothing more to adopt"
    );
    // Content under both names is a conflict.
    kit.make([put_inline(1), link(&old, 1)]).await;
    let refused = kit
        .refuse(kit.set_of([Change::Adopt(repository("team"))]))
        .await;
    assert!(matches!(refused, Conflict::InUse { .. }), "{refused:?}");
}
