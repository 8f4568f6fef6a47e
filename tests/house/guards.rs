//! Guards: each sync, lock and check bears a marker, each marker a number of its own, and each number
//! names what a user would lose and the test that notices (`make prove`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::{imports, root, sources};

/// The crates whose guards are marked.
const CRATES: [&str; 5] = [
    "src",
    "artifact-cli/src",
    "artifact-core/src",
    "artifact-proto/src",
    "artifact-store/src",
];

/// What a guard looks like: a call or a comparison that promises rest on.
const LOOKS: &[&str] = &[
    // Syncs.
    ".sync_all()",
    ".sync_data()",
    "sync_directory(",
    "syncfs(",
    "\"synchronous\"",
    // Locks, and whether what was locked is still what was looked for.
    ".try_lock(",
    "try_lock_range(",
    "FileLock::try_lock(",
    "FileLock::lock(",
    "lock_within(",
    ".acquire(PATIENCE)",
    "still_there(",
    ".hides(",
    // Nothing after a failed sync.
    ".check_sound()",
    "state.poisoned",
    "self.poisoned",
    // Digests.
    "check_inline(",
    "check_digest(",
    ".quarantined",
    ".is_trusted(",
    // Who may do what.
    ".permit(",
    ".permit_scope(",
    ".permit_repository(",
    ".may_read(",
    // What a commit rests on.
    ".expect(expected)",
    "expectations",
    ".rooms",
    "condition.check(",
    "room::check(",
    "expect::expect(",
    "expect_free(",
    "blobs::is_wanted(",
    "manifests::naming(",
    "links::pin(",
    // Leases, claims, and who lives.
    ".is_alive(",
    ".is_held(",
    ".claim(",
    // Epochs, formats, registries.
    "epoch !=",
    "> FORMAT",
    "> schema::VERSION",
    "check_registry(",
    // Bounds.
    "> HEAD_MAX",
    "_MAX {",
    "_MAX &&",
    "_MAX)",
    "_MAX,",
    "_MAX;",
    "timeout(",
];

/// Files whose code is beneath the guards, or stands for none; each with the reason.
const BENEATH: &[(&str, &str)] = &[
    ("artifact-core/src/guard.rs", "the markers themselves"),
    (
        "artifact-core/src/contract/",
        "what backends promise; they do it",
    ),
    (
        "artifact-store/src/sys/",
        "the calls of the system; their callers are marked",
    ),
    (
        "artifact-store/src/vfs/",
        "the calls of the system; their callers are marked",
    ),
    (
        "artifact-store/src/index/memory/",
        "the model that SQLite is compared with, operation by operation",
    ),
    (
        "artifact-store/src/blob/memory.rs",
        "keeps nothing that could be lost",
    ),
];

/// A line that looks like a guard and is none, or is guarded elsewhere: the file, what is in the line,
/// and the reason.
type Exception = (&'static str, &'static str, &'static str);

mod exceptions;
use exceptions::EXCEPTIONS;

/// Where a program's tests are.
const PROGRAMS: &[(&str, &str)] = &[
    ("artifact-cli", "artifact-cli/src"),
    ("artifact-core", "artifact-core/src"),
    ("artifact-kit", "src"),
    ("artifact-proto", "artifact-proto/src"),
    ("artifact-store", "artifact-store/src"),
    ("cli", "artifact-cli/tests/cli"),
    ("client", "artifact-proto/tests/client"),
    ("conformance", "artifact-testkit/src"),
    ("crash", "artifact-cli/tests/crash"),
    ("distribution", "tests/distribution"),
    ("engine", "tests/engine"),
    ("fs_store", "artifact-store/tests/fs_store"),
    ("home", "artifact-store/tests/home"),
    ("parsers", "tests/parsers"),
    ("simulate", "tests/simulate"),
    ("sqlite", "artifact-store/tests/sqlite"),
    ("transfer", "tests/transfer"),
];

struct Row {
    number: u16,
    program: String,
    test: String,
    loses: String,
}

/// Reads the table.
fn table() -> Vec<Row> {
    let text = fs::read_to_string(root().join("tests/prove/guards.txt")).unwrap();
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let number = words.next()?.parse().ok()?;
        Some(Row {
            number,
            program: words.next()?.to_owned(),
            test: words.next()?.to_owned(),
            loses: words.collect::<Vec<_>>().join(" "),
        })
    };
    text.lines().filter_map(row).collect()
}

/// Returns the numbers of the markers in a text.
fn markers(text: &str) -> impl Iterator<Item = u16> + '_ {
    text.split("guard!(").skip(1).map(|rest| {
        let rest = rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_digit());
        let number = rest.get(..end.unwrap_or(rest.len())).unwrap();
        number.parse().expect("a guard has a number")
    })
}

