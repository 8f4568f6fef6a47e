//! "Pushing blobs": whole, in one request or two.

use http::Method;

use crate::support::{digest, noise, server, sha512};

/// "POST then PUT": 202 with a location, then 201 with the location of the blob.
#[tokio::test]
async fn a_blob_is_pushed_by_post_and_put() {
    let server = server().await;
    let client = server.client();
    for length in [0, 2, 5_000, 2 << 20] {
        let bytes = noise(length as u64, length);
        let digest = digest(&bytes);
        let begun = client.post("/v2/push/app/blobs/uploads/").await.expect(202);
        assert_eq!(begun.header("content-length"), "0");
        assert_eq!(begun.header("range"), "0-0");
        let location = begun.header("location");
        assert!(location.ends_with(begun.header("docker-upload-uuid")));
        let path = format!("{location}?digest={digest}");
        let put = client
            .put(&path, "application/octet-stream", bytes.clone())
            .await
            .expect(201);
        assert_eq!(
            put.header("location"),
            format!("/v2/push/app/blobs/{digest}")
        );
        assert_eq!(put.header("docker-content-digest"), digest);
        let got = client.get(put.header("location")).await.expect(200);
        assert_eq!(got.body, bytes);
    }
}

/// "POST then PUT": each upload has a location of its own.
#[tokio::test]
async fn uploads_do_not_meet() {
    let server = server().await;
    let client = server.client();
    let one = client.post("/v2/a/blobs/uploads/").await.expect(202);
    let two = client.post("/v2/a/blobs/uploads/").await.expect(202);
    assert_ne!(one.header("location"), two.header("location"));
    let (first, second) = (noise(1, 9_000), noise(2, 9_000));
    client
        .patch(one.header("location"), None, first.clone())
        .await
        .expect(202);
    client
        .patch(two.header("location"), None, second.clone())
        .await
        .expect(202);
    for (begun, bytes) in [(&one, &first), (&two, &second)] {
        let path = format!("{}?digest={}", begun.header("location"), digest(bytes));
        client
            .put(&path, "application/octet-stream", "")
            .await
            .expect(201);
    }
}

/// "Single POST": 201 with the location of the blob.
#[tokio::test]
async fn a_blob_is_pushed_by_one_post() {
    let server = server().await;
    let client = server.client();
    for length in [0, 10, 100_000] {
        let bytes = noise(length as u64, length);
        let path = format!("/v2/a/blobs/uploads/?digest={}", digest(&bytes));
        let posted = client
            .send(Method::POST, &path, &[], bytes.clone())
            .await
            .expect(201);
        let got = client.get(posted.header("location")).await.expect(200);
        assert_eq!(got.body, bytes);
    }
}

/// "Pushing blobs": a digest that is malformed, or of an unknown algorithm, is 400.
#[tokio::test]
async fn digests_that_are_none_are_400() {
    let server = server().await;
    let client = server.client();
    let begun = client.post("/v2/a/blobs/uploads/").await.expect(202);
    for digest in [
        "sha256:xyz",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        "x",
        "",
        "sha256:..%2Fx",
    ] {
        let path = format!("/v2/a/blobs/uploads/?digest={digest}");
        let refused = client.send(Method::POST, &path, &[], "x").await.expect(400);
        assert_eq!(refused.code(), "DIGEST_INVALID", "{digest}");
        let path = format!("{}?digest={digest}", begun.header("location"));
        let refused = client
            .put(&path, "application/octet-stream", "x")
            .await
            .expect(400);
        assert_eq!(refused.code(), "DIGEST_INVALID", "{digest}");
    }
    let none = client
        .put(begun.header("location"), "application/octet-stream", "x")
        .await;
    assert_eq!(none.expect(400).code(), "DIGEST_INVALID");
    client
        .post("/v2/a/blobs/uploads/?digest-algorithm=md5")
        .await
        .expect(400);
}

