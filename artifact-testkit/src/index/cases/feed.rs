//! MI-9: the feed tells everything.

use std::collections::BTreeSet;

use artifact_core::{
    Bookkeeping, Change, Conflict, Digest, Event, IndexError, Principal, Revision, Timestamp,
};

use crate::index::{
    goods::{
        MANY, Parts, all, boot, digest, lease_until, limit, link, package, package_of, put_at,
        put_inline, put_tag, repository, repository_document, tag, upload,
    },
    kit::IndexKit,
};

/// Makes each kind of change but the adoption. Returns the manifest that says when it was published.
async fn change_everything(kit: &IndexKit, published_at: Timestamp) -> Digest {
    let a = package("a");
    let document = repository_document("team");
    let image = kit.publish(&a, "v1", &[1, 2]).await;
    let leased = Change::Link(a.clone(), digest(3), Some(lease_until(500)));
    kit.make([put_at(3, 3), leased]).await;
    let pin = Change::Pin(a.clone(), digest(4), "kept".to_owned());
    kit.make([put_at(4, 4), link(&a, 4), pin]).await;
    let put = Change::PutDocument(document.clone(), "{}".to_owned());
    kit.make([put]).await;
    let second = Parts::of(&[1, 4]).image();
    let put = Change::PutManifest {
        package: a.clone(),
        manifest: Box::new(second.clone()),
        published_at: Some(published_at),
    };
    kit.make([put, put_tag(&a, "v1", &second)]).await;
    let now = boot("first", 500);
    kit.make([Change::ExpireLeases { now, limit: 10 }]).await;
    kit.check_feed().await;
    kit.make([
        Change::DeleteManifest(a.clone(), image.digest()),
        Change::Unpin(a.clone(), digest(4), "kept".to_owned()),
        Change::DeleteTag(a.clone(), tag("v1")),
        Change::DeleteDocument(document),
        Change::Collect(vec![digest(3)]),
    ])
    .await;
    let forget = Change::Forget(repository("default"), kit.head().await);
    kit.make([Change::Purge(digest(2)), forget]).await;
    second.digest()
}

