//! Two worlds (I11): registries that differ only in what the caller may not read answer alike, on every
//! route, to everybody but those who may.
//!
//! The requests are generated from the tables of routes: a row for which there is none ends the test.

use std::collections::{BTreeMap, BTreeSet};

use artifact::{AnonymousAccess, RepositorySettings, UserRole};
use artifact_proto::{
    oci::endpoint::{Need, ROUTES, RouteSpec, Shape},
    server::SERVER_ROUTES,
};
use bytes::Bytes;
use futures::future::join;
use http::Method;
use serde_json::json;

use crate::support::{
    Client, Image, Reply, Setup, TestServer, digest,
    goods::{INDEX, LAYER, descriptor, index},
    image, noise,
};

/// Both worlds have packages of these repositories; one has them in the last, which nobody may read
/// who asks here.
const NAMES: [&str; 5] = [
    "mine/app",
    "private/app",
    "private/new",
    "private",
    "nowhere/app",
];
const NO_UPLOAD: &str = "00112233445566778899aabbccddeeff";

/// What is in the repositories: the same wherever it is.
struct Goods {
    shared: Bytes,
    secret: Bytes,
    open_image: Image,
    secret_image: Image,
}

impl Goods {
    fn new() -> Self {
        let (shared, secret) = (noise(1, 9_000), noise(2, 9_000));
        let open_image = image(&json!({ "layers": [descriptor(LAYER, &shared)] }));
        let secret_image = image(&json!({
            "layers": [descriptor(LAYER, &shared), descriptor(LAYER, &secret)],
            "subject": open_image.descriptor(),
        }));
        Self {
            shared,
            secret,
            open_image,
            secret_image,
        }
    }

    /// Returns what can stand for a digest in a path or query.
    fn digests(&self) -> Vec<String> {
        vec![
            self.open_image.digest.clone(),
            self.secret_image.digest.clone(),
            digest(&self.shared),
            digest(&self.secret),
            digest(b"nothing"),
        ]
    }

    /// Returns manifests to push: some name what is only in the private repository.
    fn manifests(&self) -> Vec<Image> {
        let about = json!({ "subject": self.secret_image.descriptor() });
        vec![
            self.open_image.clone(),
            self.secret_image.clone(),
            index(&[&self.open_image]),
            index(&[&self.secret_image]),
            image(&about),
            image(&json!({ "layers": [descriptor(LAYER, &self.secret)] })),
        ]
    }
}

struct World {
    server: TestServer,
    /// An upload into the private repository, or none of that name.
    upload: String,
}

impl World {
    async fn new(goods: &Goods, has_private: bool) -> Self {
        let setup = Setup::anonymous(AnonymousAccess::None)
            .user("root", UserRole::Admin, "")
            .user("writer", UserRole::Writer, "mine")
            .user("reader", UserRole::Reader, "mine")
            .user("nobody", UserRole::Reader, "elsewhere");
        let server = setup.serve().await;
        let root = server.user("root");
        let mut settings = RepositorySettings::default();
        settings.quota = Some(400_000);
        server.repository("mine", &settings).await;
        publish(&root, "mine/app", &[&goods.shared], &goods.open_image).await;
        let mut upload = NO_UPLOAD.to_owned();
        if has_private {
            server
                .repository("private", &RepositorySettings::default())
                .await;
            let blobs = [&goods.shared, &goods.secret];
            publish(&root, "private/app", &blobs, &goods.secret_image).await;
            let begun = root.post("/v2/private/app/blobs/uploads/").await;
            upload = begun.expect(202).header("docker-upload-uuid").to_owned();
        }
        Self { server, upload }
    }

