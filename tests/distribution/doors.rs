//! Attacks on the doors: every route, in every spelling, by callers who may do little or nothing.
//!
//! The requests are made from the tables of routes, and what must come back from the right that each
//! endpoint declares: whoever adds a route is held to the same.

use std::num::NonZeroU32;

use artifact::{
    AnonymousAccess, ErrorKind, Grant, Page, Principal, RequestContext, User, UserName, UserRole,
};
use artifact_proto::{
    oci::route::{self, Need, ROUTES, RouteError, RouteSpec, Shape},
    server::SERVER_ROUTES,
};
use http::Method;
use serde_json::json;

use crate::support::{
    Client, Image, Setup, TestServer, digest,
    goods::{INDEX, MANIFEST, index},
    image, noise, sha512,
};

const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
];

fn methods() -> impl Iterator<Item = Method> {
    METHODS
        .into_iter()
        .map(|name| Method::from_bytes(name.as_bytes()).unwrap())
}

/// A closed registry with something in it that each route can be asked about.
struct House {
    server: TestServer,
    image: Image,
    blob: String,
    upload: String,
}

impl House {
    async fn new() -> Self {
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
    fn path(&self, shape: Shape) -> String {
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
    fn asks(&self, row: &RouteSpec) -> Vec<(String, Vec<u8>)> {
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

    async fn token(&self, user: &str) -> Client {
        let scopes = "scope=repository:team/app:pull,push,delete&scope=repository:secret/app:*\
             &scope=registry:catalog:*";
        let path = format!("/token?service=artifact&{scopes}");
        let reply = self.server.user(user).get(&path).await.expect(200);
        self.server
            .client()
            .bearer(reply.json()["token"].as_str().unwrap())
    }

    /// Returns all that a write would change.
    async fn state(&self) -> String {
        let embedder = self.server.embedder();
        let usage = embedder.usage(&artifact::Scope::all()).await.unwrap();
        format!(
            "{:?} {:?} {usage:?}",
            embedder.revision().await.unwrap(),
            embedder.totals().await.unwrap(),
        )
    }
}

/// Returns what the table says that a caller is told.
fn due(who: &str, need: Need) -> u16 {
    match (who, need) {
        ("anybody", _) => 401,
        (_, Need::Nothing | Need::Catalog) => 200,
        ("nobody", _) => 404,
        ("reader" | "token", Need::Pull) => 200,
        ("reader", Need::Push | Need::Delete) => 403,
        // RFC 6750: a token that allows too little is to be exchanged.
        ("token", Need::Push | Need::Delete) => 401,
        other => panic!("nothing is said of {other:?}"),
    }
}

/// A9, A14: each route tells each caller what the right that it declares says, in each spelling; what
/// is refused changes nothing.
#[tokio::test]
async fn a9_every_route_answers_every_caller_as_it_declares() {
    let house = House::new().await;
    let before = house.state().await;
    let callers = [
        ("anybody", house.server.client()),
        ("nobody", house.server.user("nobody")),
        ("reader", house.server.user("reader")),
        ("token", house.token("reader").await),
    ];
    for (who, client) in &callers {
        for row in ROUTES {
            let need = row.endpoint.need();
            for (target, body) in house.asks(row) {
                for spelling in spellings(&target) {
                    let reply = client
                        .send(row.method.clone(), &spelling, &[], body.clone())
                        .await;
                    let told = reply.status.as_u16();
                    assert_eq!(told, due(who, need), "{who}: {} {spelling}", row.method);
                }
            }
        }
    }
    assert_eq!(house.state().await, before, "nothing was changed");
}

/// Returns other ways to write the same path (A8).
fn spellings(target: &str) -> Vec<String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    let escape = |byte: u8| format!("%{byte:02X}");
    let rest = path.strip_prefix("/v2/").unwrap();
    let all: String = rest.bytes().map(escape).collect();
    let lower: String = rest.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let slashes = rest.replace('/', "%2F");
    let mut found = vec![format!("/v2/{rest}"), format!("/v2/{slashes}")];
    found.extend([format!("/v2/{all}"), format!("/v2/{lower}")]);
    if let Some(bare) = path.strip_suffix('/') {
        found.push(bare.to_owned());
    }
    found.dedup();
    found.iter().map(|path| format!("{path}{query}")).collect()
}

/// Returns paths that resemble one and are another, or none.
fn lookalikes(path: &str) -> Vec<String> {
    let mut found: Vec<String> = [
        "/",
        "//",
        "/x",
        "/.",
        "/..",
        "/../",
        ";",
        ";x=y",
        "..;/",
        ".json",
        "%20",
        "%2f",
        "%2e",
        "%00",
        "%0d%0a",
        "%23",
        "%3f",
        "%5c",
        "\\",
        "~",
        "/ext",
        "/_oci/ext/discover",
    ]
    .iter()
    .map(|end| format!("{path}{end}"))
    .collect();
    found.push(path.to_uppercase());
    found.push(path.replacen("/v2", "/V2", 1));
    found.push(path.replacen("/v2", "/v1", 1));
    found.push(path.replacen("/v2", "", 1));
    for (at, _) in path.match_indices('/') {
        let (before, after) = path.split_at(at);
        for middle in ["/", "/.", "/..", "/%2e", "/%2e%2e", "/;", "/%2F", "/\\"] {
            found.push(format!("{before}{middle}{after}"));
        }
    }
    // The request line has no room for others: they are written raw, elsewhere.
    found.retain(|path| path.starts_with('/') && !path.contains(['\\', ' ']));
    found
}

/// A9: what resembles a route is what the route's parser says, to the letter, or nothing at all.
#[tokio::test]
async fn a9_what_resembles_a_route_is_none() {
    let house = House::new().await;
    let before = house.state().await;
    let (anybody, reader) = (house.server.client(), house.server.user("reader"));
    let mut paths: Vec<String> = ROUTES
        .iter()
        .flat_map(|row| lookalikes(&house.path(row.shape)))
        .collect();
    paths.sort();
    paths.dedup();
    for path in &paths {
        for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE] {
            let protocol = path == "/v2" || path.starts_with("/v2/");
            let parsed = protocol.then(|| route::parse(&method, path));
            // What is refused before anybody is asked who he is, is refused to all.
            let callers = [("anybody", &anybody), ("reader", &reader)];
            let is_route = matches!(parsed, Some(Ok(_)));
            for (who, client) in &callers[..if is_route { 2 } else { 1 }] {
                let reply = client.send(method.clone(), path, &[], "").await;
                let told = reply.status.as_u16();
                let words = format!("{who}: {method} {path}: {told}");
                match &parsed {
                    Some(Ok(_)) if *who == "anybody" => assert_eq!(told, 401, "{words}"),
                    Some(Ok(route)) if due(who, route.endpoint().need()) == 200 => {
                        // It is another thing of the same kind, there or not.
                        assert!(matches!(told, 200 | 404), "{words}");
                    }
                    Some(Ok(_)) => assert!(matches!(told, 403 | 404), "{words}"),
                    Some(Err(RouteError::Method { .. })) => assert_eq!(told, 405, "{words}"),
                    Some(Err(_)) => assert!(matches!(told, 400 | 404), "{words}"),
                    None => assert!(matches!(told, 404), "{words}"),
                }
            }
        }
    }
    assert_eq!(house.state().await, before, "nothing was changed");
}

/// A9: no other door is left open: no interface, no debug page, no bootstrap, no extension, whoever asks
/// and by whichever method.
#[tokio::test]
async fn a9_there_is_no_other_door() {
    let house = House::new().await;
    let before = house.state().await;
    let clients = [house.server.client(), house.server.user("root")];
    for path in [
        "/",
        "/index.html",
        "/ui/",
        "/admin",
        "/login",
        "/logout",
        "/setup",
        "/users",
        "/api",
        "/api/v1/users",
        "/api/v2.0/users",
        "/api/security/token",
        "/service/token",
        "/token/",
        "/token/x",
        "/tokens",
        "/Token",
        "/metrics/",
        "/metrics/x",
        "/Metrics",
        "/healthz/",
        "/healthz/..",
        "/readyz/",
        "/READYZ",
        "/debug/pprof/",
        "/debug/vars",
        "/server-status",
        "/swagger.json",
        "/graphql",
        "/.well-known/openid-configuration",
        "/.git/config",
        "/ext",
        "/v1/_ping",
        "/v1/",
        "/v3/",
        "/v2x/",
        "/v2/_oci/ext/discover",
        "/v2/_zot/ext/search",
        "/v2/_zot/ext/mgmt",
        "/v2/team/app/_oci/ext/discover",
        "/v2/_catalog/",
        "/v2/_catalog/x",
        "/v2/team",
        "/v2/team/",
        "/v2/team/app",
        "/v2/team/app/",
        "/v2/team/app/manifests",
        "/v2/team/app/manifests/",
        "/v2/team/app/blobs",
        "/v2/team/app/blobs/",
        "/v2/team/app/tags",
        "/v2/team/app/tags/",
        "/v2/team/app/tags/list/",
        "/v2/team/app/tags/v1",
        "/v2/team/app/referrers/",
        "/v2/team/app/Manifests/v1",
        "/v2/team/app/MANIFESTS/v1",
        "/artifact.toml",
        "/index.db",
        "/keys/token",
        "/journal/",
        "/lock",
    ] {
        for client in &clients {
            for method in methods() {
                let reply = client.send(method.clone(), path, &[], "").await;
                let told = reply.status.as_u16();
                assert!(matches!(told, 400 | 404 | 405), "{method} {path}: {told}");
            }
        }
    }
    assert_eq!(house.state().await, before, "nothing was changed");
}

/// A9: each route of the server and of the protocol takes the methods that it declares, and others are
/// refused alike to everybody, before it is asked who they are.
#[tokio::test]
async fn a9_a_method_that_is_not_declared_is_refused_to_everybody() {
    let house = House::new().await;
    let before = house.state().await;
    let mut paths: Vec<(String, Vec<Method>)> = SERVER_ROUTES
        .iter()
        .map(|route| (route.path.to_owned(), route.methods.to_vec()))
        .collect();
    for row in ROUTES {
        let of_shape = ROUTES.iter().filter(|other| other.shape == row.shape);
        let declared = of_shape.map(|other| other.method.clone()).collect();
        paths.push((house.path(row.shape), declared));
    }
    for (path, declared) in paths {
        for method in methods().filter(|method| !declared.contains(method)) {
            for who in ["anybody", "nobody", "reader", "root"] {
                let client = match who {
                    "anybody" => house.server.client(),
                    _ => house.server.user(who),
                };
                let reply = client
                    .send(method.clone(), &path, &[], "")
                    .await
                    .expect(405);
                let allow = reply.header("allow");
                for declared in &declared {
                    assert!(allow.contains(declared.as_str()), "{path}: {allow}");
                }
                assert!(!allow.contains(method.as_str()), "{path}: {allow}");
            }
        }
    }
    assert_eq!(house.state().await, before, "nothing was changed");
}

/// A12: where deletion is disabled, each route that deletes refuses, to everybody, in each form.
#[tokio::test]
async fn a12_no_route_deletes_where_that_is_disabled() {
    let server = Setup::anonymous(AnonymousAccess::Write)
        .user("root", UserRole::Admin, "")
        .serve()
        .await;
    let settings = server.stage("kept", false, true).await;
    server.repository("kept", &settings).await;
    let root = server.user("root");
    let first = root.image("kept/app", "v1").await;
    let list = index(&[&first]);
    list.put(&root, "kept/app", "list").await.expect(201);
    let long = image(&json!({ "annotations": { "by": "sha512" } }));
    let by_sha512 = sha512(&long.bytes);
    long.put(&root, "kept/app", &by_sha512).await.expect(201);
    let subject = image(&json!({ "subject": first.descriptor() }));
    subject
        .put(&root, "kept/app", &subject.digest)
        .await
        .expect(201);
    let blob = root.push("kept/app", noise(1, 100)).await;
    let embedder = server.embedder();
    let before = format!("{:?}", embedder.revision().await.unwrap());
    let references = [
        "v1",
        "list",
        &first.digest,
        &list.digest,
        &by_sha512,
        &subject.digest,
    ];
    let blobs = [blob, digest(b"{}"), digest(b"not there")];
    let deleting = ROUTES
        .iter()
        .filter(|row| row.endpoint.need() == Need::Delete);
    let mut asked = 0;
    for row in deleting {
        let rest: Vec<String> = match row.shape {
            Shape::Manifest => references
                .map(|reference| format!("manifests/{reference}"))
                .into(),
            Shape::Blob => blobs.clone().map(|blob| format!("blobs/{blob}")).into(),
            other => panic!("nothing is deleted by {other:?} in this test"),
        };
        for path in rest
            .iter()
            .flat_map(|rest| spellings(&format!("/v2/kept/app/{rest}")))
        {
            for client in [server.client(), server.user("root")] {
                for headers in [&[][..], &[("if-match", "*")], &[("if-match", "\"g1\"")]] {
                    let reply = client.send(row.method.clone(), &path, headers, "").await;
                    // A condition on what never changes is malformed, whoever asks.
                    let due: &[u16] = if headers.is_empty() {
                        &[405]
                    } else {
                        &[400, 405, 412]
                    };
                    assert!(due.contains(&reply.status.as_u16()), "{path}: {reply:?}");
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 100, "{asked}");
    // By another method: to push what was there before takes nothing away either.
    assert_eq!(format!("{:?}", embedder.revision().await.unwrap()), before);
    for reference in references {
        root.get(&format!("/v2/kept/app/manifests/{reference}"))
            .await
            .expect(200);
    }
    for blob in &blobs[..2] {
        root.get(&format!("/v2/kept/app/blobs/{blob}"))
            .await
            .expect(200);
    }
}

/// A14: a caller who may read and no more writes nothing, by no route, with no condition, type or body.
#[tokio::test]
async fn a14_who_may_only_read_writes_on_no_route() {
    let house = House::new().await;
    let before = house.state().await;
    let open = Setup::anonymous(AnonymousAccess::Read)
        .user("root", UserRole::Admin, "")
        .serve()
        .await;
    open.user("root").image("team/app", "v1").await;
    let writing = || {
        ROUTES
            .iter()
            .filter(|row| matches!(row.endpoint.need(), Need::Push | Need::Delete))
    };
    assert!(writing().count() >= 8);
    let variants: [&[(&str, &str)]; 7] = [
        &[],
        &[("content-type", MANIFEST)],
        &[("content-type", INDEX), ("if-none-match", "*")],
        &[("if-match", "*")],
        &[("content-range", "0-99")],
        &[
            ("x-http-method-override", "GET"),
            ("x-forwarded-user", "root"),
        ],
        &[
            ("x-original-url", "/v2/"),
            ("x-rewrite-url", "/healthz"),
            ("forwarded", "for=127.0.0.1"),
        ],
    ];
    let (reader, token) = (house.server.user("reader"), house.token("reader").await);
    for row in writing() {
        for (target, body) in house.asks(row) {
            for headers in variants {
                for (client, status) in [(&reader, 403), (&token, 401), (&open.client(), 401)] {
                    let sent = client.send(row.method.clone(), &target, headers, body.clone());
                    let refused = sent.await;
                    // A condition on what never changes is malformed, whoever asks.
                    let conditional = headers.iter().any(|(name, _)| name.starts_with("if-"));
                    let tag = row.shape == Shape::Manifest && target.ends_with("/v1");
                    let malformed = conditional && row.shape == Shape::Manifest && !tag;
                    let words = format!("{} {target} {headers:?}: {refused:?}", row.method);
                    let told = refused.status.as_u16();
                    assert!(told == status || (malformed && told == 400), "{words}");
                }
            }
        }
    }
    // A method in a header or a query is no method.
    for path in [
        "/v2/team/app/manifests/v1?_method=DELETE",
        "/v2/team/app/manifests/v1?method=PUT",
    ] {
        let headers = [
            ("x-http-method-override", "DELETE"),
            ("x-http-method", "DELETE"),
        ];
        for client in [house.server.user("root"), reader.clone()] {
            client
                .send(Method::GET, path, &headers, "")
                .await
                .expect(200);
        }
    }
    assert_eq!(house.state().await, before, "nothing was changed");
}

/// A16: a token does what its owner may do, however it is asked for; none is given for another, for a
/// token, or to nobody; and there is nothing that lists or revokes those of others.
#[tokio::test]
async fn a16_nobody_is_given_a_token_of_another() {
    let house = House::new().await;
    let (server, before) = (&house.server, house.state().await);
    let reader = server.user("reader");
    let scopes = [
        "scope=registry:catalog:*",
        "scope=registry:*:*",
        "scope=*:*:*",
        "scope=repository:*:*",
        "scope=repository:secret/app:*",
        "scope=repository:team/app:admin,*",
        "scope=repository(plugin):secret/app:*",
        "scope=admin",
        "scope=applied-permissions/admin",
        "scope=",
        "account=root",
        "username=root",
        "user=root",
        "sub=root",
        "principal=system",
        "client_id=root",
        "access_type=offline",
        "offline_token=true",
        "expires_in=0",
        "admin=true",
    ];
    let all = scopes.join("&");
    let forms = [
        format!("grant_type=password&username=reader&password=readerreader&{all}"),
        format!("username=reader&password=readerreader&{all}"),
    ];
    let form_type = "application/x-www-form-urlencoded";
    let mut given = vec![reader.get(&format!("/token?{all}")).await.expect(200)];
    for form in forms {
        let form = form.replace("&username=root", "");
        let headers = [("content-type", form_type)];
        given.push(
            server
                .client()
                .send(Method::POST, "/token", &headers, form)
                .await
                .expect(200),
        );
    }
    for reply in given {
        assert_eq!(reply.json()["expires_in"], 300, "a token has no other life");
        assert!(reply.json().get("refresh_token").is_none());
        let bearer = server
            .client()
            .bearer(reply.json()["token"].as_str().unwrap());
        let catalog = bearer.get("/v2/_catalog").await.expect(200).json();
        assert_eq!(catalog["repositories"], json!(["team/app"]));
        bearer.get("/v2/team/app/tags/list").await.expect(200);
        bearer.get("/v2/secret/app/tags/list").await.expect(404);
        bearer.post("/v2/team/app/blobs/uploads/").await.expect(401);
        bearer.delete("/v2/team/app/manifests/v1").await.expect(401);
        bearer.get(&format!("/token?{all}")).await.expect(401);
    }
    for (form, status) in [
        ("grant_type=refresh_token&refresh_token=x", 400),
        ("grant_type=client_credentials&client_id=root", 400),
        ("grant_type=authorization_code&code=x", 400),
        ("grant_type=password&username=root&password=", 401),
        (
            "grant_type=password&username=root&password=readerreader",
            401,
        ),
        (
            "grant_type=password&username=reader&username=root&password=readerreader",
            400,
        ),
        ("username=root", 401),
        ("grant_type=password", 401),
        ("", 401),
    ] {
        let headers = [("content-type", form_type)];
        let reply = server
            .client()
            .send(Method::POST, "/token", &headers, form)
            .await;
        assert_eq!(reply.status.as_u16(), status, "{form}: {reply:?}");
    }
    // What is no route neither lists nor revokes; what the library offers for it is the administrator's.
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        reader.send(method, "/token", &[], "").await.expect(405);
    }
    administers_nothing(server, Principal::User("reader".parse().unwrap())).await;
    administers_nothing(server, Principal::User("nobody".parse().unwrap())).await;
    administers_nothing(server, Principal::Anonymous(AnonymousAccess::Write)).await;
    assert_eq!(house.state().await, before, "nothing was changed");
}

async fn administers_nothing(server: &TestServer, principal: Principal) {
    let session = server
        .registry
        .session(principal.clone(), RequestContext::default());
    let admin = Grant {
        role: UserRole::Admin,
        scope: artifact::Scope::all(),
    };
    let own: UserName = "reader".parse().unwrap();
    let user = User::new("x".to_owned(), vec![admin]);
    let outcomes = [
        session
            .users(artifact::AsOf::Now, Page::first(NonZeroU32::MIN))
            .await
            .err(),
        session.put_user(&own, &user).await.err(),
        session
            .put_user(&"mallory".parse().unwrap(), &user)
            .await
            .err(),
        session.remove_user(&"root".parse().unwrap()).await.err(),
        session
            .set_mode(&artifact::Mode::ReadOnly("x".into()))
            .await
            .err(),
        session
            .remove_repository(&"team".parse().unwrap())
            .await
            .err(),
    ];
    for (at, outcome) in outcomes.into_iter().enumerate() {
        let kind = outcome.map(|error| error.kind());
        let refused = [
            ErrorKind::Denied,
            ErrorKind::Unauthenticated,
            ErrorKind::NotFound,
        ];
        assert!(
            kind.is_some_and(|kind| refused.contains(&kind)),
            "{principal}, {at}: {kind:?}"
        );
    }
}

/// A20: a new registry has no user and no password that opens it; nobody becomes one over the network,
/// before the first user is made or after.
#[tokio::test]
async fn a20_a_new_registry_opens_to_no_default_password() {
    let fresh = Setup::anonymous(AnonymousAccess::None).serve().await;
    let used = Setup::anonymous(AnonymousAccess::None)
        .user("root", UserRole::Admin, "")
        .serve()
        .await;
    let first = Page::first(NonZeroU32::MIN);
    assert_eq!(
        fresh
            .embedder()
            .users(artifact::AsOf::Now, first.clone())
            .await
            .unwrap()
            .len(),
        0
    );
    let logins = [
        ("admin", "admin"),
        ("admin", "password"),
        ("admin", ""),
        ("admin", "admin123"),
        ("admin", "Harbor12345"),
        ("root", ""),
        ("root", "root"),
        ("artifact", "artifact"),
        ("embedder", ""),
        ("system", ""),
        ("system", "system"),
        ("anonymous", ""),
        ("", ""),
        ("", "admin"),
        ("test", "test"),
        ("guest", "guest"),
        ("user embedder", "x"),
    ];
    for server in [&fresh, &used] {
        for (name, password) in logins {
            let client = server.client().basic(name, password);
            for path in ["/v2/", "/v2/_catalog", "/v2/a/tags/list", "/token"] {
                client.get(path).await.expect(401);
            }
            client.post("/v2/a/blobs/uploads/").await.expect(401);
        }
        for path in ["/v2/", "/token", "/v2/_catalog"] {
            server.client().get(path).await.expect(401);
        }
        let form = "grant_type=password&username=admin&password=admin";
        server
            .client()
            .send(Method::POST, "/token", &[], form)
            .await
            .expect(401);
    }
    assert_eq!(
        fresh
            .embedder()
            .users(artifact::AsOf::Now, first)
            .await
            .unwrap()
            .len(),
        0,
        "nobody was made"
    );
}
