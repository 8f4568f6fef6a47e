//! Attacks on uploads: bytes that somebody else has, room that is not there, sessions of others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use artifact::{AnonymousAccess, CollectOptions, RepositorySettings, Scope, UserRole};
use bytes::Bytes;
use futures::future::join_all;
use http::Method;

use crate::support::{Client, Reply, Setup, TestServer, digest, noise};

/// How the bytes of a blob can come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    /// By a single POST.
    Whole,
    /// By POST and PUT.
    Put,
    /// By two chunks with their places.
    Chunks,
    /// By a stream whose length nobody told.
    Stream,
}

const WAYS: [Way; 4] = [Way::Whole, Way::Put, Way::Chunks, Way::Stream];

async fn begin(client: &Client, name: &str) -> Result<String, Reply> {
    let begun = client.post(&format!("/v2/{name}/blobs/uploads/")).await;
    match begun.status.as_u16() {
        202 => Ok(begun.header("location").to_owned()),
        _ => Err(begun),
    }
}

/// Pushes `bytes` under a digest, and returns the first answer that is a refusal, or the last.
async fn push(client: &Client, name: &str, way: Way, digest: &str, bytes: &Bytes) -> Reply {
    if way == Way::Whole {
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        return client.send(Method::POST, &path, &[], bytes.clone()).await;
    }
    let location = match begin(client, name).await {
        Ok(location) => location,
        Err(refused) => return refused,
    };
    let end = format!("{location}?digest={digest}");
    let media_type = "application/octet-stream";
    let middle = bytes.len() / 2;
    let sent = match way {
        Way::Whole | Way::Put => return client.put(&end, media_type, bytes.clone()).await,
        Way::Stream => {
            client
                .send_chunked(Method::PATCH, &location, bytes, 7_000)
                .await
        }
        Way::Chunks if middle == 0 => client.patch(&location, None, bytes.clone()).await,
        Way::Chunks => {
            let range = format!("0-{}", middle - 1);
            client
                .patch(&location, Some(&range), bytes.slice(..middle))
                .await
        }
    };
    if sent.status != 202 || way == Way::Stream || middle == 0 {
        return match sent.status.as_u16() {
            202 => client.put(&end, media_type, "").await,
            _ => sent,
        };
    }
    let range = format!("{middle}-{}", bytes.len() - 1);
    let headers = [("content-range", range.as_str())];
    client
        .send(Method::PUT, &end, &headers, bytes.slice(middle..))
        .await
}

async fn usage(server: &TestServer, scope: &str) -> (u64, u64) {
    let scope: Scope = scope.parse().unwrap();
    let usage = server.embedder().usage(&scope).await.unwrap();
    (usage.charged, usage.reserved)
}

async fn tenants(quota: u64) -> TestServer {
    let server = Setup::anonymous(AnonymousAccess::None)
        .user("root", UserRole::Admin, "")
        .user("writer", UserRole::Writer, "mine")
        .user("other", UserRole::Writer, "mine")
        .user("reader", UserRole::Reader, "mine")
        .user("tenant", UserRole::Writer, "theirs")
        .serve()
        .await;
    let mut settings = RepositorySettings::default();
    settings.quota = Some(quota);
    server.repository("mine", &settings).await;
    for name in ["theirs", "private"] {
        server
            .repository(name, &RepositorySettings::default())
            .await;
    }
    server
}

/// What of an answer may not tell whether the bytes are anywhere else.
fn shape(reply: &Reply) -> (u16, Vec<String>, Bytes) {
    let mut names: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
    names.sort();
    (reply.status.as_u16(), names, reply.body.clone())
}

/// A5: who pushes what another repository has must send all of it, is told the same, and is charged the
/// same, as if nobody had it; also where there is room for less than all of it.
#[tokio::test]
async fn a5_bytes_that_are_elsewhere_cost_the_same() {
    let worlds = [tenants(0).await, tenants(0).await];
    let mut case = 0;
    for length in [10_usize, 4_097, 60_000, 1_200_000] {
        let size = length as u64;
        for (quota, way) in WAYS.iter().flat_map(|way| [(size, *way), (size - 1, *way)]) {
            case += 1;
            let bytes = noise(case, length);
            let repository = format!("mine/case{case}");
            let mut told = Vec::new();
            for (server, there) in worlds.iter().zip([false, true]) {
                if there {
                    let root = server.user("root");
                    root.push("private/app", bytes.clone()).await;
                }
                let mut settings = RepositorySettings::default();
                settings.quota = Some(quota);
                server.repository(&repository, &settings).await;
                told.push(claims(server, way, &repository, &bytes).await);
            }
            let words = format!("{way:?}, {length} bytes, room for {quota}");
            assert_eq!(told[0], told[1], "{words}");
            let (reply, (charged, reserved)) = told[0].last().unwrap();
            let fits = quota == size;
            assert_eq!(reply.0, if fits { 201 } else { 403 }, "{words}: {reply:?}");
            assert_eq!(*charged, if fits { size } else { 0 }, "{words}");
            assert_eq!(*reserved, 0, "{words}");
        }
    }
}

