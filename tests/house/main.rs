//! The house: which crate may know which, that no two files import each other, and that the
//! documents name only what is there.

mod guards;
mod imports;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn metadata() -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs, for it runs this test");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The arrows between crates, development apart: what is not here is not allowed.
const ARROWS: [(&str, &[&str]); 6] = [
    ("artifact-core", &[]),
    ("artifact-store", &["artifact-core"]),
    ("artifact-proto", &["artifact-core"]),
    ("artifact-testkit", &["artifact-core"]),
    (
        "artifact-kit",
        &["artifact-core", "artifact-proto", "artifact-store"],
    ),
    (
        "artifact-cli",
        &[
            "artifact-core",
            "artifact-kit",
            "artifact-proto",
            "artifact-store",
        ],
    ),
];

#[test]
fn crates_depend_downwards() {
    let metadata = metadata();
    let allowed: BTreeMap<_, _> = ARROWS.into_iter().collect();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let allowed = allowed
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not in the house"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            if dependency["kind"] == "dev" || !other.starts_with("artifact-") {
                continue;
            }
            assert!(allowed.contains(&other), "{name} must not know {other}");
        }
    }
}

/// The core names no runtime, no HTTP, no SQL and no file system.
#[test]
fn the_core_is_free_of_the_world() {
    let manifest = fs::read_to_string(root().join("artifact-core/Cargo.toml")).unwrap();
    for word in ["tokio", "hyper", "http", "rusqlite", "rustix", "tempfile"] {
        assert!(
            !manifest.contains(&format!("\n{word}")),
            "artifact-core depends on {word}"
        );
    }
    for file in sources(&root().join("artifact-core/src")) {
        let text = imports::code(&fs::read_to_string(&file).unwrap());
        for call in [
            "std::fs::read",
            "std::fs::write",
            "fs::create_dir",
            "std::net",
            "std::thread",
        ] {
            assert!(!text.contains(call), "{} calls {call}", file.display());
        }
    }
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn no_two_files_import_each_other() {
    let crates = [
        "",
        "artifact-cli",
        "artifact-core",
        "artifact-proto",
        "artifact-store",
        "artifact-testkit",
    ];
    let mut circles = Vec::new();
    for name in crates {
        let source = root().join(name).join("src");
        let graph = imports::graph(&source, &sources(&source));
        circles.extend(imports::circles(&graph));
    }
    assert!(
        circles.is_empty(),
        "files in circles:\n{}",
        circles.join("\n")
    );
}

/// A page that names a path which is not there misleads its reader.
#[test]
fn documents_name_what_is_there() {
    let mut missing = BTreeSet::new();
    for page in ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        for word in text.split('`').skip(1).step_by(2) {
            let rooted = [
                "artifact-",
                "src/",
                "tests/",
                "examples/",
                "benches/",
                "docs/",
                "scripts/",
                "include/",
            ];
            let is_path = rooted.iter().any(|start| word.starts_with(start)) && word.contains('/');
            if is_path && !word.contains([' ', '*', '<']) && !root().join(word).exists() {
                missing.insert(format!("{page}: {word}"));
            }
        }
    }
    assert!(missing.is_empty(), "named and not there: {missing:#?}");
}

/// A number in the name of a test that stands nowhere tells its reader nothing.
#[test]
fn numbers_of_tests_are_on_their_page() {
    let page = fs::read_to_string(root().join("docs/promises.md")).unwrap();
    let first_cells = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let told: BTreeSet<_> = first_cells.flat_map(|cell| cell.split(", ")).collect();
    let mut missing = BTreeSet::new();
    let crates = [
        "artifact-cli",
        "artifact-core",
        "artifact-proto",
        "artifact-store",
        "artifact-testkit",
    ];
    let places = ["src", "tests", "fuzz/src"].into_iter().chain(crates);
    for file in places.flat_map(|place| sources(&root().join(place))) {
        let text = fs::read_to_string(&file).unwrap();
        for name in text.split("fn ").skip(1) {
            let name = name.split('(').next().unwrap();
            for word in name.split('_').take_while(|word| is_number(word)) {
                let number = word.to_uppercase();
                if !told.contains(number.as_str()) {
                    missing.insert(format!("{number} of {name} in {}", file.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "not in docs/promises.md: {missing:#?}");
}

/// Says whether the word of a name is the number of an invariant, a fault or an attack.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix(['i', 'f', 'a']).unwrap_or_default();
    (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A file of more than 500 lines, its tests apart, holds more than one noun.
#[test]
fn files_are_short_enough_to_know() {
    let mut long = Vec::new();
    for name in [
        "src",
        "artifact-cli",
        "artifact-core",
        "artifact-proto",
        "artifact-store",
        "artifact-testkit",
    ] {
        for file in sources(&root().join(name)) {
            let text = fs::read_to_string(&file).unwrap();
            let lines = text
                .split("\nmod tests {")
                .next()
                .map_or(0, |code| code.lines().count());
            if lines > 500 {
                long.push(format!("{}: {lines}", file.display()));
            }
        }
    }
    assert!(long.is_empty(), "split by noun: {long:#?}");
}
