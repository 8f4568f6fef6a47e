//! Parts of another registry: who is to work with them refuses them, before anything is changed (F26).

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, sync::Arc};

use artifact_core::{ManifestIndex as _, Revision};
use artifact_store::{
    Access, SqliteIndex, SqliteOptions,
    home::{Home, HomeError},
    journal::Journal,
    vfs::RealVfs,
};
use artifact_testkit::seams::TokioSpawn;
use tempfile::TempDir;

use crate::support::{World, options};

/// Two registries at rest, and how many images each has.
async fn two(images: [u64; 2]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, images) in ["one", "two"].into_iter().zip(images) {
        let world = World::create(&dir.path().join(name)).await;
        for seed in 0..images {
            world.push("app", seed).await.unwrap();
        }
        world.close().await;
    }
    dir
}

/// Opens an index apart from its registry.
fn index(path: &Path, access: Access) -> SqliteIndex {
    let lock = path.with_extension("lock");
    let spawn = Arc::new(TokioSpawn::current());
    SqliteIndex::open(SqliteOptions::new(path, lock, spawn).access(access)).unwrap()
}

/// Returns the newest revision that the journal of a registry has.
fn journaled(registry: &Path) -> Revision {
    let journal = Journal::open(Arc::new(RealVfs::new()), registry.join("journal"));
    journal.unwrap().last().unwrap()
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(outcome: Result<T, HomeError>) {
    assert!(
        matches!(outcome, Err(HomeError::WrongRegistry { .. })),
        "{outcome:?}"
    );
}

/// F26: who reads would be given one registry's names for the other's blobs.
#[tokio::test(flavor = "multi_thread")]
async fn f26_another_registrys_index_is_not_read() {
    let dir = two([1, 0]).await;
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    fs::copy(one.join("index.db"), two.join("index.db")).unwrap();
    assert_refused(Home::open_read_only(&two, options()));
}

/// F26: also where it was made to look at home: it remembers this directory, and is not behind the journal.
#[tokio::test(flavor = "multi_thread")]
async fn f26_another_registrys_index_is_not_written() {
    let dir = two([2, 1]).await;
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    fs::copy(one.join("index.db"), two.join("index.db")).unwrap();
    let here = fs::metadata(&two).unwrap();
    let foreign = index(&two.join("index.db"), Access::ReadWrite);
    foreign
        .remember_directory(here.dev(), here.ino())
        .await
        .unwrap();
    foreign.close().await.unwrap();
    drop(foreign);
    fs::remove_file(two.join("index.lock")).unwrap();
    let before = journaled(&two);
    assert_refused(Home::open(&two, options()).await);
    assert_eq!(journaled(&two), before, "nothing of it was journaled");
}

/// F26: one that waits to take its place, as a rebuild leaves it, gets nothing from this registry's journal.
#[tokio::test(flavor = "multi_thread")]
async fn f26_another_registrys_index_is_not_brought_up_to_date() {
    let dir = two([0, 2]).await;
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    fs::copy(one.join("index.db"), two.join("index.db.ready")).unwrap();
    let of = |path: &Path| {
        let found = index(&path.join("index.db"), Access::ReadOnly);
        async move { (found.identity(), found.head().await.unwrap()) }
    };
    let before = of(&one).await;
    assert_refused(Home::open(&two, options()).await);
    assert_eq!(of(&two).await, before);
}

/// F26: a rebuild replaces no index of another registry, and takes nothing from it into the journal.
#[tokio::test(flavor = "multi_thread")]
async fn f26_a_rebuild_takes_nothing_from_another_registrys_index() {
    let dir = two([2, 1]).await;
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    fs::copy(one.join("index.db"), two.join("index.db")).unwrap();
    let before = journaled(&two);
    assert_refused(Home::rebuild_index(&two, options(), false).await);
    assert_eq!(journaled(&two), before);
}

/// F26: nor does it make an index from another registry's journal.
#[tokio::test(flavor = "multi_thread")]
async fn f26_no_index_is_made_from_another_registrys_journal() {
    let dir = two([1, 1]).await;
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    fs::remove_dir_all(two.join("journal")).unwrap();
    fs::rename(one.join("journal"), two.join("journal")).unwrap();
    let before = fs::read(two.join("index.db")).unwrap();
    assert_refused(Home::rebuild_index(&two, options(), true).await);
    assert_eq!(fs::read(two.join("index.db")).unwrap(), before);
}
