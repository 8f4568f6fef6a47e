//! "API": determining support, endpoints, error codes; and what all answers have.

use artifact_proto::{
    oci::endpoint::{ROUTES, Shape},
    server::SERVER_ROUTES,
};
use http::Method;

use crate::support::{digest, server};

/// "Determining Support": `/v2/` is 200.
#[tokio::test]
async fn the_base_says_that_this_is_a_registry() {
    let server = server().await;
    let client = server.client();
    for path in ["/v2/", "/v2"] {
        let base = client.get(path).await.expect(200);
        assert_eq!(
            base.header("docker-distribution-api-version"),
            "registry/2.0"
        );
        assert_eq!(base.body, "{}");
        client.head(path).await.expect(200);
    }
}

fn path(shape: Shape) -> String {
    shape
        .pattern()
        .replace("<name>", "some/name")
        .replace("<digest>", &digest(b"x"))
        .replace("<reference>", "v1")
        .replace("<id>", &"0".repeat(32))
}

/// "Endpoints", A9: what is declared is answered, and nothing else is.
#[tokio::test]
async fn a9_what_is_declared_is_answered_and_nothing_else() {
    let server = server().await;
    let client = server.client();
    let methods = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
    ];
    for shape in ROUTES.iter().map(|route| route.shape) {
        for method in methods {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let declared = ROUTES
                .iter()
                .any(|route| route.shape == shape && route.method == method);
            let reply = client.send(method.clone(), &path(shape), &[], "").await;
            assert_eq!(
                reply.status == 405,
                !declared,
                "{method} {}: {reply:?}",
                path(shape)
            );
            if !declared {
                assert!(!reply.header("allow").is_empty());
            }
        }
    }
    for route in SERVER_ROUTES {
        for method in methods {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let reply = client.send(method.clone(), route.path, &[], "").await;
            let declared = route.methods.contains(&method);
            assert_eq!(reply.status == 405, !declared, "{method} {}", route.path);
        }
    }
    for path in [
        "/",
        "/v1/",
        "/v2x",
        "/metrics/",
        "/healthz/x",
        "/v2/x",
        "/v2/_catalog/x",
        "/debug",
    ] {
        client.get(path).await.expect(404);
    }
}

/// "Error Codes": a refusal has the form of the specification, with a text for people.
#[tokio::test]
async fn refusals_have_the_form_of_the_specification() {
    let server = server().await;
    let client = server.client();
    for (reply, code) in [
        (client.get("/v2/a/blobs/sha256:0").await, "DIGEST_INVALID"),
        (client.get("/v2/A/tags/list").await, "NAME_INVALID"),
        (client.get("/v2/a/tags/list").await, "NAME_UNKNOWN"),
        (client.get("/v2/a/manifests/x").await, "MANIFEST_UNKNOWN"),
        (client.get(&path(Shape::Blob)).await, "BLOB_UNKNOWN"),
        (
            client.get(&path(Shape::Upload)).await,
            "BLOB_UPLOAD_UNKNOWN",
        ),
        (
            client.put(&path(Shape::Manifest), "a/b", "x").await,
            "MANIFEST_INVALID",
        ),
        (client.post("/v2/").await, "UNSUPPORTED"),
    ] {
        assert!(reply.status.is_client_error());
        assert_eq!(reply.code(), code);
        let message = reply.json()["errors"][0]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(message.len() > 10, "{message}");
    }
}

/// Each answer has an id of a fixed length, and tells browsers to run nothing of it (A53).
#[tokio::test]
async fn a53_each_answer_is_sealed() {
    let server = server().await;
    let client = server.client();
    client.image("a", "v1").await;
    let mut ids = std::collections::BTreeSet::new();
    for path in [
        "/v2/",
        "/v2/a/manifests/v1",
        "/v2/a/manifests/v2",
        "/v2/A/tags/list",
        "/healthz",
        "/readyz",
        "/metrics",
        "/token",
        "/nowhere",
    ] {
        let reply = client.get(path).await;
        assert_eq!(reply.header("x-request-id").len(), 32, "{path}");
        assert!(ids.insert(reply.header("x-request-id").to_owned()));
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert!(
            reply.header("content-security-policy").contains("sandbox"),
            "{path}"
        );
    }
    let html = "<script>alert(1)</script>";
    client
        .put(
            "/v2/a/manifests/html",
            "text/html",
            format!("{{\"x\":\"{html}\"}}"),
        )
        .await
        .expect(201);
    let got = client.get("/v2/a/manifests/html").await.expect(200);
    assert_eq!(got.header("content-disposition"), "attachment");
    let blob = client.push("a", html).await;
    let got = client.get(&format!("/v2/a/blobs/{blob}")).await.expect(200);
    assert_eq!(got.header("content-type"), "application/octet-stream");
}

/// A configured repository's own name is no package's.
#[tokio::test]
async fn a_repositorys_own_name_is_no_package() {
    let server = server().await;
    server
        .repository("team/models", &artifact::RepositorySettings::default())
        .await;
    let client = server.client();
    client.image("team/models/bert", "v1").await;
    client.image("team/other", "v1").await;
    let refused = client
        .post("/v2/team/models/blobs/uploads/")
        .await
        .expect(404);
    assert_eq!(refused.code(), "NAME_UNKNOWN");
    client.get("/v2/team/models/tags/list").await.expect(404);
    let names = client.get("/v2/_catalog").await.expect(200).json();
    assert_eq!(
        names["repositories"],
        serde_json::json!(["team/models/bert", "team/other"])
    );
}
