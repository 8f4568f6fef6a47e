//! Logging in: what a closed registry asks for, and the tokens that it gives.

use std::time::Duration;

use artifact::AnonymousAccess;
use base64::Engine as _;
use http::Method;

use crate::support::{
    Reply, Setup,
    server::password,
    team::{bearer, token, world},
};

/// With nothing open to everybody, each request asks for Basic, and `/v2/` too.
#[tokio::test]
async fn a_closed_registry_asks_for_basic() {
    let server = world(AnonymousAccess::None).await;
    for path in [
        "/v2/",
        "/v2/team/app/manifests/v1",
        "/v2/_catalog",
        "/v2/x/tags/list",
    ] {
        let refused = server.client().get(path).await.expect(401);
        assert_eq!(
            refused.header("www-authenticate"),
            "Basic realm=\"artifact\", charset=\"UTF-8\""
        );
        assert_eq!(refused.code(), "UNAUTHORIZED");
        server.client().head(path).await.expect(401);
    }
    server.user("reader").get("/v2/").await.expect(200);
    server
        .user("reader")
        .get("/v2/team/app/manifests/v1")
        .await
        .expect(200);
    for path in ["/healthz", "/readyz", "/metrics"] {
        server.client().get(path).await.expect(200);
    }
}

/// Where something is open and there are users, `/v2/` sends clients for a token; what is open is
/// served without one. Without users nobody is sent anywhere.
#[tokio::test]
async fn an_open_registry_with_users_sends_clients_for_tokens() {
    let server = world(AnonymousAccess::Read).await;
    let refused = server.client().get("/v2/").await.expect(401);
    let realm = format!(
        "Bearer realm=\"http://{}/token\",service=\"artifact\"",
        server.address
    );
    assert_eq!(refused.header("www-authenticate"), realm);
    server
        .client()
        .get("/v2/team/app/manifests/v1")
        .await
        .expect(200);
    let refused = server
        .client()
        .post("/v2/team/app/blobs/uploads/")
        .await
        .expect(401);
    let scope = format!("{realm},scope=\"repository:team/app:pull,push\"");
    assert_eq!(refused.header("www-authenticate"), scope);
    let open = Setup::anonymous(AnonymousAccess::Read).serve().await;
    open.client().get("/v2/").await.expect(200);
    let refused = open.client().post("/v2/a/blobs/uploads/").await.expect(401);
    assert!(refused.header("www-authenticate").starts_with("Basic"));
}

/// A GET with Basic gives a token for what may be done, under both names, for five minutes.
#[tokio::test]
async fn a_token_is_given_by_get() {
    let server = world(AnonymousAccess::Read).await;
    let reply = token(&server.user("writer"), &["repository:team/app:pull,push"])
        .await
        .expect(200);
    assert_eq!(reply.header("cache-control"), "no-store");
    let body = reply.json();
    assert_eq!(body["token"], body["access_token"]);
    assert_eq!(body["expires_in"], 300);
    assert!(body["issued_at"].as_str().unwrap().ends_with('Z'));
    let client = server.client().bearer(body["token"].as_str().unwrap());
    client.get("/v2/").await.expect(200);
    client.push("team/app", "something").await;
    client.get("/v2/team/app/tags/list").await.expect(200);
}

/// A form gives one too, as containerd asks; several scopes in one text, in any order.
#[tokio::test]
async fn a_token_is_given_by_form() {
    let server = world(AnonymousAccess::Read).await;
    let form = |user: &str, password: &str, more: &str| {
        let scope = "repository%3Ateam%2Fapp%3Apush%2Cpull+repository:team/other:pull";
        format!(
            "grant_type=password&service=x&client_id=y&username={user}&password={password}&scope={scope}{more}"
        )
    };
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let ask = |form: String| {
        let client = server.client();
        async move { client.send(Method::POST, "/token", &headers, form).await }
    };
    let reply = ask(form("writer", &password("writer"), ""))
        .await
        .expect(200);
    let client = server
        .client()
        .bearer(reply.json()["access_token"].as_str().unwrap());
    client.push("team/app", "x").await;
    ask(form("writer", "wrong", "")).await.expect(401);
    ask("grant_type=refresh_token&refresh_token=x".to_owned())
        .await
        .expect(400);
    ask(form("writer", "x", &"&a=b".repeat(100_000)))
        .await
        .expect(400);
}

/// Anybody gets a token for what is open to everybody, and no more.
#[tokio::test]
async fn a_token_is_given_to_anybody_for_what_is_open() {
    let server = world(AnonymousAccess::Read).await;
    for client in [server.client(), server.client().basic("", "anything")] {
        let reply = token(&client, &["repository:team/app:pull,push"])
            .await
            .expect(200);
        let client = server
            .client()
            .bearer(reply.json()["token"].as_str().unwrap());
        client.get("/v2/").await.expect(200);
        client.get("/v2/team/app/manifests/v1").await.expect(200);
        let refused = client.post("/v2/team/app/blobs/uploads/").await.expect(401);
        assert!(
            refused
                .header("www-authenticate")
                .contains("error=\"insufficient_scope\"")
        );
    }
    let closed = world(AnonymousAccess::None).await;
    token(&closed.client(), &[]).await.expect(401);
}