type Told = ((u16, Vec<String>, Bytes), (u64, u64));

/// Claims bytes without having them, then with a part of them, then with all.
async fn claims(server: &TestServer, way: Way, repository: &str, bytes: &Bytes) -> Vec<Told> {
    let (client, name) = (server.user("writer"), digest(bytes));
    let package = format!("{repository}/app");
    let mut told = Vec::new();
    let half = bytes.slice(..bytes.len() / 2);
    for claim in [Bytes::new(), half, bytes.clone()] {
        let path = format!("/v2/{package}/blobs/{name}");
        let head = client.head(&path).await.expect(404);
        told.push((shape(&head), usage(server, repository).await));
        let reply = push(&client, &package, way, &name, &claim).await;
        if claim != *bytes {
            assert!(matches!(reply.status.as_u16(), 400 | 403), "{reply:?}");
        }
        // Uploads have names of their own.
        let mut shape = shape(&reply);
        if reply.status == 201 {
            assert_eq!(reply.header("docker-content-digest"), name);
            assert_eq!(claim, *bytes, "all of it must be sent");
            shape.2 = Bytes::new();
        }
        if server.embedder().totals().await.unwrap().uploads > 0 {
            cancel_all(server).await;
        }
        told.push((shape, usage(server, repository).await));
    }
    told
}

/// Lets the sessions that were left behind expire.
async fn cancel_all(server: &TestServer) {
    server.clock.advance(Duration::from_secs(2 * 3600));
    let collected = server.embedder().collect(&CollectOptions::default()).await;
    collected.unwrap();
    assert_eq!(server.embedder().totals().await.unwrap().uploads, 0);
}

/// A34: of 50 uploads at once, each of which needs 60 % of the room, one is taken, by whichever way they
/// come; at no instant is more taken than there is, what fails gives its room back at once, and what is
/// left behind when it expires.
#[tokio::test]
async fn a34_parallel_uploads_stay_within_a_quota() {
    const QUOTA: u64 = 100_000;
    for ways in [
        &[Way::Whole][..],
        &[Way::Put],
        &[Way::Chunks],
        &[Way::Stream],
        &WAYS,
    ] {
        let server = Arc::new(tenants(QUOTA).await);
        let client = server.user("writer");
        let done = Arc::new(AtomicBool::new(false));
        let watching = tokio::spawn(watch(Arc::clone(&server), Arc::clone(&done), QUOTA));
        let pushes = (0..50_u64).map(|seed| {
            let (client, way) = (client.clone(), ways[seed as usize % ways.len()]);
            async move {
                let bytes = noise(seed, 60_000);
                let name = format!("mine/p{}", seed % 7);
                push(&client, &name, way, &digest(&bytes), &bytes).await
            }
        });
        let replies = join_all(pushes).await;
        done.store(true, Ordering::Relaxed);
        assert!(watching.await.unwrap() > 0, "it was looked at");
        let taken = replies.iter().filter(|reply| reply.status == 201).count();
        for reply in replies.iter().filter(|reply| reply.status != 201) {
            assert_eq!(reply.clone().expect(403).code(), "DENIED", "{ways:?}");
        }
        // Streams that nobody announced may take the room from each other, and none has enough of it.
        assert!(taken <= 1, "{ways:?}: {taken}");
        if !ways
            .iter()
            .any(|way| matches!(way, Way::Stream | Way::Chunks))
        {
            assert_eq!(taken, 1, "{ways:?}");
            assert_eq!(usage(&server, "mine").await, (60_000, 0), "{ways:?}");
        }
        cancel_all(&server).await;
        let (charged, reserved) = usage(&server, "mine").await;
        assert_eq!((charged, reserved), (60_000 * taken as u64, 0), "{ways:?}");
        let rest = noise(99, (QUOTA - charged) as usize);
        let last = push(&client, "mine/last", ways[0], &digest(&rest), &rest).await;
        last.expect(201);
        let more = noise(98, 1);
        let refused = push(&client, "mine/last", ways[0], &digest(&more), &more).await;
        assert_eq!(refused.expect(403).code(), "DENIED");
        assert_eq!(usage(&server, "mine").await.0, QUOTA, "{ways:?}");
    }
}

