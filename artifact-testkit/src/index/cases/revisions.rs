//! MI-11: revisions and their times.

use std::sync::Arc;

use artifact_core::{Change, Head, Revision, Timestamp};
use futures::future::join_all;

use crate::index::{
    goods::{
        MANY, lease_until, link, package, put_at, put_inline, put_manifest, put_tag, repository,
        repository_document, set_at,
    },
    kit::IndexKit,
};

/// MI-11: revisions count from one, also where many write at once.
pub async fn mi_11_revisions_have_no_gaps(kit: &mut IndexKit) {
    let head = kit.index().head().await.expect("head answers");
    assert_eq!(head.revision, Revision::ZERO, "a new registry");
    let sets = (0..16).map(|number| {
        let key = repository_document(&format!("r{number}"));
        let set = kit.set_of([Change::PutDocument(key, "{}".to_owned())]);
        let index = Arc::clone(kit.index());
        tokio::spawn(async move { index.apply(set).await })
    });
    let mut revisions = Vec::new();
    for applied in join_all(sets.collect::<Vec<_>>()).await {
        let committed = applied
            .expect("a task ends")
            .expect("a set that can be made");
        revisions.push(committed.revision.get());
    }
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=16).collect::<Vec<_>>());
    let feed = kit
        .index()
        .changes(Revision::ZERO, MANY)
        .await
        .expect("changes answers");
    let told: Vec<u64> = feed
        .iter()
        .map(|committed| committed.revision.get())
        .collect();
    assert_eq!(told, revisions, "the feed tells them in order");
    assert!(
        feed.is_sorted_by(|a, b| a.time < b.time),
        "their times rise"
    );
}

/// MI-11: a revision is later than the one before, whatever the clock says.
pub async fn mi_11_times_rise_though_the_clock_goes_back(kit: &mut IndexKit) {
    let mut last = Timestamp::default();
    for (round, asked) in [5_000, 5_000, 1, 4_999, 6_000, -7, 6_001, 9_000]
        .into_iter()
        .enumerate()
    {
        let body = round.to_string();
        let set = set_at(asked).change(Change::PutDocument(repository_document("team"), body));
        let committed = kit.apply(set).await;
        assert!(committed.time > last, "later than the one before");
        assert!(
            committed.time.as_millis() >= asked,
            "not earlier than asked"
        );
        let expected = asked.max(last.as_millis() + 1);
        assert_eq!(
            committed.time.as_millis(),
            expected,
            "no later than it must be"
        );
        last = committed.time;
        let head = kit.index().head().await.expect("head answers");
        assert_eq!(head, Head::new(committed.revision, committed.time));
    }
}

/// MI-11: what is there already makes no revision.
pub async fn mi_11_what_changes_nothing_makes_no_revision(kit: &mut IndexKit) {
    let a = package("a");
    let image = kit.publish(&a, "v1", &[1, 2]).await;
    let key = repository_document("team");
    let pin = Change::Pin(a.clone(), crate::index::goods::digest(1), "kept".to_owned());
    kit.make([
        Change::PutDocument(key.clone(), "{}".to_owned()),
        pin.clone(),
    ])
    .await;
    let lease = Some(lease_until(1_000));
    let digest = crate::index::goods::digest(1);
    let before = kit.index().head().await.expect("head answers");
    let nothings = [
        vec![],
        vec![put_inline(1), put_at(2, 1)],
        vec![link(&a, 1), Change::Link(a.clone(), digest, lease)],
        vec![put_manifest(&a, &image), put_tag(&a, "v1", &image)],
        vec![Change::PutDocument(key, "{}".to_owned()), pin],
        vec![Change::Collect(vec![
            digest,
            crate::index::goods::digest(7),
        ])],
        vec![Change::Forget(repository("default"), Revision::ZERO)],
        vec![Change::Adopt(repository("team"))],
        vec![Change::Purge(crate::index::goods::digest(7))],
    ];
    for changes in nothings {
        let what = format!("{changes:?}");
        let committed = kit.make(changes).await;
        assert!(
            committed.events.is_empty(),
            "{what}: {:?}",
            committed.events
        );
        let place = (committed.revision, committed.time);
        assert_eq!(
            place,
            (before.revision, before.time),
            "{what}: of the registry as it is"
        );
        assert_eq!(
            kit.index().head().await.expect("head answers"),
            before,
            "{what}"
        );
    }
}

/// MI-11: the newest revision of a time is found.
pub async fn mi_11_a_time_finds_its_revision(kit: &mut IndexKit) {
    for (round, millis) in [1_000, 2_000, 2_000, 5_000].into_iter().enumerate() {
        let body = round.to_string();
        let set = set_at(millis).change(Change::PutDocument(repository_document("team"), body));
        kit.apply(set).await;
    }
    // The third is one millisecond after the second.
    let times = [
        (-5, 0),
        (0, 0),
        (999, 0),
        (1_000, 1),
        (1_999, 1),
        (2_000, 2),
        (2_001, 3),
    ];
    for (millis, revision) in times
        .into_iter()
        .chain([(4_999, 3), (5_000, 4), (i64::MAX, 4)])
    {
        let found = kit
            .index()
            .revision_at(Timestamp::from_millis(millis))
            .await;
        assert_eq!(
            found.expect("revision_at answers").get(),
            revision,
            "at {millis} ms"
        );
    }
}
