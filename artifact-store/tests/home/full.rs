//! Disks with little room, and with none (F8).

use std::{fs, os::unix::fs::FileExt as _, path::Path, process::Command};

use artifact_core::{
    CollectOptions, Condition, ErrorKind, StoreError, UploadHint, UploadId, UploadOptions,
};
use artifact_store::home::{Home, Note};

use crate::{
    child::{Child, say},
    faults::{Calls, Fault, chosen},
    support::{World, options, package, tag},
    tasks::{self, KEPT, Task, check_whole},
};

/// F8: with less room than `min_free` nothing more is taken; what is there is read and deleted.
#[tokio::test(flavor = "multi_thread")]
async fn f8_below_min_free_nothing_more_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    for seed in 0..3 {
        world.push("app", seed).await.unwrap();
    }
    let id = UploadId::from_random([7; 16]);
    let mut writer = world.home.store().begin(&id, UploadHint::default()).await;
    let begun = writer.as_mut().unwrap();
    begun.write(vec![7; 40_000].into()).await.unwrap();
    let suspended = writer.unwrap().suspend().await.unwrap();
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
    // Each step by itself: an upload is not taken in only to be refused when a manifest names it.
    for length in [300, 40_000, 1_200_000] {
        let pushed = world.push_blob(&package("app"), &vec![7; length]).await;
        let refused = pushed.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NoSpace, "{length}: {refused:?}");
    }
    let options = UploadOptions::default();
    let mut small = (world.session().begin_upload(&package("app"), options).await).unwrap();
    small.write(vec![7; 300].into()).await.unwrap();
    let refused = small.suspend().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NoSpace, "{refused:?}");
    let store = world.home.store();
    let begun = store.begin(&id, UploadHint::default()).await.map(drop);
    assert!(
        matches!(begun, Err(StoreError::NoSpace { .. })),
        "{begun:?}"
    );
    let resumed = store.resume(&id, suspended).await.map(drop);
    assert!(
        matches!(resumed, Err(StoreError::NoSpace { .. })),
        "{resumed:?}"
    );
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

/// How many calls of a task are tried.
const SHARE: u64 = 7;

/// Has children do a task on a disk that is full from one of its calls on.
async fn fill_at_calls(task: Task) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    for seed in KEPT {
        world.push("app", seed).await.unwrap();
    }
    world.close().await;
    let calls = Calls::below(dir.path());
    attempt(&calls, &path, task, 10, 0).await;
    let count = calls.counted().expect("it lived to tell");
    let mut refused = 0;
    for at in chosen(count, SHARE) {
        refused += u64::from(attempt(&calls, &path, task, 10 + at, at).await);
    }
    // What frees room finds it.
    assert_eq!(refused == 0, task.frees(), "{refused} of {count} refused");
}

