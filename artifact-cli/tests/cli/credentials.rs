//! Credentials for other registries: from docker's and podman's files, and from the environment.

use std::{fs, process::Command};

use crate::support::{bench::Bench, run::Run, server::Server};

const PASSWORD: &str = "correct horse battery staple";

/// A registry with a writer and a reader, served to them alone.
fn guarded() -> (Bench, Server) {
    let bench = Bench::stocked();
    for (name, role) in [("ann", "writer"), ("ron", "reader")] {
        let mut add = bench.command(["user", "add", name, "--role", role, "--password-stdin"]);
        Run::fed(&mut add, PASSWORD.as_bytes()).ok();
    }
    let server = Server::start(&bench, &[]);
    (bench, server)
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for part in text.as_bytes().chunks(3) {
        let bytes = [
            part[0],
            *part.get(1).unwrap_or(&0),
            *part.get(2).unwrap_or(&0),
        ];
        let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place > part.len() {
                '='
            } else {
                char::from(digit)
            });
        }
    }
    out
}

fn auth_file(host: &str, user: &str) -> String {
    let auth = base64(&format!("{user}:{PASSWORD}"));
    format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#)
}

fn with<'a>(command: &'a mut Command, host: &str, user: &str, password: &str) -> &'a mut Command {
    command
        .env("ARTIFACT_HOST", host)
        .env("ARTIFACT_USERNAME", user)
        .env("ARTIFACT_PASSWORD", password)
}

#[test]
fn they_are_read_where_docker_and_podman_leave_them() {
    let (bench, server) = guarded();
    let package = server.at("team/build");
    let refused = bench.run(["ls", &package]);
    assert_eq!(refused.code, 4, "{refused:#?}");
    for word in [
        "there are no credentials for it",
        "docker login",
        "ARTIFACT_PASSWORD",
    ] {
        assert!(refused.err.contains(word), "{word}: {refused:#?}");
    }
    let text = auth_file(&server.host, "ann");
    let place = |path: &str| {
        let path = bench.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
        path
    };
    // docker's, in the home directory.
    let file = place("home/.docker/config.json");
    assert_eq!(bench.ok(["ls", &package]), "1\n");
    fs::remove_file(file).unwrap();
    // docker's, where DOCKER_CONFIG says.
    place("docker/config.json");
    let mut command = bench.command(["ls", &package]);
    assert_eq!(
        Run::of(command.env("DOCKER_CONFIG", bench.path("docker"))).ok(),
        "1\n"
    );
    // podman's, in the runtime directory, and where REGISTRY_AUTH_FILE says.
    let file = place("home/containers/auth.json");
    assert_eq!(bench.ok(["ls", &package]), "1\n");
    fs::remove_file(file).unwrap();
    let mut command = bench.command(["ls", &package]);
    let file = place("elsewhere.json");
    assert_eq!(Run::of(command.env("REGISTRY_AUTH_FILE", file)).ok(), "1\n");
    assert_eq!(bench.run(["ls", &package]).code, 4, "none is left");
}

#[test]
fn they_are_taken_from_the_environment() {
    let (bench, server) = guarded();
    let to = server.at("team/new:1");
    let run = |user: &str, password: &str, arguments: &[&str]| {
        let mut command = bench.command(arguments);
        Run::of(with(&mut command, &server.host, user, password))
    };
    run("ann", PASSWORD, &["push", "build", &to]).ok();
    run("ron", PASSWORD, &["pull", &to, "out"]).ok();
    let refused = run(
        "ron",
        PASSWORD,
        &["push", "build", &server.at("team/other:1")],
    );
    assert_eq!(refused.code, 4, "{refused:#?}");
    assert!(
        refused.err.contains("it takes the role creator"),
        "{refused:#?}"
    );
    assert!(refused.err.contains("artifact user set"), "{refused:#?}");
    let wrong = run("ann", "wrong", &["ls", &to]);
    assert_eq!(wrong.code, 4, "{wrong:#?}");
    assert!(
        !wrong.err.contains("wrong"),
        "a password is never shown: {wrong:#?}"
    );
    // They are for the host that they name, and sent to no other.
    let mut command = bench.command(["ls", &to]);
    let other = Run::of(with(&mut command, "registry.example", "ann", PASSWORD));
    assert_eq!(other.code, 4, "{other:#?}");
    let mut command = bench.command(["ls", &to]);
    let half = Run::of(command.env("ARTIFACT_USERNAME", "ann"));
    assert_eq!(half.code, 2, "{half:#?}");
    assert!(half.err.contains("ARTIFACT_HOST"), "{half:#?}");
}

/// Who sent no credentials is told to log in, and not that those of nobody are too few.
#[test]
fn who_may_read_is_told_to_log_in_to_write() {
    let (bench, server) = guarded();
    drop(server);
    let server = Server::start(&bench, &["--anonymous", "read"]);
    let to = server.at("team/new:1");
    let run = bench.run(["push", "build", &to]);
    assert_eq!(run.code, 4, "{run:#?}");
    for word in ["there are no credentials for it", "docker login"] {
        assert!(run.err.contains(word), "{word}: {run:#?}");
    }
    let mut command = bench.command(["push", "build", &to]);
    let known = Run::of(with(&mut command, &server.host, "ron", PASSWORD));
    assert_eq!(known.code, 4, "{known:#?}");
    assert!(!known.err.contains("no credentials"), "{known:#?}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let (bench, server) = guarded();
    let file = bench.path("bad.json");
    fs::write(&file, "{").unwrap();
    let mut command = bench.command(["ls", &server.at("team/build")]);
    let run = Run::of(command.env("REGISTRY_AUTH_FILE", &file));
    assert_ne!(run.code, 0, "{run:#?}");
    for word in ["bad.json", "mend the file"] {
        assert!(run.err.contains(word), "{word}: {run:#?}");
    }
}
