//! What lies in what is copied: a registry, or the place for the copy.

use std::fs;

use crate::support::{bench::Bench, tree};

/// I16, I27: what a registry consists of is no content: its keys would be anybody's, and who reads the
/// files of an index that it has open loses the locks on it.
#[test]
fn i16_i27_a_registry_is_not_pushed() {
    let bench = Bench::new();
    fs::write(bench.path("note.txt"), "beside it").unwrap();
    for (from, to) in [
        (".", "x:1"),
        ("registry", "x:1"),
        ("registry/index.db", "x:1"),
        ("registry/keys", "oci:out"),
    ] {
        let words = ["is a registry", "keys", "artifact snapshot"];
        let run = bench.run(["push", from, to]);
        assert_eq!(run.code, 2, "{run:#?}");
        for word in words {
            assert!(run.err.contains(word), "{word}: {run:#?}");
        }
    }
    assert_eq!(bench.ok(["ls"]), "");
    bench.ok(["push", "note.txt", "x:1"]);
}

/// A copy that lay in what is copied would be in the copy, too.
#[test]
fn a_directory_is_not_copied_into_itself() {
    let bench = Bench::new();
    let before = tree::contents(&bench.path("build"));
    let words = ["lies in build", "outside of it"];
    bench.refuses(["cp", "dir:build", "dir:build/copy"], 2, &words);
    bench.refuses(["cp", "dir:build", "dir:build/sub/deep/copy"], 2, &words);
    bench.refuses(["push", "build", "oci:build/layout:1"], 2, &words);
    assert_eq!(tree::contents(&bench.path("build")), before);
    // Its own name is another's that begins with it.
    bench.ok(["push", "build", "oci:build-layout:1"]);
}
