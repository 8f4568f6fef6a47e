//! Migrations of the directory that a program of format 1 has written, by two steps that are made up (F35).

use std::{
    env, fs,
    path::PathBuf,
    process::Child,
    sync::{Arc, atomic::Ordering},
};

use artifact_core::{ErrorKind, IndexError};
use artifact_testkit::seams::TokioSpawn;

use self::{
    bench::{BREAKS_AT, BROKEN, DIRECTORY, FIRST, Old, ROLE, SECOND, TWO, Tables, options, write},
    shim::{Calls, Fault, Signal, chosen},
};
use crate::{
    home::{CreateOptions, Home, HomeError, Note},
    index::sqlite::{
        index::SqliteIndex,
        ladder::Ladder,
        migrate::OldIndex,
        options::{OpenError, SqliteOptions},
    },
};

mod bench;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../../../tests/support/shim.rs"]
mod shim;

/// How many calls of a migration are tried.
const SHARE: u64 = 24;

/// What another process does: no test where there is no role.
#[tokio::test(flavor = "multi_thread")]
async fn role() {
    let Ok(role) = env::var(ROLE) else { return };
    let path = PathBuf::from(env::var(DIRECTORY).unwrap());
    let ladder = if role == "hold" { Ladder::SHIPPED } else { TWO };
    Signal::Arm.give();
    let opened = loop {
        match Home::open(&path, options(ladder)).await {
            Err(error) if role == "insist" && error.kind() == ErrorKind::Busy => {}
            opened => break opened,
        }
    };
    let said = match opened {
        Ok(home) => {
            if role == "hold" {
                println!("@open");
                std::io::stdin().read_line(&mut String::new()).unwrap();
            }
            home.close()
                .await
                .map_or_else(|error| error.kind(), |()| ErrorKind::Conflict)
        }
        Err(error) => error.kind(),
    };
    Signal::End.give();
    println!("@{said:?}");
}

/// What a child says that opened it: nothing went wrong.
const WELL: &str = "Conflict";

/// Waits for a child, and returns what it said in the end, unless it was killed.
fn wait(child: Child) -> Option<String> {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut said = text
        .lines()
        .filter_map(|line| Some(line.split_once('@')?.1.to_owned()));
    said.next_back()
}

/// I25: all steps at once, and the settings stay as somebody has written them.
#[tokio::test(flavor = "multi_thread")]
async fn i25_an_older_directory_is_migrated_once() {
    let old = Old::new();
    let settings = old
        .settings()
        .replace("format = 1", "# mine\nformat=1 # theirs");
    fs::write(old.path().join("artifact.toml"), &settings).unwrap();
    assert_eq!(old.opens().await, [Note::Migrated { from: 1, to: 3 }]);
    let written = settings.replace("format=1 #", "format=3 #");
    assert_eq!(old.settings(), written);
    old.refuses_older().await;
    assert_eq!(old.opens().await, []);
}

/// The statements of all steps, one of which fails in each round.
#[tokio::test(flavor = "multi_thread")]
async fn i25_a_step_that_fails_leaves_the_index_as_it_was() {
    let old = Old::new();
    for statement in 0..FIRST.len() + SECOND.len() {
        BREAKS_AT.store(statement, Ordering::Relaxed);
        let failed = Home::open(&old.path(), options(BROKEN)).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Backend, "{failed:?}");
        assert!(!old.is_whole());
        old.refuses_older().await;
        // Who only reads changes nothing, and is told what to do.
        let refused = Home::open_read_only(&old.path(), options(TWO)).unwrap_err();
        assert!(
            refused.to_string().contains("run `artifact fsck`"),
            "{refused}"
        );
    }
    old.opens().await;
}

/// F35: a process that is killed at each of its calls.
#[tokio::test(flavor = "multi_thread")]
async fn f35_a_killed_migration_is_whole_or_nothing_and_goes_on() {
    let calls = |old: &Old| Calls::below(&old.path());
    let old = Old::new();
    let first = calls(&old);
    let said = wait(old.child("open", &first.faults(Fault::Kill, 0)));
    assert_eq!(said.as_deref(), Some(WELL));
    let count = first.counted().unwrap();
    assert!(count > 20, "{count}");
    let (mut before, mut raised, mut after) = (0, 0, 0);
    for at in chosen(count, SHARE) {
        let old = Old::new();
        let said = wait(old.child("open", &calls(&old).faults(Fault::Kill, at)));
        match (old.is_whole(), old.format()) {
            (true, _) => after += 1,
            (false, 1) => before += 1,
            (false, _) => raised += 1,
        }
        assert!(said.is_none() || old.is_whole(), "call {at}: {said:?}");
        if old.format() == 3 {
            old.refuses_older().await;
        }
        old.opens().await;
    }
    assert!(
        before > 0 && raised > 0 && after > 0,
        "{before} {raised} {after} of {count}"
    );
}

/// F8: a disk that is full from one of its calls on.
#[tokio::test(flavor = "multi_thread")]
async fn f8_a_migration_on_a_full_disk_is_whole_or_nothing() {
    let old = Old::new();
    let calls = Calls::below(&old.path());
    let said = wait(old.child("open", &calls.faults(Fault::Full, 0)));
    assert_eq!(said.as_deref(), Some(WELL));
    for at in chosen(calls.counted().unwrap(), SHARE) {
        let old = Old::new();
        let calls = Calls::below(&old.path());
        let said = wait(old.child("open", &calls.faults(Fault::Full, at))).unwrap();
        assert!(old.is_whole() || said != WELL, "call {at}: {said}");
        old.opens().await;
    }
}

