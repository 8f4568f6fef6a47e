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
    assert_eq!(fields(&made), ["revision", "user"]);
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
