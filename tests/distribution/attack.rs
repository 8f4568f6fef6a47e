//! Attacks on HTTP itself, from raw sockets: no library puts their bytes right.

use std::{fmt::Write as _, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{Setup, client::read_all, digest, noise, server};

/// Returns the statuses of the answers in what a server sent.
fn statuses(answers: &str) -> Vec<&str> {
    answers
        .match_indices("HTTP/1.1 ")
        .map(|(at, _)| &answers[at + 9..at + 12])
        .collect()
}

/// A50: what a proxy in front could read otherwise is 400, and the connection is closed: what follows is
/// never a request.
#[tokio::test]
async fn a50_ambiguous_requests_are_refused_and_the_connection_is_closed() {
    let server = server().await;
    let smuggled = "GET /v2/_catalog HTTP/1.1\r\nHost: x\r\n\r\n";
    for head in [
        "PUT /v2/a/manifests/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "PUT /v2/a/manifests/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "PUT /v2/a/manifests/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "PUT /v2/a/manifests/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "PUT /v2/a/manifests/x HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n",
        "PUT /v2/a/manifests/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 0\r\n\r\n",
        "PUT /v2/a/manifests/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "PUT /v2/a/manifests/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n",
        "PUT /v2/a/manifests/x HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /v2/ HTTP/1.1\nHost: x\n\n",
        "GET /v2/ HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        "GET /v2/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: x\r\nX: y\r\nhost: z\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: x y\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nX: y\r\n\r\n",
        "GET\t/v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let answers = server
            .client()
            .raw(format!("{head}{smuggled}").as_bytes())
            .await;
        assert_eq!(statuses(&answers), ["400"], "{head:?}: {answers}");
    }
}

/// A50: an honest request before an ambiguous one is answered, and nothing after it.
#[tokio::test]
async fn a50_answers_stay_in_order() {
    let server = server().await;
    let good = "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n";
    let bad = "GET /healthz HTTP/1.1\r\nHost: x\n\n";
    let answers = server
        .client()
        .raw(format!("{good}{good}{bad}{good}").as_bytes())
        .await;
    assert_eq!(statuses(&answers), ["200", "200", "400"], "{answers}");
    // One byte at a time, it is the same.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for byte in format!("{good}{bad}{good}").bytes() {
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let answers = read_all(&mut stream).await;
    assert_eq!(statuses(&answers), ["200", "400"], "{answers}");
}

/// A50: chunks that are none end the request; nothing of it is taken for the next one.
#[tokio::test]
async fn a50_broken_chunks_end_the_connection() {
    let server = server().await;
    let client = server.client();
    for chunks in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "-1\r\nx\r\n0\r\n\r\n",
        "zz\r\n",
    ] {
        let begun = client.post("/v2/a/blobs/uploads/").await.expect(202);
        let location = begun.header("location");
        let request = format!(
            "PATCH {location} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
        );
        let answers = client.raw(request.as_bytes()).await;
        assert!(
            !statuses(&answers).contains(&"200"),
            "{chunks:?}: {answers}"
        );
        assert!(
            !statuses(&answers).contains(&"202"),
            "{chunks:?}: {answers}"
        );
    }
}

/// Clients that ask to upgrade, and those that send an empty body's length with a GET, are served.
#[tokio::test]
async fn harmless_oddities_are_served() {
    let server = server().await;
    for head in [
        "GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "\r\nGET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /v2/ HTTP/1.0\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: [::1]:5000\r\nConnection: close\r\n\r\n",
        "GET http://x/v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ] {
        let answers = server.client().raw(head.as_bytes()).await;
        let served = answers.starts_with("HTTP/1.1 200") || answers.starts_with("HTTP/1.0 200");
        assert!(served, "{head:?}: {answers}");
    }
}

