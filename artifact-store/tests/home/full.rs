//! Disks with little room, and with none (F8).

use std::{fs, path::PathBuf};

use artifact_core::{CollectOptions, Condition, Error, ErrorKind, Forget};
use artifact_store::home::{Home, Note};

use crate::support::{World, creation, package, tag};

/// F8: with less room than `min_free` nothing more is taken; what is there is read and deleted.
#[tokio::test(flavor = "multi_thread")]
async fn f8_below_min_free_nothing_more_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    for seed in 0..3 {
        world.push("app", seed).await.unwrap();
    }
    world.close().await;
    let settings = path.join("artifact.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let full = text.replace("min_free = \"0 B\"", "min_free = \"1000000 TiB\"");
    assert_ne!(full, text);
    fs::write(&settings, full).unwrap();
    fs::remove_file(path.join("reserve")).unwrap();
    let world = World::open(&path).await;
    assert_eq!(world.home.notes(), [Note::ReserveMissing]);
    // Inline, a slot, a file of its own.
    for seed in 3..6 {
        let refused = world.push("app", seed).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NoSpace, "{refused:?}");
    }
    for seed in 0..3 {
        world.pull("app", seed).await.unwrap();
    }
    let session = world.session();
    session
        .delete_tag(&package("app"), &tag(1), &Condition::Any)
        .await
        .unwrap();
    session.collect(&CollectOptions::default()).await.unwrap();
}

/// F8, I1: on a disk that is full, nothing that was acknowledged is lost, deletions find room by the
/// reserve, and pushes go on when there is room again.
///
/// It needs a small disk of its own, some 64 MiB, and its path in `ARTIFACT_SMALL_DISK`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it fills a disk: give it a small one in ARTIFACT_SMALL_DISK"]
async fn f8_a_full_disk_loses_nothing() {
    let disk = PathBuf::from(std::env::var("ARTIFACT_SMALL_DISK").unwrap());
    let path = disk.join("registry");
    let world = World::over(Home::create(&path, creation()).await.unwrap());
    let mut pushed = Vec::new();
    let refused = loop {
        let seed = pushed.len() as u64;
        match world.push("app", seed).await {
            Ok(_) => pushed.push(seed),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::NoSpace, "{refused:?}");
    assert!(pushed.len() > 20, "{}", pushed.len());
    // To the last block, so that not even a row finds room.
    let filler = fs::File::create(disk.join("filler")).unwrap();
    let mut filled = 0;
    for length in [1 << 20, 4096, 1] {
        while std::os::unix::fs::FileExt::write_all_at(&filler, &vec![1; length], filled).is_ok() {
            filled += length as u64;
        }
    }
    for seed in &pushed {
        world.pull("app", *seed).await.unwrap();
    }
    let (kept, gone) = pushed.split_at(3);
    for seed in gone {
        let package = package("app");
        let by_tag = artifact_core::ManifestRef::Tag(tag(*seed));
        let session = world.session();
        let found = session
            .get_manifest(artifact_core::AsOf::Now, &package, &by_tag)
            .await;
        let digest = found.unwrap().record.digest;
        let deleted: Result<_, Error> = session.delete_manifest(&package, &digest).await;
        deleted.unwrap();
    }
    assert!(!path.join("reserve").exists(), "it was given up");
    let head = world.session().revision().await.unwrap().revision;
    let forget = Forget {
        repository: None,
        before: head,
    };
    let mut options = CollectOptions::default().forgetting(forget);
    options.allow_mass_delete = true;
    world.session().collect(&options).await.unwrap();
    for seed in kept {
        world.pull("app", *seed).await.unwrap();
    }
    fs::remove_file(disk.join("filler")).unwrap();
    world.push("app", 2).await.unwrap();
    world.close().await;
    let world = World::open(&path).await;
    for seed in kept {
        world.pull("app", *seed).await.unwrap();
    }
    let checked = world.home.check().await.unwrap();
    assert!(
        checked.index.is_empty() && checked.journal.is_empty(),
        "{checked:?}"
    );
    assert!(path.join("reserve").exists(), "it was made again");
}
