//! Two real processes on one directory. A test runs itself once more as the other process.

use std::{
    env,
    io::{BufRead as _, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use artifact_core::{BlobKey, BlobStore as _, Suspended};
use artifact_store::FsBlobStore;
use bytes::Bytes;

use crate::{
    hooked_vfs::HookedVfs,
    kit::{ID, LARGE, Place, assert_held, begin, commit, get, list, options, put},
};

/// Says to the other process which directory it works in.
const DIRECTORY: &str = "ARTIFACT_TEST_DIRECTORY";

/// Before it, each line that the other process says has this.
const SAYS: &str = "says ";

/// Returns the store of the directory, in the other process.
fn child() -> Option<FsBlobStore> {
    let directory = env::var_os(DIRECTORY)?;
    let options = options(Path::new(&directory), HookedVfs::default());
    Some(FsBlobStore::open(options).unwrap())
}

#[expect(clippy::print_stdout, reason = "it is how two processes speak")]
fn say(what: &str) {
    println!("\n{SAYS}{what}");
}

struct Other {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn run(test: &str, place: &Place) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env(DIRECTORY, place.root())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// Returns what it says next; `None` when it ended.
    fn hear(&mut self) -> Option<String> {
        let mut lines = self.lines.by_ref().map(Result::unwrap);
        let line = lines.find(|line| line.starts_with(SAYS))?;
        Some(line[SAYS.len()..].to_owned())
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Returns bytes that both processes know.
fn known(seed: u8, length: usize) -> Bytes {
    let byte = |at: usize| u8::try_from(at.wrapping_mul(31) >> 3 & 0xff).unwrap() ^ seed;
    (0..length).map(byte).collect()
}

/// What the process does that will be killed.
async fn live_and_be_killed(store: &FsBlobStore) {
    for (seed, size) in [(0, 5000), (1, 1 << 20), (2, LARGE)] {
        let key = put(store, &known(seed, size)).await;
        say(key.as_str());
    }
    for size in [900_000, LARGE] {
        let mut writer = begin(store, size).await;
        writer.write(known(3, 300_000)).await.unwrap();
        let at = writer.suspend().await.unwrap();
        say(&serde_json::to_string(&at).unwrap());
    }
    let mut writers = Vec::new();
    for size in [900_000, LARGE] {
        let mut writer = begin(store, size).await;
        for _ in 0..4 {
            writer.write(known(4, 200_000)).await.unwrap();
        }
        say(writer.key().as_str());
        writers.push(writer);
    }
    say("ready");
    std::future::pending::<()>().await;
}

/// F1, BS-4, BS-9: a process that is killed leaves what it acknowledged, holds nothing, and what it
/// had begun can be removed.
#[tokio::test]
async fn f1_a_killed_process_leaves_what_it_acknowledged() {
    if let Some(store) = child() {
        return live_and_be_killed(&store).await;
    }
    let place = Place::new();
    let store = place.open();
    let test = "processes::f1_a_killed_process_leaves_what_it_acknowledged";
    let mut other = Other::run(test, &place);
    let committed: [BlobKey; 3] = [(); 3].map(|()| other.hear().unwrap().parse().unwrap());
    let suspended: [Suspended; 2] =
        [(); 2].map(|()| serde_json::from_str(&other.hear().unwrap()).unwrap());
    let begun: [BlobKey; 2] = [(); 2].map(|()| other.hear().unwrap().parse().unwrap());
    assert_eq!(other.hear().unwrap(), "ready");
    for key in &begun {
        assert!(store.is_held(key).await.unwrap(), "{key}");
        assert_held(store.delete(key).await);
        assert!(store.stat(key).await.unwrap().is_none());
    }
    put(&store, &known(9, 5000)).await;
    assert_eq!(place.names("segments").len(), 2, "each process has its own");
    drop(other);

    for key in &begun {
        assert!(!store.is_held(key).await.unwrap(), "{key}");
        assert!(store.stat(key).await.unwrap().is_none());
    }
    for (key, (seed, size)) in committed.iter().zip([(0, 5000), (1, 1 << 20), (2, LARGE)]) {
        assert!(
            get(&store, key).await.unwrap() == known(seed, size),
            "{key}"
        );
    }
    for (at, size) in suspended.iter().zip([900_000, LARGE]) {
        let mut writer = store.resume(&ID, at.clone()).await.unwrap().unwrap();
        assert_eq!(writer.offset(), 300_000);
        let whole: Bytes = [known(3, 300_000), known(5, size - 300_000)]
            .concat()
            .into();
        writer.write(whole.slice(300_000..)).await.unwrap();
        let key = writer.key().clone();
        commit(writer, &whole).await.unwrap();
        assert!(get(&store, &key).await.unwrap() == whole);
    }
    for entry in list(&store).await.iter().filter(|entry| entry.staged) {
        // What was suspended in a slot, and went on elsewhere, stays until it is deleted.
        let left = begun.contains(&entry.key) || entry.key == suspended[0].key;
        assert!(left, "{entry:?}");
        store.delete(&entry.key).await.unwrap();
    }
    let listed = list(&store).await;
    assert!(
        listed.len() == 6 && !listed.iter().any(|entry| entry.staged),
        "{listed:?}"
    );
    assert!(place.names("staging").is_empty());
}

/// F13, I16: two processes write at once, and both read all.
#[tokio::test]
async fn f13_two_processes_write_at_once() {
    const COUNT: u8 = 100;
    let size = |seed: u8| 4000 + usize::from(seed) * 100;
    if let Some(store) = child() {
        for seed in 0..COUNT {
            say(put(&store, &known(seed, size(seed))).await.as_str());
        }
        return;
    }
    let place = Place::new();
    let store = place.open();
    let mut other = Other::run("processes::f13_two_processes_write_at_once", &place);
    for seed in 0..COUNT {
        let bytes = known(!seed, size(seed));
        let ours = put(&store, &bytes).await;
        let theirs = other.hear().unwrap().parse().unwrap();
        assert!(get(&store, &ours).await.unwrap() == bytes);
        assert!(get(&store, &theirs).await.unwrap() == known(seed, size(seed)));
    }
    assert_eq!(other.hear(), None);
    assert_eq!(place.names("segments").len(), 2);
    assert_eq!(list(&store).await.len(), 2 * usize::from(COUNT));
}
