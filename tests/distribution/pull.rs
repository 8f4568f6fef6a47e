//! "Pull": manifests, blobs, and whether they are there.

use artifact::OciName;
use http::Method;
use serde_json::json;

use crate::support::{
    digest,
    goods::{INDEX, MANIFEST, index},
    image, noise, server, sha512,
};

/// "Pulling manifests": an existing manifest is 200, by tag and by digest, to the byte, with its
/// digest in `Docker-Content-Digest` and its type, without parameters, as it was pushed.
#[tokio::test]
async fn a_manifest_comes_as_it_was_pushed() {
    let server = server().await;
    let client = server.client();
    let pushed = client.image("pull/app", "v1").await;
    for reference in ["v1", &pushed.digest] {
        let path = format!("/v2/pull/app/manifests/{reference}");
        let got = client.get(&path).await.expect(200);
        assert_eq!(got.body, pushed.bytes);
        assert_eq!(got.header("docker-content-digest"), pushed.digest);
        assert_eq!(got.header("content-type"), MANIFEST);
        assert_eq!(got.header("content-length"), pushed.bytes.len().to_string());
    }
}

/// "Pulling manifests": the type is what was pushed, parameters apart, also when nobody knows it.
#[tokio::test]
async fn a_type_that_nobody_knows_is_kept() {
    let server = server().await;
    let client = server.client();
    let put = client.put(
        "/v2/a/manifests/x",
        "application/vnd.example+json; a=b",
        "{ \"x\": 1 }\n",
    );
    let put = put.await.expect(201);
    assert_eq!(
        put.header("docker-content-digest"),
        digest(b"{ \"x\": 1 }\n")
    );
    let got = client.get("/v2/a/manifests/x").await.expect(200);
    assert_eq!(got.header("content-type"), "application/vnd.example+json");
    assert_eq!(got.body, "{ \"x\": 1 }\n");
}

/// "Pulling manifests": clients say which types they take in one line or in many. What is stored is
/// what is sent (A38).
#[tokio::test]
async fn a38_no_accept_changes_what_is_sent() {
    let server = server().await;
    let client = server.client();
    let pushed = client.image("a", "v1").await;
    let list = index(&[&pushed]);
    list.put(&client, "a", "list").await.expect(201);
    let accepts: [&[&str]; 5] = [
        &[],
        &[MANIFEST, INDEX],
        &["application/xml"],
        &["text/html, */*;q=0.1"],
        &[""],
    ];
    for accept in accepts {
        let lines: Vec<_> = accept.iter().map(|line| ("accept", *line)).collect();
        for (tag, sent) in [("v1", &pushed), ("list", &list)] {
            let path = format!("/v2/a/manifests/{tag}");
            let got = client
                .send(Method::GET, &path, &lines, "")
                .await
                .expect(200);
            assert_eq!(digest(&got.body), sent.digest);
            assert_eq!(got.header("content-type"), sent.media_type);
        }
    }
}

/// "Pulling manifests", "Pulling blobs", "Checking if content exists": what is not there is 404; a
/// reference has no other form than a tag's or a digest's.
#[tokio::test]
async fn what_is_not_there_is_404() {
    let server = server().await;
    let client = server.client();
    client.image("here", "v1").await;
    let nowhere = digest(b"nowhere");
    for name in ["here", "nowhere/at/all"] {
        for (path, code) in [
            (format!("/v2/{name}/manifests/v2"), "MANIFEST_UNKNOWN"),
            (
                format!("/v2/{name}/manifests/{nowhere}"),
                "MANIFEST_UNKNOWN",
            ),
            (format!("/v2/{name}/blobs/{nowhere}"), "BLOB_UNKNOWN"),
        ] {
            assert_eq!(client.get(&path).await.expect(404).code(), code, "{path}");
            client.head(&path).await.expect(404);
        }
    }
    for reference in [
        "sha256:baddigeststring",
        "md5:00",
        ".hidden",
        &"t".repeat(129),
    ] {
        client
            .get(&format!("/v2/here/manifests/{reference}"))
            .await
            .expect(400);
    }
}

