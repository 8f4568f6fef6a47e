//! `artifact repo add|set|show|ls|rm`

use crate::support::{
    bench::Bench,
    run::{each, fields},
};

const FIELDS: [&str; 7] = [
    "description",
    "format",
    "generation",
    "kind",
    "name",
    "quota",
    "stage",
];

#[test]
fn a_repository_is_made_changed_shown_listed_and_removed() {
    let bench = Bench::new();
    let made = bench.json([
        "repo",
        "add",
        "team/models",
        "--quota",
        "1MiB",
        "--stage",
        "dev",
    ]);
    assert_eq!(fields(&made), ["repository", "revision"]);
    let shown = bench.json(["repo", "show", "team/models"]);
    assert_eq!(fields(&shown), FIELDS);
    assert_eq!(shown["quota"], 1 << 20);
    assert_eq!(
        (&shown["stage"], &shown["generation"]),
        (&"dev".into(), &1.into())
    );
    let set = ["repo", "set", "team/models", "--quota", "2GB", "--no-stage"];
    assert_eq!(fields(&bench.json(set)), ["repository", "revision"]);
    bench.ok(["repo", "set", "team/models", "--description", "ours"]);
    let shown = bench.json(["repo", "show", "team/models"]);
    assert_eq!(shown["quota"], 2_000_000_000_u64);
    assert_eq!(
        (&shown["stage"], &shown["description"]),
        (&().into(), &"ours".into())
    );
    bench.ok(["repo", "set", "team/models", "--no-quota"]);
    let text = bench.ok(["repo", "show", "team/models"]);
    assert!(
        text.contains("no quota") && text.contains("generation   4"),
        "{text}"
    );
    let list = bench.json(["repo", "ls"]);
    assert_eq!(
        each(&list["repositories"], "name"),
        ["default", "team/models"]
    );
    assert_eq!(fields(&list["repositories"][0]), FIELDS);
    assert_eq!(
        bench.ok(["repo", "rm", "team/models"]),
        "removed repository team/models\n"
    );
    assert_eq!(
        each(&bench.json(["repo", "ls"])["repositories"], "name"),
        ["default"]
    );
}

