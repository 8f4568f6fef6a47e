//! Credential helpers: programs that keep credentials for docker and podman.

use std::{process::Stdio, time::Duration};

use artifact_core::{BoxError, guard};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    time::timeout,
};

use super::credential::{Credential, Secret};

/// How long a helper may take; it may have to ask its user.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 64 << 10;

/// The name that a helper gives when the secret is a token and not a password.
const TOKEN_USER: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Asks the helper `docker-credential-<name>` for a server's credentials.
///
/// # Errors
/// What is wrong, and the cause where there is one. That it has none is no error.
pub(super) async fn ask(
    name: &str,
    server: &str,
) -> Result<Option<Credential>, (String, Option<BoxError>)> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || !name.bytes().all(good) {
        return Err((format!("{name:?} is no name of a credential helper"), None));
    }
    ask_program(&format!("docker-credential-{name}"), server, PATIENCE).await
}

async fn ask_program(
    program: &str,
    server: &str,
    patience: Duration,
) -> Result<Option<Credential>, (String, Option<BoxError>)> {
    let (status, output) = match timeout(
        guard!(547, patience, else Duration::MAX),
        run(program, server),
    )
    .await
    {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => return Err((format!("{program} cannot be run"), Some(error.into()))),
        Err(_) => return Err((format!("{program} gave no answer in {patience:?}"), None)),
    };
    if !status.success() {
        let said = String::from_utf8_lossy(&output);
        // The one refusal that is none: the protocol has no other way to say it.
        if said.contains("credentials not found") {
            return Ok(None);
        }
        return Err((
            format!("{program} failed ({status}): {}", printable(&said)),
            None,
        ));
    }
    // Its parser's error could quote what it holds.
    let answer: Answer = serde_json::from_slice(&output)
        .map_err(|_| (format!("the answer of {program} cannot be read"), None))?;
    if answer.secret.is_empty() {
        return Ok(None);
    }
    let secret = Secret::new(answer.secret);
    Ok(Some(if answer.username == TOKEN_USER {
        Credential::Identity(secret)
    } else {
        Credential::Basic {
            user: answer.username,
            password: secret,
        }
    }))
}

async fn run(program: &str, server: &str) -> std::io::Result<(std::process::ExitStatus, Vec<u8>)> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input answers all the same.
        let _written = stdin.write_all(server.as_bytes()).await;
    }
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout
            .take(guard!(548, ANSWER_MAX, else u64::MAX))
            .read_to_end(&mut output)
            .await?;
    }
    Ok((child.wait().await?, output))
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs, io::ErrorKind, os::unix::fs::PermissionsExt as _, path::Path};

    use super::*;

    async fn ask_script(directory: &Path, script: &str) -> Result<Option<Credential>, String> {
        ask_within(directory, script, PATIENCE).await
    }

    async fn ask_within(
        directory: &Path,
        script: &str,
        patience: Duration,
    ) -> Result<Option<Credential>, String> {
        let program = directory.join("helper");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        for _ in 0..200 {
            let answer = ask_program(program.to_str().unwrap(), "a.example", patience).await;
            let Err((what, cause)) = answer else {
                return answer.map_err(|(what, _)| what);
            };
            // A child that another test is just starting has the script open to write, for a moment.
            let cause = cause.and_then(|cause| cause.downcast::<std::io::Error>().ok());
            if cause.is_none_or(|cause| cause.kind() != ErrorKind::ExecutableFileBusy) {
                return Err(what);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the script stays open");
    }

    #[tokio::test]
    async fn a_helper_is_asked_by_its_protocol() {
        let directory = tempfile::tempdir().unwrap();
        let echo = r#"[ "$1" = get ] && read -r server; printf '{"Username":"u@%s","Secret":"s"}' "$server""#;
        assert_eq!(
            ask_script(directory.path(), echo).await,
            Ok(Some(Credential::Basic {
                user: "u@a.example".into(),
                password: Secret::new("s")
            }))
        );
        let token = r#"printf '{"ServerURL":"x","Username":"<token>","Secret":"t"}'"#;
        assert_eq!(
            ask_script(directory.path(), token).await,
            Ok(Some(Credential::Identity(Secret::new("t"))))
        );
        let none = "echo 'credentials not found in native keychain'; exit 1";
        assert_eq!(ask_script(directory.path(), none).await, Ok(None));
    }

    /// I23: neither a helper that says nothing holds a client up, nor is one heard without end.
    #[tokio::test]
    async fn i23_a_helper_is_waited_for_and_heard_within_bounds() {
        let directory = tempfile::tempdir().unwrap();
        let patience = Duration::from_millis(50);
        let error = ask_within(directory.path(), "exec sleep 20", patience)
            .await
            .unwrap_err();
        assert!(error.contains("gave no answer"), "{error}");
        let answer = r#"'{"Username":"u","Secret":"s"}'"#;
        let padded = |spaces| format!("printf '%{spaces}s' ''; printf {answer}");
        let heard = ask_script(directory.path(), &padded(60_000)).await;
        assert!(heard.is_ok_and(|found| found.is_some()));
        ask_script(directory.path(), &padded(70_000))
            .await
            .unwrap_err();
    }

    /// I27: what a helper says in a form that is not understood may be a secret.
    #[tokio::test]
    async fn i27_a_failing_helper_is_named_and_its_answer_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let error = ask_script(directory.path(), "echo hunter2")
            .await
            .unwrap_err();
        assert!(
            error.contains("helper") && !error.contains("hunter2"),
            "{error}"
        );
        let error = ask_script(directory.path(), "echo locked; exit 3")
            .await
            .unwrap_err();
        assert!(error.contains("locked"), "{error}");
        assert!(ask("no/such", "a.example").await.is_err());
        assert!(ask("../x", "a.example").await.is_err());
        assert!(
            ask("that-is-not-installed-here", "a.example")
                .await
                .is_err()
        );
    }
}
