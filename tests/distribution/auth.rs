//! Who may do what, and what a refusal looks like.

use artifact::AnonymousAccess;
use http::{HeaderMap, Method};
use serde_json::json;

use crate::support::{
    Client, digest, noise,
    team::{bearer, shape, token, world},
};

/// A14: a role may do what it is for, by Basic and by token, on every route.
#[tokio::test]
async fn a14_roles_may_do_what_they_are_for() {
    let server = world(AnonymousAccess::None).await;
    let scopes = ["repository:team/app:pull,push,delete"];
    for by_token in [false, true] {
        for (user, create, overwrite, delete) in [
            ("reader", false, false, false),
            ("creator", true, false, false),
            ("writer", true, true, true),
        ] {
            let client = if by_token {
                bearer(&server, user, &scopes).await
            } else {
                server.user(user)
            };
            let expected = |may: bool, status: u16| match (may, by_token) {
                (true, _) => status,
                (false, false) => 403,
                (false, true) => 401,
            };
            let tag = format!("{user}-{by_token}");
            let image = crate::support::image(&json!({ "annotations": { "by": tag } }));
            client.get("/v2/team/app/manifests/v1").await.expect(200);
            client.get("/v2/team/app/tags/list").await.expect(200);
            let begun = client.post("/v2/team/app/blobs/uploads/").await;
            begun.expect(expected(create, 202));
            image
                .put(&client, "team/app", &tag)
                .await
                .expect(expected(create, 201));
            // A11: who may create moves no tag that is there.
            image
                .put(&client, "team/app", "v1")
                .await
                .expect(expected(overwrite, 201));
            let refused = client.delete("/v2/team/app/manifests/v1").await;
            refused.expect(expected(delete, 202));
            let blob = format!("/v2/team/app/blobs/{}", digest(&noise(1, 9_000)));
            client.delete(&blob).await.expect(expected(delete, 202));
            server.user("root").image("team/app", "v1").await;
            server.user("root").push("team/app", noise(1, 9_000)).await;
        }
    }
}

/// A known caller that may not read gets 404 on each route, as for what was never there (I11).
#[tokio::test]
async fn i11_what_may_not_be_read_is_not_there() {
    let server = world(AnonymousAccess::None).await;
    let root = server.user("root");
    let secret = root
        .get("/v2/secret/app/manifests/v1")
        .await
        .header("docker-content-digest")
        .to_owned();
    let blob = digest(&noise(2, 9_000));
    let begun = root.post("/v2/secret/app/blobs/uploads/").await.expect(202);
    let upload = begun
        .header("location")
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let scopes = [
        "repository:secret/app:pull,push,delete",
        "repository:secret/none:pull,push,delete",
    ];
    let clients = [
        ("reader", server.user("reader")),
        ("nobody", server.user("nobody")),
        ("token", bearer(&server, "reader", &scopes).await),
        ("anybody", server.client()),
    ];
    for (who, client) in clients {
        let status = if who == "anybody" { 401 } else { 404 };
        for (method, rest) in [
            ("GET", "manifests/v1".to_owned()),
            ("HEAD", "manifests/v1".to_owned()),
            ("GET", format!("manifests/{secret}")),
            ("PUT", "manifests/v1".to_owned()),
            ("DELETE", "manifests/v1".to_owned()),
            ("DELETE", format!("manifests/{secret}")),
            ("GET", format!("blobs/{blob}")),
            ("HEAD", format!("blobs/{blob}")),
            ("DELETE", format!("blobs/{blob}")),
            ("GET", "tags/list".to_owned()),
            ("GET", "tags/list?n=0".to_owned()),
            ("GET", format!("referrers/{secret}")),
            ("GET", format!("referrers/{secret}?artifactType=x")),
            ("POST", "blobs/uploads/".to_owned()),
            ("POST", format!("blobs/uploads/?digest={blob}")),
            ("GET", format!("blobs/uploads/{upload}")),
            ("PATCH", format!("blobs/uploads/{upload}")),
            ("PUT", format!("blobs/uploads/{upload}?digest={blob}")),
            ("DELETE", format!("blobs/uploads/{upload}")),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let ask = |name: &str| {
                let (client, path, method) =
                    (client.clone(), format!("/v2/{name}/{rest}"), method.clone());
                async move {
                    let headers = [("range", "bytes=0-1"), ("if-none-match", "*")];
                    let count = if method == Method::GET { 2 } else { 0 };
                    client.send(method, &path, &headers[..count], "").await
                }
            };
            let (there, never) = (ask("secret/app").await, ask("secret/none").await);
            assert_eq!(there.status.as_u16(), status, "{who} {method} {rest}");
            let (there, never) = (shape(&there), shape(&never));
            assert_eq!(there.2, never.2, "{who} {method} {rest}");
            let names = |headers: &HeaderMap| {
                let text = format!("{headers:?}");
                text.replace("secret/none", "secret/app")
            };
            let length = |headers: &HeaderMap| headers.get("content-length").cloned();
            assert_eq!(length(&there.1), length(&never.1), "{who} {method} {rest}");
            assert_eq!(names(&there.1), names(&never.1), "{who} {method} {rest}");
        }
        // The name of a configured repository is no more told than any other.
        for name in ["secret", "secre"] {
            client
                .get(&format!("/v2/{name}/tags/list"))
                .await
                .expect(status);
        }
    }
}

