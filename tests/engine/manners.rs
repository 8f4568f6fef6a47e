//! The manners of a library that others embed: it takes nothing of the process that is not its own.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use artifact::{AsOf, BlobRange, CollectOptions, Registry, UploadOptions};

use crate::support::{bytes, package};

const ROLE: &str = "ARTIFACT_MANNERS";
/// What the other process writes before and after the library works.
const MARK: &str = "@@@";
/// How long a thread may take to end on a machine that does much else.
const LONG: Duration = Duration::from_secs(60);
const WANTED: &str = "as the test wants";

/// Not a test of its own: what the other process runs, in which nothing else does anything.
#[test]
fn role() {
    if let Some(directory) = std::env::var_os(ROLE) {
        embed(Path::new(&directory));
    }
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// Returns what the kernel keeps of the process that a library could change: signals, umask, directory.
fn state() -> BTreeMap<String, String> {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let kept = ["SigBlk", "SigIgn", "SigCgt", "Umask"];
    let lines = status.lines().filter_map(|line| line.split_once(':'));
    let mut state: BTreeMap<_, _> = lines
        .filter(|(name, _)| kept.contains(name))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let here = std::env::current_dir().unwrap();
    state.insert("directory".to_owned(), format!("{here:?}"));
    for (name, value) in std::env::vars() {
        state.insert(format!("${name}"), value);
    }
    assert!(state.len() > kept.len() + 1, "{state:?}");
    state
}

fn embed(directory: &Path) {
    let panics = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&panics);
    std::panic::set_hook(Box::new(move |panicked| {
        let said = panicked.payload().downcast_ref::<String>();
        if said.is_some_and(|said| said == WANTED) {
            count.fetch_add(1, Ordering::SeqCst);
        } else {
            eprintln!("{panicked}");
        }
    }));
    let (before, alone) = (state(), threads());
    println!("{MARK}");
    let registry = Registry::open(directory).unwrap();
    let session = registry.blocking();
    let data = bytes(1, 3_000_000);
    let mut upload = session
        .begin_upload(&package("app"), UploadOptions::default())
        .unwrap();
    upload.write_all(&data).unwrap();
    let blob = upload.finish(None).unwrap();
    let mut read = Vec::new();
    session
        .read_blob(AsOf::Now, &package("app"), &blob.digest, BlobRange::All)
        .unwrap()
        .read_to_end(&mut read)
        .unwrap();
    session.collect(&CollectOptions::default()).unwrap();
    let client =
        artifact_proto::client::OciClient::new(artifact_proto::client::ClientOptions::default());
    drop((client.unwrap(), session, registry));
    println!("{MARK}");
    assert_eq!(read.len(), data.len());
    let (changed, now) = (
        |(name, value): &(&String, &String)| before.get(*name) != Some(*value),
        state(),
    );
    let changed: Vec<_> = now.iter().filter(changed).collect();
    assert!(changed.is_empty(), "the process is another: {changed:?}");
    let begun = Instant::now();
    while threads() > alone {
        assert!(begun.elapsed() < LONG, "a thread outlives the registry");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(
        !tracing::dispatcher::has_been_set(),
        "a logger was installed"
    );
    let provider = rustls::crypto::CryptoProvider::get_default();
    assert!(provider.is_none(), "a TLS provider was installed");
    let panicked = std::panic::catch_unwind(|| panic!("{WANTED}"));
    assert!(panicked.is_err());
    assert_eq!(
        panics.load(Ordering::SeqCst),
        1,
        "another panic hook was set"
    );
}

/// An embedded registry installs nothing global, prints nothing, and leaves no thread behind.
#[test]
#[cfg(target_os = "linux")]
fn nothing_is_installed_printed_or_started() {
    let directory = tempfile::tempdir().unwrap();
    let registry = directory.path().join("registry");
    drop(Registry::create(&registry).unwrap());
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args([
            "--exact",
            "manners::role",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(ROLE, registry)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{out}\n{err}");
    let between: Vec<&str> = out.split(MARK).collect();
    assert_eq!(between.len(), 3, "{out}");
    assert_eq!(between[1], "\n", "something was printed");
    assert_eq!(err, "", "something was printed");
}
