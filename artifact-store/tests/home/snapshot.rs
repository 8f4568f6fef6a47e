//! Exact copies of registries that are in use (F16).

use std::{
    collections::BTreeSet,
    fs,
    num::NonZeroU32,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use artifact_core::{AsOf, Committed, KeyOwner, Location, Page, Revision};
use artifact_store::{
    home::{Home, HomeError},
    journal::Journal,
    vfs::RealVfs,
};
use futures::StreamExt as _;

use crate::{
    child::Child,
    support::{World, blob, creation, digest, package},
};

const PAGE: NonZeroU32 = NonZeroU32::new(1000).unwrap();

/// Returns the keys that the index names, and those that the store has.
async fn keys(world: &World) -> (BTreeSet<String>, BTreeSet<String>) {
    let rows = world
        .home
        .index()
        .blob_rows(Page::first(PAGE))
        .await
        .unwrap();
    let named = rows.into_iter().filter_map(|row| match row.location {
        Location::Key(key) => Some(key.to_string()),
        Location::Inline(_) => None,
    });
    let entries: Vec<_> = world.home.store().list().collect().await;
    let mut stored = BTreeSet::new();
    for entry in entries.into_iter().map(Result::unwrap) {
        // A slot that was being written while its segment was copied is staged: the next scrub frees it. One
        // that was committed, and not yet published, is its upload's, or in the trash of who opened the copy.
        let owner = world.home.index().key_owner(&entry.key).await.unwrap();
        if !entry.staged && matches!(owner, None | Some(KeyOwner::Blob(_))) {
            stored.insert(entry.key.to_string());
        }
    }
    (named.collect(), stored)
}

async fn seeds(world: &World) -> Vec<u64> {
    let (index, package) = (world.home.index(), package("app"));
    let tags = index.tags(AsOf::Now, &package, Page::first(PAGE));
    let tags = tags.await.unwrap();
    tags.iter()
        .map(|tag| tag.tag.as_str()[1..].parse().unwrap())
        .collect()
}

fn journal(path: &Path) -> Vec<Committed> {
    let vfs = Arc::new(RealVfs::new());
    let read = Journal::read(vfs, &path.join("journal"), Revision::ZERO).unwrap();
    read.map(|entry| entry.unwrap().committed).collect()
}

/// F16: a snapshot of a busy registry is one revision of it, whole and exact.
#[tokio::test(flavor = "multi_thread")]
async fn f16_a_snapshot_of_a_busy_registry_is_exact() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    for seed in 0..9 {
        world.push("app", seed).await.unwrap();
    }
    let writer = Child::start("push 1000 100000", &path);
    let collector = Child::start("collect", &path);
    writer.expect("open");
    collector.expect("open");
    for number in 0..3 {
        let target = dir.path().join(format!("snapshot-{number}"));
        let told = AtomicU64::new(0);
        let progress = |blobs, _| told.store(blobs, Ordering::Relaxed);
        let snapshot = world.home.snapshot(&target, &progress).await.unwrap();
        assert_eq!(snapshot.missing, []);
        assert_eq!(told.into_inner(), snapshot.blobs);
        let copied = World::open(&target).await;
        assert_eq!(copied.home.notes(), [], "it is no copy to be checked");
        assert_eq!(copied.home.identity(), world.home.identity());
        let head = copied.home.index().head().await.unwrap().revision;
        assert_eq!(head, snapshot.revision);
        for seed in seeds(&copied).await {
            copied.pull("app", seed).await.unwrap();
        }
        let (named, stored) = keys(&copied).await;
        assert_eq!(named.len() as u64, snapshot.blobs);
        assert_eq!(named, stored, "nothing is there that nothing names");
        let told = journal(&target);
        assert_eq!(told.last().unwrap().revision, snapshot.revision);
        assert_eq!(told[..], journal(&path)[..told.len()]);
        let problems = copied.home.sqlite().check().await.unwrap().problems;
        assert_eq!(problems, Vec::<String>::new());
        copied.push("app", 500_000).await.unwrap();
        world.push("app", 600_000 + number).await.unwrap();
    }
    writer.kill();
    collector.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_replaces_nothing_and_leaves_nothing_half_done() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::create(&dir.path().join("registry"), creation())
        .await
        .unwrap();
    let target = dir.path().join("target");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("mine"), "x").unwrap();
    let refused = home.snapshot(&target, &|_, _| ()).await.unwrap_err();
    assert!(matches!(refused, HomeError::NotEmpty { .. }), "{refused}");
    fs::remove_file(target.join("mine")).unwrap();
    home.snapshot(&target, &|_, _| ()).await.unwrap();
    let mut names: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["registry", "target"]);
}

/// What the registry itself has lost is told, and does not keep the rest from being copied.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_blob_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::create(&dir.path().join("registry")).await;
    world.push("app", 1).await.unwrap();
    world.push("app", 2).await.unwrap();
    let lost = digest(&blob(2, 1));
    let row = world.home.index().blob_row(&lost).await.unwrap().unwrap();
    let Location::Key(key) = row.location else {
        panic!("{row:?}");
    };
    fs::remove_file(world.home.path().join(key.as_str())).unwrap();
    let target = dir.path().join("snapshot");
    let snapshot = world.home.snapshot(&target, &|_, _| ()).await.unwrap();
    assert_eq!(snapshot.missing, [lost]);
    World::open(&target).await.pull("app", 1).await.unwrap();
}
