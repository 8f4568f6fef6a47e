//! A closed registry for the attacks on its doors.

use artifact::{AnonymousAccess, UserRole};
use artifact_proto::oci::endpoint::{RouteSpec, Shape};
use http::Method;
use serde_json::json;

use super::{Client, Image, Setup, TestServer, digest, image, noise};

/// A closed registry with something in it that each route can be asked about.
pub(crate) struct House {
    pub(crate) server: TestServer,
    pub(crate) image: Image,
    pub(crate) blob: String,
    pub(crate) upload: String,
}

impl House {
    pub(crate) async fn new() -> Self {
        let server = Setup::anonymous(AnonymousAccess::None)
            .user("root", UserRole::Admin, "")
            .user("reader", UserRole::Reader, "team")
            .user("nobody", UserRole::Reader, "elsewhere")
            .serve()
            .await;
        let settings = artifact::RepositorySettings::default();
        server.repository("team", &settings).await;
        server.repository("secret", &settings).await;
        let root = server.user("root");
        let image = root.image("team/app", "v1").await;
        root.image("secret/app", "v1").await;
        let blob = root.push("team/app", noise(1, 9_000)).await;
        let begun = root.post("/v2/team/app/blobs/uploads/").await.expect(202);
        let upload = begun.header("docker-upload-uuid").to_owned();
        Self {
            server,
            image,
            blob,
            upload,
        }
    }

    /// Returns the path of a form, about what is there.
    pub(crate) fn path(&self, shape: Shape) -> String {
        let digest = match shape {
            Shape::Blob => &self.blob,
            _ => &self.image.digest,
        };
        shape
            .pattern()
            .replace("<name>", "team/app")
            .replace("<digest>", digest)
            .replace("<reference>", "v1")
            .replace("<id>", &self.upload)
    }

    /// Returns what can be asked of a row: the path, with the queries and bodies that make it do more.
    pub(crate) fn asks(&self, row: &RouteSpec) -> Vec<(String, Vec<u8>)> {
        let path = self.path(row.shape);
        let stranger = image(&json!({ "annotations": { "by": "a stranger" } }));
        let body = noise(9, 100);
        match (&row.method, row.shape) {
            (&Method::PUT, Shape::Manifest) => {
                let by_digest = path.replace("/v1", &format!("/{}", stranger.digest));
                vec![
                    (path, stranger.bytes.to_vec()),
                    (format!("{by_digest}?tag=v1"), stranger.bytes.to_vec()),
                    (by_digest, self.image.bytes.to_vec()),
                ]
            }
            (&Method::DELETE, Shape::Manifest) => {
                let by_digest = path.replace("/v1", &format!("/{}", self.image.digest));
                vec![(path, Vec::new()), (by_digest, Vec::new())]
            }
            (_, Shape::Uploads) => vec![
                (path.clone(), Vec::new()),
                (format!("{path}?digest={}", digest(&body)), body.to_vec()),
                (format!("{path}?mount={}", self.blob), Vec::new()),
                (
                    format!("{path}?mount={}&from=secret/app", digest(b"{}")),
                    Vec::new(),
                ),
            ],
            (&Method::PUT, Shape::Upload) => {
                vec![(format!("{path}?digest={}", digest(&body)), body.to_vec())]
            }
            (&Method::PATCH, Shape::Upload) => vec![(path, body.to_vec())],
            _ => vec![(path, Vec::new())],
        }
    }

    pub(crate) async fn token(&self, user: &str) -> Client {
        let scopes = "scope=repository:team/app:pull,push,delete&scope=repository:secret/app:*\
             &scope=registry:catalog:*";
        let path = format!("/token?service=artifact&{scopes}");
        let reply = self.server.user(user).get(&path).await.expect(200);
        self.server
            .client()
            .bearer(reply.json()["token"].as_str().unwrap())
    }

    /// Returns all that a write would change.
    pub(crate) async fn state(&self) -> String {
        let embedder = self.server.embedder();
        let usage = embedder.usage(&artifact::Scope::all()).await.unwrap();
        format!(
            "{:?} {:?} {usage:?}",
            embedder.revision().await.unwrap(),
            embedder.totals().await.unwrap(),
        )
    }
}
