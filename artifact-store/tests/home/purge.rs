//! What the journal forgets: purged bytes, and how what is below the horizon came to be.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use artifact_core::{
    Actor, AsOf, Change, ChangeSet, CollectOptions, Condition, Digest, Forget, ManifestIndex as _,
    Principal, Revision,
};
use artifact_store::{
    home::Home,
    journal::{ClosedFiles, Journal, JournalEntry},
    sys::{
        boot,
        lock::{FileLock, Hold, RecordLock, RecordLockError},
    },
    vfs::RealVfs,
};
use artifact_testkit::seams::FakeClock;
use parking_lot::Mutex;

use crate::{
    hooked_vfs::HookedVfs,
    support::{World, blob, creation, digest, eventually, options, package, tag},
    tasks,
};

fn entries(path: &Path) -> Vec<JournalEntry> {
    let vfs = Arc::new(RealVfs::new());
    let read = Journal::read(vfs, &path.join("journal"), Revision::ZERO).unwrap();
    read.map(Result::unwrap).collect()
}

fn has(path: &Path, digest: Digest) -> bool {
    let entries = entries(path);
    entries
        .iter()
        .any(|entry| entry.contents.iter().any(|(of, _)| *of == digest))
}

/// Takes a manifest out of its package, so that it can be purged.
async fn delete(world: &World, digest: &Digest) {
    world
        .session()
        .delete_manifest(&package("app"), digest)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn purged_bytes_leave_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    let secret = world.push("app", 0).await.unwrap();
    let other = world.push("app", 3).await.unwrap();
    delete(&world, &secret).await;
    assert!(has(&path, secret));
    world.session().purge(&secret).await.unwrap();
    assert!(!has(&path, secret) && has(&path, other));
    let left = fs::read_dir(path.join("journal")).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.starts_with("purge")).count(), 0);
    world.push("app", 6).await.unwrap();
    let checked = world.home.check().await.unwrap();
    assert!(checked.journal.is_empty(), "{checked:?}");
    assert_eq!(entries(&path).len() as u64, checked.revision.get());
}

/// I16: a file of the journal is closed, and the next begun, by who may write: else another process's commit
/// could go into the one that is rewritten.
#[tokio::test(flavor = "multi_thread")]
async fn i16_a_file_of_the_journal_is_closed_under_the_writers_lock() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    World::create(&path).await.close().await;
    let vfs = HookedVfs::default();
    let mut opening = options();
    opening.vfs = Arc::new(vfs.clone());
    let world = World::over(Home::open(&path, opening).await.unwrap());
    let secret = world.push("app", 0).await.unwrap();
    delete(&world, &secret).await;
    let lock = RecordLock::open(&path.join("writer.lock")).unwrap();
    let begun = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&begun);
    vfs.set(move |operation, path| {
        if operation == "create" && path.ends_with("journal/0000000002.new") {
            let other = lock.acquire(Duration::ZERO);
            let excluded = matches!(other, Err(RecordLockError::Busy { .. }));
            told.lock().push(excluded);
        }
        None
    });
    world.session().purge(&secret).await.unwrap();
    assert_eq!(
        *begun.lock(),
        [true],
        "each beginning, and whether others waited"
    );
}

/// Purged bytes, and what a manifest says in words, are in no file afterwards: those of the store go
/// with the collection after the purge, when no transfer can last any more; all others at once.
#[tokio::test(flavor = "multi_thread")]
async fn purged_bytes_are_in_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    World::create(&path).await.close().await;
    let (mut opening, clock) = (options(), FakeClock::new());
    opening.clock = Arc::new(clock.clone());
    let world = World::over(Home::open(&path, opening).await.unwrap());
    world.push("app", 0).await.unwrap();
    // What an earlier rebuild has left, of which a purge knows nothing.
    let secret = tasks::push_secret(&world, 99).await;
    for left in ["index.db.replaced", "index.db.new"] {
        fs::write(path.join(left), tasks::words(99)).unwrap();
    }
    let words = tasks::words(99);
    let told = |words: &str| tasks::holding(&path, words.trim().as_bytes()).len();
    assert!(told(&words) >= 4, "index or WAL, journal, leftovers");
    delete(&world, &secret).await;
    world.session().purge(&secret).await.unwrap();
    assert_eq!(
        tasks::holding(&path, words.trim().as_bytes()),
        Vec::<PathBuf>::new()
    );
    // Inline, a slot, a file of its own.
    for seed in [3, 1, 2] {
        let manifest = world.push("app", seed).await.unwrap();
        let bytes = blob(seed, 1);
        let windows = || bytes.chunks_exact(24).step_by(40).take(4);
        assert!(windows().any(|window| !tasks::holding(&path, window).is_empty()));
        let purged = digest(&bytes);
        delete(&world, &manifest).await;
        world.session().purge(&purged).await.unwrap();
        let collecting = CollectOptions::default().allowing_mass_delete();
        world.session().collect(&collecting).await.unwrap();
        clock.advance(Duration::from_secs(16 * 60));
        world.session().collect(&collecting).await.unwrap();
        for window in windows() {
            assert_eq!(
                tasks::holding(&path, window),
                Vec::<PathBuf>::new(),
                "{seed}"
            );
        }
    }
    let checked = world.home.check().await.unwrap();
    assert_eq!((checked.index, checked.journal), (vec![], vec![]));
}

