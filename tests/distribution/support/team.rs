//! A registry with a private part, and who may do what in it.

use artifact::{AnonymousAccess, UserRole};
use http::HeaderMap;

use super::{Client, Reply, Setup, TestServer, noise};

/// A registry with a private part and a public one, and users of every role.
pub(crate) async fn world(anonymous: AnonymousAccess) -> TestServer {
    let setup = Setup::anonymous(anonymous)
        .user("root", UserRole::Admin, "")
        .user("reader", UserRole::Reader, "team")
        .user("creator", UserRole::Creator, "team")
        .user("writer", UserRole::Writer, "team")
        .user("nobody", UserRole::Reader, "nowhere");
    let server = setup.serve().await;
    for name in ["team", "secret", "nowhere"] {
        server
            .repository(name, &artifact::RepositorySettings::default())
            .await;
    }
    let root = server.user("root");
    root.image("team/app", "v1").await;
    root.push("team/app", noise(1, 9_000)).await;
    root.image("secret/app", "v1").await;
    root.push("secret/app", noise(2, 9_000)).await;
    server
}

pub(crate) async fn token(client: &Client, scopes: &[&str]) -> Reply {
    let scopes: Vec<String> = scopes
        .iter()
        .map(|scope| format!("&scope={scope}"))
        .collect();
    client
        .get(&format!(
            "/token?service=artifact&account=x{}",
            scopes.concat()
        ))
        .await
}

pub(crate) async fn bearer(server: &TestServer, user: &str, scopes: &[&str]) -> Client {
    let reply = token(&server.user(user), scopes).await.expect(200);
    server
        .client()
        .bearer(reply.json()["token"].as_str().unwrap())
}

/// What of an answer may not differ where two things must look the same (I11).
pub(crate) fn shape(reply: &Reply) -> (u16, HeaderMap, String) {
    let mut headers = reply.headers.clone();
    headers.remove("date");
    headers.remove("x-request-id");
    (
        reply.status.as_u16(),
        headers,
        String::from_utf8_lossy(&reply.body).into_owned(),
    )
}