/// Has a child do a task, and checks what is there afterwards; says whether it was refused.
async fn attempt(calls: &Calls, path: &Path, task: Task, seed: u64, at: u64) -> bool {
    let world = World::open(path).await;
    task.prepare(&world, seed).await;
    world.close().await;
    assert!(path.join("reserve").exists());
    let role = format!("task {} {seed}", task.name());
    let mut child = calls.child(&role, path, Fault::Full, at);
    let said = child.hear();
    let refused = said != "done";
    if refused {
        assert!(said.starts_with("NoSpace "), "call {at}: {said}");
        // Others read, and find nothing lost, while the disk is full.
        let beside = World::open(path).await;
        for seed in KEPT {
            beside.pull("app", seed).await.unwrap();
        }
        beside.close().await;
        child.tell("there is room");
        child.expect("done");
    }
    child.end();
    let world = World::open(path).await;
    task.check(&world, seed, true).await;
    check_whole(&world).await;
    world.close().await;
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn f8_a_push_is_refused_and_goes_on_with_room() {
    fill_at_calls(Task::Push).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f8_a_tag_finds_room() {
    fill_at_calls(Task::Tag).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f8_a_deletion_finds_room() {
    fill_at_calls(Task::Delete).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f8_a_collection_finds_room() {
    fill_at_calls(Task::Collect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f8_an_open_finds_room() {
    fill_at_calls(Task::Open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f8_a_purge_finds_room() {
    fill_at_calls(Task::Purge).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f8_a_rebuild_is_refused_or_finds_room() {
    fill_at_calls(Task::Rebuild).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f8_a_snapshot_is_refused_and_leaves_nothing() {
    fill_at_calls(Task::Snapshot).await;
}

/// How large the disk is that is filled, in bytes.
const DISK: u64 = 48 << 20;

/// F8, I1: on a real disk that is full to its last block nothing that was acknowledged is lost, the
/// registry is opened, and deletions and a collection find room by the reserve.
///
/// The disk is a file system in memory, mounted where nobody else sees it; that takes the right to
/// mount, or to make a user namespace.
#[test]
fn f8_a_full_disk_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    // Root of the machine, or else of a namespace of users.
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    let mount = format!("mount -t tmpfs -o size={DISK} tmpfs \"$0\" && exec \"$@\"");
    command
        .args(["--mount", "--propagation", "private", "sh", "-c", &mount])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap());
    let child = Child::run(&mut command, "fill", dir.path());
    let said = child.end();
    assert_eq!(
        said.last().map(String::as_str),
        Some("whole"),
        "a small disk could not be mounted (`unshare --mount`): {said:?}"
    );
}

/// The child, on a disk of its own.
pub(crate) async fn fill(disk: &Path) {
    let path = disk.join("registry");
    let world = World::create(&path).await;
    let mut pushed = 0;
    let refused = loop {
        match world.push("app", pushed).await {
            Ok(_) => pushed += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::NoSpace, "{refused:?}");
    assert!(pushed > 20, "{pushed}");
    world.close().await;
    let filler = fs::File::create(disk.join("filler")).unwrap();
    fill_up(&filler);
    // SQLite's shared memory alone needs room.
    let reader = World::over(Home::open_read_only(&path, options()).unwrap());
    reader.pull("app", 0).await.unwrap();
    drop(reader);
    let world = World::open(&path).await;
    assert_eq!(world.home.notes().last(), Some(&Note::ReserveMissing));
    fill_up(&filler);
    for seed in 0..pushed {
        world.pull("app", seed).await.unwrap();
    }
    let full = world.push("app", pushed).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::NoSpace, "{full:?}");
    let target = disk.join("snapshot");
    let snapshot = world.home.snapshot(&target, &|_, _| ()).await.unwrap_err();
    assert_eq!(snapshot.kind(), ErrorKind::NoSpace, "{snapshot:?}");
    assert_eq!(fs::read_dir(disk).unwrap().count(), 2, "it left something");
    world.close().await;
    let rebuilt = Home::rebuild_index(&path, options(), false)
        .await
        .unwrap_err();
    assert_eq!(rebuilt.kind(), ErrorKind::NoSpace, "{rebuilt:?}");
    // The reserve is what is missing: somebody else has taken its room. It is made again first.
    filler
        .set_len(filler.metadata().unwrap().len() - (17 << 20))
        .unwrap();
    World::open(&path).await.close().await;
    assert!(path.join("reserve").exists());
    fill_up(&filler);
    free(&path, pushed).await;
    drop(filler);
    fs::remove_file(disk.join("filler")).unwrap();
    let world = World::open(&path).await;
    check_whole(&world).await;
    assert!(path.join("reserve").exists(), "it was made again");
    world.push("app", pushed).await.unwrap();
    world.home.snapshot(&target, &|_, _| ()).await.unwrap();
    world.close().await;
    Home::rebuild_index(&path, options(), false).await.unwrap();
    check_whole(&World::open(&path).await).await;
    say("whole");
}

/// Deletes and collects on a disk that is full.
async fn free(path: &Path, pushed: u64) {
    let world = World::open(path).await;
    for seed in 3..pushed {
        tasks::delete(&world, seed).await.unwrap();
    }
    assert!(!path.join("reserve").exists(), "it was given up");
    tasks::collect(&world).await.unwrap();
    for seed in KEPT {
        world.pull("app", seed).await.unwrap();
    }
    world.push("app", 3).await.unwrap();
    world.close().await;
}

/// Fills a disk to its last block.
fn fill_up(filler: &fs::File) {
    let mut filled = filler.metadata().unwrap().len();
    for length in [1 << 20, 4096, 1] {
        while filler.write_all_at(&vec![1; length], filled).is_ok() {
            filled += length as u64;
        }
        filled = filler.metadata().unwrap().len();
    }
}