/// What was pushed again after its purge is not purged: it outlives the loss of the index, also where
/// the purge is ended only later.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_again_stays_in_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    let again = world.push("app", 0).await.unwrap();
    delete(&world, &again).await;
    // Somebody copies the journal meanwhile, so that it cannot be rewritten yet.
    let vfs = Arc::new(RealVfs::new());
    let copying = ClosedFiles::take(vfs, &path.join("journal"), Hold::Shared).unwrap();
    world.session().purge(&again).await.unwrap();
    world.push("app", 0).await.unwrap();
    drop(copying);
    let recorded = || {
        let mut names = fs::read_dir(path.join("journal")).unwrap();
        names.any(|name| {
            name.unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("purge")
        })
    };
    assert!(recorded());
    // A collection ends it.
    world
        .session()
        .collect(&CollectOptions::default())
        .await
        .unwrap();
    eventually("the purge is ended", || !recorded());
    let has = |entry: &&JournalEntry| entry.contents.iter().any(|(of, _)| *of == again);
    assert_eq!(entries(&path).iter().filter(has).count(), 1);
    world.close().await;
    fs::remove_file(path.join("index.db")).unwrap();
    Home::rebuild_index(&path, options(), false).await.unwrap();
    World::open(&path).await.pull("app", 0).await.unwrap();
}

/// F14: a purge that another process has under way is not taken for one that was cut off.
#[tokio::test(flavor = "multi_thread")]
async fn f14_a_purge_under_way_is_left_to_its_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    let digest = world.push("app", 0).await.unwrap();
    world.close().await;
    let record = path.join("journal/purge-1");
    fs::write(&record, format!(r#"{{"after":0,"digests":["{digest}"]}}"#)).unwrap();
    let other = FileLock::lock(fs::File::open(&record).unwrap(), Hold::Exclusive).unwrap();
    let world = World::open(&path).await;
    let collect = async || {
        world
            .session()
            .collect(&CollectOptions::default())
            .await
            .unwrap()
    };
    collect().await;
    world.push("app", 3).await.unwrap();
    world.close().await;
    assert!(record.exists());
    drop(other);
    let world = World::open(&path).await;
    eventually("it is ended", || !record.exists());
    world.pull("app", 0).await.unwrap();
}

/// F1: a purge whose process died before it had rewritten the journal is ended by the next open; one
/// that was never made is not.
#[tokio::test(flavor = "multi_thread")]
async fn f1_a_purge_that_was_cut_off_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    let secret = world.push("app", 0).await.unwrap();
    let kept = world.push("app", 3).await.unwrap();
    delete(&world, &secret).await;
    let head = world.home.index().head().await.unwrap().revision;
    // As it stands after the commit: the index has forgotten, and the journal has not.
    let actor = Actor::new(Principal::System, None);
    let purge = ChangeSet::new(actor, boot::wall()).change(Change::Purge(secret));
    world.home.sqlite().apply(purge).await.unwrap();
    world.close().await;
    let intent = |digest: Digest, name: &str| {
        let text = format!(r#"{{"after":{head},"digests":["{digest}"]}}"#);
        fs::write(path.join("journal").join(name), text).unwrap();
    };
    intent(secret, "purge-1");
    intent(kept, "purge-2");
    assert!(has(&path, secret));
    let world = World::open(&path).await;
    eventually("both are ended", || {
        !path.join("journal/purge-1").exists() && !path.join("journal/purge-2").exists()
    });
    assert!(!has(&path, secret) && has(&path, kept));
    world.push("app", 6).await.unwrap();
}

/// §7: files of the journal below the lowest horizon become one, and a rebuild from it gives the same
/// registry.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_below_the_horizon_becomes_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    World::create(&path).await.close().await;
    let mut opening = options();
    opening.journal_file = 20_000;
    let world = World::over(Home::open(&path, opening).await.unwrap());
    for round in 0..4 {
        for seed in 0..6 {
            world.push("app", seed * 3).await.unwrap();
            let session = world.session();
            if round < 3 {
                let coordinate = package("app").at(tag(seed * 3));
                let found = session.get_manifest(AsOf::Now, &coordinate).await;
                delete(&world, &found.unwrap().record.digest).await;
            } else if seed == 5 {
                session
                    .delete_tag(&package("app"), &tag(15), &Condition::Any)
                    .await
                    .unwrap();
            }
        }
    }
    let files = || fs::read_dir(path.join("journal")).unwrap().count();
    let (before, head) = (files(), world.session().revision().await.unwrap().revision);
    assert!(before > 3, "{before}");
    let forget = Forget {
        repository: None,
        before: head,
    };
    let collecting = CollectOptions::default().forgetting(forget);
    world.session().collect(&collecting).await.unwrap();
    eventually("there is a base", || {
        path.join("journal/base.journal").exists()
    });
    eventually("what it replaced is gone", || files() < before);
    for seed in 0..5 {
        world.pull("app", seed * 3).await.unwrap();
    }
    let head = world.home.index().head().await.unwrap();
    let generation = |world: &World| {
        let index = world.home.index();
        async move {
            let package = package("app");
            let tag = index
                .tag(AsOf::Now, &package, &tag(0))
                .await
                .unwrap()
                .unwrap();
            (tag.generation, tag.revision, tag.changed_at)
        }
    };
    let tag = generation(&world).await;
    world.close().await;
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _gone = fs::remove_file(path.join(name));
    }
    let rebuilt = Home::rebuild_index(&path, options(), false).await.unwrap();
    assert_eq!(rebuilt.damage, Vec::<String>::new());
    assert_eq!(rebuilt.revision, head.revision);
    let world = World::over(Home::open_or_create(&path, creation()).await.unwrap());
    assert_eq!(generation(&world).await, tag);
    assert_eq!(world.home.index().head().await.unwrap(), head);
    for seed in 0..5 {
        world.pull("app", seed * 3).await.unwrap();
    }
    let problems = world.home.sqlite().check().await.unwrap().problems;
    assert_eq!(problems, Vec::<String>::new());
}