/// "Pulling manifests": names follow the grammar, and nothing else is one.
#[tokio::test]
async fn names_follow_the_grammar() {
    let server = server().await;
    let client = server.client();
    for name in ["a", "a/b/c/d/e", "a.b_c__d-e---f/0", &"a".repeat(255)] {
        assert!(name.parse::<OciName>().is_ok());
        client
            .get(&format!("/v2/{name}/manifests/x"))
            .await
            .expect(404);
    }
    for name in [
        "A",
        "a..b",
        "a___b",
        "-a",
        "a-",
        "a%20b",
        "a%00",
        &"a".repeat(256),
    ] {
        let refused = client
            .get(&format!("/v2/{name}/manifests/x"))
            .await
            .expect(400);
        assert_eq!(refused.code(), "NAME_INVALID", "{name}");
    }
}

/// "Pulling blobs": an existing blob is 200, with its digest, and matches it.
#[tokio::test]
async fn a_blob_comes_whole() {
    let server = server().await;
    let client = server.client();
    for length in [0, 1, 4_096, 4_097, 3 << 20] {
        let bytes = noise(length as u64, length);
        let pushed = client.push("pull/blobs", bytes.clone()).await;
        let got = client
            .get(&format!("/v2/pull/blobs/blobs/{pushed}"))
            .await
            .expect(200);
        assert_eq!(digest(&got.body), pushed);
        assert_eq!(got.header("docker-content-digest"), pushed);
        assert_eq!(got.header("content-length"), length.to_string());
        assert_eq!(got.header("accept-ranges"), "bytes");
        assert_eq!(got.header("content-type"), "application/octet-stream");
        assert_eq!(got.header("etag"), format!("\"{pushed}\""));
    }
}

/// "Checking if content exists in the registry": a HEAD is 200, with digest and length.
#[tokio::test]
async fn a_head_tells_digest_and_length() {
    let server = server().await;
    let client = server.client();
    let pushed = client.image("a", "v1").await;
    let blob = client.push("a", noise(1, 12_345)).await;
    let nothing = client.push("a", noise(1, 0)).await;
    for (path, digest, length) in [
        (
            "/v2/a/manifests/v1".to_owned(),
            &pushed.digest,
            pushed.bytes.len(),
        ),
        (
            format!("/v2/a/manifests/{}", pushed.digest),
            &pushed.digest,
            pushed.bytes.len(),
        ),
        (format!("/v2/a/blobs/{blob}"), &blob, 12_345),
        (format!("/v2/a/blobs/{nothing}"), &nothing, 0),
    ] {
        let head = client.head(&path).await.expect(200);
        assert_eq!(head.header("docker-content-digest"), digest);
        assert_eq!(head.header("content-length"), length.to_string());
        let got = client.get(&path).await.expect(200);
        for name in [
            "content-type",
            "content-length",
            "etag",
            "docker-content-digest",
        ] {
            assert_eq!(head.header(name), got.header(name), "{path}: {name}");
        }
    }
}

/// I3, I22: a blob that has rotted is given to nobody and is not there for who looks before a push;
/// so an ordinary push mends it.
#[tokio::test]
async fn i22_a_push_mends_what_has_rotted() {
    let server = server().await;
    let client = server.client();
    let bytes = noise(1, 2_000_000);
    let blob = client.push("a", bytes.clone()).await;
    server.rot(&bytes);
    let path = format!("/v2/a/blobs/{blob}");
    let range = [("range", "bytes=0-9")];
    client
        .send(Method::GET, &path, &range, "")
        .await
        .expect(500);
    client.head(&path).await.expect(404);
    assert_eq!(client.get(&path).await.expect(500).code(), "UNKNOWN");
    let mount = format!("/v2/b/blobs/uploads/?mount={blob}&from=a");
    client.post(&mount).await.expect(202);
    client.push("a", bytes.clone()).await;
    client.head(&path).await.expect(200);
    assert!(client.get(&path).await.expect(200).body == bytes);
}

