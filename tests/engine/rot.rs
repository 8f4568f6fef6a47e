//! Rot in the files of a registry.

use std::{
    fs,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use artifact::{ErrorKind, ScrubOptions};

use crate::support::{World, assert_kind, bytes, digest, package, push, read};

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push(path)
        }
    }
    found
}

/// Returns the file of the only blob whose digest this is.
fn file_of(world: &World, wanted: &artifact::Digest) -> PathBuf {
    let blobs = world.directory.as_ref().unwrap().path().join("blobs");
    let of = |path: &PathBuf| digest(&fs::read(path).unwrap()) == *wanted;
    files(&blobs).into_iter().find(of).unwrap()
}

/// I3, I22, F10: rot is found, named, never given away as a success, and mended by the same bytes.
#[test]
fn i22_rot_is_quarantined_and_repaired() {
    let world = World::on_disk(|_| {});
    let (session, app) = (world.embedder(), package("app"));
    let data = bytes(1, 2_000_000);
    let pushed = push(&session, &app, &data).unwrap();
    let sound = push(&session, &app, &bytes(2, 2_000_000)).unwrap();
    let path = file_of(&world, &pushed.digest);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"rot", 1_234_567).unwrap();
    assert_kind(read(&session, &app, &pushed.digest), ErrorKind::Corrupt);
    let found = session
        .scrub(ScrubOptions::default().all(), |_| {})
        .unwrap();
    assert_eq!(found.corrupt, [pushed.digest]);
    assert_kind(read(&session, &app, &pushed.digest), ErrorKind::Corrupt);
    assert!(
        read(&session, &app, &sound.digest).is_ok(),
        "the other blob is untouched"
    );
    push(&session, &app, &data).unwrap();
    assert!(read(&session, &app, &pushed.digest).unwrap() == data);
    let clean = session
        .scrub(ScrubOptions::default().all(), |_| {})
        .unwrap();
    assert_eq!((clean.corrupt.len(), clean.blobs), (0, 2));
}

/// F11: a blob whose file is gone is an error by name, and nothing else fails with it.
#[test]
fn f11_a_missing_file_is_named() {
    let world = World::on_disk(|_| {});
    let (session, app) = (world.embedder(), package("app"));
    let pushed = push(&session, &app, &bytes(3, 2_000_000)).unwrap();
    let sound = push(&session, &app, &bytes(4, 2_000_000)).unwrap();
    fs::remove_file(file_of(&world, &pushed.digest)).unwrap();
    assert_kind(read(&session, &app, &pushed.digest), ErrorKind::Corrupt);
    assert!(read(&session, &app, &sound.digest).is_ok());
    let found = session.scrub(ScrubOptions::default(), |_| {}).unwrap();
    assert_eq!(found.corrupt, [pushed.digest]);
}

/// I9: a file that no row names is found by the scrub and freed.
#[test]
fn i9_a_leaked_file_is_freed() {
    let world = World::on_disk(|_| {});
    let (session, app) = (world.embedder(), package("app"));
    let pushed = push(&session, &app, &bytes(5, 2_000_000)).unwrap();
    let own = file_of(&world, &pushed.digest);
    let shard = own.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let leak = own.with_file_name(format!("{shard}{}", "0".repeat(30)));
    fs::copy(&own, &leak).unwrap();
    let found = session.scrub(ScrubOptions::default(), |_| {}).unwrap();
    assert_eq!((found.leaked, found.leaked_bytes), (1, 2_000_000));
    session
        .collect(&artifact::CollectOptions::default())
        .unwrap();
    assert!(!leak.exists());
    assert!(own.exists());
}
