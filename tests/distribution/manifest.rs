//! "Pushing Manifests".

use bytes::Bytes;
use http::Method;
use serde_json::json;

use crate::support::{
    Image, digest,
    goods::{CONFIG, EMPTY, INDEX, LAYER, MANIFEST, descriptor, index},
    image, noise, server, sha512,
};

/// 201, with the location of the manifest and its digest; stored to the byte.
#[tokio::test]
async fn a_manifest_is_pushed_by_tag_and_by_digest() {
    let server = server().await;
    let client = server.client();
    client.push("a", "{}").await;
    let bytes = Bytes::from(format!(
        "{{\n \"unknown\" : [1, 2,3],  \"schemaVersion\": 2,\n\"mediaType\":\"{MANIFEST}\", \"config\":{},\"layers\":[] }}\n\n",
        descriptor(EMPTY, b"{}")
    ));
    let own = digest(&bytes);
    for reference in ["v1", &own] {
        let put = client
            .put(
                &format!("/v2/a/manifests/{reference}"),
                MANIFEST,
                bytes.clone(),
            )
            .await;
        let put = put.expect(201);
        assert_eq!(put.header("docker-content-digest"), own);
        let got = client.get(put.header("location")).await.expect(200);
        assert_eq!(got.body, bytes);
        assert_eq!(got.header("content-type"), MANIFEST);
    }
}

/// The list of blobs may be empty, an index may be of nothing, and may hold indexes.
#[tokio::test]
async fn empty_and_nested_manifests_are_taken() {
    let server = server().await;
    let client = server.client();
    client.push("a", "{}").await;
    let bare = image(&json!({}));
    bare.put(&client, "a", "bare").await.expect(201);
    let empty = index(&[]);
    empty.put(&client, "a", "empty").await.expect(201);
    let list = index(&[&bare, &empty]);
    list.put(&client, "a", "list").await.expect(201);
    index(&[&list])
        .put(&client, "a", "nested")
        .await
        .expect(201);
    let config = client.push("a", "{\"os\":\"linux\"}").await;
    let layer = client.push("a", noise(1, 9_000)).await;
    let full = image(&json!({
        "config": { "mediaType": CONFIG, "digest": config, "size": 14 },
        "layers": [
            { "mediaType": LAYER, "digest": layer, "size": 9_000, "data": "AAAA", "x": 1 },
            { "mediaType": LAYER, "digest": layer, "size": 9_000 },
        ],
        "annotations": { "a": "b" },
    }));
    full.put(&client, "a", "full").await.expect(201);
}

/// "Push": what is named and not there is MANIFEST_BLOB_UNKNOWN, with the digest; layers that may not
/// be distributed may be absent.
#[tokio::test]
async fn a6_what_is_named_must_be_there() {
    let server = server().await;
    let client = server.client();
    client.push("other", noise(7, 100)).await;
    client.push("a", "{}").await;
    let layer = descriptor(LAYER, &noise(7, 100));
    let missing = image(&json!({ "layers": [layer] }));
    let refused = missing.put(&client, "a", "v1").await.expect(400);
    assert_eq!(
        refused.code(),
        "MANIFEST_BLOB_UNKNOWN",
        "that another repository has it is nothing"
    );
    assert_eq!(
        refused.json()["errors"][0]["detail"]["digest"],
        layer["digest"]
    );
    let refused = index(&[&missing]).put(&client, "a", "v1").await.expect(400);
    assert_eq!(refused.code(), "MANIFEST_BLOB_UNKNOWN");
    client.get("/v2/a/manifests/v1").await.expect(404);
    let foreign = image(&json!({ "layers": [{
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "digest": digest(b"elsewhere"), "size": 123_456, "urls": ["https://example.com/x"],
    }] }));
    foreign.put(&client, "a", "foreign").await.expect(201);
}