#[test]
fn packages_below_a_new_repository_are_adopted_or_stand_against_it() {
    let bench = Bench::stocked();
    bench.refuses(["repo", "add", "team"], 5, &["team/build", "--adopt"]);
    bench.ok(["repo", "add", "team", "--adopt"]);
    let listed = bench.json(["ls"]);
    assert_eq!(each(&listed["packages"], "repository"), ["team"]);
    bench.holds_the_tree("team/build:1");
    bench.refuses(
        ["repo", "rm", "team"],
        5,
        &["still holds team/build", "delete"],
    );
    // A repository's own name is none for a package, and is no mystery.
    bench.refuses(
        ["push", "build", "team:1"],
        3,
        &["team is a repository", "team/NAME"],
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let bench = Bench::new();
    bench.ok(["repo", "add", "team"]);
    bench.refuses(
        ["repo", "add", "team"],
        5,
        &["team is there already", "artifact repo set team"],
    );
    bench.refuses(["repo", "add", "Bad Name"], 2, &["Bad Name", "lower-case"]);
    bench.refuses(
        ["repo", "add", "x", "--quota", "lots"],
        2,
        &["lots", "64KiB"],
    );
    bench.refuses(
        ["repo", "set", "team"],
        2,
        &["nothing is to be changed", "--quota"],
    );
    // What is so already is so: who was cut off asks again (I13).
    bench.ok(["repo", "set", "team", "--description", "again"]);
    let head = bench.head();
    bench.ok(["repo", "set", "team", "--description", "again"]);
    assert_eq!(bench.head(), head);
    bench.refuses(
        ["repo", "set", "team", "--stage", "a", "--no-stage"],
        2,
        &["--no-stage"],
    );
    bench.refuses(
        ["repo", "set", "nope", "--quota", "5"],
        3,
        &["nope", "artifact repo ls"],
    );
    bench.refuses(
        ["repo", "show", "nope"],
        3,
        &["no repository nope", "artifact repo ls"],
    );
    bench.refuses(
        ["repo", "rm", "nope"],
        3,
        &["no repository nope", "artifact repo ls"],
    );
    let run = bench.run(["repo", "rm", "default"]);
    assert_eq!(run.code, 9, "{run:#?}");
    assert!(run.err.contains("default repository cannot go"), "{run:#?}");
}

/// What the repositories of a stage share: how long the past is kept, and what nobody may do.
#[test]
fn a_stage_holds_for_its_repositories() {
    let bench = Bench::new();
    let names = [
        "delete",
        "generation",
        "historyKeep",
        "name",
        "overwrite",
        "verifyAlways",
    ];
    let fresh = bench.json(["repo", "stage", "release"]);
    assert_eq!(
        (fields(&fresh), &fresh["generation"]),
        (names.to_vec(), &0.into())
    );
    let head = bench.head().to_string();
    let set = [
        "repo",
        "stage",
        "release",
        "--overwrite",
        "no",
        "--delete",
        "no",
        "--history-keep",
        "30d",
    ];
    let set = bench.json(set);
    assert_eq!(
        (fields(&set), &set["historyKeep"]),
        (names.to_vec(), &2_592_000_000_u64.into())
    );
    assert!(
        bench
            .ok(["repo", "stage", "release"])
            .contains("history-keep   30d")
    );
    let before = bench.json(["repo", "stage", "release", "--as-of", &head]);
    assert_eq!(before, fresh);
    bench.ok(["repo", "add", "r", "--stage", "release"]);
    bench.ok(["push", "build", "r/app:1"]);
    std::fs::write(bench.path("build/more"), "x").unwrap();
    let push = ["push", "build/more", "r/app:1"];
    let run = bench.run(push);
    assert_eq!(run.code, 4, "{run:#?}");
    assert!(
        run.err.contains("forbids to move a tag") && run.err.contains("artifact repo stage"),
        "{run:#?}"
    );
    bench.refuses(
        ["rm", "r/app:1"],
        4,
        &["forbids to delete", "artifact repo stage"],
    );
    bench.refuses(
        ["untag", "r/app:1"],
        4,
        &["forbids to delete", "artifact repo stage"],
    );
    bench.ok(["repo", "stage", "release", "--overwrite", "yes"]);
    bench.ok(push);
    bench.refuses(
        ["repo", "stage", "release", "--delete", "maybe"],
        2,
        &["maybe", "yes"],
    );
    bench.refuses(["repo", "stage", "Bad"], 2, &["Bad", "lower-case"]);
}

/// A namespace's quota is for all repositories below it together, and its stage for those without one.
#[test]
fn a_namespace_holds_for_what_is_below_it() {
    let bench = Bench::new();
    let names = ["generation", "namespace", "quota", "stage"];
    let set = bench.json([
        "repo",
        "namespace",
        "team",
        "--quota",
        "2MiB",
        "--stage",
        "frozen",
    ]);
    assert_eq!(
        (fields(&set), &set["quota"]),
        (names.to_vec(), &(2 << 20).into())
    );
    bench.ok(["repo", "stage", "frozen", "--delete", "no"]);
    for name in ["team/a", "team/b"] {
        bench.ok(["repo", "add", name]);
    }
    bench.ok(["push", "build", "team/a/app:1"]);
    bench.refuses(["rm", "team/a/app:1"], 4, &["forbids to delete"]);
    let run = bench.run(["push", "build", "team/b/app:1", "--jobs", "1"]);
    assert_eq!(run.code, 8, "{run:#?}");
    assert!(
        run.err.contains("the quota of team is 2097152 bytes"),
        "{run:#?}"
    );
    assert_eq!(bench.json(["du", "team"])["scopes"][0]["quota"], 2 << 20);
    let freed = bench.json(["repo", "namespace", "team", "--no-quota", "--no-stage"]);
    assert_eq!((&freed["quota"], &freed["stage"]), (&().into(), &().into()));
    bench.ok(["push", "build", "team/b/app:1"]);
    bench.ok(["rm", "team/a/app:1"]);
    assert_eq!(bench.json(["repo", "namespace", "/"])["namespace"], "/");
}

/// A quota is told before a byte is stored, with its figures and how to raise it.
#[test]
fn a_quota_holds() {
    let bench = Bench::new();
    bench.ok(["repo", "add", "small", "--quota", "100KiB"]);
    let push = ["push", "build", "small/app:1", "--jobs", "1"];
    let run = bench.run(push);
    assert_eq!(run.code, 8, "{run:#?}");
    for word in [
        "the quota of small is 102400 bytes",
        "artifact repo set NAME --quota",
    ] {
        assert!(run.err.contains(word), "{word}: {run:#?}");
    }
    assert_eq!(bench.ok(["ls", "small"]), "", "no package came of it");
    bench.ok(["repo", "set", "small", "--quota", "2MiB"]);
    bench.ok(push);
    bench.holds_the_tree("small/app:1");
}