/// MI-9: each kind of change is told, and the feed folds to what the index answers.
pub async fn mi_9_the_feed_tells_all_changes(kit: &mut IndexKit) {
    let published_at = Timestamp::from_millis(42);
    let published = change_everything(kit, published_at).await;
    kit.check_feed().await;
    let feed = kit.feed().await;
    let events = feed.iter().flat_map(|committed| &committed.events);
    let mut kinds = BTreeSet::new();
    let mut told = None;
    for event in events {
        let text = format!("{event:?}");
        kinds.extend(text.split_whitespace().next().map(str::to_owned));
        if let Event::ManifestPut {
            digest,
            published_at,
            ..
        } = event
            && *digest == published
        {
            told = *published_at;
        }
    }
    assert_eq!(kinds.len(), 14, "all events but the adoption: {kinds:?}");
    assert_eq!(told, Some(published_at), "what its publisher says");
    kit.prune("default").await;
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
            assert!(pages.len() <= whole.len(), "the feed repeats itself");
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

/// MI-9: a revision stays in the feed until the horizon of every repository has passed it, whichever is pruned.
pub async fn mi_9_the_feed_is_kept_from_the_lowest_horizon(kit: &mut IndexKit) {
    let (a, x) = (package("a"), package_of("team", "x"));
    for number in 1..4 {
        kit.publish(&a, "latest", &[number]).await;
        kit.publish(&x, "latest", &[number]).await;
    }
    let (lowest, newest) = (Revision::new(3), kit.head().await);
    let whole = kit.feed().await;
    kit.make([Change::Forget(repository("default"), newest)])
        .await;
    kit.prune("default").await;
    let kept = kit.feed().await;
    assert!(kept.starts_with(&whole), "nothing may leave the feed yet");
    kit.make([Change::Forget(repository("team"), lowest)]).await;
    kit.prune("team").await;
    kit.prune("default").await;
    check_begins(kit, lowest, lowest).await;
    if let Err(refused) = kit.index().changes(Revision::ZERO, MANY).await {
        let IndexError::HistoryForgotten { oldest } = refused else {
            unreachable!("this must be answered, or forgotten: {refused:?}")
        };
        check_begins(kit, oldest, lowest).await;
    }
}

/// Checks that the feed is answered from a revision on, which may not be after the lowest horizon.
async fn check_begins(kit: &IndexKit, oldest: Revision, lowest: Revision) {
    assert!(oldest <= lowest, "{oldest} is after the lowest horizon");
    let told = kit.index().changes(oldest, MANY).await;
    let told = told.expect("what is after the lowest horizon");
    let first = told.first().map(|committed| committed.revision);
    assert_eq!(first, Some(oldest.next()), "where the feed begins");
}

/// MI-9: packages that a new repository adopts are told, and are there as they were.
pub async fn mi_9_adoption_is_told(kit: &mut IndexKit) {
    let (old, new) = (package("team/x"), package_of("team", "x"));
    let image = kit.publish(&old, "v1", &[1, 2]).await;
    kit.publish(&package("teams/x"), "v1", &[1, 2]).await;
    let was = kit.head().await;
    let kept = kit.dump_at(was).await;
    let adopted = kit.make([Change::Adopt(repository("team"))]).await;
    let told = Event::Adopted {
        package: new.clone(),
    };
    assert_eq!(adopted.events, [told], "what lies below the repository");
    kit.check_past(was, &kept).await;
    assert_eq!(kit.tag(&old, "v1").await, None, "the tag moved");
    let record = kit.tag(&new, "v1").await.expect("the tag moved");
    let place = (record.digest, record.generation.get(), record.revision);
    let made = (image.digest(), 1, Revision::new(1));
    assert_eq!(place, made, "the tag as it was made");
    let again = [
        Change::Adopt(repository("team")),
        Change::Adopt(repository("default")),
    ];
    let again = kit.make(again).await;
    assert!(again.events.is_empty(), "there is nothing more to adopt");
}

/// MI-9: leases, pins and uploads move with their package.
pub async fn mi_9_adoption_moves_all_that_is_there(kit: &mut IndexKit) {
    let (old, new) = (package("team/x"), package_of("team", "x"));
    let lease = lease_until(500);
    let leased = Change::Link(old.clone(), digest(3), Some(lease.clone()));
    let pin = Change::Pin(old.clone(), digest(3), "kept".to_owned());
    kit.make([put_at(3, 3), leased, pin]).await;
    let record = Box::new(upload(1, &package("team/y"), Some(9)));
    kit.note(Bookkeeping::BeginUpload(record, Vec::new())).await;
    let adopted = kit.make([Change::Adopt(repository("team"))]).await;
    let told = ["x", "y"].map(|name| Event::Adopted {
        package: package_of("team", name),
    });
    assert_eq!(adopted.events, told, "one with content, one with an upload");
    assert_eq!(kit.blob(&old, 3).await, None, "the link moved");
    let link = kit.blob(&new, 3).await.expect("the link moved");
    assert_eq!(link.lease, Some(lease), "with its lease");
    let set = kit.set_of([Change::Unlink(new, digest(3))]);
    let refused = kit.refuse(set).await;
    let is_pinned = matches!(refused, Conflict::BlobPinned { .. });
    assert!(is_pinned, "the pin moved, too: {refused:?}");
    let uploads = kit.index().uploads(all()).await.expect("uploads answers");
    let packages: Vec<_> = uploads.into_iter().map(|upload| upload.package).collect();
    assert_eq!(
        packages,
        [package_of("team", "y")],
        "the upload goes on there"
    );
}

/// MI-9: content under both names is not adopted.
pub async fn mi_9_adoption_needs_a_free_name(kit: &mut IndexKit) {
    let (old, new) = (package("team/x"), package_of("team", "x"));
    kit.make([put_inline(1), link(&old, 1), link(&new, 1)])
        .await;
    let set = kit.set_of([Change::Adopt(repository("team"))]);
    let in_use = Conflict::InUse {
        digest: digest(1),
        package: new.clone(),
    };
    assert_eq!(kit.refuse(set).await, in_use);
    kit.make([Change::Unlink(new, digest(1))]).await;
    kit.make([Change::Adopt(repository("team"))]).await;
}
