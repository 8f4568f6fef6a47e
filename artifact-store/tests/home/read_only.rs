//! Opened without writing anything.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::Command,
};

use artifact_core::ErrorKind;
use artifact_store::home::Home;

use crate::{
    child::Child,
    support::{World, eventually, options},
};

const NOBODY: u32 = 65_534;

/// Lets everybody read a tree and nobody write it.
fn protect(path: &Path) {
    let meta = fs::symlink_metadata(path).unwrap();
    let mode = if meta.is_dir() { 0o555 } else { 0o444 };
    if meta.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            protect(&entry.unwrap().path());
        }
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn listing(path: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap().path();
        all.push(format!(
            "{} {}",
            entry.display(),
            fs::metadata(&entry).unwrap().len()
        ));
        if entry.is_dir() {
            all.extend(listing(&entry));
        }
    }
    all.sort();
    all
}

/// Starts a reader that may not write: root may write anywhere, so it becomes nobody, with a copy of
/// this program where nobody may read it.
fn reader(dir: &Path, registry: &Path) -> Child {
    let program = dir.join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(program);
    command.current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    Child::run(&mut command, "read-only", registry)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_written_is_read_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    world.push("app", 1).await.unwrap();
    world.close().await;
    eventually("the files are at rest", || {
        !path.join("index.db-wal").exists()
    });
    eventually("the seat is free", || {
        fs::read_dir(path.join("open")).unwrap().count() == 0
    });
    protect(&path);
    let before = listing(&path);
    let child = reader(dir.path(), &path);
    child.expect("Denied");
    child.expect("ReadOnly");
    child.end();
    assert_eq!(listing(&path), before);
}

/// §7: with commits that stand in the WAL only, an immutable reader would not see them: refused.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_the_file_of_the_index_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    World::create(&path).await.close().await;
    let writer = Child::start("push 1 1000", &path);
    writer.expect("open");
    writer.expect("1");
    writer.kill();
    assert!(fs::metadata(path.join("index.db-wal")).unwrap().len() > 0);
    protect(&path);
    let child = reader(dir.path(), &path);
    child.expect("Denied");
    let said = child.hear();
    assert!(said.contains("index of"), "{said}");
}

/// A directory that a process writes to now cannot be read as one that nobody changes.
#[tokio::test(flavor = "multi_thread")]
async fn i16_a_directory_in_use_is_not_read_as_immutable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    world.home.sqlite().checkpoint(0).await.unwrap();
    protect(&path);
    let child = reader(dir.path(), &path);
    child.expect("Denied");
    let said = child.hear();
    assert!(said.starts_with("Busy") && said.contains("open"), "{said}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
}

/// Where it may write, a reader sees what others commit.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_follows_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    World::create(&path).await.close().await;
    let mut writer = Child::start("push-when-told", &path);
    writer.expect("open");
    let reader = World::over(Home::open_read_only(&path, options()).unwrap());
    assert!(reader.home.is_read_only());
    assert!(reader.pull("app", 4).await.is_err());
    writer.tell("4");
    writer.expect("pushed");
    reader.pull("app", 4).await.unwrap();
    let refused = reader.push("app", 5).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ReadOnly, "{refused:?}");
    assert!(reader.home.index().head().await.unwrap().revision.get() > 1);
}
