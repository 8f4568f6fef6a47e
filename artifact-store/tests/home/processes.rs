//! Several processes at one registry (I16, F13, F14).

use std::{
    fs::{self, File},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use artifact_core::{ErrorKind, Holder, ManifestIndex as _, Revision};
use artifact_store::{
    home::{Home, HomeError},
    journal::Journal,
    sys::lock::{FileLock, Hold, RecordLock, RecordLockError},
    vfs::RealVfs,
};
use rustix::process::Signal;

use crate::{
    child::Child,
    support::{World, eventually, options},
};

fn entries(path: &Path) -> usize {
    fs::read_dir(path.join("open")).unwrap().count()
}

/// Checks that the journal has each revision up to the newest of the index, and that they agree.
async fn check_journal(world: &World) {
    let head = world.home.sqlite().head().await.unwrap().revision;
    let directory = world.home.path().join("journal");
    let read = Journal::read(Arc::new(RealVfs::new()), &directory, Revision::ZERO).unwrap();
    let told: Vec<_> = read.map(|entry| entry.unwrap().committed).collect();
    assert_eq!(told.last().unwrap().revision, head);
    let mut feed = Vec::new();
    let mut after = Revision::ZERO;
    while after < head {
        feed.extend(
            world
                .home
                .index()
                .changes(after, 500.try_into().unwrap())
                .await
                .unwrap(),
        );
        after = feed.last().unwrap().revision;
    }
    assert_eq!(told, feed);
}

/// F13, I16: writers and a collector in processes of their own make one history, and lose nothing.
#[tokio::test(flavor = "multi_thread")]
async fn f13_writers_and_a_collector_make_one_history() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    let collector = Child::start("collect", &path);
    let writers = [
        Child::start("push 100 115", &path),
        Child::start("push 200 215", &path),
    ];
    for writer in &writers {
        writer.expect("open");
    }
    assert_eq!(entries(&path), 4);
    for seed in 300..310 {
        world.push("app", seed).await.unwrap();
    }
    for writer in writers {
        assert_eq!(writer.end().len(), 15);
    }
    collector.expect("open");
    collector.end();
    for seed in (100..115).chain(200..215).chain(300..310) {
        world.pull("app", seed).await.unwrap();
    }
    check_journal(&world).await;
    let problems = world.home.sqlite().check().await.unwrap().problems;
    assert_eq!(problems, Vec::<String>::new());
    eventually("the others' entries are gone", || entries(&path) == 1);
}

/// I16: a lock ends with the process that is killed while it has it.
#[tokio::test(flavor = "multi_thread")]
async fn i16_a_killed_writer_leaves_no_lock() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    let holder = Child::start("hold writer.lock", &path);
    holder.expect("held");
    let lock = RecordLock::open(&path.join("writer.lock")).unwrap();
    let refused = lock.acquire(Duration::from_millis(50)).unwrap_err();
    assert!(
        matches!(refused, RecordLockError::Busy { holder: Some(id), .. } if id == holder.id()),
        "{refused}"
    );
    drop(lock);
    holder.kill();
    let begun = Instant::now();
    world.push("app", 1).await.unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
}

/// F14: while a stopped process has the writer's lock, others get `Busy` and readers go on.
#[tokio::test(flavor = "multi_thread")]
async fn f14_a_stopped_writer_makes_others_busy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    world.push("app", 1).await.unwrap();
    let holder = Child::start("hold writer.lock", &path);
    holder.expect("held");
    holder.signal(Signal::STOP);
    let begun = Instant::now();
    let busy = world.push("app", 2).await.unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::Busy, "{busy:?}");
    assert!(
        begun.elapsed() >= Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    world.pull("app", 1).await.unwrap();
    holder.signal(Signal::CONT);
    holder.end();
    world.push("app", 2).await.unwrap();
    world.pull("app", 2).await.unwrap();
}

