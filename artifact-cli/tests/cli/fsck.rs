//! `artifact fsck`

use std::{fs, path::PathBuf};

use crate::support::{bench::Bench, run::fields, server::Server, tree};

const FIELDS: [&str; 10] = [
    "blobs",
    "bytes",
    "corrupt",
    "index",
    "journal",
    "leaked",
    "leakedBytes",
    "manifests",
    "path",
    "unreadable",
];

/// Returns the file of the one blob that has a file of its own.
fn large(bench: &Bench) -> PathBuf {
    let blobs = bench.path("registry/blobs");
    let all = tree::contents(&blobs);
    let found = all.iter().find(|(_, (_, bytes))| bytes.len() > 1_000_000);
    blobs.join(found.expect("there is one").0)
}

/// Has the large blob rot.
fn rot(bench: &Bench) {
    let path = large(bench);
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    #[expect(
        clippy::permissions_set_readonly_false,
        reason = "the file goes with the test"
    )]
    permissions.set_readonly(false);
    fs::set_permissions(&path, permissions).unwrap();
    fs::write(&path, vec![9; tree::large().len()]).unwrap();
}

/// I22: a segment whose header has rotten is told of by name, and all else is checked and freed; what is whole in it
/// is served.
#[test]
fn i22_a_rotten_segment_hides_no_other() {
    let bench = Bench::stocked();
    let segments = bench.path("registry/segments");
    let [segment] = &*tree::names(&segments) else {
        panic!("one segment")
    };
    let mut bytes = fs::read(segments.join(segment)).unwrap();
    bytes[..8].fill(0xff);
    fs::write(segments.join(segment), bytes).unwrap();
    let stray = format!("registry/blobs/00/00{}", "5a".repeat(15));
    fs::write(bench.path(&stray), "nobody's").unwrap();
    let run = bench.run(["fsck", "--all", "--json"]);
    assert_eq!(run.code, 6, "{run:#?}");
    let found = run.document();
    let told = found["unreadable"][0].as_str().unwrap();
    assert!(told.contains(segment), "{told}");
    assert_eq!(
        (&found["leaked"], &found["corrupt"]),
        (&1.into(), &serde_json::json!([]))
    );
    bench.ok(["gc"]);
    assert!(!bench.path(&stray).exists(), "it is freed all the same");
    bench.holds_the_tree("team/build:1");
    fs::write(bench.path("build/more"), vec![9; 50_000]).unwrap();
    bench.ok(["push", "build", "team/build:2"]);
    bench.holds_the_tree("team/build:2");
    // The header says nothing that is not known, and was written anew.
    bench.ok(["fsck", "--all"]);
}

