//! Directories that were copied while they were in use (F16), and indexes that are behind.

use std::{fs, os::unix::fs::FileExt as _, path::Path, process::Command};

use artifact_core::{ErrorKind, ManifestIndex as _};
use artifact_store::home::{Home, HomeError, Note};

use crate::{
    child::Child,
    support::{World, options},
};

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .unwrap();
    assert!(copied.success());
}

/// F16: what was acknowledged before a copy of a busy directory began is in the copy, which is
/// checked once.
#[tokio::test(flavor = "multi_thread")]
async fn f16_a_copy_of_a_busy_directory_has_what_was_acknowledged_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    World::create(&path).await.close().await;
    let writer = Child::start("push 0 100000", &path);
    writer.expect("open");
    let mut acknowledged: Vec<u64> = Vec::new();
    for number in 0..4 {
        acknowledged.push(writer.hear().parse().unwrap());
        acknowledged.extend(
            writer
                .heard()
                .iter()
                .map(|seed| seed.parse::<u64>().unwrap()),
        );
        let copied = dir.path().join(format!("copy-{number}"));
        copy(&path, &copied);
        let world = World::open(&copied).await;
        let notes = world.home.notes().to_vec();
        assert!(
            matches!(notes[0], Note::CopyChecked | Note::CopyRebuilt { .. }),
            "{notes:?}"
        );
        for seed in &acknowledged {
            world.pull("app", *seed).await.unwrap();
        }
        world.push("app", 999_999).await.unwrap();
        world.close().await;
        let again = World::open(&copied).await;
        assert_eq!(again.home.notes(), [], "it is checked once");
        again.pull("app", 999_999).await.unwrap();
    }
    writer.kill();
}

/// F16: a copy whose index is malformed gets one from its journal; the other is kept.
#[tokio::test(flavor = "multi_thread")]
async fn f16_a_malformed_copy_is_made_anew_from_its_journal() {
    for damage in [Damage::Header, Damage::Middle, Damage::Empty] {
        let dir = tempfile::tempdir().unwrap();
        let (path, copied) = (dir.path().join("registry"), dir.path().join("copy"));
        let world = World::create(&path).await;
        for seed in 0..12 {
            world.push("app", seed).await.unwrap();
        }
        let head = world.home.sqlite().head().await.unwrap();
        world.close().await;
        copy(&path, &copied);
        damage.done_to(&copied);
        let world = World::open(&copied).await;
        let replaced = copied.canonicalize().unwrap().join("index.db.replaced");
        let expected = Note::CopyRebuilt {
            revision: head.revision,
            replaced: replaced.clone(),
        };
        assert_eq!(world.home.notes(), [expected], "{damage:?}");
        assert!(replaced.exists());
        assert_eq!(world.home.sqlite().head().await.unwrap(), head);
        for seed in 0..12 {
            world.pull("app", seed).await.unwrap();
        }
        world.push("app", 50).await.unwrap();
        // In place it is no copy, and no open makes it anew: that is for somebody to decide.
        damage.done_to(&path);
        let refused = Home::open(&path, options()).await.map(drop);
        if let Err(refused) = refused {
            assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused}");
            assert!(refused.to_string().contains("--rebuild-index"), "{refused}");
        } else {
            assert!(
                matches!(damage, Damage::Middle),
                "only what is read at open is seen"
            );
        }
        assert!(!path.join("index.db.replaced").exists());
    }
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Empty,
    Header,
    Middle,
}

impl Damage {
    fn done_to(self, directory: &Path) {
        let index = directory.join("index.db");
        let file = fs::File::options().write(true).open(&index).unwrap();
        match self {
            Self::Empty => file.set_len(0).unwrap(),
            Self::Header => file.write_all_at(&[0x5a; 64], 0).unwrap(),
            Self::Middle => {
                let length = file.metadata().unwrap().len();
                file.write_all_at(&[0x5a; 4096], length / 2 / 4096 * 4096)
                    .unwrap();
            }
        }
    }
}

/// An index that somebody put back from before gets what the journal has, in a new epoch.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_behind_gets_what_the_journal_has() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    world.push("app", 1).await.unwrap();
    let from = world.home.sqlite().head().await.unwrap().revision;
    world.close().await;
    fs::copy(path.join("index.db"), dir.path().join("index.old")).unwrap();
    let world = World::open(&path).await;
    for seed in 2..6 {
        world.push("app", seed).await.unwrap();
    }
    let head = world.home.sqlite().head().await.unwrap();
    let epoch = world.home.identity().epoch;
    world.close().await;
    fs::copy(dir.path().join("index.old"), path.join("index.db")).unwrap();
    let world = World::open(&path).await;
    let to = head.revision;
    assert_eq!(world.home.notes(), [Note::IndexReplayed { from, to }]);
    assert_eq!(world.home.sqlite().head().await.unwrap(), head);
    assert!(world.home.identity().epoch > epoch);
    for seed in 1..6 {
        world.pull("app", seed).await.unwrap();
    }
    world.push("app", 7).await.unwrap();
    let problems = world.home.sqlite().check().await.unwrap().problems;
    assert_eq!(problems, Vec::<String>::new());
    world.close().await;
    assert_eq!(World::open(&path).await.home.notes(), []);
}

/// A directory that was renamed is the same one.
#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_directory_is_no_copy() {
    let dir = tempfile::tempdir().unwrap();
    let (path, moved) = (dir.path().join("registry"), dir.path().join("moved"));
    World::create(&path).await.close().await;
    fs::rename(&path, &moved).unwrap();
    assert_eq!(World::open(&moved).await.home.notes(), []);
    let gone = Home::open(&path, options()).await.unwrap_err();
    assert!(matches!(gone, HomeError::NotFound { .. }), "{gone}");
}