/// A29, A32, A47: paths that try to leave their place find nothing.
#[tokio::test]
async fn a47_paths_that_try_to_leave_find_nothing() {
    let server = server().await;
    let client = server.client();
    client.image("priv/app", "v1").await;
    let begun = client.post("/v2/priv/app/blobs/uploads/").await.expect(202);
    let id = begun
        .header("location")
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    for path in [
        "/%2F%2F..%2F..%2Fetc/passwd".to_owned(),
        "/v2/%2F%2F..%2F..%2Fetc/passwd".to_owned(),
        "/v2/../../etc/passwd".to_owned(),
        "/v2/priv/app/../app/manifests/v1".to_owned(),
        "/v2/priv/./app/manifests/v1".to_owned(),
        "/v2/priv//app/manifests/v1".to_owned(),
        "//v2/priv/app/manifests/v1".to_owned(),
        "/v2/priv/..;/app/manifests/v1".to_owned(),
        "/v2/priv/app/manifests/%252e%252e".to_owned(),
        "/v2/priv/app/manifests/..%5c..%5cx".to_owned(),
        "/v2/priv/%c0%ae%c0%ae/manifests/v1".to_owned(),
        "/v2/priv/app/blobs/sha256:..%2F..%2Fx".to_owned(),
        format!("/v2/priv/app/blobs/{}", digest(b"{}").to_uppercase()),
        format!(
            "/v2/priv/app/blobs/{}",
            digest(b"{}").replace("sha256", "SHA256")
        ),
        format!("/v2/priv/app/blobs/{}", &digest(b"{}")[..70]),
        "/v2/priv/app/blobs/uploads/../../x".to_owned(),
        "/v2/priv/app/blobs/uploads/%2e%2e%2f%2e%2e%2fx".to_owned(),
        "/v2/priv/app/blobs/uploads/%00".to_owned(),
        format!(
            "/v2/priv/app/blobs/uploads/{}",
            id.to_uppercase().replace(|c: char| c.is_ascii_digit(), "A")
        ),
        format!("/v2/priv/app/blobs/uploads/{}", &id[1..]),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = client.raw(request.as_bytes()).await;
        let status = statuses(&answer)[0];
        assert!(matches!(status, "400" | "404"), "{path}: {answer}");
    }
    // A8: another spelling of a path is the same path.
    for path in [
        "/v2/%70riv/app/manifests/v1",
        "/v2/priv%2fapp/manifests/%761",
    ] {
        client.get(path).await.expect(200);
    }
}