/// A digest in the path is that of the bytes, or it is 400.
#[tokio::test]
async fn a_manifest_of_another_digest_is_refused() {
    let server = server().await;
    let client = server.client();
    client.push("a", "{}").await;
    let manifest = image(&json!({}));
    for reference in [
        digest(b"other"),
        sha512(b"other"),
        "sha256:baddigeststring".to_owned(),
    ] {
        let refused = manifest.put(&client, "a", &reference).await.expect(400);
        assert_eq!(refused.code(), "DIGEST_INVALID", "{reference}");
    }
    client.get("/v2/a/tags/list").await.expect(404);
}

/// What is no manifest is MANIFEST_INVALID, with the reason; A36: so is what two readers could read
/// differently.
#[tokio::test]
async fn a36_what_is_no_manifest_is_refused() {
    let server = server().await;
    let client = server.client();
    client.push("a", "{}").await;
    let config = descriptor(EMPTY, b"{}");
    let child = descriptor(MANIFEST, b"x");
    let both = json!({ "schemaVersion": 2, "config": config, "layers": [], "manifests": [child] });
    let typed = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] });
    let twice = format!("{{\"schemaVersion\":2,\"config\":{config},\"config\":{config}}}");
    for (media_type, body) in [
        (MANIFEST, "{".to_owned()),
        (MANIFEST, String::new()),
        (MANIFEST, "[]".to_owned()),
        (MANIFEST, "{}".to_owned()),
        (MANIFEST, "\u{0}".to_owned()),
        (
            MANIFEST,
            json!({ "schemaVersion": 1, "fsLayers": [] }).to_string(),
        ),
        (
            MANIFEST,
            json!({ "schemaVersion": 2, "config": { "digest": "x" } }).to_string(),
        ),
        (MANIFEST, both.to_string()),
        (INDEX, both.to_string()),
        (MANIFEST, typed.to_string()),
        (MANIFEST, twice),
        ("not a type", typed.to_string()),
    ] {
        let refused = client
            .put("/v2/a/manifests/v1", media_type, body.clone())
            .await
            .expect(400);
        assert_eq!(refused.code(), "MANIFEST_INVALID", "{media_type}: {body}");
        assert!(
            refused.json()["errors"][0]["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
    }
    client.get("/v2/a/manifests/v1").await.expect(404);
}

/// The type may be left out where the document has it, and is not told twice.
#[tokio::test]
async fn a_type_is_found_in_the_document() {
    let server = server().await;
    let client = server.client();
    client.push("a", "{}").await;
    let manifest = image(&json!({}));
    let path = "/v2/a/manifests/v1";
    client
        .send(Method::PUT, path, &[], manifest.bytes.clone())
        .await
        .expect(201);
    assert_eq!(
        client.get(path).await.expect(200).header("content-type"),
        MANIFEST
    );
    let two = [("content-type", MANIFEST), ("content-type", INDEX)];
    client
        .send(Method::PUT, path, &two, manifest.bytes)
        .await
        .expect(400);
}

/// A manifest of 4 MiB is taken; a longer one is 413 (A59), whether its length is told or not.
#[tokio::test]
async fn a59_manifests_have_a_limit() {
    let server = server().await;
    let client = server.client();
    client.push("a", "{}").await;
    let sized = |length: usize| {
        let bare = image(&json!({ "annotations": { "x": "" } })).bytes.len();
        image(&json!({ "annotations": { "x": "y".repeat(length - bare) } }))
    };
    let largest = sized(4 << 20);
    assert_eq!(largest.bytes.len(), 4 << 20);
    largest.put(&client, "a", "largest").await.expect(201);
    let got = client.get("/v2/a/manifests/largest").await.expect(200);
    assert_eq!(digest(&got.body), largest.digest);
    let refused = sized((4 << 20) + 1)
        .put(&client, "a", "more")
        .await
        .expect(413);
    assert_eq!(refused.code(), "MANIFEST_INVALID");
    let layer = descriptor(LAYER, b"x");
    let many = image(&json!({ "layers": vec![layer; 100_000] }));
    many.put(&client, "a", "many").await.expect(413);
    client.get("/v2/a/manifests/more").await.expect(404);
}

/// "Pushing Manifests with Subject": `OCI-Subject`, for images and indexes, whether the subject is
/// there or not.
#[tokio::test]
async fn a_subject_is_acknowledged() {
    let server = server().await;
    let client = server.client();
    let subject = client.image("a", "v1").await;
    let dangling = image(&json!({ "annotations": { "not": "here" } }));
    for subject in [&subject, &dangling] {
        let referrer = image(&json!({ "subject": subject.descriptor(), "artifactType": "a/b" }));
        let put = referrer
            .put(&client, "a", &referrer.digest)
            .await
            .expect(201);
        assert_eq!(put.header("oci-subject"), subject.digest);
        let list = Image::new(
            INDEX,
            &json!({
                "schemaVersion": 2, "mediaType": INDEX, "manifests": [], "subject": subject.descriptor(),
            }),
        );
        let put = list.put(&client, "a", "list").await.expect(201);
        assert_eq!(put.header("oci-subject"), subject.digest);
    }
    let put = subject.put(&client, "a", "v2").await.expect(201);
    assert!(!put.headers.contains_key("oci-subject"));
}

/// The parameter `tag` of a push by digest: each tag is set, and acknowledged by `OCI-Tag`; all of
/// them, or none.
#[tokio::test]
async fn tags_come_with_a_push_by_digest() {
    let server = server().await;
    let client = server.client();
    client.push("a", "{}").await;
    let manifest = image(&json!({}));
    for (digest, tags) in [
        (manifest.digest.clone(), ["one", "two", "three"]),
        (sha512(&manifest.bytes), ["four", "five", "six"]),
    ] {
        let query: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
        let put = manifest
            .put(&client, "a", &format!("{digest}?{}", query.join("&")))
            .await;
        let put = put.expect(201);
        let told: Vec<_> = put
            .headers
            .get_all("oci-tag")
            .iter()
            .map(|tag| tag.to_str().unwrap())
            .collect();
        assert_eq!(told, tags);
        for tag in tags {
            let got = client
                .get(&format!("/v2/a/manifests/{tag}"))
                .await
                .expect(200);
            assert_eq!(got.header("docker-content-digest"), digest);
        }
    }
    let ten: Vec<String> = (0..10).map(|tag| format!("tag=t{tag}")).collect();
    manifest
        .put(
            &client,
            "a",
            &format!("{}?{}", manifest.digest, ten.join("&")),
        )
        .await
        .expect(201);
    let many: Vec<String> = (0..65).map(|tag| format!("tag=m{tag}")).collect();
    let path = format!("{}?{}", manifest.digest, many.join("&"));
    manifest.put(&client, "a", &path).await.expect(414);
    for bad in ["tag=-x", "tag=good&tag=a%2Fb", "tag="] {
        manifest
            .put(&client, "a", &format!("{}?{bad}", manifest.digest))
            .await
            .expect(400);
    }
    manifest.put(&client, "a", "by-tag?tag=x").await.expect(400);
    for tag in ["good", "m0", "x", "by-tag"] {
        client
            .get(&format!("/v2/a/manifests/{tag}"))
            .await
            .expect(404);
    }
}

/// A tag moves to what was pushed last.
#[tokio::test]
async fn a_tag_moves() {
    let server = server().await;
    let client = server.client();
    let one = client.image("a", "v1").await;
    let two = image(&json!({ "annotations": { "n": "2" } }));
    two.put(&client, "a", "v1").await.expect(201);
    let got = client.get("/v2/a/manifests/v1").await.expect(200);
    assert_eq!(got.header("docker-content-digest"), two.digest);
    client
        .get(&format!("/v2/a/manifests/{}", one.digest))
        .await
        .expect(200);
}
