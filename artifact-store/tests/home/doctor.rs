//! What is told of a directory, its journal and its index.

use std::{
    fs,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use artifact_core::Revision;
use artifact_store::{
    home::{Finding, Home, HomeError, Outcome},
    journal::Journal,
    vfs::RealVfs,
};

use crate::{
    child::Child,
    support::{World, options},
};

async fn findings(path: &Path) -> Vec<Finding> {
    Home::doctor(path, &options()).await
}

async fn wrong(path: &Path) -> Vec<(&'static str, String)> {
    let found = findings(path).await.into_iter();
    let wrong = found.filter(|finding| !matches!(finding.outcome, Outcome::Good { .. }));
    wrong
        .map(|finding| (finding.subject, finding.to_string()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_registry_has_only_good_findings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    world.push("app", 1).await.unwrap();
    assert_eq!(wrong(&path).await, []);
    let all = findings(&path).await;
    let subjects: Vec<_> = all.iter().map(|finding| finding.subject).collect();
    let expected = [
        "directory",
        "file system",
        "room",
        "boot clock",
        "processes",
        "lock",
        "writer's lock",
        "index",
        "journal",
    ];
    assert_eq!(subjects, expected);
    assert_eq!(
        all[4].to_string(),
        "processes: no other process has it open"
    );
    let others = [Child::start("open", &path), Child::start("open", &path)];
    for other in &others {
        other.hear();
    }
    let line = findings(&path).await[4].to_string();
    let named = |other: &Child| line.contains(&format!("process {}", other.id()));
    assert!(
        line.contains("2 other processes") && others.iter().all(named),
        "{line}"
    );
    let checked = world.home.check().await.unwrap();
    assert!(
        checked.index.is_empty() && checked.journal.is_empty(),
        "{checked:?}"
    );
    assert_eq!(checked.entries, checked.revision.get());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_with_its_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let nothing = wrong(&path).await;
    assert!(nothing[0].1.contains("artifact init"), "{nothing:?}");
    let world = World::create(&path).await;
    world.push("app", 1).await.unwrap();
    world.close().await;
    let told = |found: &[(&str, String)], subject: &str, words: &str| {
        let line = found.iter().find(|(of, _)| *of == subject);
        assert!(
            line.is_some_and(|(_, line)| line.contains(words)),
            "{found:?}"
        );
    };

    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    fs::remove_file(path.join("reserve")).unwrap();
    let found = wrong(&path).await;
    assert_eq!(found.len(), 2, "{found:?}");
    told(&found, "directory", "chmod 700");
    told(&found, "room", "reserve");
}

/// Returns the one finding that is not good, its subject and its line.
async fn only(path: &Path) -> (&'static str, String) {
    let found = wrong(path).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

/// Does what stands in a remedy in backticks, as a shell would.
fn follow(line: &str) {
    let command = line.split('`').nth(1).expect("a command in backticks");
    let done = Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(done.success(), "{command}");
}

/// F10: damage of the journal is found wherever it is, told with its remedy, and mended from the index.
#[tokio::test(flavor = "multi_thread")]
async fn f10_a_damaged_journal_is_told_and_mended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    World::create(&path).await.close().await;
    let mut opening = options();
    opening.journal_file = 5_000;
    let world = World::over(Home::open(&path, opening).await.unwrap());
    let journal = path.join("journal");
    let read = || {
        let entries = Journal::read(Arc::new(RealVfs::new()), &journal, Revision::ZERO).unwrap();
        entries.map(Result::unwrap).collect::<Vec<_>>()
    };
    // An entry in the oldest file, the header of another, and that whole.
    let damages: [fn(&[PathBuf]); 3] = [
        |files| spoil(&files[0], 1),
        |files| spoil(&files[1], 0),
        |files| fs::remove_file(&files[2]).unwrap(),
    ];
    for (damage, round) in damages.into_iter().zip(0..) {
        for seed in 0..6 {
            world.push("app", round * 6 + seed).await.unwrap();
        }
        let whole = read();
        let names = fs::read_dir(&journal).unwrap();
        let mut files: Vec<_> = names
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|suffix| suffix == "journal"))
            .collect();
        files.sort();
        assert!(files.len() > 3, "{files:?}");
        damage(&files);
        let (subject, line) = only(&path).await;
        assert!(
            subject == "journal" && line.contains(".journal") && line.contains("artifact fsck"),
            "{line}"
        );
        let checked = world.home.check().await.unwrap();
        assert_eq!(checked.index, [""; 0]);
        assert!(!checked.journal.is_empty());
        // What `artifact fsck` does.
        assert!(world.home.mend_journal().await.unwrap());
        assert_eq!(wrong(&path).await, []);
        assert_eq!(read(), whole);
        assert!(!world.home.mend_journal().await.unwrap());
    }
    world.close().await;
    // It serves its end again.
    Home::rebuild_index(&path, options(), false).await.unwrap();
    let world = World::open(&path).await;
    for seed in 0..18 {
        world.pull("app", seed).await.unwrap();
    }
}

/// Changes a byte in the middle of a line of a file, counted from 0.
fn spoil(path: &Path, line: usize) {
    let text = fs::read(path).unwrap();
    let begin = match line {
        0 => 0,
        _ => text.iter().position(|byte| *byte == b'\n').unwrap() + 1,
    };
    let file = fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(b"#", begin as u64 + 30).unwrap();
}

/// F10: damage of the index is found; to rebuild it, as told, gives the same registry, and what that
/// leaves is told, too.
#[tokio::test(flavor = "multi_thread")]
async fn f10_a_damaged_index_is_told_and_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    for seed in 0..6 {
        world.push("app", seed).await.unwrap();
    }
    world.close().await;
    let index = path.join("index.db");
    let whole = fs::read(&index).unwrap();
    let torn = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at..at + 4096].fill(0x5a);
        bytes
    };
    // The head, a page in its middle, none of it, and none at all.
    let middle = whole.len() / 4096 / 2 * 4096;
    for damaged in [Some(torn(0)), Some(torn(middle)), Some(Vec::new()), None] {
        match damaged {
            Some(bytes) => fs::write(&index, bytes).unwrap(),
            None => fs::remove_file(&index).unwrap(),
        }
        let (subject, line) = only(&path).await;
        assert!(
            subject == "index" && line.contains("`artifact fsck --rebuild-index`"),
            "{subject}: {line}"
        );
        Home::rebuild_index(&path, options(), false).await.unwrap();
        // What is left of the damaged one is in the way of nobody.
        if let [(subject, line)] = &wrong(&path).await[..] {
            assert!(
                *subject == "leftovers" && line.contains("index.db.replaced"),
                "{line}"
            );
            follow(line);
        }
        assert_eq!(wrong(&path).await, []);
        let world = World::open(&path).await;
        for seed in 0..6 {
            world.pull("app", seed).await.unwrap();
        }
        world.close().await;
    }
}

