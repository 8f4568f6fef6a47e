//! Requests that no library tidies, and what must not change by them.

use super::{Client, TestServer};

/// Sends a head, raw, and returns what came back, as text and as bytes.
pub(crate) async fn raw(client: &Client, method: &str, target: &[u8], headers: &[u8]) -> String {
    let mut head = format!("{method} ").into_bytes();
    head.extend_from_slice(target);
    head.extend_from_slice(b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    head.extend_from_slice(headers);
    head.extend_from_slice(b"\r\n");
    client.raw_to_end(&head).await
}

pub(crate) fn status(answer: &str) -> u16 {
    let digits = answer.get(9..12).unwrap_or_else(|| panic!("{answer:?}"));
    assert!(answer.starts_with("HTTP/1.1 "), "{answer:?}");
    digits.parse().unwrap()
}

/// Returns all that a write would change.
pub(crate) async fn state(server: &TestServer) -> String {
    let embedder = server.embedder();
    let revision = embedder.revision().await.unwrap();
    format!("{revision:?} {:?}", embedder.totals().await.unwrap())
}

/// Returns other ways to write the same path (A8).
pub(crate) fn spellings(target: &str) -> Vec<String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    let escape = |byte: u8| format!("%{byte:02X}");
    let rest = path.strip_prefix("/v2/").unwrap();
    let all: String = rest.bytes().map(escape).collect();
    let lower: String = rest.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let slashes = rest.replace('/', "%2F");
    let mut found = vec![format!("/v2/{rest}"), format!("/v2/{slashes}")];
    found.extend([format!("/v2/{all}"), format!("/v2/{lower}")]);
    if let Some(bare) = path.strip_suffix('/') {
        found.push(bare.to_owned());
    }
    found.dedup();
    found.iter().map(|path| format!("{path}{query}")).collect()
}
