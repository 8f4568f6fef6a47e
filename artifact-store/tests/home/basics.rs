//! Made, opened, shared, refused.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use artifact_core::{ErrorKind, ManifestIndex as _, Revision};
use artifact_store::home::{Home, HomeError, Note};

use crate::{
    hooked_vfs::HookedVfs,
    support::{World, creation, eventually, options},
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_is_made_filled_and_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/registry");
    let world = World::create(&path).await;
    assert_eq!(world.home.notes(), []);
    for seed in 1..=3 {
        world.push("app", seed).await.unwrap();
    }
    world.close().await;
    eventually("the entry is gone", || {
        fs::read_dir(path.join("open")).unwrap().count() == 0
    });
    let expected = [
        "artifact.toml",
        "blobs",
        "index.db",
        "journal",
        "keys",
        "lock",
        "log",
        "open",
        "reserve",
        "segments",
        "staging",
        "writer.lock",
    ];
    assert_eq!(names(&path), expected);
    for private in [
        "", "blobs", "blobs/00", "journal", "keys", "log", "open", "segments", "staging",
    ] {
        assert_eq!(mode(&path.join(private)), 0o700, "{private}");
    }
    for private in ["artifact.toml", "lock", "writer.lock", "reserve"] {
        assert_eq!(mode(&path.join(private)), 0o600, "{private}");
    }
    let world = World::open(&path).await;
    for seed in 1..=3 {
        world.pull("app", seed).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_holds_something_is_not_made_a_registry() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let none = Home::open(path, options()).await.unwrap_err();
    assert!(matches!(none, HomeError::NotFound { .. }), "{none}");
    assert_eq!(none.kind(), ErrorKind::NotFound);
    fs::write(path.join("thesis.txt"), "mine").unwrap();
    let refused = Home::create(path, creation()).await.unwrap_err();
    assert!(matches!(refused, HomeError::NotEmpty { .. }), "{refused}");
    assert_eq!(names(path), ["thesis.txt"]);
    fs::remove_file(path.join("thesis.txt")).unwrap();
    let home = Home::create(path, creation()).await.unwrap();
    let again = Home::create(path, creation()).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists, "{again}");
    drop(home);
    Home::open_or_create(path, creation()).await.unwrap();
}

/// F1, I24: what a crash has left of a beginning is begun again.
#[tokio::test(flavor = "multi_thread")]
async fn f1_a_beginning_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    World::create(&path).await;
    let made = fs::read(path.join("artifact.toml")).unwrap();
    fs::rename(path.join("artifact.toml"), path.join("artifact.toml.new")).unwrap();
    assert!(matches!(
        Home::open(&path, options()).await.unwrap_err(),
        HomeError::NotFound { .. }
    ));
    let world = World::create(&path).await;
    assert_ne!(
        fs::read(path.join("artifact.toml")).unwrap(),
        made,
        "another registry"
    );
    assert!(!path.join("artifact.toml.new").exists());
    world.push("app", 1).await.unwrap();
}

/// §7: within one copy of the library, handles on one directory share one engine.
#[tokio::test(flavor = "multi_thread")]
async fn handles_on_one_directory_share_one_engine() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let first = Home::create(&path, creation()).await.unwrap();
    std::os::unix::fs::symlink(&path, dir.path().join("link")).unwrap();
    let second = Home::open(&dir.path().join("link"), options())
        .await
        .unwrap();
    assert_eq!(first.holder(), second.holder());
    assert_eq!(first.path(), second.path());
    let engine = first.engine(|_| String::from("first"));
    let shared = second.engine(|_| String::from("second"));
    assert!(Arc::ptr_eq(&engine, &shared));
    assert_eq!(fs::read_dir(path.join("open")).unwrap().count(), 1);
    // The locks live as long as anything that came out of it.
    let index = first.index();
    drop((first, second, engine, shared));
    assert_eq!(fs::read_dir(path.join("open")).unwrap().count(), 1);
    let third = Home::open(&path, options()).await.unwrap();
    assert_eq!(index.identity(), third.identity());
    drop((index, third));
    let entries = || fs::read_dir(path.join("open")).unwrap().count();
    eventually("the entry is gone", || entries() == 0);
    let later = Home::open(&path, options()).await.unwrap();
    assert_eq!(*later.engine(|_| String::from("later")), "later");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_open_at_once_and_share() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let opening = (0..16).map(|_| Home::open_or_create(&path, creation()));
    let homes: Vec<_> = futures::future::join_all(opening).await;
    let first = homes[0].as_ref().unwrap().identity();
    for home in &homes {
        assert_eq!(home.as_ref().unwrap().identity(), first);
    }
    assert_eq!(fs::read_dir(path.join("open")).unwrap().count(), 1);
}