/// A dry run finds all that a run does, and leaves each byte as it was: rot, a segment without its header, a
/// damaged journal, what nobody knows of.
#[test]
fn a_dry_run_changes_nothing() {
    let bench = Bench::stocked();
    rot(&bench);
    let segments = bench.path("registry/segments");
    let segment = segments.join(&tree::names(&segments)[0]);
    let journal = bench.path("registry/journal/0000000001.journal");
    for (path, at) in [(&segment, 0), (&journal, 90)] {
        let mut bytes = fs::read(path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    fs::write(
        bench.path("registry/blobs/ff").join("f".repeat(32)),
        "stray",
    )
    .unwrap();
    // But for what SQLite makes beside an index while it is open.
    let files = || {
        let mut files = tree::contents(&bench.path("registry"));
        files.retain(|path, _| !["index.db-wal", "index.db-shm"].contains(&path.as_str()));
        files
    };
    let before = files();
    let run = bench.run(["fsck", "--all", "--dry-run", "--json"]);
    let found = run.document();
    assert_eq!(run.code, 6, "{found}");
    let count = |name: &str| found[name].as_array().unwrap().len();
    assert_eq!((count("corrupt"), count("unreadable")), (1, 1), "{found}");
    assert!(count("journal") > 0 && found["leaked"] == 1, "{found}");
    let after = files();
    let names: Vec<_> = before.keys().chain(after.keys()).collect();
    let changed: Vec<_> = names
        .iter()
        .filter(|name| before.get(**name) != after.get(**name))
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
}

/// What is damaged in the journal, the doctor finds, and fsck writes anew from the index.
#[test]
fn f10_a_damaged_journal_is_mended() {
    let bench = Bench::stocked();
    let journal = bench.path("registry/journal/0000000001.journal");
    let mut text = fs::read(&journal).unwrap();
    let second = text.iter().position(|byte| *byte == b'\n').unwrap() + 30;
    text[second] ^= 1;
    fs::write(&journal, &text).unwrap();
    let run = bench.run(["doctor"]);
    assert!(
        run.code == 1
            && run.out.contains("is damaged at byte")
            && run.out.contains("artifact fsck"),
        "{run:#?}"
    );
    let run = bench.run(["fsck", "--dry-run"]);
    assert!(run.code == 6 && run.err.contains("journal"), "{run:#?}");
    bench.ok(["fsck"]);
    bench.ok(["doctor"]);
}

#[test]
fn what_is_whole_is_said_to_be() {
    let bench = Bench::stocked();
    let found = bench.json(["fsck"]);
    assert_eq!(fields(&found), FIELDS);
    assert_eq!(
        (&found["blobs"], &found["manifests"]),
        (&5.into(), &1.into())
    );
    let all = bench.json(["fsck", "--all", "--dry-run"]);
    assert!(
        all["bytes"].as_u64().unwrap() > 1_300_000,
        "everything is hashed: {all}"
    );
    let text = bench.ok(["fsck", "registry"]);
    assert!(
        text.contains("index      whole\njournal    whole") && text.contains("leaked     nothing"),
        "{text}"
    );
}

/// I9: rot is found, nobody is served it, and a push mends it.
#[test]
fn i9_rot_is_found_and_mended() {
    let bench = Bench::stocked();
    rot(&bench);
    let run = bench.run(["fsck", "--all"]);
    assert_eq!(run.code, 6, "{run:#?}");
    assert!(
        run.err.contains("1 blob or manifest is corrupt"),
        "{run:#?}"
    );
    assert!(run.err.contains("push them again"), "{run:#?}");
    let run = bench.run(["fsck", "--json"]);
    assert_eq!((run.code, fields(&run.document())), (6, FIELDS.to_vec()));
    assert_eq!(run.document()["corrupt"].as_array().unwrap().len(), 1);
    let run = bench.run(["pull", "team/build:1", "out"]);
    assert_eq!(run.code, 6, "{run:#?}");
    assert!(
        run.err.contains("corrupt") && !bench.path("out").exists(),
        "{run:#?}"
    );
    let run = bench.run(["doctor"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.out.contains("FAIL  directory  blobs"), "{run:#?}");
}

/// What nobody knows of goes into the trash, and is only told of in a dry run.
#[test]
fn what_nobody_knows_of_is_freed() {
    let bench = Bench::stocked();
    let stray = bench.path("registry/blobs/ff").join("f".repeat(32));
    fs::write(&stray, "stray").unwrap();
    let text = bench.ok(["fsck", "--dry-run"]);
    assert!(
        text.contains("1 file or slot (5 B) that nothing names\n"),
        "{text}"
    );
    assert!(stray.exists());
    let text = bench.ok(["fsck"]);
    assert!(
        text.contains("nothing names: `artifact gc` frees"),
        "{text}"
    );
    bench.ok(["gc"]);
    assert!(!stray.exists());
}

#[test]
fn a_lost_index_is_made_anew_from_the_journal() {
    let bench = Bench::stocked();
    let (head, digest) = (bench.head(), bench.digest("team/build:1"));
    fs::remove_file(bench.path("registry/index.db")).unwrap();
    for name in ["index.db-wal", "index.db-shm"] {
        // They are there or not, as the last process left them.
        let _removed = fs::remove_file(bench.path("registry").join(name));
    }
    for command in [["ls"], ["fsck"]] {
        let run = bench.run(command);
        assert_ne!(run.code, 0);
        assert!(
            run.err.contains("artifact fsck --rebuild-index"),
            "{run:#?}"
        );
    }
    let found = bench.json(["fsck", "--rebuild-index"]);
    let rebuilt = &found["rebuilt"];
    let names = [
        "adopted", "corrupt", "damage", "entries", "epoch", "freed", "missing", "replaced",
        "revision", "torn",
    ];
    assert_eq!(fields(rebuilt), names);
    assert_eq!(
        (&rebuilt["revision"], &rebuilt["epoch"]),
        (&head.into(), &2.into())
    );
    assert_eq!(bench.digest("team/build:1"), digest);
    bench.holds_the_tree("team/build:1");
    // An index that is whole may be made anew, too.
    let text = bench.ok(["fsck", "--rebuild-index"]);
    assert!(text.contains(&format!("up to revision {head}")), "{text}");
}

#[test]
fn what_cannot_be_checked_is_refused() {
    let bench = Bench::stocked();
    bench.refuses(["fsck", "nowhere"], 3, &["nowhere", "artifact init"]);
    bench.refuses(["fsck", "--force"], 2, &["--rebuild-index"]);
    bench.refuses(["fsck", "--dry-run", "--rebuild-index"], 2, &["--dry-run"]);
    let server = Server::open(&bench);
    let run = bench.run(["fsck", "--rebuild-index"]);
    assert_eq!(run.code, 7, "{run:#?}");
    assert!(
        run.err.contains("is open in process") && run.err.contains("end that first"),
        "{run:#?}"
    );
    drop(server);
}
