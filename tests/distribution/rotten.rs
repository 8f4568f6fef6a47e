//! What is quarantined, and what is pushed by many at once: no way around, and no way twice.

use std::time::Duration;

use artifact::{AnonymousAccess, CollectOptions, ScrubOptions, UserRole};
use bytes::Bytes;
use futures::future::join_all;
use http::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{
    Client, Setup, TestServer, digest,
    goods::{LAYER, descriptor},
    image, noise, server,
};

const RANGES: [&str; 8] = [
    "bytes=0-0",
    "bytes=0-9",
    "bytes=-1",
    "bytes=1999999-",
    "bytes=0-",
    "bytes=1000000-1000000",
    "bytes=0-1999999",
    "bytes=500-499",
];

/// Returns whether a read ended as one that was whole.
async fn whole(server: &TestServer, path: &str, length: usize) -> bool {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is cut may end in an error: it is an end.
    stream.read_to_end(&mut answer).await.ok();
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = head.map_or(0, |at| answer.len() - at - 4);
    answer.starts_with(b"HTTP/1.1 200") && body >= length
}

/// Asks for a blob in every way in which a client could get its bytes, or make others get them; returns
/// the successes.
async fn ways_to(client: &Client, name: &str, blob: &str, bytes: &Bytes) -> Vec<String> {
    let path = format!("/v2/{name}/blobs/{blob}");
    let mut paths = vec![
        path.clone(),
        path.replace(':', "%3A"),
        path.replace("blobs", "%62lobs"),
    ];
    paths.push(path.replace('/', "%2F").replacen("%2Fv2%2F", "/v2/", 1));
    let mut got = Vec::new();
    for path in &paths {
        for range in RANGES {
            let headers = [("range", range)];
            let reply = client.send(Method::GET, path, &headers, "").await;
            if reply.status.is_success() {
                got.push(format!("GET {path} {range}: {}", reply.status));
            }
        }
        let tag = format!("\"{blob}\"");
        for headers in [[("if-none-match", "*")], [("if-none-match", &*tag)]] {
            let reply = client.send(Method::GET, path, &headers, "").await;
            if reply.status.is_success() || reply.status.is_redirection() {
                got.push(format!("GET {path} {headers:?}: {}", reply.status));
            }
        }
        let head = client.head(path).await;
        if head.status != 404 {
            got.push(format!("HEAD {path}: {}", head.status));
        }
    }
    for (to, from) in [("other/new", name), (name, name), ("q/new", name)] {
        let mount = format!("/v2/{to}/blobs/uploads/?mount={blob}&from={from}");
        let mounted = client.post(&mount).await;
        if mounted.status != 202 {
            got.push(format!("{mount}: {}", mounted.status));
        }
        let bare = format!("/v2/{to}/blobs/uploads/?mount={blob}");
        let mounted = client.post(&bare).await;
        if mounted.status != 202 {
            got.push(format!("{bare}: {}", mounted.status));
        }
    }
    let naming =
        image(&json!({ "layers": [descriptor(LAYER, bytes)], "annotations": { "by": name } }));
    let as_config = image(&json!({ "config": descriptor(LAYER, bytes) }));
    for manifest in [naming, as_config] {
        let put = manifest.put(client, name, "evil").await;
        if put.status.is_success() {
            got.push(format!("PUT of a manifest: {}", put.status));
        }
        client
            .get(&format!("/v2/{name}/manifests/evil"))
            .await
            .expect(404);
    }
    got
}

/// A91: a blob that was found wrong is given away by no route, range, alias, condition or mount, and no
/// manifest takes it, until the right bytes are pushed; a manifest that names it is told of as before.
#[tokio::test]
async fn a91_what_is_quarantined_is_given_to_nobody() {
    let server = server().await;
    let client = server.client();
    let (bytes, sound) = (noise(1, 2_000_000), noise(2, 2_000_000));
    client.push("q/app", "{}").await;
    let blob = client.push("q/app", bytes.clone()).await;
    let other = client.push("q/app", sound.clone()).await;
    let manifest = image(&json!({ "layers": [descriptor(LAYER, &bytes)] }));
    manifest.put(&client, "q/app", "v1").await.expect(201);
    let path = format!("/v2/q/app/blobs/{blob}");
    assert!(whole(&server, &path, bytes.len()).await, "it was sound");
    server.rot(&bytes);
    // Before anybody looked: it is found when it is read, and never ends as a whole.
    assert!(
        !whole(&server, &path, bytes.len()).await,
        "rot is no success"
    );
    for scrubbed in [false, true] {
        if scrubbed {
            let found = server
                .embedder()
                .scrub(ScrubOptions::default().all(), |_| {})
                .await;
            assert_eq!(found.unwrap().corrupt.len(), 1);
        }
        assert!(!whole(&server, &path, bytes.len()).await);
        let got = ways_to(&client, "q/app", &blob, &bytes).await;
        assert_eq!(got, Vec::<String>::new());
    }
    let read = client.get("/v2/q/app/manifests/v1").await.expect(200);
    assert_eq!(read.body, manifest.bytes);
    assert!(whole(&server, &format!("/v2/q/app/blobs/{other}"), sound.len()).await);
    // Bytes that only say that they are these mend nothing.
    let claim = format!("/v2/q/app/blobs/uploads/?digest={blob}");
    client
        .send(Method::POST, &claim, &[], sound.clone())
        .await
        .expect(400);
    client.head(&path).await.expect(404);
    client.push("q/app", bytes.clone()).await;
    assert!(
        whole(&server, &path, bytes.len()).await,
        "the right bytes mend it"
    );
}