/// "Single POST", "POST then PUT", A31: bytes that are not the digest's are 400, and not there.
#[tokio::test]
async fn a31_bytes_of_another_digest_are_refused() {
    let server = server().await;
    let client = server.client();
    for length in [10, 200_000] {
        let (bytes, other) = (noise(1, length), digest(&noise(2, length)));
        let path = format!("/v2/a/blobs/uploads/?digest={other}");
        let refused = client
            .send(Method::POST, &path, &[], bytes.clone())
            .await
            .expect(400);
        assert_eq!(refused.code(), "DIGEST_INVALID");
        let begun = client.post("/v2/a/blobs/uploads/").await.expect(202);
        let path = format!("{}?digest={other}", begun.header("location"));
        let refused = client
            .put(&path, "application/octet-stream", bytes.clone())
            .await;
        assert_eq!(refused.expect(400).code(), "DIGEST_INVALID");
        for digest in [other, digest(&bytes)] {
            client
                .head(&format!("/v2/a/blobs/{digest}"))
                .await
                .expect(404);
        }
        client.get(begun.header("location")).await.expect(404);
    }
    let totals = server.embedder().totals().await.unwrap();
    assert_eq!(
        (totals.uploads, totals.blobs),
        (0, 0),
        "nothing is kept of them"
    );
}

/// "Pushing blobs", "Pushing a blob in chunks": other algorithms, announced or not.
#[tokio::test]
async fn a_blob_is_pushed_by_its_sha512() {
    let server = server().await;
    let client = server.client();
    let bytes = noise(3, 150_000);
    let name = sha512(&bytes);
    for query in ["", "?digest-algorithm=sha512"] {
        let begun = client
            .post(&format!("/v2/a{}/blobs/uploads/{query}", query.len()))
            .await;
        let begun = begun.expect(202);
        let location = begun.header("location");
        client
            .patch(location, Some("0-99999"), bytes.slice(..100_000))
            .await
            .expect(202);
        client
            .patch(location, Some("100000-149999"), bytes.slice(100_000..))
            .await
            .expect(202);
        let done = client
            .put(&format!("{location}?digest={name}"), "x/y", "")
            .await
            .expect(201);
        assert_eq!(done.header("docker-content-digest"), name);
        assert_eq!(
            client.get(done.header("location")).await.expect(200).body,
            bytes
        );
    }
}

/// A33: who pushes what is there already, also at the same time, pushes it.
#[tokio::test]
async fn a33_the_same_bytes_may_be_pushed_by_many_at_once() {
    let server = server().await;
    let bytes = noise(4, 100_000);
    let pushes = (0..50).map(|at| {
        let (client, bytes) = (server.client(), bytes.clone());
        async move { client.push(&format!("many/p{}", at % 5), bytes).await }
    });
    let digests = futures::future::join_all(pushes).await;
    assert!(digests.iter().all(|pushed| *pushed == digest(&bytes)));
    assert_eq!(server.embedder().totals().await.unwrap().blobs, 1);
}

/// "Cancelling an upload": 204, and it is gone.
#[tokio::test]
async fn an_upload_is_given_up() {
    let server = server().await;
    let client = server.client();
    let begun = client.post("/v2/a/blobs/uploads/").await.expect(202);
    client
        .patch(begun.header("location"), None, noise(1, 9_000))
        .await
        .expect(202);
    client.delete(begun.header("location")).await.expect(204);
    for reply in [
        client.get(begun.header("location")).await,
        client.delete(begun.header("location")).await,
        client.patch(begun.header("location"), None, "x").await,
    ] {
        assert_eq!(reply.expect(404).code(), "BLOB_UPLOAD_UNKNOWN");
    }
}

/// Real clients append the digest to a location with a query of its own, and give it twice.
#[tokio::test]
async fn a_digest_is_found_among_other_parameters() {
    let server = server().await;
    let client = server.client();
    let begun = client.post("/v2/a/blobs/uploads/").await.expect(202);
    let digest = digest(b"abc");
    let encoded = digest.replace(':', "%3A");
    let path = format!(
        "{}?_state=x&digest={encoded}&digest={digest}&ns=y",
        begun.header("location")
    );
    client
        .put(&path, "application/octet-stream", "abc")
        .await
        .expect(201);
}
