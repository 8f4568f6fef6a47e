//! "Mounting a blob from another repository".

use crate::support::{Client, digest, goods::EMPTY, image, noise, server};
use serde_json::json;

async fn mount(client: &Client, name: &str, query: &str) -> crate::support::Reply {
    client
        .post(&format!("/v2/{name}/blobs/uploads/?{query}"))
        .await
}

/// A blob that the other repository has is 201, with its location and digest; bytes do not move.
#[tokio::test]
async fn a_blob_is_mounted() {
    let server = server().await;
    let client = server.client();
    let bytes = noise(1, 10_000);
    let blob = client.push("from/one", bytes.clone()).await;
    let encoded = blob.replace(':', "%3A");
    for (to, query) in [
        ("to/raw", format!("mount={blob}&from=from/one")),
        ("to/encoded", format!("from=from%2Fone&mount={encoded}")),
        (
            "to/origin",
            format!("mount={blob}&from=from%2Fone&origin=127.0.0.1"),
        ),
    ] {
        let mounted = mount(&client, to, &query).await.expect(201);
        assert_eq!(mounted.header("location"), format!("/v2/{to}/blobs/{blob}"));
        assert_eq!(mounted.header("docker-content-digest"), blob);
        assert_eq!(
            client
                .get(mounted.header("location"))
                .await
                .expect(200)
                .body,
            bytes
        );
    }
    assert_eq!(server.embedder().totals().await.unwrap().blobs, 1);
}

/// What cannot be mounted is 202: an upload has begun, whatever the reason.
#[tokio::test]
async fn what_cannot_be_mounted_is_an_upload() {
    let server = server().await;
    let client = server.client();
    client.push("from", "here").await;
    let (here, nowhere) = (digest(b"here"), digest(b"nowhere"));
    for query in [
        format!("mount={nowhere}&from=from"),
        format!("mount={here}&from=nowhere"),
        format!("mount={here}&from=NO"),
        "mount=sha256:no&from=from".to_owned(),
    ] {
        let begun = mount(&client, "to", &query).await.expect(202);
        let path = format!(
            "{}?digest={}",
            begun.header("location"),
            digest(query.as_bytes())
        );
        client
            .put(&path, "application/octet-stream", query)
            .await
            .expect(201);
    }
}

/// `from` is optional: without it the blob is mounted if it can be found, or an upload begins.
#[tokio::test]
async fn a_mount_without_a_source_is_answered() {
    let server = server().await;
    let client = server.client();
    let blob = client.push("there", "abc").await;
    let here = mount(&client, "there", &format!("mount={blob}"))
        .await
        .expect(201);
    assert_eq!(here.header("docker-content-digest"), blob);
    let other = mount(&client, "elsewhere", &format!("mount={blob}")).await;
    assert!(matches!(other.status.as_u16(), 201 | 202), "{other:?}");
    client.get(other.header("location")).await;
}

/// A blob that came by mount is this repository's: to name, and to delete, and the other keeps its own.
#[tokio::test]
async fn what_was_mounted_belongs_to_both() {
    let server = server().await;
    let client = server.client();
    let layer = noise(2, 5_000);
    let blob = client.push("one", layer.clone()).await;
    mount(&client, "two", &format!("mount={blob}&from=one"))
        .await
        .expect(201);
    client
        .delete(&format!("/v2/two/blobs/{blob}"))
        .await
        .expect(202);
    client
        .head(&format!("/v2/two/blobs/{blob}"))
        .await
        .expect(404);
    client
        .head(&format!("/v2/one/blobs/{blob}"))
        .await
        .expect(200);
    mount(&client, "two", &format!("mount={blob}&from=one"))
        .await
        .expect(201);
    client
        .delete(&format!("/v2/one/blobs/{blob}"))
        .await
        .expect(202);
    client.push("two", "{}").await;
    let manifest = image(&json!({
        "config": { "mediaType": EMPTY, "digest": digest(b"{}"), "size": 2 },
        "layers": [{ "mediaType": "application/octet-stream", "digest": blob, "size": layer.len() }],
    }));
    manifest.put(&client, "two", "v1").await.expect(201);
    assert_eq!(
        client
            .get(&format!("/v2/two/blobs/{blob}"))
            .await
            .expect(200)
            .body,
        layer
    );
}
