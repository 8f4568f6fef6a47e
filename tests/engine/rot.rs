//! Rot in the files of a registry.

use std::{
    fs,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use artifact::{
    AsOf, BlobRange, Bookkeeping, Document as _, ErrorKind, Location, Principal, PutManifest,
    RepositorySettings, RequestContext, ScrubOptions, StageSettings, UploadOptions, blocking::wait,
};

use crate::support::{World, assert_kind, bytes, digest, image, package, push, read};

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

/// Changes bytes of a file, and leaves all else of it as it was.
fn rot_unseen(path: &Path, at: u64) {
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let before = file.metadata().unwrap().modified().unwrap();
    file.write_all_at(b"rot", at).unwrap();
    file.set_modified(before).unwrap();
}

/// I3: what changed is told of, whatever part of it is read, and by whatever way.
#[test]
fn i3_no_part_of_what_changed_is_given() {
    let world = World::on_disk(|_| {});
    let (session, app) = (world.embedder(), package("app"));
    for seed in [1, 2] {
        let data = bytes(seed, 2_000_000);
        let pushed = push(&session, &app, &data).unwrap().digest;
        let path = file_of(&world, &pushed);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(b"rot", 1_234_567).unwrap();
        if seed == 1 {
            let part = BlobRange::Bounded(0, 9);
            let read = session.read_blob(AsOf::Now, &app, &pushed, part);
            assert_kind(read, ErrorKind::Corrupt);
        } else {
            let opened = session.open_blob(AsOf::Now, &app, &pushed);
            assert_kind(opened, ErrorKind::Corrupt);
        }
    }
}

/// I3: what no stamp shows is found by the next hash: where each read is hashed, and after the interval.
#[test]
fn i3_rot_that_no_stamp_shows_is_found_in_its_time() {
    let world = World::on_disk(|_| {});
    let (session, app) = (world.embedder(), package("app"));
    let data = bytes(1, 2_000_000);
    let pushed = push(&session, &app, &data).unwrap().digest;
    let path = file_of(&world, &pushed);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    rot_unseen(&path, 1_000_000);
    read(&session, &app, &pushed).expect("this is the gap that is told of");
    world.clock.advance(Duration::from_secs(31 * 24 * 60 * 60));
    assert_kind(read(&session, &app, &pushed), ErrorKind::Corrupt);
    push(&session, &app, &data).unwrap();
    let path = file_of(&world, &pushed);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    rot_unseen(&path, 1_000_000);
    let always = StageSettings::from_body(r#"{"verify_always":true}"#).unwrap();
    session
        .set_stage(&"strict".parse().unwrap(), &always)
        .unwrap();
    let settings = RepositorySettings::from_body(r#"{"stage":"strict"}"#).unwrap();
    session
        .set_repository(&"default".parse().unwrap(), &settings, None)
        .unwrap();
    assert_kind(read(&session, &app, &pushed), ErrorKind::Corrupt);
}

/// I3: a slot, which has no stamp, is hashed at its first read, and again after the interval.
#[test]
fn i3_a_slot_is_hashed_before_it_is_trusted() {
    let world = World::on_disk(|_| {});
    let (session, app) = (world.embedder(), package("app"));
    let segments = world.directory.as_ref().unwrap().path().join("segments");
    let rot = |data: &[u8]| {
        let holds = |path: &PathBuf| {
            let text = fs::read(path).unwrap();
            let at = text.windows(32).position(|window| window == &data[..32]);
            at.map(|at| (path.clone(), at as u64))
        };
        let found = files(&segments).iter().find_map(holds);
        let (path, at) = found.expect("it has a slot");
        rot_unseen(&path, at + 5);
    };
    let (first, second) = (bytes(1, 20_000), bytes(2, 20_000));
    let pushed = push(&session, &app, &first).unwrap().digest;
    rot(&first);
    assert_kind(read(&session, &app, &pushed), ErrorKind::Corrupt);
    let pushed = push(&session, &app, &second).unwrap().digest;
    read(&session, &app, &pushed).unwrap();
    rot(&second);
    world.clock.advance(Duration::from_secs(31 * 24 * 60 * 60));
    assert_kind(read(&session, &app, &pushed), ErrorKind::Corrupt);
}

/// I23: no blob is longer than is taken, whether that was announced or not; and none is read into more
/// memory than its reader would give.
#[test]
fn i23_a_blob_is_no_longer_than_is_taken() {
    let world = World::on_disk(|parts| parts.limits.blob_max = Some(10_000));
    let (session, app) = (world.embedder(), package("app"));
    let announced = UploadOptions::default().sized(Some(10_001));
    assert_kind(session.begin_upload(&app, announced), ErrorKind::TooLarge);
    let mut upload = session
        .begin_upload(&app, UploadOptions::default())
        .unwrap();
    upload.write_bytes(bytes(1, 10_000).into()).unwrap();
    let more = upload.write_bytes(bytes(2, 1).into());
    assert_kind(more, ErrorKind::TooLarge);
    let pushed = push(&session, &app, &bytes(3, 9_000)).unwrap();
    let reader = world
        .registry
        .session(Principal::Embedder, RequestContext::default());
    let read = |limit| {
        let read = async {
            let range = BlobRange::All;
            let body = reader.read_blob(AsOf::Now, &app, &pushed.digest, range);
            body.await?.collect(limit).await
        };
        wait(read).unwrap()
    };
    assert_kind(read(8_999), ErrorKind::TooLarge);
    assert_eq!(read(9_000).unwrap().len(), 9_000);
}

/// I2: a manifest tells the sizes of what it names.
#[test]
fn i2_a_manifest_with_wrong_sizes_is_refused() {
    let world = World::on_disk(|_| {});
    let (session, app) = (world.embedder(), package("app"));
    let config = push(&session, &app, &bytes(1, 300)).unwrap();
    let mut layer = push(&session, &app, &bytes(2, 9_000)).unwrap();
    layer.size += 1;
    let manifest = image(&[config, layer]);
    session
        .put_manifest(&app, &manifest, &PutManifest::default())
        .unwrap_err();
}

/// I22: what was found wrong once and is right, because a disk was in a mood, ends its quarantine with the next
/// scrub; what is still wrong is told of by each, also where nothing shows that it changed.
#[test]
fn i22_a_scrub_hashes_what_was_found_wrong_again() {
    let world = World::on_disk(|_| {});
    let (session, app) = (world.embedder(), package("app"));
    let index = &world.registry.parts().index;
    for length in [20_000, 2_000_000] {
        let data = bytes(length, usize::try_from(length).unwrap());
        let pushed = push(&session, &app, &data).unwrap().digest;
        let row = wait(index.blob_row(&pushed)).unwrap().unwrap().unwrap();
        let Location::Key(key) = row.location else {
            panic!("{row:?}");
        };
        wait(index.note(Bookkeeping::Quarantine(pushed, key)))
            .unwrap()
            .unwrap();
        assert_kind(read(&session, &app, &pushed), ErrorKind::Corrupt);
        let found = session.scrub(ScrubOptions::default(), |_| {}).unwrap();
        assert_eq!(found.corrupt, []);
        assert!(read(&session, &app, &pushed).unwrap() == data, "{length}");
    }
    let pushed = digest(&bytes(2_000_000, 2_000_000));
    let path = file_of(&world, &pushed);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    rot_unseen(&path, 1_000_000);
    for all in [true, false, false] {
        let mut options = ScrubOptions::default();
        options.all = all;
        let found = session.scrub(options, |_| {}).unwrap();
        assert_eq!(found.corrupt, [pushed], "all: {all}");
    }
}
