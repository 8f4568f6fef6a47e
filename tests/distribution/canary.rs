//! Secrets and hostile names that are sent on every way, and looked for in all that comes out: answers,
//! metrics and the log in both of its forms.

use std::{
    io,
    sync::{Arc, Mutex},
};

use artifact::{AnonymousAccess, UserRole};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use tracing_subscriber::fmt;

use crate::support::{Setup, digest, noise};

/// A log that is kept.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// Returns requests that carry the canary where a secret may stand.
fn secrets() -> Vec<Vec<u8>> {
    let basic = STANDARD.encode("reader:canary");
    let nobody = STANDARD.encode("canary:canary");
    let headers = [
        format!("Authorization: Basic {basic}"),
        format!("Authorization: Basic {nobody}"),
        "Authorization: Bearer canary".to_owned(),
        "Authorization: Canary canary".to_owned(),
        "Authorization: Basic canary".to_owned(),
        "Authorization: Bearer canary\r\nAuthorization: Bearer canary".to_owned(),
        "Cookie: session=canary".to_owned(),
        "X-Api-Key: canary".to_owned(),
        "Proxy-Authorization: Basic canary".to_owned(),
        "If-Match: \"canary\"".to_owned(),
        "Referer: http://x/?token=canary".to_owned(),
        "Traceparent: canary".to_owned(),
    ];
    let digest = digest(b"{}");
    let targets = [
        "/v2/".to_owned(),
        "/v2/team/app/manifests/v1".to_owned(),
        "/v2/team/app/manifests/none".to_owned(),
        format!("/v2/secret/app/blobs/{digest}"),
        "/v2/team/app/tags/list?token=canary&n=canary".to_owned(),
        "/v2/team/app/tags/list?last=canary&n=canary".to_owned(),
        "/token?password=canary&client_secret=canary&scope=canary".to_owned(),
        format!("/v2/team/app/blobs/uploads/?digest={digest}&_state=canary&digest=canary"),
        "/nowhere?canary".to_owned(),
        "http://canary:canary@x/v2/".to_owned(),
        "http://canary:canary@x/v2/team/app/manifests/v1".to_owned(),
    ];
    let body = "grant_type=password&username=reader&password=canary";
    let document = "{\"schemaVersion\":2,\"canary\":canary}";
    let mut requests = Vec::new();
    for target in &targets {
        for header in headers.iter().map(String::as_str).chain(["X: y"]) {
            for (method, body) in [
                ("GET", ""),
                ("POST", body),
                ("PUT", document),
                ("DELETE", ""),
            ] {
                let length = match body {
                    "" => String::new(),
                    body => format!("Content-Length: {}\r\n", body.len()),
                };
                let request = format!(
                    "{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{length}{header}\r\n\r\n{body}"
                );
                requests.push(request.into_bytes());
            }
        }
    }
    requests
}

/// Returns requests that carry control characters, or such that turn text around, where names stand.
fn hostile() -> Vec<Vec<u8>> {
    let words: [&[u8]; 8] = [
        b"\xe2\x80\xae",
        b"\xe2\x81\xa6",
        b"\xc2\x9b31m",
        b"%1b[31m",
        b"%0d%0a",
        b"%e2%80%ae",
        b"\xef\xbb\xbf",
        b"\xff",
    ];
    let mut requests = Vec::new();
    for word in words {
        for (before, after) in [
            ("GET /v2/team/", "/tags/list HTTP/1.1\r\nHost: x\r\n"),
            ("GET /v2/team/app/manifests/a", " HTTP/1.1\r\nHost: x\r\n"),
            ("PUT /", " HTTP/1.1\r\nHost: x\r\n"),
            ("GET /token?scope=", " HTTP/1.1\r\nHost: x\r\n"),
            ("GET /v2/ HTTP/1.1\r\nHost: x\r\nUser-Agent: ", "\r\n"),
            ("GET /v2/ HTTP/1.1\r\nHost: ", "\r\n"),
        ] {
            requests.push(
                [
                    before.as_bytes(),
                    word,
                    after.as_bytes(),
                    b"Connection: close\r\n\r\n",
                ]
                .concat(),
            );
        }
    }
    requests
}

/// Returns a character that a log, a page of metrics or a refusal must not have.
fn unescaped(text: &str) -> Option<char> {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffd}');
    text.chars()
        .find(|c| (c.is_control() && !matches!(c, '\n' | '\r')) || turns(*c))
}

/// A55: no secret that is sent is in an answer, a metric or a log, and no character in any of them
/// writes over what stands before it.
#[tokio::test]
async fn a55_a_canary_comes_out_nowhere() {
    for json in [false, true] {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
        let log = log.with_writer(move || writer.clone());
        // The threads of a test are its own, so that others do not write here.
        let _guard = if json {
            tracing::subscriber::set_default(log.json().finish())
        } else {
            tracing::subscriber::set_default(log.finish())
        };
        for anonymous in [AnonymousAccess::None, AnonymousAccess::Read] {
            let server = Setup::anonymous(anonymous)
                .user("root", UserRole::Admin, "")
                .user("reader", UserRole::Reader, "team")
                .serve()
                .await;
            let settings = artifact::RepositorySettings::default();
            server.repository("team", &settings).await;
            let root = server.user("root");
            root.image("team/app", "v1").await;
            let bytes = noise(1, 2_000_000);
            let blob = root.push("team/app", bytes.clone()).await;
            server.rot(&bytes);
            let path = format!("/v2/team/app/blobs/{blob}");
            let range = [("range", "bytes=0-9")];
            root.send(Method::GET, &path, &range, "").await.expect(500);
            // Another thread, which has no log, may have been the first at the access log's place in
            // the code, and what it found there was kept: nobody listens.
            tracing::callsite::rebuild_interest_cache();
            let client = server.client();
            for request in secrets() {
                let answer = client.raw_to_end(&request).await;
                let sent = String::from_utf8_lossy(&request).into_owned();
                assert!(answer.starts_with("HTTP/1.1 "), "{sent}: {answer}");
                assert!(!answer.contains("canary"), "{sent}: {answer}");
            }
            for request in hostile() {
                let answer = client.raw_to_end(&request).await;
                let sent = String::from_utf8_lossy(&request).into_owned();
                assert_eq!(unescaped(&answer), None, "{sent:?}: {answer:?}");
            }
            let metrics = client.get("/metrics").await.expect(200);
            let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
            assert!(!metrics.contains("canary") && unescaped(&metrics).is_none());
        }
        let text = kept.text();
        assert!(
            text.contains("artifact::access"),
            "it is logged at all: {text}"
        );
        let own = |line: &&str| line.contains("artifact");
        for line in text.lines().filter(own) {
            assert!(!line.contains("canary"), "{line}");
            assert_eq!(unescaped(line), None, "{line:?}");
        }
    }
}