/// "Pulling blobs": ranges in accordance with RFC 9110, section 14.
#[tokio::test]
async fn ranges_of_a_blob_are_served() {
    let server = server().await;
    let client = server.client();
    let bytes = noise(5, 2_048);
    let blob = client.push("a", bytes.clone()).await;
    let path = format!("/v2/a/blobs/{blob}");
    for (range, content_range, part) in [
        ("bytes=500-1499", "bytes 500-1499/2048", 500..1500),
        ("bytes=500-", "bytes 500-2047/2048", 500..2048),
        ("bytes=-500", "bytes 1548-2047/2048", 1548..2048),
        ("bytes=2000-5000", "bytes 2000-2047/2048", 2000..2048),
        ("bytes=0-0", "bytes 0-0/2048", 0..1),
        ("bytes=-9999", "bytes 0-2047/2048", 0..2048),
    ] {
        let got = client
            .send(Method::GET, &path, &[("range", range)], "")
            .await
            .expect(206);
        assert_eq!(got.body, bytes[part], "{range}");
        assert_eq!(got.header("content-range"), content_range, "{range}");
        assert_eq!(got.header("content-length"), got.body.len().to_string());
    }
    for range in ["bytes=2048-", "bytes=5000-10000", "bytes=500-0", "bytes=-0"] {
        let refused = client
            .send(Method::GET, &path, &[("range", range)], "")
            .await
            .expect(416);
        assert_eq!(refused.header("content-range"), "bytes */2048", "{range}");
    }
    // Several ranges, other units and what cannot be read are answered with the whole.
    for range in ["bytes=0-1,5-6", "lines=1-2", "bytes=x-y", "bytes"] {
        let got = client
            .send(Method::GET, &path, &[("range", range)], "")
            .await
            .expect(200);
        assert_eq!(got.body, bytes, "{range}");
    }
    let head = client
        .send(Method::HEAD, &path, &[("range", "bytes=0-1")], "")
        .await
        .expect(200);
    assert_eq!(head.header("content-length"), "2048");
}

/// "Pulling blobs", RFC 9110, sections 13.1.2 and 13.1.5: what a client has is not sent again, and a
/// range is of the content that is meant.
#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let server = server().await;
    let client = server.client();
    let pushed = client.image("a", "v1").await;
    let blob = client.push("a", noise(1, 5_000)).await;
    for (path, digest) in [
        ("/v2/a/manifests/v1".to_owned(), &pushed.digest),
        (format!("/v2/a/blobs/{blob}"), &blob),
    ] {
        let tag = format!("\"{digest}\"");
        for method in [Method::GET, Method::HEAD] {
            let known = [("if-none-match", tag.as_str())];
            let same = client.send(method, &path, &known, "").await.expect(304);
            assert!(same.body.is_empty());
            assert_eq!(same.header("etag"), tag);
        }
        let other = [("if-none-match", "\"sha256:0\"")];
        client
            .send(Method::GET, &path, &other, "")
            .await
            .expect(200);
    }
    let path = format!("/v2/a/blobs/{blob}");
    let same = [
        ("range", "bytes=0-9"),
        ("if-range", &*format!("\"{blob}\"")),
    ];
    client.send(Method::GET, &path, &same, "").await.expect(206);
    let other = [("range", "bytes=0-9"), ("if-range", "\"other\"")];
    client
        .send(Method::GET, &path, &other, "")
        .await
        .expect(200);
    // Who has what is not there is told that it is not there.
    let gone = format!("/v2/a/blobs/{}", sha512(b"gone"));
    client
        .send(Method::GET, &gone, &[("if-none-match", "*")], "")
        .await
        .expect(404);
}

/// "Pulling manifests": other hashes than SHA-256 name content too.
#[tokio::test]
async fn content_may_be_named_by_sha512() {
    let server = server().await;
    let client = server.client();
    let bytes = noise(9, 70_000);
    let name = sha512(&bytes);
    let path = format!("/v2/a/blobs/uploads/?digest={name}");
    client
        .send(Method::POST, &path, &[], bytes.clone())
        .await
        .expect(201);
    let got = client.get(&format!("/v2/a/blobs/{name}")).await.expect(200);
    assert_eq!(got.body, bytes);
    assert_eq!(got.header("docker-content-digest"), name);
    client.push("a", "{}").await;
    let manifest = image(&json!({ "layers": [
        { "mediaType": "application/octet-stream", "digest": name, "size": bytes.len() }
    ] }));
    let by = sha512(&manifest.bytes);
    manifest.put(&client, "a", &by).await.expect(201);
    let got = client
        .get(&format!("/v2/a/manifests/{by}"))
        .await
        .expect(200);
    assert_eq!(got.body, manifest.bytes);
    assert_eq!(got.header("docker-content-digest"), by);
}
