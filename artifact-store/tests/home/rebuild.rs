//! An index that is lost, made anew from the journal (F10, F11).

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use artifact_core::{AsOf, BlobStore as _, Committed, Digest, Location, Page, Revision, TagRecord};
use artifact_store::home::{Home, HomeError, Rebuilt};

use crate::support::{World, blob, digest, options, package, tag};

async fn rebuild(path: &Path) -> Rebuilt {
    Home::rebuild_index(path, options(), false).await.unwrap()
}

fn lose_index(path: &Path) {
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _gone = fs::remove_file(path.join(name));
    }
}

/// Returns where the bytes of a blob are, if they have a file of their own.
async fn file_of(world: &World, digest: &Digest) -> PathBuf {
    let row = world.home.index().blob_row(digest).await.unwrap().unwrap();
    match row.location {
        Location::Key(key) => world.home.path().join(key.as_str()),
        Location::Inline(_) => panic!("{digest} is inline"),
    }
}

async fn tags(world: &World) -> Vec<TagRecord> {
    let page = Page::first(1000.try_into().unwrap());
    world
        .home
        .index()
        .tags(AsOf::Now, &package("app"), page)
        .await
        .unwrap()
}

async fn feed(world: &World) -> Vec<Committed> {
    let limit = 500.try_into().unwrap();
    world
        .home
        .index()
        .changes(Revision::ZERO, limit)
        .await
        .unwrap()
}

/// I24: what the journal tells is there again: names, generations, history; and the epoch is a new
/// one.
#[tokio::test(flavor = "multi_thread")]
async fn i24_a_lost_index_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    for seed in 0..12 {
        world.push("app", seed).await.unwrap();
    }
    let session = world.session();
    let before_deletion = world.home.index().head().await.unwrap();
    let gone = package("app").at(tag(3));
    session
        .delete_tag(&package("app"), &tag(3), &Default::default())
        .await
        .unwrap();
    let (head, old_tags) = (world.home.index().head().await.unwrap(), tags(&world).await);
    let epoch = world.home.identity().epoch;
    let feed = feed(&world).await;
    drop(session);
    world.close().await;
    lose_index(&path);
    let lost = Home::open(&path, options()).await.unwrap_err();
    assert!(matches!(lost, HomeError::IndexOpen { .. }), "{lost}");
    assert!(lost.to_string().contains("--rebuild-index"), "{lost}");

    let rebuilt = rebuild(&path).await;
    assert_eq!(rebuilt.revision, head.revision);
    assert_eq!(rebuilt.entries, feed.len() as u64);
    assert!(rebuilt.epoch > epoch);
    assert_eq!((rebuilt.adopted, rebuilt.freed, rebuilt.torn), (0, 0, None));
    assert!(rebuilt.missing.is_empty() && rebuilt.corrupt.is_empty() && rebuilt.damage.is_empty());
    // Inline blobs came with the journal; slots and files were hashed.
    assert_eq!(rebuilt.hashed, 8);

    let world = World::open(&path).await;
    assert_eq!(world.home.notes(), []);
    assert_eq!(world.home.identity().epoch, rebuilt.epoch);
    assert_eq!(world.home.index().head().await.unwrap(), head);
    assert_eq!(tags(&world).await, old_tags);
    assert_eq!(self::feed(&world).await, feed);
    for seed in (0..12).filter(|seed| *seed != 3) {
        world.pull("app", seed).await.unwrap();
    }
    let at = AsOf::Revision(before_deletion.revision);
    world.session().get_manifest(at, &gone).await.unwrap();
    world.push("app", 40).await.unwrap();
    let problems = world.home.sqlite().check().await.unwrap().problems;
    assert_eq!(problems, Vec::<String>::new());
}

/// F10, F11, I22: blobs that are gone or wrong are named, fail alone, and are mended by a push.
#[tokio::test(flavor = "multi_thread")]
async fn f11_lost_and_wrong_blobs_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    for seed in [2, 5, 8] {
        world.push("app", seed).await.unwrap();
    }
    let (missing, corrupt) = (digest(&blob(2, 1)), digest(&blob(5, 1)));
    let (lost, wrong) = (
        file_of(&world, &missing).await,
        file_of(&world, &corrupt).await,
    );
    world.close().await;
    fs::remove_file(lost).unwrap();
    let mut permissions = fs::metadata(&wrong).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    fs::set_permissions(&wrong, permissions).unwrap();
    fs::File::options()
        .write(true)
        .open(&wrong)
        .unwrap()
        .write_all_at(b"rot", 77)
        .unwrap();
    lose_index(&path);
    let rebuilt = rebuild(&path).await;
    assert_eq!(rebuilt.missing, [missing]);
    assert_eq!(rebuilt.corrupt, [corrupt]);
    let world = World::open(&path).await;
    world.pull("app", 8).await.unwrap();
    for seed in [2, 5] {
        assert!(world.pull("app", seed).await.is_err(), "{seed}");
        world.push("app", seed).await.unwrap();
        world.pull("app", seed).await.unwrap();
    }
}

