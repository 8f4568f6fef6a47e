//! `artifact doctor`

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::support::{
    bench::Bench,
    run::{each, fields},
    server::Server,
};

#[test]
fn a_healthy_directory_is_said_to_be() {
    let bench = Bench::stocked();
    let found = bench.json(["doctor"]);
    assert_eq!(
        (fields(&found), &found["healthy"]),
        (vec!["checks", "healthy"], &true.into())
    );
    let names = each(&found["checks"], "name");
    for name in [
        "permissions",
        "open",
        "room",
        "processes",
        "writer's lock",
        "index",
        "journal",
        "clock",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(
        each(&found["checks"], "outcome")
            .iter()
            .all(|outcome| *outcome != "failed")
    );
    let text = bench.ok(["doctor", "registry"]);
    assert!(
        text.contains("ok    directory  index") || text.contains("ok  directory  index"),
        "{text}"
    );
    let server = Server::open(&bench);
    let text = bench.ok(["doctor"]);
    assert!(
        text.contains("1 other process has it open: process "),
        "{text}"
    );
    drop(server);
}

#[test]
fn what_is_wrong_with_a_directory_is_named_with_its_remedy() {
    let bench = Bench::stocked();
    fs::set_permissions(bench.path("registry"), fs::Permissions::from_mode(0o755)).unwrap();
    let text = bench.ok(["doctor"]);
    assert!(
        text.contains("warn") && text.contains("try: chmod 0700 "),
        "{text}"
    );
    let run = bench.run(["doctor", "nowhere"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(
        run.out.contains("FAIL") && run.out.contains("artifact init"),
        "{run:#?}"
    );
    assert!(run.err.contains("failed"), "{run:#?}");
    let config = bench.path("registry/artifact.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\nunknown = 1\n")).unwrap();
    let run = bench.run(["doctor", "--json"]);
    assert_eq!((run.code, &run.document()["healthy"]), (1, &false.into()));
    assert!(
        run.out.contains("unknown field `unknown`") && run.out.contains("mend that line"),
        "{run:#?}"
    );
    let bare = Bench::bare();
    let text = bare.run(["doctor"]);
    assert_eq!(text.code, 0, "{text:#?}");
    assert!(
        text.err.contains("only the machine is looked at"),
        "{text:#?}"
    );
}

#[test]
fn a_server_is_looked_at_hop_by_hop() {
    let bench = Bench::stocked();
    let server = Server::open(&bench);
    for way in [
        server.at("team/build"),
        format!("http://{}/v2/", server.host),
    ] {
        let found = bench.json(["doctor", &way]);
        let names = each(&found["checks"], "name");
        assert!(
            names.starts_with(&[
                "name",
                "connection",
                "tls",
                "protocol",
                "credentials",
                "login"
            ]),
            "{names:?}"
        );
        assert_eq!(found["healthy"], true);
    }
    let run = bench.run(["doctor", &server.at("nope")]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.out.contains("FAIL  server  package"), "{run:#?}");
    let run = bench.run(["doctor", "oci://127.0.0.1:1"]);
    assert_eq!(run.code, 1, "{run:#?}");
    for part in [
        "refuses: nobody listens there",
        "is the port right?",
        "skip  server  login",
    ] {
        assert!(run.out.contains(part), "{part}: {run:#?}");
    }
    // A server without TLS is told from one with it.
    let run = bench.run(["doctor", &format!("oci+https://{}", server.host)]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.out.contains("FAIL  server  tls"), "{run:#?}");
    bench.refuses(["doctor", "ftp://h"], 2, &["ftp", "oci://h"]);
}

#[test]
fn a_login_that_fails_is_the_finding() {
    let bench = Bench::stocked();
    let server = Server::start(&bench, &[]);
    let run = bench.run(["doctor", &server.at("")]);
    assert_eq!(run.code, 1, "{run:#?}");
    for part in [
        "asks for a login",
        "FAIL  server  login",
        "ARTIFACT_PASSWORD",
        "skip  server  catalog",
    ] {
        assert!(run.out.contains(part), "{part}: {run:#?}");
    }
}