/// F1: a rebuild that was cut off right before its end is told; the next open ends it.
#[tokio::test(flavor = "multi_thread")]
async fn f1_a_rebuild_that_was_cut_off_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    world.push("app", 1).await.unwrap();
    world.close().await;
    fs::rename(path.join("index.db"), path.join("index.db.ready")).unwrap();
    fs::write(path.join("index.db.new"), "half").unwrap();
    let found = wrong(&path).await;
    assert!(
        found
            .iter()
            .any(|(_, line)| line.contains("open the registry")),
        "{found:?}"
    );
    // A child of another test has the locks of this process until it begins its own program.
    let mut refused = Home::open_read_only(&path, options()).unwrap_err();
    for _ in 0..500 {
        if matches!(refused, HomeError::CutOff { .. }) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        refused = Home::open_read_only(&path, options()).unwrap_err();
    }
    assert!(matches!(refused, HomeError::CutOff { .. }), "{refused}");
    let world = World::open(&path).await;
    world.pull("app", 1).await.unwrap();
    world.close().await;
    let (subject, line) = only(&path).await;
    assert!(
        subject == "leftovers" && line.contains("index.db.new"),
        "{line}"
    );
    follow(&line);
    assert_eq!(wrong(&path).await, []);
}

/// F14: a stopped process that has the writer's lock is named; to let it go on, as told, ends it.
#[tokio::test(flavor = "multi_thread")]
async fn f14_a_stopped_writer_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    world.push("app", 1).await.unwrap();
    let holder = Child::start("hold writer.lock", &path);
    holder.expect("held");
    let all = findings(&path).await;
    let told = |all: &[Finding]| {
        let line = all
            .iter()
            .find(|finding| finding.subject == "writer's lock");
        line.unwrap().to_string()
    };
    assert!(
        told(&all).contains(&format!("process {} commits", holder.id())),
        "{all:?}"
    );
    holder.stop();
    let (subject, line) = only(&path).await;
    assert!(
        subject == "writer's lock" && line.contains(&format!("process {} is stopped", holder.id())),
        "{line}"
    );
    follow(&line);
    holder.end();
    assert_eq!(wrong(&path).await, []);
    world.push("app", 2).await.unwrap();
}

/// F14: so is a stopped process that only has the registry open.
#[tokio::test(flavor = "multi_thread")]
async fn f14_a_stopped_process_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    World::create(&path).await.close().await;
    let user = Child::start("open", &path);
    user.hear();
    assert_eq!(wrong(&path).await, []);
    user.stop();
    let (subject, line) = only(&path).await;
    assert!(
        subject == "processes" && line.contains(&user.id().to_string()),
        "{line}"
    );
    follow(&line);
    user.end();
    assert_eq!(wrong(&path).await, []);
}
