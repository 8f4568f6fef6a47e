//! Processes that are killed, at each of the calls by which they change what is on the disk (F1, I1, I2, I4,
//! I24). What a power loss takes besides is not shown here.

use std::path::Path;

use crate::{
    faults::{Calls, Fault, chosen},
    support::World,
    tasks::{KEPT, Task, check_whole},
};

/// How many calls of a task are tried.
const SHARE: u64 = 9;

/// Has children do a task that are killed at its calls, one after the other, and opens the registry
/// after each.
async fn kill_at_calls(task: Task) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    for seed in KEPT {
        world.push("app", seed).await.unwrap();
    }
    world.close().await;
    let calls = Calls::below(dir.path());
    // Nothing happens to the first one, which tells how many calls there are.
    let killed = attempt(&calls, &path, task, 10, 0).await;
    assert!(!killed);
    let count = calls.counted().expect("it lived to tell");
    assert!(count > 5, "{count} calls of {}", task.name());
    let mut deaths = 0;
    for at in chosen(count, SHARE) {
        deaths += u64::from(attempt(&calls, &path, task, 10 + at, at).await);
    }
    // Threads do not make the same calls each time; most of them are made.
    assert!(deaths > 3, "{deaths} of {count} killed");
}

/// Has a child do a task, and checks what is there afterwards; says whether it was killed.
async fn attempt(calls: &Calls, path: &Path, task: Task, seed: u64, at: u64) -> bool {
    let world = World::open(path).await;
    task.prepare(&world, seed).await;
    world.close().await;
    let child = calls.child(
        &format!("task {} {seed}", task.name()),
        path,
        Fault::Kill,
        at,
    );
    let (said, killed) = child.wait();
    let acknowledged = said.iter().any(|line| line == "done");
    assert!(killed || acknowledged, "call {at}: {said:?}");
    // The next open needs no help.
    let world = World::open(path).await;
    task.check(&world, seed, acknowledged).await;
    check_whole(&world).await;
    world.close().await;
    killed
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_a_killed_push_is_whole_or_absent() {
    kill_at_calls(Task::Push).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_a_killed_tag_is_moved_or_not() {
    kill_at_calls(Task::Tag).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_a_killed_deletion_is_whole_or_nothing() {
    kill_at_calls(Task::Delete).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_a_killed_open_is_opened_again() {
    kill_at_calls(Task::Open).await;
}

/// F25: between claim, row, trash and bytes.
#[tokio::test(flavor = "multi_thread")]
async fn f1_f25_a_killed_collection_takes_nothing_that_is_wanted() {
    kill_at_calls(Task::Collect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_a_killed_rebuild_leaves_one_index_or_the_other() {
    kill_at_calls(Task::Rebuild).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_a_killed_snapshot_is_whole_or_absent() {
    kill_at_calls(Task::Snapshot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_a_killed_beginning_is_begun_again() {
    kill_at_calls(Task::Init).await;
}

/// Purged bytes are in no file of the directory, or the purge was never made.
#[tokio::test(flavor = "multi_thread")]
async fn f1_a_killed_purge_is_whole_or_nothing() {
    kill_at_calls(Task::Purge).await;
}
