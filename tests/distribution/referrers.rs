//! "Listing Referrers", and "Enabling the Referrers API".

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{
    Client, Image, digest,
    goods::{CONFIG, INDEX, MANIFEST, index},
    image, server, sha512,
};

async fn list(client: &Client, name: &str, subject: &str) -> Vec<Value> {
    let reply = client
        .get(&format!("/v2/{name}/referrers/{subject}"))
        .await
        .expect(200);
    assert_eq!(reply.header("content-type"), INDEX);
    let body = reply.json();
    assert_eq!(
        (&body["schemaVersion"], &body["mediaType"]),
        (&json!(2), &json!(INDEX))
    );
    body["manifests"].as_array().unwrap().clone()
}

/// An index is the answer, never 404: also for what has no referrers, and where nothing is. A digest
/// that is none is 400.
#[tokio::test]
async fn there_is_always_a_list() {
    let server = server().await;
    let client = server.client();
    assert_eq!(
        list(&client, "nowhere", &digest(b"x")).await,
        [] as [Value; 0]
    );
    let pushed = client.image("a", "v1").await;
    assert_eq!(list(&client, "a", &pushed.digest).await, [] as [Value; 0]);
    assert_eq!(list(&client, "a", &sha512(b"x")).await, [] as [Value; 0]);
    for bad in ["sha256:x", "v1", "md5:00"] {
        let refused = client
            .get(&format!("/v2/a/referrers/{bad}"))
            .await
            .expect(400);
        assert_eq!(refused.code(), "DIGEST_INVALID");
    }
    let head = client
        .head(&format!("/v2/a/referrers/{}", pushed.digest))
        .await
        .expect(200);
    assert_eq!(head.header("content-type"), INDEX);
}

/// Descriptors carry the type of the artifact, for an image without one the type of its config, for an
/// index without one none; and the annotations. Those of another repository are not among them.
#[tokio::test]
async fn referrers_are_described() {
    let server = server().await;
    let client = server.client();
    let subject = client.image("a", "v1").await;
    let config = client.push("a", "{\"c\":1}").await;
    let config = json!({ "mediaType": CONFIG, "digest": config, "size": 7 });
    let of = subject.descriptor();
    let notes = json!({ "org.example.note": "x" });
    let typed = image(&json!({ "subject": of, "artifactType": "a/typed", "annotations": notes }));
    let untyped = image(&json!({ "subject": of, "config": config }));
    let bare = Image::new(
        INDEX,
        &json!({
            "schemaVersion": 2, "mediaType": INDEX, "manifests": [], "subject": of, "annotations": notes,
        }),
    );
    let indexed = Image::new(
        INDEX,
        &json!({
            "schemaVersion": 2, "mediaType": INDEX, "manifests": [], "subject": of, "artifactType": "a/index",
        }),
    );
    for referrer in [&typed, &untyped, &bare, &indexed] {
        referrer
            .put(&client, "a", &referrer.digest)
            .await
            .expect(201);
    }
    client.push("b", "{}").await;
    typed.put(&client, "b", "elsewhere").await.expect(201);
    let found = list(&client, "a", &subject.digest).await;
    assert_eq!(found.len(), 4);
    let entry = |image: &Image| {
        let entry = found
            .iter()
            .find(|entry| entry["digest"] == image.digest)
            .unwrap();
        assert_eq!(entry["mediaType"], image.media_type);
        assert_eq!(entry["size"], image.bytes.len());
        entry.clone()
    };
    assert_eq!(entry(&typed)["artifactType"], "a/typed");
    assert_eq!(entry(&typed)["annotations"], notes);
    assert_eq!(entry(&untyped)["artifactType"], CONFIG);
    assert_eq!(entry(&untyped).get("annotations"), None);
    assert_eq!(entry(&bare).get("artifactType"), None);
    assert_eq!(entry(&bare)["annotations"], notes);
    assert_eq!(entry(&indexed)["artifactType"], "a/index");
}

/// A filter by type is applied, and `OCI-Filters-Applied` says so; without one it does not.
#[tokio::test]
async fn referrers_are_cut_by_type() {
    let server = server().await;
    let client = server.client();
    let subject = client.image("a", "v1").await;
    for (at, kind) in ["a/one+json", "a/two", "a/one+json"]
        .into_iter()
        .enumerate()
    {
        let referrer = image(&json!({
            "subject": subject.descriptor(), "artifactType": kind, "annotations": { "at": at.to_string() },
        }));
        referrer
            .put(&client, "a", &referrer.digest)
            .await
            .expect(201);
    }
    let path = format!("/v2/a/referrers/{}", subject.digest);
    for (query, count) in [
        ("a/one%2Bjson", 2),
        ("a%2Fone+json", 2),
        ("a/two", 1),
        ("a/none", 0),
        ("nonsense", 0),
    ] {
        let cut = client
            .get(&format!("{path}?artifactType={query}"))
            .await
            .expect(200);
        assert_eq!(cut.header("oci-filters-applied"), "artifactType");
        assert_eq!(
            cut.json()["manifests"].as_array().unwrap().len(),
            count,
            "{query}"
        );
    }
    let all = client.get(&path).await.expect(200);
    assert!(!all.headers.contains_key("oci-filters-applied"));
    assert_eq!(all.json()["manifests"].as_array().unwrap().len(), 3);
}