/// The catalog shows what may be read.
#[tokio::test]
async fn i11_the_catalog_shows_what_may_be_read() {
    let server = world(AnonymousAccess::None).await;
    let catalog = |client: Client| async move {
        client.get("/v2/_catalog").await.expect(200).json()["repositories"].clone()
    };
    assert_eq!(
        catalog(server.user("root")).await,
        json!(["secret/app", "team/app"])
    );
    assert_eq!(catalog(server.user("reader")).await, json!(["team/app"]));
    assert_eq!(catalog(server.user("nobody")).await, json!([]));
    server.client().get("/v2/_catalog").await.expect(401);
    let scoped = bearer(&server, "reader", &["registry:catalog:*"]).await;
    assert_eq!(catalog(scoped).await, json!(["team/app"]));
    let without = bearer(&server, "reader", &["repository:team/app:pull"]).await;
    let refused = without.get("/v2/_catalog").await.expect(401);
    assert!(
        refused
            .header("www-authenticate")
            .contains("scope=\"registry:catalog:*\"")
    );
}

/// A3, A15: a blob is mounted from what may be read, and with a token from what it lets be read.
#[tokio::test]
async fn a3_a_blob_is_not_mounted_from_what_may_not_be_read() {
    let server = world(AnonymousAccess::None).await;
    let (secret, known) = (digest(&noise(2, 9_000)), digest(&noise(1, 9_000)));
    let mount = |client: Client, blob: String, from: &'static str| async move {
        let path = format!("/v2/team/mine/blobs/uploads/?mount={blob}{from}");
        client.post(&path).await
    };
    let writer = server.user("writer");
    let refused = mount(writer.clone(), secret.clone(), "&from=secret/app")
        .await
        .expect(202);
    let never = mount(writer.clone(), digest(b"never"), "&from=secret/app")
        .await
        .expect(202);
    assert_eq!(
        refused.headers.keys().collect::<Vec<_>>(),
        never.headers.keys().collect::<Vec<_>>()
    );
    mount(writer.clone(), secret.clone(), "").await.expect(202);
    writer
        .head(&format!("/v2/team/mine/blobs/{secret}"))
        .await
        .expect(404);
    let push = ["repository:team/mine:pull,push"];
    let one = bearer(&server, "writer", &push).await;
    mount(one.clone(), known.clone(), "&from=team/app")
        .await
        .expect(202);
    mount(one, known.clone(), "").await.expect(202);
    let both = bearer(&server, "writer", &[push[0], "repository:team/app:pull"]).await;
    mount(both.clone(), known.clone(), "").await.expect(201);
    mount(both, known, "&from=team/app").await.expect(201);
}

/// A1, A2, A6: a digest that is elsewhere is not here, whichever way one asks.
#[tokio::test]
async fn a1_a_digest_elsewhere_is_not_here() {
    let server = world(AnonymousAccess::None).await;
    let secret = digest(&noise(2, 9_000));
    let writer = server.user("writer");
    let path = format!("/v2/team/app/blobs/{secret}");
    for (method, headers) in [
        (Method::GET, &[][..]),
        (Method::HEAD, &[]),
        (Method::GET, &[("range", "bytes=0-1")]),
        (Method::GET, &[("if-none-match", "*")]),
    ] {
        writer.send(method, &path, headers, "").await.expect(404);
    }
    let image = crate::support::image(&json!({ "layers": [
        { "mediaType": "a/b", "digest": secret, "size": 9_000 }
    ] }));
    let refused = image.put(&writer, "team/app", "thief").await.expect(400);
    assert_eq!(refused.code(), "MANIFEST_BLOB_UNKNOWN");
    writer.head(&path).await.expect(404);
}

