//! "Content Management": deleting tags, manifests and blobs.

use serde_json::json;

use crate::support::{digest, goods::index, image, noise, server};

/// "Deleting tags": 202, then 404; the manifest stays, and other tags of it.
#[tokio::test]
async fn a_tag_is_deleted() {
    let server = server().await;
    let client = server.client();
    let pushed = client.image("a", "v1").await;
    pushed.put(&client, "a", "v2").await.expect(201);
    client.delete("/v2/a/manifests/v1").await.expect(202);
    client.head("/v2/a/manifests/v1").await.expect(404);
    client.get("/v2/a/manifests/v2").await.expect(200);
    client
        .get(&format!("/v2/a/manifests/{}", pushed.digest))
        .await
        .expect(200);
    assert_eq!(
        client.delete("/v2/a/manifests/v1").await.expect(404).code(),
        "MANIFEST_UNKNOWN"
    );
}

/// "Deleting Manifests": 202, then it and every tag of it is 404.
#[tokio::test]
async fn a_manifest_is_deleted_with_its_tags() {
    let server = server().await;
    let client = server.client();
    let pushed = client.image("a", "v1").await;
    pushed.put(&client, "a", "v2").await.expect(201);
    let path = format!("/v2/a/manifests/{}", pushed.digest);
    client.delete(&path).await.expect(202);
    for path in [&path, "/v2/a/manifests/v1", "/v2/a/manifests/v2"] {
        client.head(path).await.expect(404);
        assert_eq!(
            client.delete(path).await.expect(404).code(),
            "MANIFEST_UNKNOWN"
        );
    }
    client
        .delete(&format!("/v2/nowhere/manifests/{}", pushed.digest))
        .await
        .expect(404);
    // What no other manifest names went with it, and is pushed again with it.
    client.push("a", "{}").await;
    pushed.put(&client, "a", "v1").await.expect(201);
    client.get(&path).await.expect(200);
}

/// "Deleting Blobs": 202, then 404, at once; what a manifest names is refused, with its name.
#[tokio::test]
async fn a_blob_is_deleted_unless_it_is_named() {
    let server = server().await;
    let client = server.client();
    let blob = client.push("a", noise(1, 100_000)).await;
    let path = format!("/v2/a/blobs/{blob}");
    client.delete(&path).await.expect(202);
    client.head(&path).await.expect(404);
    assert_eq!(
        client.delete(&path).await.expect(404).code(),
        "BLOB_UNKNOWN"
    );
    let pushed = client.image("a", "v1").await;
    let config = format!("/v2/a/blobs/{}", digest(b"{}"));
    let refused = client.delete(&config).await.expect(405);
    assert_eq!(refused.code(), "UNSUPPORTED");
    assert_eq!(
        refused.json()["errors"][0]["detail"]["manifest"],
        pushed.digest
    );
    assert!(!refused.header("allow").contains("DELETE"));
    client.get(&config).await.expect(200);
    client
        .delete(&format!("/v2/a/manifests/{}", pushed.digest))
        .await
        .expect(202);
    // It went with the last manifest that named it.
    client.head(&config).await.expect(404);
}

/// Clients delete an index before what it lists, and the other way round.
#[tokio::test]
async fn an_index_and_its_children_are_deleted() {
    let server = server().await;
    let client = server.client();
    let child = client.image("a", "child").await;
    let list = index(&[&child]);
    list.put(&client, "a", "list").await.expect(201);
    let of = |digest: &str| format!("/v2/a/manifests/{digest}");
    client.delete(&of(&child.digest)).await.expect(405);
    client.delete(&of(&list.digest)).await.expect(202);
    client.delete(&of(&child.digest)).await.expect(202);
    client.get(&of(&child.digest)).await.expect(404);
}

/// "Deleting tags", "Deleting Manifests", "Deleting Blobs", A12: where deletion is disabled, it is 400
/// or 405 on each path.
#[tokio::test]
async fn a12_deletion_may_be_disabled() {
    let server = server().await;
    let settings = server.stage("kept", false, true).await;
    server.repository("kept", &settings).await;
    let client = server.client();
    let pushed = client.image("kept/app", "v1").await;
    let blob = client.push("kept/app", noise(1, 100)).await;
    for path in [
        "/v2/kept/app/manifests/v1".to_owned(),
        format!("/v2/kept/app/manifests/{}", pushed.digest),
        format!("/v2/kept/app/blobs/{blob}"),
    ] {
        let refused = client.delete(&path).await.expect(405);
        assert_eq!(refused.code(), "UNSUPPORTED");
        assert!(refused.message().contains("to delete"), "{refused:?}");
        client.head(&path).await.expect(200);
    }
}

/// I7: where tags do not move, a push to one that is there is refused, to everybody alike.
#[tokio::test]
async fn i7_tags_may_stand_still() {
    let server = server().await;
    let settings = server.stage("fixed", true, false).await;
    server.repository("fixed", &settings).await;
    let client = server.client();
    let first = client.image("fixed/app", "v1").await;
    first.put(&client, "fixed/app", "v1").await.expect(201);
    let second = image(&json!({ "annotations": { "n": "2" } }));
    let refused = second.put(&client, "fixed/app", "v1").await.expect(403);
    assert_eq!(refused.code(), "DENIED");
    assert!(refused.message().contains("to move a tag"), "{refused:?}");
    second.put(&client, "fixed/app", "v2").await.expect(201);
    let got = client.get("/v2/fixed/app/manifests/v1").await.expect(200);
    assert_eq!(got.body, first.bytes);
}

/// Deleting what is shared takes it from one repository alone.
#[tokio::test]
async fn a_deletion_is_of_one_repository() {
    let server = server().await;
    let client = server.client();
    client.push("one", "{}").await;
    client.push("two", "{}").await;
    let manifest = image(&json!({}));
    for name in ["one", "two"] {
        manifest.put(&client, name, "v1").await.expect(201);
    }
    client
        .delete(&format!("/v2/one/manifests/{}", manifest.digest))
        .await
        .expect(202);
    client
        .head(&format!("/v2/one/blobs/{}", digest(b"{}")))
        .await
        .expect(404);
    client.get("/v2/two/manifests/v1").await.expect(200);
    client
        .get(&format!("/v2/two/blobs/{}", digest(b"{}")))
        .await
        .expect(200);
}