/// Looks again and again at what is taken, and returns how often.
async fn watch(server: Arc<TestServer>, done: Arc<AtomicBool>, quota: u64) -> usize {
    let mut looks = 0;
    while !done.load(Ordering::Relaxed) {
        let (charged, reserved) = usage(&server, "mine").await;
        assert!(
            charged + reserved <= quota,
            "{charged} + {reserved} of {quota}"
        );
        looks += 1;
        tokio::task::yield_now().await;
    }
    looks
}

/// A34: who begins uploads and leaves them gives their room back when they expire, without anybody's
/// doing but the collector's.
#[tokio::test]
async fn a34_sessions_that_are_left_behind_give_their_room_back() {
    let server = tenants(100_000).await;
    let client = server.user("writer");
    let mut left = Vec::new();
    for seed in 0..9 {
        let location = begin(&client, "mine/app").await.unwrap();
        let sent = client.patch(&location, None, noise(seed, 10_000)).await;
        sent.expect(202);
        left.push(location);
    }
    let (charged, reserved) = usage(&server, "mine").await;
    assert_eq!(charged, 0);
    assert!((90_000..=100_000).contains(&reserved), "{reserved}");
    let bytes = noise(50, 60_000);
    let name = digest(&bytes);
    for way in WAYS {
        push(&client, "mine/app", way, &name, &bytes)
            .await
            .expect(403);
    }
    cancel_all(&server).await;
    assert_eq!(usage(&server, "mine").await, (0, 0));
    for location in left {
        client.get(&location).await.expect(404);
    }
    push(&client, "mine/app", Way::Whole, &name, &bytes)
        .await
        .expect(201);
}

/// A28: an upload is there for who began it, where it was begun, and for nobody else by any method; its
/// bytes are what its owner sent.
#[tokio::test]
async fn a28_an_upload_of_another_is_not_there_by_any_method() {
    let server = tenants(1 << 20).await;
    let owner = server.user("writer");
    let bytes = noise(1, 9_000);
    let (mine, other) = (digest(&bytes), digest(b"x"));
    let location = begin(&owner, "mine/app").await.unwrap();
    owner
        .patch(&location, None, bytes.slice(..5_000))
        .await
        .expect(202);
    let id = location.rsplit('/').next().unwrap().to_owned();
    let scopes =
        "scope=repository:theirs/app:*&scope=repository:theirs/new:*&scope=repository:mine/app:*";
    let path = format!("/token?service=artifact&{scopes}");
    let token = server.user("tenant").get(&path).await.expect(200).json();
    let token = server.client().bearer(token["token"].as_str().unwrap());
    let callers = [
        ("anybody", server.client()),
        ("reader", server.user("reader")),
        ("other", server.user("other")),
        ("tenant", server.user("tenant")),
        ("token", token),
        ("root", server.user("root")),
        ("owner", owner.clone()),
    ];
    for (who, client) in callers {
        for name in [
            "mine/app",
            "mine/other",
            "theirs/app",
            "theirs/new",
            "private/app",
            "app",
        ] {
            if who == "owner" && name == "mine/app" {
                continue;
            }
            let path = format!("/v2/{name}/blobs/uploads/{id}");
            let mut replies = vec![client.get(&path).await, client.head(&path).await];
            for range in [None, Some("5000-5000"), Some("0-0")] {
                replies.push(client.patch(&path, range, "x").await);
            }
            replies.push(client.send_chunked(Method::PATCH, &path, &bytes, 100).await);
            for digest in [&mine, &other] {
                let end = format!("{path}?digest={digest}");
                replies.push(client.put(&end, "a/b", "x").await);
                replies.push(client.put(&end, "a/b", "").await);
            }
            replies.push(client.delete(&path).await);
            let due = match (who, name) {
                ("anybody", _) => 401,
                // It may be read there, so that it is said what may not be done.
                ("reader", name) if name.starts_with("mine/") => 403,
                _ => 404,
            };
            for reply in replies {
                assert_eq!(reply.status.as_u16(), due, "{who} {name}: {reply:?}");
            }
        }
    }
    let status = owner.get(&location).await.expect(204);
    assert_eq!(
        status.header("range"),
        "0-4999",
        "nothing of others is in it"
    );
    let end = format!("{location}?digest={mine}");
    let headers = [("content-range", "5000-8999")];
    let done = owner
        .send(Method::PUT, &end, &headers, bytes.slice(5_000..))
        .await;
    let got = owner
        .get(done.expect(201).header("location"))
        .await
        .expect(200);
    assert_eq!(got.body, bytes);
}