/// Who logs in may do what everybody may, by Basic and by token: a client that has a password sends it
/// also for what is open.
#[tokio::test]
async fn who_logs_in_may_do_no_less_than_anybody() {
    let server = world(AnonymousAccess::Read).await;
    let catalog = server.client().get("/v2/_catalog").await.expect(200).json();
    for user in ["nobody", "writer"] {
        let scopes = ["repository:secret/app:pull,push", "registry:catalog:*"];
        for client in [server.user(user), bearer(&server, user, &scopes).await] {
            let secret = "/v2/secret/app/manifests/v1";
            client.get(secret).await.expect(200);
            client.get("/v2/secret/app/tags/list").await.expect(200);
            assert_eq!(client.get("/v2/_catalog").await.expect(200).json(), catalog);
            let refused = client.post("/v2/secret/app/blobs/uploads/").await;
            assert!(matches!(refused.status.as_u16(), 401 | 403), "{refused:?}");
            let refused = client.delete(secret).await;
            assert!(matches!(refused.status.as_u16(), 401 | 403), "{refused:?}");
        }
    }
    let closed = world(AnonymousAccess::None).await;
    let nobody = closed.user("nobody");
    nobody.get("/v2/secret/app/manifests/v1").await.expect(404);
}

/// A15: what a token says is no more than its user may, whatever it was asked for.
#[tokio::test]
async fn a15_a_token_says_no_more_than_its_user_may() {
    let server = world(AnonymousAccess::None).await;
    let asked = [
        "repository:team/app:pull,push,delete",
        "repository:secret/app:pull",
    ];
    for (user, said) in [
        ("nobody", &[][..]),
        ("reader", &["repository:team/app:pull"]),
        ("creator", &["repository:team/app:pull,push"]),
        ("writer", &["repository:team/app:pull,push,delete"]),
    ] {
        let reply = token(&server.user(user), &asked).await.expect(200);
        let given = reply.json()["token"].as_str().unwrap().to_owned();
        let (payload, _) = given.split_once('.').unwrap();
        let payload = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(payload);
        let payload: serde_json::Value = serde_json::from_slice(&payload.unwrap()).unwrap();
        assert_eq!(payload["s"], serde_json::json!(said), "{user}");
    }
}

/// A token does what its scopes say, though its bearer could do more; it says which is missing.
#[tokio::test]
async fn a15_a_token_does_no_more_than_its_scopes() {
    let server = world(AnonymousAccess::None).await;
    let pull = bearer(&server, "writer", &["repository:team/app:pull"]).await;
    pull.get("/v2/team/app/manifests/v1").await.expect(200);
    let missing = |reply: Reply, scope: &str| {
        let challenge = reply
            .clone()
            .expect(401)
            .header("www-authenticate")
            .to_owned();
        assert!(
            challenge.contains(&format!("scope=\"{scope}\"")),
            "{challenge}"
        );
        assert!(
            challenge.contains("error=\"insufficient_scope\""),
            "{challenge}"
        );
        reply.code();
    };
    missing(
        pull.post("/v2/team/app/blobs/uploads/").await,
        "repository:team/app:pull,push",
    );
    missing(
        pull.delete("/v2/team/app/manifests/v1").await,
        "repository:team/app:delete",
    );
    missing(
        pull.get("/v2/team/new/tags/list").await,
        "repository:team/new:pull",
    );
    missing(
        pull.post("/v2/team/new/blobs/uploads/").await,
        "repository:team/new:pull,push",
    );
    // A token is not exchanged for another.
    token(&pull, &["repository:team/app:push"])
        .await
        .expect(401);
    // What was asked for beyond one's rights is not in it, and is judged again when it is used.
    let greedy = bearer(
        &server,
        "reader",
        &["repository:team/app:*", "repository:secret/app:*"],
    )
    .await;
    greedy.get("/v2/team/app/manifests/v1").await.expect(200);
    greedy.post("/v2/team/app/blobs/uploads/").await.expect(401);
    greedy.get("/v2/secret/app/manifests/v1").await.expect(404);
}

/// A23, A24, A25: a token that was not given out here, or not lately, is none.
#[tokio::test]
async fn a23_tokens_that_are_none_are_refused() {
    let server = world(AnonymousAccess::Read).await;
    let none = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let jwt = format!(
        "{}.{}.",
        none.encode(r#"{"alg":"none","typ":"JWT","jku":"http://127.0.0.1:1/"}"#),
        none.encode(r#"{"sub":"root","access":[]}"#)
    );
    for forged in [jwt.as_str(), "x", &".".repeat(10_000), &"a".repeat(20_000)] {
        let client = server.client().bearer(forged);
        for path in ["/v2/", "/v2/team/app/manifests/v1"] {
            let refused = client.get(path).await.expect(401);
            let challenge = refused.header("www-authenticate");
            assert!(challenge.starts_with("Bearer") && challenge.contains("invalid_token"));
        }
    }
    let huge = format!(
        "GET /v2/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        ".".repeat(1 << 20)
    );
    let answer = server.client().raw(huge.as_bytes()).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
        "{answer}"
    );
    let reader = bearer(&server, "reader", &["repository:team/app:pull"]).await;
    reader.get("/v2/team/app/tags/list").await.expect(200);
    server.clock.advance(Duration::from_secs(301));
    reader.get("/v2/team/app/tags/list").await.expect(401);
}

/// Whoever is gone, or has another password or other rights, is asked again: a token of before is none.
#[tokio::test]
async fn i12_rights_are_judged_again_at_each_request() {
    let server = world(AnonymousAccess::None).await;
    let client = bearer(&server, "reader", &["repository:team/app:pull"]).await;
    client.get("/v2/team/app/tags/list").await.expect(200);
    server
        .user("reader")
        .get("/v2/team/app/tags/list")
        .await
        .expect(200);
    server
        .embedder()
        .remove_user(&"reader".parse().unwrap())
        .await
        .unwrap();
    client.get("/v2/team/app/tags/list").await.expect(401);
    server
        .user("reader")
        .get("/v2/team/app/tags/list")
        .await
        .expect(401);
}