/// A28: an upload is of who began it, where it was begun.
#[tokio::test]
async fn a28_an_upload_is_of_who_began_it() {
    let server = world(AnonymousAccess::None).await;
    let (writer, creator) = (server.user("writer"), server.user("creator"));
    let begun = writer.post("/v2/team/app/blobs/uploads/").await.expect(202);
    let location = begun.header("location").to_owned();
    writer.patch(&location, None, "abc").await.expect(202);
    let elsewhere = location.replace("team/app", "team/other");
    let digest = digest(b"abc");
    for (client, path) in [
        (&creator, &location),
        (&creator, &elsewhere),
        (&writer, &elsewhere),
    ] {
        for reply in [
            client.get(path).await,
            client.patch(path, None, "def").await,
            client
                .put(&format!("{path}?digest={digest}"), "a/b", "")
                .await,
            client.delete(path).await,
        ] {
            assert_eq!(reply.expect(404).code(), "BLOB_UPLOAD_UNKNOWN");
        }
    }
    writer
        .put(&format!("{location}?digest={digest}"), "a/b", "")
        .await
        .expect(201);
}

/// A26: a user that is not there, a wrong password and a malformed name are refused alike.
#[tokio::test]
async fn a26_refused_names_look_alike() {
    for anonymous in [AnonymousAccess::None, AnonymousAccess::Read] {
        let server = world(anonymous).await;
        let mut shapes = Vec::new();
        for (user, password) in [
            ("reader", "wrong"),
            ("reader", ""),
            ("ghost", "x"),
            ("NO NAME", "x"),
            ("../x", "y"),
        ] {
            let client = server.client().basic(user, password);
            for path in [
                "/v2/",
                "/v2/team/app/manifests/v1",
                "/v2/secret/app/manifests/v1",
            ] {
                let refused = client.get(path).await.expect(401);
                assert_eq!(refused.code(), "UNAUTHORIZED");
                shapes.push((path, shape(&refused)));
            }
            shapes.push(("/token", shape(&token(&client, &[]).await.expect(401))));
        }
        for (path, one) in &shapes {
            for (_, other) in shapes.iter().filter(|(other, _)| other == path) {
                assert_eq!(one, other, "{path}");
            }
        }
    }
}

/// Whoever may not push is told so before a body is asked for.
#[tokio::test]
async fn a_body_is_not_asked_for_in_vain() {
    let server = world(AnonymousAccess::None).await;
    for (target, method) in [
        (
            format!("/v2/team/app/blobs/uploads/?digest={}", digest(b"x")),
            "POST",
        ),
        ("/v2/team/app/manifests/v9".to_owned(), "PUT"),
        ("/token".to_owned(), "PUT"),
    ] {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n"
        );
        let answer = server.client().raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(!answer.contains("100 Continue"), "{answer}");
    }
}

/// A55, I27: secrets and private names are in no answer and in no metric.
#[tokio::test]
async fn a55_secrets_are_told_nowhere() {
    let server = world(AnonymousAccess::None).await;
    let client = server.client().basic("canary-user", "canary-password");
    let token = server.client().bearer("canary-token");
    for path in [
        "/v2/",
        "/v2/canary-name/tags/list?n=canary-query",
        "/token?scope=repository:canary-name:pull",
        "/canary-name",
        "/v2/canary-name/manifests/canary-tag",
    ] {
        for client in [&client, &token] {
            for method in [Method::GET, Method::PUT, Method::DELETE] {
                let reply = client.send(method, path, &[], "canary-body").await;
                let headers = format!("{:?}", reply.headers).replace("repository:canary-name:", "");
                let text = format!("{headers}{}", String::from_utf8_lossy(&reply.body));
                assert!(!text.contains("canary"), "{path}: {text}");
            }
        }
    }
    let metrics = server.client().get("/metrics").await.expect(200);
    let metrics = String::from_utf8_lossy(&metrics.body);
    for name in ["canary", "secret", "team", "app", "reader"] {
        assert!(!metrics.contains(name), "{name}");
    }
    assert!(metrics.contains("artifact_logins_total{result=\"refused\"}"));
}