/// A33: 50 clients that push the same bytes at once, to few packages and in every way, are all told 201;
/// when the trash is empty one object is left.
#[tokio::test]
async fn a33_the_same_bytes_by_every_way_at_once_are_one_object() {
    for length in [100_usize, 60_000, 1_500_000] {
        let server = server().await;
        let bytes = noise(length as u64, length);
        let name = digest(&bytes);
        let pushes = (0..50).map(|at| {
            let (client, bytes, name) = (server.client(), bytes.clone(), name.clone());
            async move {
                let package = format!("many/p{}", at % 5);
                if at % 3 == 0 {
                    client.push(&package, bytes).await;
                    return 201;
                }
                let begun = client
                    .post(&format!("/v2/{package}/blobs/uploads/"))
                    .await
                    .expect(202);
                let location = begun.header("location").to_owned();
                let end = format!("{location}?digest={name}");
                let done = if at % 3 == 1 {
                    client.put(&end, "application/octet-stream", bytes).await
                } else {
                    let sent = client
                        .send_chunked(Method::PATCH, &location, &bytes, 9_000)
                        .await;
                    sent.expect(202);
                    client.put(&end, "application/octet-stream", "").await
                };
                done.status.as_u16()
            }
        });
        assert_eq!(join_all(pushes).await, vec![201; 50], "{length} bytes");
        // What is in the trash stays for as long as a transfer may last.
        for _ in 0..4 {
            server.clock.advance(Duration::from_secs(3600));
            server
                .embedder()
                .collect(&CollectOptions::default())
                .await
                .unwrap();
        }
        let totals = server.embedder().totals().await.unwrap();
        assert_eq!(
            (totals.blobs, totals.trash, totals.uploads),
            (1, 0, 0),
            "{length} bytes"
        );
        assert_eq!(totals.stored_bytes + totals.inline_bytes, length as u64);
        for at in 0..5 {
            let got = server
                .client()
                .get(&format!("/v2/many/p{at}/blobs/{name}"))
                .await;
            assert_eq!(got.expect(200).body, bytes);
        }
    }
}

/// A1, A2: a digest that only a private repository has is found by no method, range, condition or alias
/// in another, and nothing is linked or changed by the asking.
#[tokio::test]
async fn a2_asking_for_what_is_elsewhere_links_nothing() {
    let server = Setup::anonymous(AnonymousAccess::None)
        .user("root", UserRole::Admin, "")
        .user("writer", UserRole::Writer, "team")
        .serve()
        .await;
    for name in ["team", "secret"] {
        server
            .repository(name, &artifact::RepositorySettings::default())
            .await;
    }
    let root = server.user("root");
    root.image("team/app", "v1").await;
    let hidden = root.image("secret/app", "hidden").await;
    let blob = root.push("secret/app", noise(2, 9_000)).await;
    let embedder = server.embedder();
    let state = || async {
        let usage = embedder.usage(&artifact::Scope::all()).await.unwrap();
        format!(
            "{:?} {:?} {usage:?}",
            embedder.revision().await.unwrap(),
            embedder.totals().await.unwrap()
        )
    };
    let before = state().await;
    let path = "/token?service=artifact&scope=repository:team/app:*&scope=repository:secret/app:*";
    let token = server.user("writer").get(path).await.expect(200).json();
    let token = server.client().bearer(token["token"].as_str().unwrap());
    let quoted = format!("\"{blob}\"");
    let mut variants: Vec<Vec<(&str, &str)>> = vec![
        vec![],
        vec![("if-none-match", "*")],
        vec![("if-none-match", &quoted)],
        vec![("if-match", "*")],
        vec![("if-match", &quoted)],
        vec![("if-range", &quoted), ("range", "bytes=0-0")],
        vec![("if-modified-since", "Sat, 01 Jan 2000 00:00:00 GMT")],
        vec![("accept", "*/*")],
    ];
    variants.extend(RANGES.iter().map(|range| vec![("range", *range)]));
    for client in [server.user("writer"), token] {
        for (noun, digest) in [
            ("blobs", &blob),
            ("manifests", &hidden.digest),
            ("blobs", &hidden.digest),
        ] {
            for digest in [digest.clone(), digest.replace(':', "%3a")] {
                let path = format!("/v2/team/app/{noun}/{digest}");
                for headers in &variants {
                    for method in [Method::GET, Method::HEAD] {
                        client.send(method, &path, headers, "").await.expect(404);
                    }
                }
            }
        }
        let list = client
            .get(&format!("/v2/team/app/referrers/{}", hidden.digest))
            .await;
        assert_eq!(list.expect(200).json()["manifests"], json!([]));
    }
    assert_eq!(state().await, before, "nothing was changed");
}