/// A list that does not fit goes on by `Link`, with its filter; A60: the answers stay short.
#[tokio::test]
async fn a60_a_long_list_goes_on() {
    let server = server().await;
    let client = server.client();
    let subject = client.image("a", "v1").await;
    let note = "n".repeat(200_000);
    for at in 0..23 {
        let kind = if at % 2 == 0 { "a/even" } else { "a/odd" };
        let referrer = image(&json!({
            "subject": subject.descriptor(), "artifactType": kind,
            "annotations": { "at": at.to_string(), "note": note },
        }));
        referrer
            .put(&client, "a", &referrer.digest)
            .await
            .expect(201);
    }
    for (query, count) in [("", 23), ("?artifactType=a%2Feven", 12), ("?n=5", 23)] {
        let mut next = Some(format!("/v2/a/referrers/{}{query}", subject.digest));
        let (mut found, mut pages) = (BTreeSet::new(), 0);
        while let Some(path) = next {
            let page = client.get(&path).await.expect(200);
            assert!(page.body.len() < 3 << 20, "an answer is bounded");
            for entry in page.json()["manifests"].as_array().unwrap() {
                assert!(
                    found.insert(entry["digest"].as_str().unwrap().to_owned()),
                    "once each"
                );
            }
            let filtered = page.headers.contains_key("oci-filters-applied");
            assert_eq!(filtered, query.contains("artifactType"));
            pages += 1;
            next = page.headers.get("link").map(|link| {
                let link = link.to_str().unwrap();
                link.strip_suffix(">; rel=\"next\"").unwrap()[1..].to_owned()
            });
        }
        assert_eq!(found.len(), count, "{query}");
        assert!(pages > 1, "{query}");
    }
}

/// A referrer is listed whether its subject came before, after or never; when it is deleted it is not.
#[tokio::test]
async fn referrers_come_in_any_order_and_go() {
    let server = server().await;
    let client = server.client();
    client.push("a", "{}").await;
    let subject = image(&json!({ "annotations": { "is": "the subject" } }));
    let referrer = image(&json!({ "subject": subject.descriptor(), "artifactType": "a/b" }));
    referrer.put(&client, "a", "r").await.expect(201);
    assert_eq!(list(&client, "a", &subject.digest).await.len(), 1);
    subject.put(&client, "a", "s").await.expect(201);
    assert_eq!(list(&client, "a", &subject.digest).await.len(), 1);
    client
        .delete(&format!("/v2/a/manifests/{}", subject.digest))
        .await
        .expect(202);
    assert_eq!(list(&client, "a", &subject.digest).await.len(), 1);
    client
        .delete(&format!("/v2/a/manifests/{}", referrer.digest))
        .await
        .expect(202);
    assert_eq!(list(&client, "a", &subject.digest).await, [] as [Value; 0]);
}

/// "Enabling the Referrers API": what clients listed under the fallback tag is in the list.
#[tokio::test]
async fn fallback_tags_are_adopted() {
    let server = server().await;
    let client = server.client();
    let subject = client.image("a", "v1").await;
    let referrer = image(&json!({ "subject": subject.descriptor(), "artifactType": "a/new" }));
    referrer
        .put(&client, "a", &referrer.digest)
        .await
        .expect(201);
    let old = image(
        &json!({ "annotations": { "kept": "by a client" }, "subject": subject.descriptor() }),
    );
    old.put(&client, "a", &old.digest).await.expect(201);
    let tag = subject.digest.replace(':', "-");
    index(&[&old]).put(&client, "a", &tag).await.expect(201);
    let found = list(&client, "a", &subject.digest).await;
    let digests: BTreeSet<_> = found
        .iter()
        .map(|entry| entry["digest"].as_str().unwrap())
        .collect();
    assert_eq!(
        digests,
        BTreeSet::from([old.digest.as_str(), referrer.digest.as_str()])
    );
    assert!(found.iter().all(|entry| entry["mediaType"] == MANIFEST));
}