/// F9, I22: what the disk does not read costs a rebuild that alone: a blob, or the header of a segment.
#[tokio::test(flavor = "multi_thread")]
async fn f9_what_cannot_be_read_ends_no_rebuild() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    for seed in [2, 4, 8] {
        world.push("app", seed).await.unwrap();
    }
    let unreadable = digest(&blob(2, 1));
    let file = file_of(&world, &unreadable).await;
    world.close().await;
    // Who reads a directory gets an error.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    for entry in fs::read_dir(path.join("segments")).unwrap() {
        let segment = fs::File::options().write(true).open(entry.unwrap().path());
        segment.unwrap().write_all_at(b"rot", 5).unwrap();
    }
    lose_index(&path);
    let rebuilt = rebuild(&path).await;
    assert_eq!(rebuilt.corrupt, [unreadable]);
    assert!(rebuilt.missing.is_empty(), "{rebuilt:?}");
    fs::remove_dir(&file).unwrap();
    let world = World::open(&path).await;
    for seed in [4, 8] {
        world.pull("app", seed).await.unwrap();
    }
    world.push("app", 2).await.unwrap();
    world.pull("app", 2).await.unwrap();
}

/// §7: other blob files are taken in without a link, so that a collection may have them; slots that
/// nothing names are freed.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_journal_does_not_name_is_adopted_or_freed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    world.push("app", 1).await.unwrap();
    let file = dir.path().join("before");
    copy_journal(&path, &file);
    world.push("app", 2).await.unwrap();
    world.push("app", 4).await.unwrap();
    let own = digest(&blob(2, 1));
    let slot = world
        .home
        .index()
        .blob_row(&digest(&blob(4, 1)))
        .await
        .unwrap()
        .unwrap();
    world.close().await;
    lose_index(&path);
    fs::remove_dir_all(path.join("journal")).unwrap();
    copy_journal_back(&file, &path);
    let rebuilt = rebuild(&path).await;
    assert_eq!((rebuilt.adopted, rebuilt.freed), (1, 1), "{rebuilt:?}");
    let world = World::open(&path).await;
    world.pull("app", 1).await.unwrap();
    assert!(world.pull("app", 2).await.is_err());
    let row = world.home.index().blob_row(&own).await.unwrap();
    assert!(row.is_some(), "it is in the registry");
    let page = Page::first(10.try_into().unwrap());
    let unwanted = world.home.index().unwanted(page).await.unwrap();
    assert_eq!(
        unwanted.iter().map(|row| row.digest).collect::<Vec<_>>(),
        [own]
    );
    let Location::Key(key) = slot.location else {
        panic!("{slot:?}");
    };
    assert_eq!(world.home.files().stat(&key).await.unwrap(), None);
}

fn copy_journal(path: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(path.join("journal")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn copy_journal_back(from: &Path, path: &Path) {
    fs::rename(from, path.join("journal")).unwrap();
}

/// F4: the torn end of a journal is told, and cut.
#[tokio::test(flavor = "multi_thread")]
async fn f4_a_torn_tail_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    world.push("app", 0).await.unwrap();
    let head = world.home.index().head().await.unwrap().revision;
    world.push("app", 3).await.unwrap();
    world.close().await;
    let file = path
        .canonicalize()
        .unwrap()
        .join("journal/0000000001.journal");
    let bytes = fs::read(&file).unwrap();
    // The first push made as many lines as there were revisions.
    let lines: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
    let whole = lines[usize::try_from(head.get()).unwrap()] + 1;
    fs::write(&file, &bytes[..whole + 20]).unwrap();
    lose_index(&path);
    let rebuilt = rebuild(&path).await;
    assert_eq!(rebuilt.revision, head);
    assert_eq!(rebuilt.torn, Some((file.clone(), whole as u64)));
    assert_eq!(fs::metadata(&file).unwrap().len(), whole as u64);
    let world = World::open(&path).await;
    world.pull("app", 0).await.unwrap();
    assert!(world.pull("app", 3).await.is_err());
}

/// An index that has more than the journal is not given up for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_whole_index_is_not_replaced_by_less() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    for seed in 0..4 {
        world.push("app", seed).await.unwrap();
    }
    let head = world.home.index().head().await.unwrap().revision;
    world.close().await;
    // The journal's only file is gone; what is in the index's feed goes into a new one.
    fs::remove_file(path.join("journal/0000000001.journal")).unwrap();
    let rebuilt = rebuild(&path).await;
    assert_eq!(rebuilt.revision, head);
    // A middle is gone, which the feed does not fill in.
    let file = path.join("journal/0000000001.journal");
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let less = [&lines[..3], &lines[5..]].concat().join("\n") + "\n";
    fs::write(&file, less).unwrap();
    let refused = Home::rebuild_index(&path, options(), false)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, HomeError::JournalBehind { .. }),
        "{refused}"
    );
    let world = World::open(&path).await;
    for seed in 0..4 {
        world.pull("app", seed).await.unwrap();
    }
    world.close().await;
    let rebuilt = Home::rebuild_index(&path, options(), true).await.unwrap();
    assert_eq!(rebuilt.damage.len(), 1, "{rebuilt:?}");
}
