//! What is told of a directory, its journal and its index.

use std::{
    fs,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::Path,
};

use artifact_store::home::{Finding, Home, Outcome};

use crate::support::{World, options};

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
    assert!(
        all[4].to_string().contains(&std::process::id().to_string()),
        "{}",
        all[4]
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

/// F10: a damaged journal is told by the check, and the registry goes on.
#[tokio::test(flavor = "multi_thread")]
async fn f10_a_damaged_journal_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    world.push("app", 0).await.unwrap();
    let journal = path.join("journal/0000000001.journal");
    let bytes = fs::read(&journal).unwrap();
    let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 30;
    let file = fs::File::options().write(true).open(&journal).unwrap();
    file.write_all_at(b"#", second as u64).unwrap();
    world.push("app", 3).await.unwrap();
    let checked = world.home.check().await.unwrap();
    assert_eq!(checked.index, Vec::<String>::new());
    assert_eq!(checked.journal.len(), 1, "{checked:?}");
    assert!(
        checked.journal[0].contains("0000000001.journal is damaged at byte"),
        "{checked:?}"
    );
}
