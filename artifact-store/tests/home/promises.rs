//! What is acknowledged is durable: nothing that it stands on could be lost by a power cut (F3, I1,
//! I10, I24). Each call that a child makes is written down, and with it what was not synced when.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::{
    child::Child,
    faults::{Calls, Fault},
    ledger::{Event, Ledger},
    support::World,
    tasks::{KEPT, Task},
};

/// What a child did, and what a power cut would have taken.
struct Done {
    ledger: Ledger,
    events: Vec<Event>,
}

/// Has a child do a task in a registry that is there, and watches it.
async fn watch(directory: &Path, task: Task, seed: u64) -> Done {
    let path = directory.join("registry");
    let world = World::create(&path).await;
    for seed in KEPT {
        world.push("app", seed).await.unwrap();
    }
    task.prepare(&world, seed).await;
    world.close().await;
    let ledger = Ledger::below(directory);
    let mut command = ledger.command(&std::env::current_exe().unwrap());
    let role = format!("task {} {seed}", task.name());
    let said = Child::run(&mut command, &role, &path).end();
    assert_eq!(said, ["done"]);
    let events = ledger.events();
    Done { ledger, events }
}

impl Done {
    /// Returns what could be lost when it was done, what may be apart.
    fn lost(&self) -> BTreeSet<String> {
        self.lost_at(&Event::Removed("fault: end".into()))
    }

    /// Returns what could be lost right before this happened.
    #[track_caller]
    fn lost_at(&self, event: &Event) -> BTreeSet<String> {
        let at = self.events.iter().position(|found| found == event);
        let at = at.unwrap_or_else(|| panic!("it never happened: {event:?}"));
        let mut lost = self.ledger.unsynced(&self.events[..at]);
        lost.retain(|what| !may_be_lost(what));
        lost
    }

    /// Returns what could be lost right before a file got this name.
    #[track_caller]
    fn lost_before(&self, name: &str) -> BTreeSet<String> {
        let named = |event: &&Event| matches!(event, Event::Moved(_, to) if to.ends_with(name));
        let event = self.events.iter().find(named);
        self.lost_at(event.unwrap_or_else(|| panic!("nothing was called {name}")))
    }
}

impl Done {
    /// Returns what was synced first after a file had got this name, if nothing was changed before.
    #[track_caller]
    fn synced_after(&self, name: &str) -> PathBuf {
        let named = |event: &Event| matches!(event, Event::Moved(_, to) if to.ends_with(name));
        let at = self.events.iter().position(named).unwrap();
        match self.events.get(at + 1) {
            Some(Event::Synced(path)) => path.clone(),
            next => panic!("{name} had its name, and then: {next:?}"),
        }
    }
}

/// Says what nobody was promised: locks, what SQLite makes anew, the reserve, the journal, which is
/// synced within a second and filled up from the index, and the mark of a slot that says that its sync
/// is through: who misses it looks at the checksum. (That the slot's bytes are synced before, a fault
/// shows.)
fn may_be_lost(what: &str) -> bool {
    let (kind, path) = what.split_once(' ').unwrap();
    let path = Path::new(path);
    let name = path.file_name().unwrap().to_string_lossy();
    let among = |names: &[&str]| names.contains(&&*name);
    let room = path.parent().and_then(Path::file_name);
    among(&["reserve", "lock", "writer.lock"])
        || name.ends_with("-shm")
        || room.is_some_and(|room| room == "open")
        || (kind == "data" && name.ends_with(".journal"))
        || (kind == "data" && room.is_some_and(|room| room == "segments"))
}

fn none() -> BTreeSet<String> {
    BTreeSet::new()
}

