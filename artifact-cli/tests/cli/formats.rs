//! Directories that programs of each format version have written, opened by this one.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::support::{bench::Bench, tree};

/// The versions of which there is a directory: all that were ever written.
const FORMATS: [u32; 1] = [1];

/// Unpacks the directory of a version, and returns what must be read from it.
fn unpack(bench: &Bench, format: u32) -> Value {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/fixtures");
    let packed = fixtures.join(format!("format-{format}.tar.gz"));
    let unpacked = Command::new("tar")
        .arg("-xzf")
        .arg(packed)
        .arg("-C")
        .arg(bench.root())
        .status();
    assert!(unpacked.expect("tar is installed").success());
    let told = fs::read(fixtures.join(format!("format-{format}.json"))).unwrap();
    serde_json::from_slice(&told).unwrap()
}

/// Compares all that can be asked with what the program answered that wrote it.
#[track_caller]
fn compare(bench: &Bench, told: &Value) {
    let (first, before) = (told["first"].to_string(), told["before"].to_string());
    let net = "team/models/net";
    for (name, words) in [
        ("history", vec!["history", "--blobs"]),
        ("packages", vec!["ls"]),
        ("users", vec!["user", "ls"]),
        ("mode", vec!["mode"]),
        ("stage", vec!["repo", "stage", "brief"]),
        ("namespace", vec!["repo", "namespace", "team"]),
        ("net", vec!["ls", net]),
        ("then", vec!["ls", net, "--as-of", &before]),
    ] {
        assert_eq!(bench.json(words), told[name], "{name}");
    }
    let build = tree::contents(&bench.path("build"));
    for (reference, moment) in [
        ("app/image:v1", "0s"),
        ("team/models/net:stable", "0s"),
        ("team/models/net:latest", &before),
        ("team/models/net:1", &first),
    ] {
        bench.ok(["pull", reference, "copy", "--as-of", moment]);
        let mut pulled = tree::contents(&bench.path("copy"));
        if reference.ends_with(":1") {
            let hello = pulled.insert("hello.txt".into(), (false, b"changed\n".to_vec()));
            assert_eq!(hello, Some((false, b"hello\n".to_vec())), "as it was first");
        }
        assert_eq!(pulled, build, "{reference} at {moment}");
        fs::remove_dir_all(bench.path("copy")).unwrap();
    }
    bench.ok(["fsck", "--all"]);
}

/// I25: what an older program wrote is read by this one, all of it, and goes on.
#[test]
fn i25_directories_of_all_formats_are_read() {
    for format in FORMATS {
        let bench = Bench::bare();
        let told = unpack(&bench, format);
        compare(&bench, &told);
        // The journal of that version makes the same index.
        bench.ok(["fsck", "--rebuild-index", "--force"]);
        compare(&bench, &told);
        bench.ok(["mode", "read-write"]);
        bench.ok(["push", "build", "team/models/net:3"]);
        bench.ok(["gc", "--forget", "0s"]);
        bench.ok(["fsck", "--all"]);
        bench.ok(["pull", "team/models/net:3", "copy"]);
        let (copy, build) = (bench.path("copy"), bench.path("build"));
        assert_eq!(tree::contents(&copy), tree::contents(&build));
    }
}

/// I25: the newest version has a directory here, too: whoever raises it writes one.
#[test]
fn i25_each_format_has_its_directory() {
    let bench = Bench::new();
    let settings = fs::read_to_string(bench.path("registry/artifact.toml")).unwrap();
    let newest = FORMATS.last().unwrap();
    let line = format!("\nformat = {newest}\n");
    assert!(
        settings.contains(&line),
        "run scripts/make-fixture: {settings}"
    );
}
