//! A registry whose disk failed acknowledges nothing more until it is opened again (F6, I21).

use std::{io, path::Path, sync::Arc};

use artifact_core::{
    Actor, Change, ChangeSet, Condition, ErrorKind, IndexError, ManifestIndex as _, Principal,
    Revision, Timestamp,
};
use artifact_store::{
    NewIndex, SqliteIndex, SqliteOptions,
    home::Home,
    journal::{Journal, JournalError},
};

use crate::{
    hooked_vfs::HookedVfs,
    support::{World, options, package},
    tasks::digest_of,
};

async fn open(path: &Path) -> (World, HookedVfs) {
    let vfs = HookedVfs::default();
    let mut options = options();
    options.vfs = Arc::new(vfs.clone());
    (World::over(Home::open(path, options).await.unwrap()), vfs)
}

/// Lets each sync of a file fail whose path has a word in it.
fn fail_syncs(vfs: &HookedVfs, word: &'static str) {
    vfs.set(move |operation, path| {
        let fails = operation == "sync" && path.to_string_lossy().contains(word);
        fails.then(|| io::Error::from_raw_os_error(libc::EIO))
    });
}

/// Moves a tag, which needs no blob.
async fn tag(world: &World) -> Result<(), ErrorKind> {
    let digest = digest_of(world, 0).await.unwrap();
    let (package, moved) = (package("app"), "moved".parse().unwrap());
    let session = world.session();
    let put = session.put_tag(&package, &moved, &digest, &Condition::Any);
    put.await.map(drop).map_err(|error| error.kind())
}

/// A failed sync of a blob stops the index, too.
#[tokio::test(flavor = "multi_thread")]
async fn i21_a_failed_sync_of_a_blob_stops_all_writes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    World::create(&path).await.close().await;
    let (world, vfs) = open(&path).await;
    world.push("app", 0).await.unwrap();
    tag(&world).await.unwrap();
    fail_syncs(&vfs, "/staging/");
    world.push("app", 2).await.unwrap_err();
    // The disk is well again, and nobody knows since when.
    vfs.set(|_, _| None);
    assert_eq!(tag(&world).await, Err(ErrorKind::ReadOnly));
    let refused = world.push("app", 3).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ReadOnly, "{refused:?}");
    world.pull("app", 0).await.unwrap();
    world.close().await;
    let world = World::open(&path).await;
    tag(&world).await.unwrap();
    world.push("app", 2).await.unwrap();
}

/// So does one of the journal, which comes after the acknowledgement: what was acknowledged is in the
/// index.
#[tokio::test(flavor = "multi_thread")]
async fn i21_a_failed_sync_of_the_journal_stops_all_writes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    World::create(&path).await.close().await;
    let (world, vfs) = open(&path).await;
    world.push("app", 0).await.unwrap();
    fail_syncs(&vfs, ".journal");
    let mut acknowledged = Vec::new();
    let refused = loop {
        let seed = 3 * (acknowledged.len() as u64 + 1);
        match world.push("app", seed).await {
            Ok(_) => acknowledged.push(seed),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::ReadOnly, "{refused:?}");
    vfs.set(|_, _| None);
    assert_eq!(tag(&world).await, Err(ErrorKind::ReadOnly));
    world.pull("app", 0).await.unwrap();
    world.close().await;
    let world = World::open(&path).await;
    for seed in acknowledged {
        world.pull("app", seed).await.unwrap();
    }
    tag(&world).await.unwrap();
    let checked = world.home.check().await.unwrap();
    assert_eq!((checked.index, checked.journal), (vec![], vec![]));
}