/// F7: a name that may be lost is no ground for what comes next.
#[tokio::test(flavor = "multi_thread")]
async fn f7_a_migration_fails_where_a_directory_cannot_be_synced() {
    for at in 1..=3 {
        let old = Old::new();
        let calls = Calls::below(&old.path());
        let said = wait(old.child("open", &calls.faults(Fault::Names, at))).unwrap();
        assert_ne!(said, WELL, "sync {at} of a directory");
        assert!(!old.is_whole(), "sync {at} of a directory");
        old.opens().await;
    }
}

/// I16, F13: two processes at once, of which each waits for the other.
#[tokio::test(flavor = "multi_thread")]
async fn i16_two_processes_migrate_once() {
    for _ in 0..3 {
        let old = Old::new();
        let both = [(); 2].map(|()| old.child("insist", &[]));
        for child in both {
            assert_eq!(wait(child).as_deref(), Some(WELL));
        }
        assert!(old.is_whole());
        assert_eq!(old.opens().await, []);
    }
}

/// I16: an older program that has it open is told of, and nothing is changed under it.
#[tokio::test(flavor = "multi_thread")]
async fn i16_a_directory_that_is_open_is_not_migrated() {
    use std::io::{BufRead as _, BufReader};
    let old = Old::new();
    let mut holder = old.child("hold", &[]);
    let mut said = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().ends_with("@open")));
    let refused = Home::open(&old.path(), options(TWO)).await.unwrap_err();
    let HomeError::Open { processes, .. } = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(processes, &[holder.id()]);
    assert_eq!((old.is_whole(), old.format()), (false, 1));
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    old.opens().await;
}

/// I16: a handle from before, which nobody had excluded, is told and writes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn i16_a_handle_from_before_a_migration_writes_nothing() {
    let old = Old::new();
    let (path, lock) = (old.path().join("index.db"), old.path().join("writer.lock"));
    let open = |ladder| {
        let spawn = Arc::new(TokioSpawn::current());
        let mut opening = SqliteOptions::new(&path, &lock, spawn);
        opening.ladder = ladder;
        SqliteIndex::open(opening)
    };
    let stale = open(Ladder::SHIPPED).unwrap();
    write(&stale).await.unwrap();
    let refused = open(TWO).unwrap_err();
    assert!(
        matches!(
            refused,
            OpenError::Older {
                found: 1,
                known: 3,
                ..
            }
        ),
        "{refused:?}"
    );
    let index = OldIndex::open(&path, TWO).unwrap().expect("it is older");
    index.climb().unwrap();
    assert!(OldIndex::open(&path, TWO).unwrap().is_none());
    let refused = write(&stale).await.unwrap_err();
    assert!(
        matches!(refused, IndexError::StaleEpoch { .. }),
        "{refused:?}"
    );
    drop(stale);
    // Nor does an older program open it, whatever the settings say.
    let before = fs::read(&path).unwrap();
    let refused = open(Ladder::SHIPPED).unwrap_err();
    assert!(
        matches!(
            refused,
            OpenError::Newer {
                found: 3,
                known: 1,
                ..
            }
        ),
        "{refused:?}"
    );
    assert!(before == fs::read(&path).unwrap());
}

/// F26: an index that belongs elsewhere is not migrated here.
#[tokio::test(flavor = "multi_thread")]
async fn f26_the_index_of_another_registry_is_not_migrated() {
    let old = Old::new();
    let settings = old.settings();
    let at = settings.find("registry = \"").unwrap() + 12;
    let other = if settings[at..].starts_with('0') {
        "1"
    } else {
        "0"
    };
    let settings = [&settings[..at], other, &settings[at + 1..]].concat();
    fs::write(old.path().join("artifact.toml"), settings).unwrap();
    let refused = Home::open(&old.path(), options(TWO)).await.unwrap_err();
    assert!(
        matches!(refused, HomeError::WrongRegistry { .. }),
        "{refused:?}"
    );
    assert!(!old.is_whole());
}

/// I25: what is made anew is of the newest format at once, and the same as what was migrated.
#[tokio::test(flavor = "multi_thread")]
async fn i25_a_new_index_has_the_tables_of_a_migrated_one() {
    let old = Old::new();
    old.opens().await;
    let path = old.dir.path().join("new");
    let creation = CreateOptions::new(options(TWO));
    Home::create(&path, creation)
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    let new = Tables::of(&path.join("index.db"));
    assert_eq!((new.version, &new.schema), (3, &old.look().schema));
    // So is one that is rebuilt, of an older directory, too.
    for force in [false, true] {
        let old = Old::new();
        let rebuilt = Home::rebuild_index(&old.path(), options(TWO), force)
            .await
            .unwrap();
        assert!(rebuilt.epoch.get() > old.epoch && rebuilt.damage.is_empty());
        assert_eq!((old.format(), old.look().version), (3, 3));
        assert_eq!(old.look().schema, new.schema);
        let home = Home::open(&old.path(), options(TWO)).await.unwrap();
        let checked = home.check().await.unwrap();
        assert_eq!((checked.index, checked.journal), (vec![], vec![]));
    }
}