/// A51: what would break a header is in no name, and in no answer.
#[tokio::test]
async fn a51_nothing_breaks_out_of_a_header() {
    let server = server().await;
    let client = server.client();
    client.image("a", "v1").await;
    client.image("b", "v1").await;
    for path in [
        "/v2/a%0d%0aX-Evil:%20y/tags/list",
        "/v2/a/manifests/x%0d%0aX-Evil:%20y",
        "/v2/_catalog?n=1&last=%0d%0aX-Evil:%20y",
        "/v2/a/tags/list?last=%0d%0aX-Evil:%20y",
        "/token?scope=repository:a%0d%0aX-Evil:%20y:pull",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = client.raw(request.as_bytes()).await;
        let head = answer.split("\r\n\r\n").next().unwrap().to_lowercase();
        assert!(!head.contains("x-evil"), "{answer}");
        assert_eq!(statuses(&answer), ["400"], "{answer}");
    }
    let users = Setup::anonymous(artifact::AnonymousAccess::Read);
    let server = users
        .user("root", artifact::UserRole::Admin, "")
        .serve()
        .await;
    for host in ["x\"y", "x,scope=\"y\"", "u:p@x", "x/y"] {
        let request = format!("GET /v2/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = server.client().raw(request.as_bytes()).await;
        assert!(!answer.contains(&format!("//{host}")), "{answer}");
    }
}

/// A25, I23: heads are bounded in bytes and in lines.
#[tokio::test]
async fn i23_long_heads_are_refused() {
    let server = server().await;
    let mut many = String::from("GET /v2/ HTTP/1.1\r\nHost: x\r\n");
    for at in 0..500 {
        write!(many, "X-{at}: y\r\n").unwrap();
    }
    let long = format!(
        "GET /v2/ HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "y".repeat(100_000)
    );
    let path = format!(
        "GET /v2/{} HTTP/1.1\r\nHost: x\r\n\r\n",
        "a/".repeat(50_000)
    );
    for head in [format!("{many}\r\n"), long, path] {
        let answers = server.client().raw(head.as_bytes()).await;
        assert!(
            answers.is_empty() || statuses(&answers)[0].starts_with('4'),
            "{answers}"
        );
    }
}

/// A61: connections that do nothing make room, and live pushes go on.
#[tokio::test]
async fn a61_idle_connections_make_room_for_live_ones() {
    let mut setup = Setup::default();
    setup.limits.connections = 20;
    let server = setup.serve().await;
    let client = server.client();
    let begun = client.post("/v2/a/blobs/uploads/").await.expect(202);
    let bytes = noise(1, 200_000);
    let mut live = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "PUT {}?digest={} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        begun.header("location"),
        digest(&bytes),
        bytes.len()
    );
    live.write_all(head.as_bytes()).await.unwrap();
    live.write_all(&bytes[..100_000]).await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /v2/ HTTP/1.1\r\n").await.ok();
        idle.push(stream);
        tokio::task::yield_now().await;
    }
    client.get("/v2/").await.expect(200);
    live.write_all(&bytes[100_000..]).await.unwrap();
    let answer = read_all(&mut live).await;
    assert_eq!(statuses(&answer), ["201"], "{answer}");
    let mut closed = 0;
    for stream in &mut idle {
        let mut byte = [0];
        let read = timeout(Duration::from_millis(50), stream.read(&mut byte)).await;
        closed += usize::from(matches!(read, Ok(Ok(0) | Err(_))));
    }
    assert!(closed >= 180, "{closed} of 200 were ended");
}

/// A61, F30: heads and bodies that trickle are ended.
#[tokio::test]
async fn a61_what_trickles_is_ended() {
    let mut setup = Setup::default();
    setup.limits.head = Duration::from_secs(2);
    setup.limits.window = Duration::from_secs(2);
    let server = setup.serve().await;
    let begun = server
        .client()
        .post("/v2/a/blobs/uploads/")
        .await
        .expect(202);
    let location = begun.header("location").to_owned();
    let body = format!("PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    for start in ["GET /v2/ HTTP/1.1\r\nX: ", &body] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let trickled = timeout(Duration::from_secs(15), async {
            let mut byte = [0];
            loop {
                stream.write_all(b"x").await.ok();
                let read = timeout(Duration::from_millis(200), stream.read(&mut byte)).await;
                if matches!(read, Ok(Ok(0) | Err(_))) {
                    return;
                }
            }
        });
        trickled.await.expect("the connection was ended");
    }
    // What came of the body is kept; it may still be on its way to the disk.
    let kept = timeout(Duration::from_secs(30), async {
        while server
            .client()
            .get(&location)
            .await
            .expect(204)
            .header("range")
            == "0-0"
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    kept.await.expect("what came of the body is kept");
}

/// A61: a reader that does not read is ended.
#[tokio::test]
async fn a61_a_reader_that_does_not_read_is_ended() {
    let mut setup = Setup::default();
    setup.limits.window = Duration::from_secs(2);
    let server = setup.serve().await;
    let client = server.client();
    let blob = client.push("a", noise(1, 16 << 20)).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET /v2/a/blobs/{blob} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let ended = timeout(Duration::from_secs(30), async {
        loop {
            let metrics = client.get("/metrics").await.expect(200);
            let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
            let slow = "artifact_connections_ended_early_total{reason=\"slow\"} 1";
            if metrics.contains(slow) && metrics.contains("artifact_transfer_pool_lent_bytes 0\n") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    ended
        .await
        .expect("it was ended, and its memory given back");
    drop(stream);
}