    async fn callers(&self) -> Vec<(&'static str, Client)> {
        let scopes = "scope=repository:mine/app:pull,push,delete\
             &scope=repository:private/app:pull,push,delete&scope=registry:catalog:*";
        let path = format!("/token?service=artifact&{scopes}");
        let token = self.server.user("writer").get(&path).await.expect(200);
        let token = token.json()["token"].as_str().unwrap().to_owned();
        vec![
            ("anybody", self.server.client()),
            ("nobody", self.server.user("nobody")),
            ("reader", self.server.user("reader")),
            ("token", self.server.client().bearer(&token)),
            ("writer", self.server.user("writer")),
        ]
    }
}

async fn publish(root: &Client, name: &str, blobs: &[&Bytes], image: &Image) {
    root.push(name, "{}").await;
    for blob in blobs {
        root.push(name, (*blob).clone()).await;
    }
    image.put(root, name, "v1").await.expect(201);
}

/// A request; `{private}`, `{own}` and `{other}` stand for uploads, whose names differ by world.
#[derive(Clone, Debug)]
struct Ask {
    method: Method,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Ask {
    fn new(method: &Method, target: String) -> Self {
        Self {
            method: method.clone(),
            target,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn body(mut self, body: &Bytes) -> Self {
        self.body = body.clone();
        self
    }
}

/// Returns the requests of a row of the table.
fn asks(row: &RouteSpec, goods: &Goods) -> Vec<Ask> {
    let method = &row.method;
    let each = |rest: &[String]| -> Vec<Ask> {
        let paths = |name: &&str| -> Vec<Ask> {
            let path = |rest: &String| Ask::new(method, format!("/v2/{name}/{rest}"));
            rest.iter().map(path).collect()
        };
        NAMES.iter().flat_map(paths).collect()
    };
    let all = |head: &str| -> Vec<String> {
        let of = |digest: &String| format!("{head}/{digest}");
        goods.digests().iter().map(of).collect()
    };
    match row.shape {
        Shape::Base => vec![Ask::new(method, "/v2/".into())],
        Shape::Catalog => ["", "?n=1", "?n=1&last=mine/app", "?n=0"]
            .map(|query| Ask::new(method, format!("/v2/_catalog{query}")))
            .to_vec(),
        Shape::Tags => {
            each(&["", "?n=1", "?n=0", "?n=1&last=v0"].map(|query| format!("tags/list{query}")))
        }
        Shape::Referrers => {
            let mut rest = all("referrers");
            rest.extend(
                all("referrers")
                    .iter()
                    .map(|path| format!("{path}?artifactType=a/b")),
            );
            each(&rest)
        }
        Shape::Manifest => manifests(method, goods, &all("manifests"), &each),
        Shape::Blob => with_conditions(each(&all("blobs")), goods),
        Shape::Uploads => begun(goods, &each),
        Shape::Upload => uploads(method, goods, &each),
        other => panic!("no request is generated for {other:?}"),
    }
}

/// A function that puts each name before the rest of a path.
type Each<'a> = dyn Fn(&[String]) -> Vec<Ask> + 'a;

fn manifests(method: &Method, goods: &Goods, digests: &[String], each: &Each<'_>) -> Vec<Ask> {
    let mut rest = vec!["manifests/v1".to_owned(), "manifests/none".to_owned()];
    if method != Method::PUT {
        rest.extend_from_slice(digests);
        return with_conditions(each(&rest), goods);
    }
    let put = |image: Image| {
        let mut rest = rest.clone();
        rest.push(format!("manifests/{}", image.digest));
        let with = move |ask: Ask| {
            ask.header("content-type", image.media_type)
                .body(&image.bytes)
        };
        each(&rest).into_iter().map(with)
    };
    goods.manifests().into_iter().flat_map(put).collect()
}

fn with_conditions(asks: Vec<Ask>, goods: &Goods) -> Vec<Ask> {
    let known = format!("\"{}\"", goods.secret_image.digest);
    let variants = |ask: Ask| {
        if !ask.target.contains("/app/") || ask.method == Method::HEAD {
            return vec![ask];
        }
        vec![
            ask.clone(),
            ask.clone().header("if-none-match", known.clone()),
            ask.clone().header("if-none-match", "*"),
            ask.clone().header("if-match", known.clone()),
            ask.clone().header("range", "bytes=0-9"),
            ask.header("accept", INDEX),
        ]
    };
    asks.into_iter().flat_map(variants).collect()
}

fn begun(goods: &Goods, each: &Each<'_>) -> Vec<Ask> {
    let (shared, secret) = (digest(&goods.shared), digest(&goods.secret));
    let rest = [
        String::new(),
        format!("?mount={secret}"),
        format!("?mount={secret}&from=private/app"),
        format!("?mount={shared}&from=private/app"),
        format!("?mount={secret}&from=private"),
        format!("?mount={}&from=private/app", digest(b"nothing")),
        "?digest-algorithm=sha512".to_owned(),
    ];
    let mut asks = each(&rest.map(|query| format!("blobs/uploads/{query}")));
    let whole = each(&[format!("blobs/uploads/?digest={secret}")]);
    asks.extend(whole.into_iter().map(|ask| ask.body(&goods.secret)));
    asks
}

fn uploads(method: &Method, goods: &Goods, each: &Each<'_>) -> Vec<Ask> {
    let ids = ["{private}", "{own}", NO_UPLOAD, "no-id"];
    let query = match *method {
        Method::PUT => format!("?digest={}", digest(&goods.secret)),
        Method::PATCH => String::new(),
        // The one is done by then, so that what throws an upload away needs another.
        _ => {
            let rest = ["{private}", "{own}", "{other}", NO_UPLOAD, "no-id"];
            return each(&rest.map(|id| format!("blobs/uploads/{id}")));
        }
    };
    let rest = ids.map(|id| format!("blobs/uploads/{id}{query}"));
    let bare = each(&rest);
    let filled = each(&rest).into_iter().map(|ask| ask.body(&goods.secret));
    let placed = each(&rest)
        .into_iter()
        .map(|ask| ask.header("content-range", "0-8999").body(&goods.secret));
    if *method == Method::PUT {
        return bare.into_iter().chain(filled).chain(placed).collect();
    }
    filled.chain(bare).chain(placed).collect()
}

/// What of an answer may not differ; `own` are the words that each world has of its own.
fn shape(reply: &Reply, own: &[&str]) -> String {
    let mut headers = reply.headers.clone();
    headers.remove("date");
    headers.remove("x-request-id");
    let mut text = format!("{} {headers:?}\n{:?}", reply.status, reply.body);
    let begun = reply.headers.get("docker-upload-uuid");
    let begun = begun.and_then(|id| id.to_str().ok());
    for id in own.iter().copied().chain(begun) {
        text = text.replace(id, "SAME");
    }
    text
}

/// Asks one world, in the name of one caller, and returns the answers.
struct Asker<'a> {
    world: &'a World,
    client: Client,
    /// The upload that the caller's last request for one began.
    own: String,
    /// The one before.
    other: String,
}

impl Asker<'_> {
    async fn ask(&mut self, ask: &Ask) -> (Reply, String) {
        let target = ask.target.replace("{private}", &self.world.upload);
        let target = target
            .replace("{own}", &self.own)
            .replace("{other}", &self.other);
        let headers: Vec<_> = ask
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let body = ask.body.clone();
        let reply = self
            .client
            .send(ask.method.clone(), &target, &headers, body)
            .await;
        let address = self.world.server.address.to_string();
        let shape = shape(
            &reply,
            &[
                &self.world.upload,
                &self.own,
                &self.other,
                NO_UPLOAD,
                &address,
            ],
        );
        if reply.status == 202 && ask.method == Method::POST {
            let begun = reply.header("docker-upload-uuid").to_owned();
            self.other = std::mem::replace(&mut self.own, begun);
        }
        (reply, shape)
    }
}

/// Reads come first, then what changes something, and what deletes comes last.
fn in_order() -> Vec<&'static RouteSpec> {
    let mut rows: Vec<_> = ROUTES.iter().collect();
    rows.sort_by_key(|row| match row.endpoint.need() {
        Need::Push => 1,
        Need::Delete => 2,
        _ => 0,
    });
    rows
}

