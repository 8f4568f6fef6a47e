//! Each parser of outside bytes over the corpus that is kept for it, and over what a few careless changes
//! make of that. `make fuzz` looks for longer, and for what nobody thought of.

use std::{collections::BTreeSet, fs, path::PathBuf};

use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

#[expect(unreachable_pub, reason = "it is the library of the fuzz targets, too")]
#[path = "../../fuzz/src/lib.rs"]
mod parsers;

use parsers::PARSERS;

/// How many changed inputs each parser is given.
const CASES: u32 = 2_000;

fn fuzz() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names_in(directory: PathBuf) -> BTreeSet<String> {
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        path.file_stem().unwrap().to_str().unwrap().to_owned()
    };
    entries.map(name).collect()
}

fn corpus(parser: &str) -> Vec<Vec<u8>> {
    let directory = fuzz().join("corpus").join(parser);
    let mut files: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 3, "{directory:?} has too little");
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// One careless change.
#[derive(Clone, Debug)]
enum Edit {
    /// Another byte in place of one.
    Set(Index, u8),
    /// Some bytes more.
    Insert(Index, Vec<u8>),
    /// Some bytes less.
    Remove(Index, usize),
    /// A part of another input.
    Splice(Index, Index, Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<Index>;
    let words = prop::sample::select(vec![
        &b"/"[..],
        b"..",
        b"%",
        b"%2f",
        b"\"",
        b"\\",
        b":",
        b",",
        b"-",
        b"{}",
        b"[",
        b"\0",
        b"\r\n",
        b"\xff",
        b"\xe2\x80\xae",
        b"99999999999999999999",
        b"null",
        b"sha256:",
    ]);
    prop_oneof![
        (index(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (index(), words).prop_map(|(at, word)| Edit::Insert(at, word.to_vec())),
        (index(), prop::collection::vec(any::<u8>(), 1..6))
            .prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (index(), 1..20_usize).prop_map(|(at, count)| Edit::Remove(at, count)),
        (index(), index(), index()).prop_map(|(at, seed, from)| Edit::Splice(at, seed, from)),
    ]
}

fn change(mut bytes: Vec<u8>, edits: &[Edit], seeds: &[Vec<u8>]) -> Vec<u8> {
    for edit in edits {
        let place = |at: &Index| at.index(bytes.len() + 1);
        match edit {
            Edit::Set(at, byte) => {
                let at = place(at);
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Edit::Insert(at, more) => {
                let at = place(at);
                bytes.splice(at..at, more.iter().copied());
            }
            Edit::Remove(at, count) => {
                let at = place(at);
                let end = bytes.len().min(at + count);
                bytes.drain(at..end);
            }
            Edit::Splice(at, seed, from) => {
                let at = place(at);
                let other = seed.get(seeds);
                let from = from.index(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

/// Each parser has a target and a corpus, and there is no other.
#[test]
fn every_parser_has_its_target_and_its_corpus() {
    let parsers: BTreeSet<_> = PARSERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names_in(fuzz().join("fuzz_targets")), parsers);
    assert_eq!(names_in(fuzz().join("corpus")), parsers);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for parser in parsers {
        assert!(
            manifest.contains(&format!("name = \"{parser}\"")),
            "{parser}"
        );
    }
}

/// What is kept is read as it must be, and what careless changes make of it.
#[test]
fn parsers_keep_their_promises() {
    for (name, parse) in PARSERS {
        let seeds = corpus(name);
        seeds.iter().for_each(|seed| parse(seed));
        // A failure prints its input; it belongs into the corpus then.
        let config = Config {
            cases: CASES,
            failure_persistence: None,
            ..Config::default()
        };
        let input = (any::<Index>(), prop::collection::vec(edit(), 0..5));
        // The same changes each time: another answer is of another program.
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let outcome = TestRunner::new_with_rng(config, rng).run(&input, |(seed, edits)| {
            let bytes = change(seed.get(&seeds).clone(), &edits, &seeds);
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            let parsed = std::panic::catch_unwind(|| parse(&bytes));
            prop_assert!(parsed.is_ok(), "{name}: {shown:?}");
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("{name}: {error}");
        }
    }
}