/// I25: a newer format is refused, clearly, and nothing changes.
#[tokio::test(flavor = "multi_thread")]
async fn i25_a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    Home::create(&path, creation())
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    let entries = || fs::read_dir(path.join("open")).unwrap().count();
    eventually("the entry is gone", || entries() == 0);
    let settings = path.join("artifact.toml");
    let newer = fs::read_to_string(&settings)
        .unwrap()
        .replace("format = 1", "format = 2");
    fs::write(&settings, newer + "shape = \"round\"\n").unwrap();
    let before = names(&path);
    for refused in [
        Home::open(&path, options()).await.unwrap_err(),
        Home::open_read_only(&path, options()).unwrap_err(),
        Home::rebuild_index(&path, options(), true)
            .await
            .unwrap_err(),
    ] {
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.to_string().contains("format 2"), "{refused}");
    }
    assert_eq!(names(&path), before);
    assert_eq!(fs::read_dir(path.join("open")).unwrap().count(), 0);
}

/// F26: an index of another registry is refused.
#[tokio::test(flavor = "multi_thread")]
async fn f26_the_index_of_another_registry_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    World::create(&one).await.close().await;
    World::create(&two).await.close().await;
    fs::copy(one.join("index.db"), two.join("index.db")).unwrap();
    let refused = Home::open(&two, options()).await.unwrap_err();
    assert!(
        matches!(refused, HomeError::WrongRegistry { .. }),
        "{refused}"
    );
}

/// F6, F15: no registry is made where files do not sync, or directories do not.
#[tokio::test(flavor = "multi_thread")]
async fn f15_a_file_system_that_does_not_sync_is_refused() {
    for fails in ["sync", "sync directory"] {
        let dir = tempfile::tempdir().unwrap();
        let vfs = HookedVfs::default();
        vfs.set(move |operation, path| {
            let probed = path.components().any(|part| part.as_os_str() == "probe");
            (probed && operation == fails).then(|| io::Error::from_raw_os_error(libc::EIO))
        });
        let mut creation = creation();
        creation.open.vfs = Arc::new(vfs);
        let refused = Home::create(&dir.path().join("registry"), creation).await;
        assert!(
            matches!(refused, Err(HomeError::FileSystemFails { .. })),
            "{fails}: {refused:?}"
        );
        assert!(!dir.path().join("registry/artifact.toml").exists());
    }
}

/// F15: a file system that is not allowed is refused by its name; the message says how to allow it.
#[tokio::test(flavor = "multi_thread")]
async fn f15_a_volatile_file_system_is_told() {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let home = Home::create(&dir.path().join("registry"), creation())
        .await
        .unwrap();
    assert!(
        matches!(home.notes(), [Note::FileSystem { name: "tmpfs", .. }]),
        "{:?}",
        home.notes()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_others_may_read_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    drop(Home::create(&path, creation()).await.unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let home = Home::open(&path, options()).await.unwrap();
    assert_eq!(home.notes(), [Note::Permissions { mode: 0o755 }]);
}

/// §7: the journal is synced within a second, and the job that does it ends.
#[tokio::test(flavor = "multi_thread")]
async fn the_journal_follows_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    for seed in 1..=5 {
        world.push("app", seed).await.unwrap();
    }
    let head = world.home.sqlite().head().await.unwrap().revision;
    assert!(head > Revision::new(5));
    let read = artifact_store::journal::Journal::read(
        Arc::new(artifact_store::vfs::RealVfs::new()),
        &path.join("journal"),
        Revision::ZERO,
    );
    let entries: Vec<_> = read.unwrap().map(Result::unwrap).collect();
    assert_eq!(entries.last().unwrap().revision(), head);
    let zero = Revision::ZERO;
    let feed = world
        .home
        .index()
        .changes(zero, 1000.try_into().unwrap())
        .await
        .unwrap();
    let told: Vec<_> = entries.into_iter().map(|entry| entry.committed).collect();
    assert_eq!(told, feed);
}