/// A1, A2, A3, A5, A6, A9, I11: who may not read the private repository cannot tell whether it is there.
#[tokio::test]
async fn i11_two_worlds_answer_alike() {
    let goods = Goods::new();
    let (with, without) = (
        World::new(&goods, true).await,
        World::new(&goods, false).await,
    );
    let callers = with
        .callers()
        .await
        .into_iter()
        .zip(without.callers().await);
    let mut successes = BTreeSet::new();
    for ((who, with_client), (_, without_client)) in callers {
        let asker = |world, client| Asker {
            world,
            client,
            own: NO_UPLOAD.to_owned(),
            other: NO_UPLOAD.to_owned(),
        };
        let (mut here, mut there) = (asker(&with, with_client), asker(&without, without_client));
        for row in in_order() {
            for ask in asks(row, &goods) {
                let ((reply, one), (_, other)) = join(here.ask(&ask), there.ask(&ask)).await;
                let (method, target, headers) = (&ask.method, &ask.target, &ask.headers);
                assert_eq!(one, other, "{who}: {method} {target} {headers:?}");
                if reply.status.is_success() {
                    successes.insert((row.endpoint.name(), row.method.to_string()));
                }
            }
        }
    }
    let all: BTreeSet<_> = ROUTES
        .iter()
        .map(|row| (row.endpoint.name(), row.method.to_string()))
        .collect();
    assert_eq!(
        successes, all,
        "each route had an answer that says something"
    );
}