/// I1: whatever home its bytes have: inline, in a slot, in a file of their own.
#[tokio::test(flavor = "multi_thread")]
async fn i1_a_push_is_durable_when_it_is_acknowledged() {
    for seed in [9, 10, 11] {
        let dir = tempfile::tempdir().unwrap();
        let done = watch(dir.path(), Task::Push, seed).await;
        assert_eq!(done.lost(), none(), "{seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_a_tag_is_durable_when_it_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(watch(dir.path(), Task::Tag, 10).await.lost(), none());
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_a_deletion_is_durable_when_it_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(watch(dir.path(), Task::Delete, 10).await.lost(), none());
}

/// I10, I24: what names a directory as a registry comes last, and when all else is durable.
#[tokio::test(flavor = "multi_thread")]
async fn i10_a_registry_is_named_when_it_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let done = watch(dir.path(), Task::Init, 10).await;
    assert_eq!(done.lost_before("artifact.toml"), none());
    assert_eq!(
        done.synced_after("artifact.toml"),
        dir.path().join("made-10")
    );
    assert_eq!(done.lost(), none());
    // That it was begun is known before there is anything that would be in the way of the next try.
    let beginning = done.lost_at(&Event::Made(dir.path().join("made-10/open")));
    let begun = beginning.iter().any(|what| what.contains("artifact.toml"));
    assert!(!begun, "{beginning:?}");
}

/// I24: so is the way to it.
#[tokio::test(flavor = "multi_thread")]
async fn i24_the_way_to_a_registry_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::below(dir.path());
    let mut command = ledger.command(&std::env::current_exe().unwrap());
    let path = dir.path().join("deep/er/registry");
    let said = Child::run(&mut command, "task init 10", &path).end();
    assert_eq!(said, ["done"]);
    let events = ledger.events();
    let done = Done { ledger, events };
    assert_eq!(done.lost(), none());
}

/// F8: room that was given up is there when it is needed: the file that is gone is gone on the disk.
#[tokio::test(flavor = "multi_thread")]
async fn f8_a_reserve_is_given_up_durably() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let world = World::create(&path).await;
    for seed in KEPT {
        world.push("app", seed).await.unwrap();
    }
    world.close().await;
    let ledger = Ledger::below(dir.path());
    let calls = Calls::below(dir.path());
    let command = ledger.command_with(&calls.faults(Fault::Full, 1));
    let said = Child::run(&mut { command }, "task delete 1", &path).end();
    assert_eq!(said, ["done"]);
    let events = ledger.events();
    let given = Event::Removed(path.join("reserve"));
    let at = events.iter().position(|event| *event == given).unwrap();
    let next = events[at + 1..]
        .iter()
        .find(|event| matches!(event, Event::Synced(_) | Event::Written(_)));
    assert_eq!(next, Some(&Event::Synced(path)));
}

/// I10, I24: an index that was rebuilt is durable before it has a name that the next open trusts, and
/// the other is out of the way, with its WAL, before it has the other's place.
#[tokio::test(flavor = "multi_thread")]
async fn i10_a_rebuilt_index_is_durable_before_it_counts() {
    let dir = tempfile::tempdir().unwrap();
    let done = watch(dir.path(), Task::Rebuild, 10).await;
    assert_eq!(done.lost_before("index.db.ready"), none());
    assert_eq!(
        done.synced_after("index.db.ready"),
        dir.path().join("registry")
    );
    assert_eq!(done.lost_before("index.db"), none());
    assert_eq!(done.lost(), none());
}

/// I10: a snapshot has its name when it is durable.
#[tokio::test(flavor = "multi_thread")]
async fn i10_a_snapshot_is_named_when_it_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let done = watch(dir.path(), Task::Snapshot, 10).await;
    assert_eq!(done.lost_before("snapshot-10"), none());
    assert_eq!(done.lost(), none());
}

/// I1: a purge is recorded before it is made, and forgotten by all files when it is acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn i1_a_purge_is_durable_when_it_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let done = watch(dir.path(), Task::Purge, 10).await;
    let made =
        |event: &Event| matches!(event, Event::Synced(path) if path.ends_with("index.db-wal"));
    let at = done.events.iter().position(made).unwrap();
    let lost = done.ledger.unsynced(&done.events[..at]);
    assert!(!lost.iter().any(|what| what.contains("purge-")), "{lost:?}");
    assert_eq!(done.lost(), none());
}

/// What a process has appended to the journal is durable when it has closed the registry.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_durable_when_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let done = watch(dir.path(), Task::Tag, 10).await;
    let lost = done.ledger.unsynced(&done.events);
    assert!(
        !lost.iter().any(|what| what.ends_with(".journal")),
        "{lost:?}"
    );
}