/// F6: a file of the journal is durable before the next is begun, whoever wrote to it, and the next before
/// it is written to; a rebuild that cannot make its journal durable fails.
#[tokio::test(flavor = "multi_thread")]
async fn f6_each_sync_of_the_journal_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    world.push("app", 0).await.unwrap();
    world.close().await;
    let first = path.join("journal/0000000001.journal");
    let second = path.join("journal/0000000002.journal");
    // A blob that no journal names is taken in, by a commit of the rebuild itself.
    let leaked = path.join("blobs/ab/abababababababababababababababab");
    std::fs::write(&leaked, [7; 2000]).unwrap();
    for failing in [&first, &second.with_extension("new"), &second] {
        let vfs = HookedVfs::default();
        let mut options = options();
        options.vfs = Arc::new(vfs.clone());
        let failing = failing.clone();
        vfs.set(move |operation, path| {
            let fails = operation == "sync" && path == failing;
            fails.then(|| io::Error::from_raw_os_error(libc::EIO))
        });
        let before: Vec<_> = std::fs::read_dir(path.join("journal")).unwrap().collect();
        assert_eq!(before.len(), 1, "{before:?}");
        Home::rebuild_index(&path, options, true).await.unwrap_err();
        // As it was: the next one begins the same file.
        let _none = std::fs::remove_file(&second);
    }
    Home::rebuild_index(&path, options(), true).await.unwrap();
    World::open(&path).await.pull("app", 0).await.unwrap();
}

/// F3: the directory of a journal is durable when it was made.
#[test]
fn f3_the_directory_of_a_journal_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let vfs = HookedVfs::default();
    vfs.set(|operation, _| {
        let fails = operation == "sync directory";
        fails.then(|| io::Error::from_raw_os_error(libc::EIO))
    });
    let journal = dir.path().join("journal");
    Journal::open(Arc::new(vfs), journal).unwrap_err();
}

/// I21, F6: after one of its syncs has failed, a journal takes nothing more, and neither does the index
/// over it, although nothing is missing in it.
#[tokio::test(flavor = "multi_thread")]
async fn i21_a_journal_that_failed_takes_nothing() {
    let failing = |directory: &'static str, suffix: &'static str| async move {
        let dir = tempfile::tempdir().unwrap();
        let vfs = HookedVfs::default();
        let shared: Arc<dyn artifact_store::vfs::Vfs> = Arc::new(vfs.clone());
        let journal = Journal::open(Arc::clone(&shared), dir.path().join(directory)).unwrap();
        let journal = Arc::new(journal);
        let path = dir.path().join("index.db");
        let registry = artifact_core::RegistryId::from_random([1; 16]);
        SqliteIndex::create(&path, NewIndex::new(registry)).unwrap();
        let spawn = Arc::new(artifact_testkit::seams::TokioSpawn::current());
        let mut options = SqliteOptions::new(path, dir.path().join("writer.lock"), spawn);
        options.journal = Some(Arc::clone(&journal));
        let index = SqliteIndex::open(options).unwrap();
        index.apply(document(1)).await.unwrap();
        let fails = move |path: &Path| path.extension().is_some_and(|found| found == suffix);
        vfs.set(move |operation, path| {
            let fails = operation == "sync" && fails(path);
            fails.then(|| io::Error::from_raw_os_error(libc::EIO))
        });
        (dir, vfs, journal, index)
    };
    // The sync in the background, of a file that is closed, of one that is begun.
    for (case, suffix) in [(0, "journal"), (1, "journal"), (2, "new")] {
        let (_dir, vfs, journal, index) = failing("journal", suffix).await;
        let failed = if case == 0 {
            journal.sync()
        } else {
            journal.rotate()
        };
        failed.unwrap_err();
        vfs.set(|_, _| None);
        let poisoned = |outcome| matches!(outcome, Err(JournalError::Poisoned));
        assert!(poisoned(journal.check_sound()), "{case}");
        assert!(poisoned(journal.rotate()), "{case}");
        let vfs: Arc<dyn artifact_store::vfs::Vfs> = Arc::new(vfs);
        let read = Journal::read(vfs, journal.directory(), Revision::ZERO).unwrap();
        let entries: Vec<_> = read.collect::<Result<_, _>>().unwrap();
        assert_eq!(entries.len(), 1);
        assert!(poisoned(journal.append(&entries)), "{case}");
        let refused = index.apply(document(2)).await;
        assert!(
            matches!(refused, Err(IndexError::Poisoned { .. })),
            "{case}: {refused:?}"
        );
    }
}

fn document(number: u64) -> ChangeSet {
    let key = format!("user:u{number}").parse().unwrap();
    let actor = Actor::new(Principal::System, None);
    ChangeSet::new(actor, Timestamp::from_millis(1))
        .change(Change::PutDocument(key, String::from("x")))
}