/// I11: the routes beside the protocol tell nothing either, and name nothing (I27).
#[tokio::test]
async fn i11_the_servers_own_routes_tell_nothing() {
    let goods = Goods::new();
    let (with, without) = (
        World::new(&goods, true).await,
        World::new(&goods, false).await,
    );
    let mut asked = BTreeMap::new();
    for route in SERVER_ROUTES {
        for method in route.methods {
            for query in [
                "",
                "?service=artifact&scope=repository:private/app:pull,push",
            ] {
                let target = format!("{}{query}", route.path);
                let ask = |client: Client| {
                    let target = target.clone();
                    async move { client.send(method.clone(), &target, &[], "").await }
                };
                for user in [None, Some("nobody"), Some("writer")] {
                    let client = |world: &World| match user {
                        None => world.server.client(),
                        Some(user) => world.server.user(user),
                    };
                    let (one, other) = (ask(client(&with)).await, ask(client(&without)).await);
                    assert_eq!(one.status, other.status, "{user:?}: {method} {target}");
                    let text = String::from_utf8_lossy(&one.body).into_owned();
                    assert!(
                        !text.contains("private"),
                        "{user:?}: {method} {target}: {text}"
                    );
                    asked.insert(route.path, one.status);
                }
            }
        }
    }
    assert_eq!(asked.len(), SERVER_ROUTES.len());
}

/// The worlds do differ, and who may read the difference sees it: the test above can fail.
#[tokio::test]
async fn the_worlds_differ_for_who_may_read_both() {
    let goods = Goods::new();
    let (with, without) = (
        World::new(&goods, true).await,
        World::new(&goods, false).await,
    );
    for (path, status) in [
        ("/v2/private/app/manifests/v1", 404),
        ("/v2/private/app/tags/list", 404),
    ] {
        with.server.user("root").get(path).await.expect(200);
        without.server.user("root").get(path).await.expect(status);
    }
    let list = |world: &World| {
        let root = world.server.user("root");
        async move { root.get("/v2/_catalog").await.body }
    };
    assert_ne!(list(&with).await, list(&without).await);
}
