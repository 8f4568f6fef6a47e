//! A registry whose disk failed acknowledges nothing more until it is opened again (F6, I21).

use std::{io, path::Path, sync::Arc};

use artifact_core::{Condition, ErrorKind};
use artifact_store::home::Home;

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
