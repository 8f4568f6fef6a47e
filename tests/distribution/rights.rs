//! Attacks on the rights: what somebody may not do, on every route that could do it.

use std::num::NonZeroU32;

use artifact::{
    AnonymousAccess, ErrorKind, Grant, Page, Principal, RequestContext, User, UserName, UserRole,
};
use artifact_proto::oci::endpoint::{Need, ROUTES, Shape};
use http::Method;
use serde_json::json;

use crate::support::{
    Setup, TestServer, digest,
    goods::{INDEX, MANIFEST, index},
    house::House,
    image, noise,
    raw::spellings,
    sha512,
};

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