/// Returns the code of each file of the crates that have guards, by path.
fn code() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for name in CRATES {
        for file in sources(&root().join(name)) {
            let path = file.strip_prefix(root()).unwrap().display().to_string();
            if !path.contains("/tests/") && path != "artifact-core/src/guard.rs" {
                all.push((path, imports::code(&fs::read_to_string(&file).unwrap())));
            }
        }
    }
    all
}

#[test]
fn each_guard_has_a_number_and_a_row_of_its_own() {
    let mut places: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for (path, text) in code() {
        for number in markers(&text) {
            places.entry(number).or_default().push(path.clone());
        }
    }
    let twice: Vec<_> = places
        .iter()
        .filter(|(_, places)| places.len() > 1)
        .collect();
    assert!(twice.is_empty(), "numbers that are used twice: {twice:?}");
    let rows: Vec<u16> = table().iter().map(|row| row.number).collect();
    let unique: BTreeSet<u16> = rows.iter().copied().collect();
    assert_eq!(unique.len(), rows.len(), "a row is there twice");
    let marked: BTreeSet<u16> = places.keys().copied().collect();
    let unequal: Vec<_> = marked.symmetric_difference(&unique).collect();
    assert!(
        unequal.is_empty(),
        "a marker without a row of tests/prove/guards.txt, or a row without a marker: {unequal:?}"
    );
    for row in table() {
        assert!(!row.loses.is_empty(), "{} says nothing", row.number);
    }
}

#[test]
fn each_guard_names_a_test_that_is_there() {
    let mut texts = BTreeMap::new();
    for (program, place) in PROGRAMS {
        let files = sources(&root().join(place));
        let text: String = files
            .iter()
            .map(|file| fs::read_to_string(file).unwrap())
            .collect();
        texts.insert(*program, text);
    }
    let mut missing = Vec::new();
    for row in table() {
        let name = row.test.rsplit("::").next().unwrap();
        let there = texts.get(&*row.program).is_some_and(|text| {
            text.contains(&format!("fn {name}(")) || text.contains(&format!("fn {name}<"))
        });
        if !there {
            missing.push(format!("{}: {} {}", row.number, row.program, row.test));
        }
    }
    assert!(missing.is_empty(), "tests that are not there: {missing:#?}");
}

/// Returns the lines that look like a guard and bear no marker, as `path: line`.
fn unmarked(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.split(" // ").next().unwrap_or(line).trim();
        let names = ["use ", "fn ", "pub ", "const ", "let _", "#["];
        let is_name = names.iter().any(|start| code.starts_with(start)) && !code.contains(" = ");
        let declares =
            code.contains("fn ") || code.starts_with("const ") || code.starts_with("pub(");
        let only_names = !code.contains(['(', '<', '>', '=', '.', '?']);
        if is_name || declares || only_names || !LOOKS.iter().any(|look| code.contains(look)) {
            continue;
        }
        // Its marker stands in the line, or around it.
        let around = lines.get(at.saturating_sub(3)..(at + 3).min(lines.len()));
        let marked = around
            .unwrap_or_default()
            .iter()
            .any(|line| line.contains("guard!("));
        let excepted = EXCEPTIONS
            .iter()
            .any(|(file, part, _)| path == *file && code.contains(part));
        if !marked && !excepted {
            found.push(format!("{path}: {code}"));
        }
    }
    found
}

/// Whoever writes a sync, a lock or a check gives it a number, and writes into the table what is lost
/// without it; or says here why it is none.
#[test]
fn what_looks_like_a_guard_is_marked() {
    let mut found = Vec::new();
    for (path, text) in code() {
        if !BENEATH.iter().any(|(start, _)| path.starts_with(start)) {
            found.extend(unmarked(&path, &text));
        }
    }
    assert!(
        found.is_empty(),
        "guards without a marker:\n{}",
        found.join("\n")
    );
}

#[test]
fn no_exception_is_left_over() {
    let all = code();
    let mut stale = Vec::new();
    for (file, part, reason) in EXCEPTIONS {
        let there = all
            .iter()
            .any(|(path, text)| path == file && text.contains(part));
        if !there || reason.is_empty() {
            stale.push(format!("{file}: {part}"));
        }
    }
    for (start, _) in BENEATH {
        if !root().join(start).exists() {
            stale.push((*start).to_owned());
        }
    }
    assert!(
        stale.is_empty(),
        "exceptions that except nothing: {stale:#?}"
    );
}

#[test]
fn an_unmarked_guard_is_seen() {
    let text = "fn f() {\n    let a = 1;\n    let b = 2;\n    let c = 3;\n    file.sync_all()?;\n}";
    assert_eq!(unmarked("x.rs", text), ["x.rs: file.sync_all()?;"]);
    let marked = text.replace("file.sync_all()", "guard!(1, file.sync_all())");
    assert_eq!(unmarked("x.rs", &marked), [""; 0]);
    assert_eq!(
        markers("guard!(17) guard!(\n  42, x)").collect::<Vec<_>>(),
        [17, 42]
    );
}
