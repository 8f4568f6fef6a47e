//! Compare-and-set: a tag is changed on a condition, or not at all (I6).

use http::Method;
use serde_json::json;

use crate::support::{Client, Image, Reply, image, server};

async fn put(client: &Client, image: &Image, tag: &str, condition: (&str, &str)) -> Reply {
    let path = format!("/v2/a/manifests/{tag}");
    let headers = [("content-type", image.media_type), condition];
    client
        .send(Method::PUT, &path, &headers, image.bytes.clone())
        .await
}

async fn generation(client: &Client, tag: &str) -> String {
    let head = client
        .head(&format!("/v2/a/manifests/{tag}"))
        .await
        .expect(200);
    assert_eq!(
        head.header("etag"),
        format!("\"{}\"", head.header("docker-content-digest"))
    );
    head.header("artifact-generation").to_owned()
}

/// GET and HEAD by tag have an entity tag and a generation, which each change raises by one; by digest
/// there is no generation.
#[tokio::test]
async fn a_tag_has_a_generation() {
    let server = server().await;
    let client = server.client();
    let one = client.image("a", "v1").await;
    let two = image(&json!({ "annotations": { "n": "2" } }));
    assert_eq!(generation(&client, "v1").await, "1");
    let again = one.put(&client, "a", "v1").await.expect(201);
    assert_eq!(
        again.header("artifact-generation"),
        "1",
        "the same digest is no change"
    );
    let moved = two.put(&client, "a", "v1").await.expect(201);
    assert_eq!(moved.header("artifact-generation"), "2");
    assert_eq!(moved.header("etag"), format!("\"{}\"", two.digest));
    client.delete("/v2/a/manifests/v1").await.expect(202);
    one.put(&client, "a", "v1").await.expect(201);
    assert_eq!(
        generation(&client, "v1").await,
        "4",
        "a deletion counts, and it goes on"
    );
    let by_digest = client
        .head(&format!("/v2/a/manifests/{}", one.digest))
        .await
        .expect(200);
    assert!(!by_digest.headers.contains_key("artifact-generation"));
}

/// `If-None-Match: *` creates only.
#[tokio::test]
async fn a_tag_is_made_if_it_is_not_there() {
    let server = server().await;
    let client = server.client();
    let one = client.image("a", "old").await;
    put(&client, &one, "v1", ("if-none-match", "*"))
        .await
        .expect(201);
    let two = image(&json!({ "annotations": { "n": "2" } }));
    let refused = put(&client, &two, "v1", ("if-none-match", "*"))
        .await
        .expect(412);
    assert_eq!(refused.code(), "DENIED");
    let got = client.get("/v2/a/manifests/v1").await.expect(200);
    assert_eq!(got.body, one.bytes);
    client
        .get(&format!("/v2/a/manifests/{}", two.digest))
        .await
        .expect(404);
}

/// `If-Match` with a digest, with a generation, and with `*`.
#[tokio::test]
async fn i6_a_tag_is_moved_if_it_is_as_it_was() {
    let server = server().await;
    let client = server.client();
    let images: Vec<Image> = (0..4)
        .map(|n| image(&json!({ "annotations": { "n": n.to_string() } })))
        .collect();
    client.push("a", "{}").await;
    let quoted = |image: &Image| format!("\"{}\"", image.digest);
    put(&client, &images[0], "v1", ("if-match", "*"))
        .await
        .expect(412);
    images[0].put(&client, "a", "v1").await.expect(201);
    put(&client, &images[1], "v1", ("if-match", &quoted(&images[1])))
        .await
        .expect(412);
    put(&client, &images[1], "v1", ("if-match", &quoted(&images[0])))
        .await
        .expect(201);
    put(&client, &images[2], "v1", ("if-match", "\"g1\""))
        .await
        .expect(412);
    put(&client, &images[2], "v1", ("if-match", "\"g2\""))
        .await
        .expect(201);
    put(&client, &images[3], "v1", ("if-match", "*"))
        .await
        .expect(201);
    // Away and back: the digest is the same, the generation is not.
    images[2].put(&client, "a", "v1").await.expect(201);
    put(&client, &images[0], "v1", ("if-match", "\"g3\""))
        .await
        .expect(412);
    put(&client, &images[0], "v1", ("if-match", &quoted(&images[2])))
        .await
        .expect(201);
    let weak = format!("W/{}", quoted(&images[0]));
    put(&client, &images[1], "v1", ("if-match", &weak))
        .await
        .expect(412);
}

/// Deletions of tags take conditions as well.
#[tokio::test]
async fn a_tag_is_deleted_if_it_is_as_it_was() {
    let server = server().await;
    let client = server.client();
    let pushed = client.image("a", "v1").await;
    let quoted = format!("\"{}\"", pushed.digest);
    let delete = |value: &str| {
        let (client, value) = (client.clone(), value.to_owned());
        async move {
            let headers = [("if-match", value.as_str())];
            client
                .send(Method::DELETE, "/v2/a/manifests/v1", &headers, "")
                .await
        }
    };
    delete("\"g2\"").await.expect(412);
    delete("\"sha256:0\"").await.expect(412);
    client.head("/v2/a/manifests/v1").await.expect(200);
    delete(&quoted).await.expect(202);
    pushed.put(&client, "a", "v1").await.expect(201);
    delete("\"g3\"").await.expect(202);
}

/// A condition that cannot be kept is refused: nothing is done as if it were not there.
#[tokio::test]
async fn conditions_that_cannot_be_kept_are_refused() {
    let server = server().await;
    let client = server.client();
    let pushed = client.image("a", "v1").await;
    for condition in [
        ("if-none-match", "\"x\""),
        ("if-match", "\"open"),
        ("if-match", ""),
    ] {
        put(&client, &pushed, "v2", condition).await.expect(400);
    }
    put(&client, &pushed, &pushed.digest, ("if-none-match", "*"))
        .await
        .expect(400);
    let path = format!("/v2/a/manifests/{}", pushed.digest);
    client
        .send(Method::DELETE, &path, &[("if-match", "*")], "")
        .await
        .expect(400);
    client.head(&path).await.expect(200);
    client.get("/v2/a/manifests/v2").await.expect(404);
}

/// Of many that make a tag at once on the condition that it is not there, one succeeds (A87).
#[tokio::test]
async fn a87_one_of_many_makes_the_tag() {
    let server = server().await;
    let client = server.client();
    client.push("a", "{}").await;
    let pushes = (0..20).map(|n| {
        let client = client.clone();
        async move {
            let image = image(&json!({ "annotations": { "n": n.to_string() } }));
            let reply = put(&client, &image, "v1", ("if-none-match", "*")).await;
            (reply.status.as_u16(), image.digest)
        }
    });
    let outcomes = futures::future::join_all(pushes).await;
    let made: Vec<_> = outcomes
        .iter()
        .filter(|(status, _)| *status == 201)
        .collect();
    assert_eq!(made.len(), 1, "{outcomes:?}");
    assert!(
        outcomes
            .iter()
            .all(|(status, _)| matches!(status, 201 | 412))
    );
    let got = client.get("/v2/a/manifests/v1").await.expect(200);
    assert_eq!(got.header("docker-content-digest"), made[0].1);
}
