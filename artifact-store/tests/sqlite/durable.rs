//! What is acknowledged, and what becomes of those who wait.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use artifact_core::{
    AsOf, Bookkeeping, Change, IndexError, ManifestIndex, Revision, Spawn, Timestamp,
};
use artifact_store::SqliteIndex;
use artifact_testkit::seams::TokioSpawn;
use futures::future::{BoxFuture, join_all};

use super::goods::{
    MANY, all, create, digest, lease, open, options, package, publish, put_inline, set, set_of,
};

/// Runs work, but for what it is told to lose; counts what it ran.
#[derive(Debug)]
struct Careless {
    spawn: TokioSpawn,
    lose: AtomicUsize,
    ran: AtomicUsize,
}

impl Careless {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            spawn: TokioSpawn::current(),
            lose: AtomicUsize::new(0),
            ran: AtomicUsize::new(0),
        })
    }
}

impl Spawn for Careless {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        self.spawn.spawn(future);
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        let lose = |left: usize| left.checked_sub(1);
        let relaxed = Ordering::Relaxed;
        if self.lose.fetch_update(relaxed, relaxed, lose).is_ok() {
            return drop(work);
        }
        self.ran.fetch_add(1, relaxed);
        self.spawn.spawn_blocking(work);
    }
}

/// I1: what was acknowledged is there when the index is opened again, as it was.
#[tokio::test]
async fn i1_what_was_acknowledged_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path());
    let (image, changes) = publish(&package("a"), "v1", &[0, 1, 2]);
    let committed = index.apply(set_of(1, changes)).await.unwrap();
    drop(index);
    let index = open(dir.path());
    let (a, digest) = (package("a"), image.digest());
    let read = index.manifest(AsOf::Now, &a, &digest).await.unwrap();
    assert_eq!(read.unwrap().bytes, *image.bytes());
    let feed = index.changes(Revision::ZERO, MANY).await.unwrap();
    assert_eq!(feed, [committed]);
}

/// MI-2: those who come while a transaction is under way share the next one, in their order.
#[tokio::test]
async fn mi2_many_share_few_shifts_and_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    drop(create(dir.path()));
    let spawn = Careless::new();
    let mut options = options(dir.path());
    options.spawn = Arc::<Careless>::clone(&spawn);
    let index = SqliteIndex::open(options).unwrap();
    let sets = (0..200).map(|number| {
        let key = format!("user:u{number}").parse().unwrap();
        let set = set(1).change(Change::PutDocument(key, String::from("x")));
        index.apply(set)
    });
    let committed: Vec<u64> = join_all(sets)
        .await
        .into_iter()
        .map(|made| made.unwrap().revision.get())
        .collect();
    assert_eq!(committed, (1..=200).collect::<Vec<_>>());
    assert!(spawn.ran.load(Ordering::Relaxed) < 100, "{spawn:?}");
}

/// A note that came before a change is seen by it, and one that came after sees it.
#[tokio::test]
async fn notes_and_changes_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path());
    let (a, day) = (package("a"), lease("one", 0, 100));
    let enter = set_of(1, [put_inline(0), Change::Link(a.clone(), digest(0), None)]);
    let hold = Bookkeeping::Lease(a.clone(), digest(0), day.clone());
    let unlink = set_of(2, [Change::Unlink(a.clone(), digest(0))]);
    let again = Bookkeeping::Lease(a.clone(), digest(0), day);
    let (linked, held, undone, refused) = futures::join!(
        index.apply(enter),
        index.note(hold),
        index.apply(unlink),
        index.note(again)
    );
    assert_eq!(linked.unwrap().revision.get(), 1);
    assert_eq!(held.unwrap().rows, 1);
    assert_eq!(undone.unwrap().revision.get(), 2);
    assert!(
        matches!(refused, Err(IndexError::Conflict(_))),
        "{refused:?}"
    );
}

/// SP-1 broken: work that never runs leaves nobody waiting, and does not stop those who come later.
#[tokio::test]
async fn work_that_is_lost_leaves_nobody_waiting() {
    let dir = tempfile::tempdir().unwrap();
    drop(create(dir.path()));
    let spawn = Careless::new();
    let mut options = options(dir.path());
    options.spawn = Arc::<Careless>::clone(&spawn);
    let index = SqliteIndex::open(options).unwrap();
    spawn.lose.store(1, Ordering::Relaxed);
    let lost = index.apply(set_of(1, [put_inline(0)])).await;
    assert!(
        matches!(lost, Err(IndexError::Unavailable { .. })),
        "{lost:?}"
    );
    let made = index.apply(set_of(1, [put_inline(0)])).await.unwrap();
    assert_eq!(made.revision.get(), 1);
}

/// MI-11: a revision is later than the one before, whatever the clock says; what was is found by it.
#[tokio::test]
async fn i17_a_clock_that_goes_back_does_not_turn_history_round() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path());
    for (number, second) in [9, 3, 3, 8, 20].into_iter().enumerate() {
        index
            .apply(set_of(second, [put_inline(number)]))
            .await
            .unwrap();
    }
    let feed = index.changes(Revision::ZERO, MANY).await.unwrap();
    let times: Vec<i64> = feed.iter().map(|made| made.time.as_millis()).collect();
    assert_eq!(times, [9_000, 9_001, 9_002, 9_003, 20_000]);
    for (millis, revision) in [(8_999, 0), (9_000, 1), (9_002, 3), (19_999, 4), (90_000, 5)] {
        let found = index
            .revision_at(Timestamp::from_millis(millis))
            .await
            .unwrap();
        assert_eq!(found.get(), revision, "{millis}");
    }
}

/// I16, F13: two handles of one index are one serial history, and each sees what the other does.
#[tokio::test]
async fn f13_two_handles_are_one_history() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (create(dir.path()), open(dir.path()));
    for round in 0..20 {
        let index = if round % 2 == 0 { &first } else { &second };
        let key = "mode:".parse().unwrap();
        let set = set(1).change(Change::PutDocument(key, round.to_string()));
        let committed = index.apply(set).await.unwrap();
        assert_eq!(committed.revision.get(), round + 1);
        let other = if round % 2 == 0 { &second } else { &first };
        assert_eq!(other.head().await.unwrap().revision, committed.revision);
    }
    let both = (0..40).map(|number| {
        let index = if number % 2 == 0 { &first } else { &second };
        let key = format!("user:u{number}").parse().unwrap();
        index.apply(set(1).change(Change::PutDocument(key, String::new())))
    });
    for made in join_all(both).await {
        made.unwrap();
    }
    let feed = first.changes(Revision::ZERO, MANY).await.unwrap();
    let revisions: Vec<u64> = feed.iter().map(|made| made.revision.get()).collect();
    assert_eq!(revisions, (1..=60).collect::<Vec<_>>());
    let users = second.documents(AsOf::Now, artifact_core::DocumentKind::User, all());
    assert_eq!(users.await.unwrap().len(), 40);
}
