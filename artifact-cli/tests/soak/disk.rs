//! What is on the disk when all have ended: what the index knows of, and nothing else (I9).

use std::{fs, os::unix::fs::MetadataExt as _};

use serde_json::Value;

use super::{
    goods::SIZES,
    setup::{Setup, run},
};

/// By how much a slot may be larger than what is in it, and the head of a segment, in bytes.
const ROUNDING: u64 = 8192;

/// What an upload may hold in a slot.
const SLOT_MAX: u64 = 1 << 20;

fn told(setup: &Setup, arguments: &[&str]) -> Value {
    let words = arguments.iter().chain(&["--json"]);
    serde_json::from_str(&run(&setup.registry, words)).unwrap()
}

/// Collects what nothing wants, and checks that all else is whole and nothing else is there; returns
/// what is there, in words.
pub(crate) fn check(setup: &Setup) -> String {
    let whole = told(setup, &["fsck", "--all"]);
    let empty = Value::Array(Vec::new());
    for part in ["index", "journal", "corrupt"] {
        assert_eq!(whole[part], empty, "fsck: {whole}");
    }
    // The second deletes the bytes of what the first put into the trash, but for slots, which linger
    // there for whoever may still read them.
    for _ in 0..2 {
        told(setup, &["gc", "--forget", "0s", "--allow-mass-delete"]);
    }
    let whole = told(setup, &["fsck", "--all"]);
    assert_eq!(whole["leaked"], 0, "I9 nobody knows of something: {whole}");
    let totals = &told(setup, &["du"])["totals"];
    let number = |name: &str| totals[name].as_u64().unwrap();
    let known = number("storedBytes") + number("trashBytes");
    assert_eq!(number("quarantined"), 0, "{totals}");
    let (files, segments) = (
        of(setup, "blobs", fs::Metadata::len),
        of(setup, "segments", |meta| meta.blocks() * 512),
    );
    let staged = of(setup, "staging", fs::Metadata::len);
    // An upload whose process was killed can be gone on with: its bytes wait for that.
    let (uploads, largest) = (number("uploads"), SIZES[SIZES.len() - 1] as u64);
    assert!(
        staged.1 <= uploads * largest,
        "I9 {staged:?} for {uploads} uploads"
    );
    let there = files.1 + segments.1;
    let slots = number("blobs") + number("trash") - files.0;
    let most = known + (slots + segments.0) * ROUNDING + uploads * SLOT_MAX;
    let said = format!("{there} bytes on disk for {known} bytes of {totals}");
    assert!((known..=most).contains(&there), "I9 {said}; at most {most}");
    said
}

/// Returns how many files are below a directory of the registry, and the sum of what is told of each.
fn of(setup: &Setup, directory: &str, size: impl Fn(&fs::Metadata) -> u64) -> (u64, u64) {
    let (mut count, mut sum) = (0, 0);
    let mut rest = vec![setup.registry.join(directory)];
    while let Some(path) = rest.pop() {
        for entry in fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                rest.push(path);
            } else {
                (count, sum) = (count + 1, sum + size(&meta));
            }
        }
    }
    (count, sum)
}