/// F14, I16: a process that was stopped while the registry went into another epoch writes no more.
#[tokio::test(flavor = "multi_thread")]
async fn f14_a_stale_process_writes_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    let mut stale = Child::start("push-when-told", &path);
    stale.expect("open");
    stale.tell("1");
    stale.expect("pushed");
    stale.signal(Signal::STOP);
    let epoch = world.home.identity().epoch;
    let raised = world.home.sqlite().raise_epoch().await.unwrap();
    assert!(raised > epoch);
    stale.signal(Signal::CONT);
    stale.tell("2");
    let said = stale.hear();
    assert!(
        said.starts_with("Conflict") && said.contains("StaleEpoch"),
        "{said}"
    );
    world.push("app", 2).await.unwrap();
}

/// F1, I1, I24: wherever writers are killed, what was acknowledged is there, and the next open needs
/// no help.
#[tokio::test(flavor = "multi_thread")]
async fn f1_killed_writers_lose_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    World::create(&path).await.close().await;
    let mut acknowledged = Vec::new();
    for round in 0..6_u64 {
        let from = round * 1000;
        let writer = Child::start(&format!("push {from} {}", from + 1000), &path);
        writer.expect("open");
        // It is in the middle of the next one by then, wherever.
        for _ in 0..=round {
            acknowledged.push(writer.hear().parse::<u64>().unwrap());
        }
        writer.kill();
        let world = World::open(&path).await;
        assert_eq!(entries(&path), 1, "the killed one's entry is gone");
        for seed in &acknowledged {
            world.pull("app", *seed).await.unwrap();
        }
        check_journal(&world).await;
        world.close().await;
    }
}

/// §7: a commit that its process did not live to write into the journal is in it after the next
/// open.
#[tokio::test(flavor = "multi_thread")]
async fn f1_a_gap_of_the_journal_is_filled_at_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    world.push("app", 1).await.unwrap();
    let before = world.home.sqlite().head().await.unwrap().revision;
    world.close().await;
    let dying = Child::start("die-at-the-journal", &path);
    dying.expect("open");
    dying.expect("dies");
    dying.die();
    let vfs = || Arc::new(RealVfs::new());
    let journal = Journal::open(vfs(), path.join("journal")).unwrap();
    assert_eq!(journal.last().unwrap(), before);
    drop(journal);
    let world = World::open(&path).await;
    assert_eq!(world.home.notes(), []);
    let head = world.home.sqlite().head().await.unwrap().revision;
    assert_eq!(head, before.next(), "the commit was durable");
    check_journal(&world).await;
}

/// §7: who rebuilds has the directory alone; each side is told of the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_and_an_open_exclude_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    World::create(&path).await.close().await;
    let user = Child::start("open", &path);
    let holder = Holder::new(user.hear());
    let refused = Home::rebuild_index(&path, options(), false)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Busy);
    assert!(
        matches!(&refused, HomeError::Open { processes, .. } if *processes == [user.id()]),
        "{refused}"
    );
    let home = Home::open(&path, options()).await.unwrap();
    let holders = home.holders();
    assert!(holders.is_alive(&holder) && holders.is_alive(&home.holder()));
    assert!(!holders.is_alive(&Holder::new("../open")));
    user.kill();
    assert!(!holders.is_alive(&holder));
    drop((home, holders));
    eventually("nobody has it open", || {
        let lock = File::open(path.join("lock")).unwrap();
        FileLock::try_lock(lock, Hold::Exclusive).unwrap().is_some()
    });
    let lock = FileLock::lock(File::open(path.join("lock")).unwrap(), Hold::Exclusive).unwrap();
    let user = Child::start("open", &path);
    let said = user.hear();
    assert!(
        said.starts_with("Busy") && said.contains("being rebuilt"),
        "{said}"
    );
    drop(lock);
}

/// §7: a second copy of the library in one process finds the first one's entry held.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_copy_in_one_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let home = Home::open_or_create(&path, crate::support::creation())
        .await
        .unwrap();
    let entry = path.join("open").join(home.holder().as_str());
    home.close().await.unwrap();
    eventually("the entry is gone", || !entry.exists());
    // As the other copy holds it: through an opening that this copy knows nothing of.
    let other = FileLock::lock(File::create(&entry).unwrap(), Hold::Exclusive).unwrap();
    let refused = Home::open(&path, options()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InUse);
    assert!(refused.to_string().contains("artifact serve"), "{refused}");
    drop(other);
    Home::open(&path, options()).await.unwrap();
}
