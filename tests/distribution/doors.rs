//! Attacks on the doors: every route, in every spelling, by callers who may do little or nothing.
//!
//! The requests are made from the tables of routes, and what must come back from the right that each
//! endpoint declares: whoever adds a route is held to the same.

use artifact_proto::{
    oci::{
        endpoint::{Need, ROUTES},
        route::{self, RouteError},
    },
    server::SERVER_ROUTES,
};
use http::Method;

use crate::support::{house::House, raw::spellings};

const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
];

fn methods() -> impl Iterator<Item = Method> {
    METHODS
        .into_iter()
        .map(|name| Method::from_bytes(name.as_bytes()).unwrap())
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
