//! `artifact user add|set|ls|rm`

use std::fs;

use serde_json::json;

use crate::support::{
    bench::Bench,
    run::{Run, fields},
    tree,
};

const PASSWORD: &str = "correct horse battery staple";

fn add(bench: &Bench, arguments: &[&str], password: &str) -> Run {
    let mut command = bench.command(["user"]);
    command.args(arguments).arg("--password-stdin");
    Run::fed(&mut command, password.as_bytes())
}

#[test]
fn a_user_is_made_changed_listed_and_removed() {
    let bench = Bench::new();
    let made = add(
        &bench,
        &["add", "ann", "--role", "writer", "--json"],
        PASSWORD,
    )
    .json();
    assert_eq!(fields(&made), ["notes", "revision", "user"]);
    assert_eq!(made["notes"], json!([]));
    let writer = json!({ "name": "ann", "roles": [{ "role": "writer", "scope": "/" }] });
    assert_eq!(made["user"], writer);
    assert_eq!(bench.json(["user", "ls"]), json!({ "users": [writer] }));
    let set = [
        "user",
        "set",
        "ann",
        "--role",
        "reader",
        "--role",
        "writer=team",
    ];
    let said = bench.ok(set);
    assert_eq!(said, "changed user ann  reader=/ writer=team\n");
    assert_eq!(bench.ok(["user", "ls"]), "ann  reader=/ writer=team\n");
    add(&bench, &["set", "ann"], "another").ok();
    assert_eq!(
        bench.ok(["user", "ls"]),
        "ann  reader=/ writer=team\n",
        "roles stay"
    );
    let removed = bench.json(["user", "rm", "ann"]);
    assert_eq!(
        (fields(&removed), &removed["removed"]),
        (vec!["removed", "revision"], &"ann".into())
    );
    assert_eq!(bench.json(["user", "ls"]), json!({ "users": [] }));
}

/// A role in a scope in which no repository lies holds for nothing: names there belong to `default`.
#[test]
fn a_role_that_holds_for_no_repository_yet_is_told() {
    let bench = Bench::new();
    let made = add(
        &bench,
        &["add", "ann", "--role", "writer=team", "--role", "reader"],
        PASSWORD,
    );
    assert_eq!(made.code, 0, "{made:#?}");
    assert_eq!(made.out, "made user ann  writer=team reader=/\n");
    for said in [
        "note: ",
        "no repository lies in team",
        "`artifact repo add team`",
    ] {
        assert!(made.err.contains(said), "{made:#?}");
    }
    let scoped = [
        "user",
        "set",
        "ann",
        "--role",
        "reader",
        "--scope",
        "team/models",
    ];
    let set = bench.json(scoped);
    let notes = set["notes"].as_array().unwrap();
    assert!(notes[0].as_str().unwrap().contains("repo add team/models"));
    assert_eq!(notes.len(), 1);
    bench.ok(["repo", "add", "team/models"]);
    assert_eq!(bench.json(scoped)["notes"], json!([]));
    let above = bench.run(["user", "set", "ann", "--role", "writer=team"]);
    assert_eq!((above.code, above.err.as_str()), (0, ""), "{above:#?}");
    // What lies in a repository is none by itself.
    let below = bench.json(["user", "set", "ann", "--role", "writer=team/models/bert"]);
    assert_eq!(below["notes"].as_array().unwrap().len(), 1);
}

/// I27: a password is in no output, and in no file of the registry.
#[test]
fn i27_a_password_is_nowhere() {
    let bench = Bench::new();
    add(&bench, &["add", "ann", "--role", "admin"], PASSWORD).ok();
    let history = bench.ok(["history", "--json"]);
    assert!(
        history.contains("user:ann") && !history.contains("argon2"),
        "{history}"
    );
    for name in tree::contents(&bench.path("registry")).into_values() {
        let bytes = name.1;
        let found = bytes
            .windows(PASSWORD.len())
            .any(|part| part == PASSWORD.as_bytes());
        assert!(!found);
    }
    assert!(fs::read(bench.path("registry/index.db")).unwrap().len() > 100);
}

#[test]
fn what_cannot_be_is_refused() {
    let bench = Bench::new();
    add(&bench, &["add", "ann", "--role", "reader"], PASSWORD).ok();
    bench.refuses(
        ["user", "add", "ann", "--role", "reader"],
        5,
        &["ann is there already", "artifact user set ann"],
    );
    bench.refuses(
        ["user", "add", "bob"],
        2,
        &["needs a role", "--role reader"],
    );
    bench.refuses(
        ["user", "add", "bob", "--role", "boss"],
        2,
        &["boss", "reader, creator"],
    );
    bench.refuses(
        ["user", "add", "b:b", "--role", "reader"],
        2,
        &["b:b", "lower-case"],
    );
    bench.refuses(
        ["user", "add", "bob", "--role", "reader=Team"],
        2,
        &["Team"],
    );
    bench.refuses(
        ["user", "set", "ann"],
        2,
        &["nothing is to be changed", "--password"],
    );
    bench.refuses(
        ["user", "set", "bob", "--role", "reader"],
        3,
        &["no user bob", "artifact user ls"],
    );
    bench.refuses(
        ["user", "rm", "bob"],
        3,
        &["no user bob", "artifact user ls"],
    );
    let before = bench.head();
    for bad in ["", "two\nlines\n", &"x".repeat(2000)] {
        let run = add(&bench, &["add", "bob", "--role", "reader"], bad);
        assert_eq!(run.code, 2, "{run:#?}");
        assert!(
            run.err.contains("password") && run.err.contains("try: "),
            "{run:#?}"
        );
    }
    assert_eq!(bench.head(), before);
}
