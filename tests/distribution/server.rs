//! The server: HTTP/2, TLS, health, metrics, and an orderly end.

use std::{sync::Arc, time::Duration};

use artifact::Mode;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::support::{Setup, client::read_all, digest, noise, server};

/// HTTP/2 in plain: many requests on one connection, with bodies in both directions.
#[tokio::test]
async fn http2_is_spoken() {
    let server = server().await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let pushes = (0..10_u64).map(|seed| {
        let mut sender = sender.clone();
        let origin = format!("http://{}", server.address);
        async move {
            let bytes = noise(seed, 700_000);
            let digest = digest(&bytes);
            let path = format!("{origin}/v2/h2/app/blobs/uploads/?digest={digest}");
            let post = Request::post(path).body(Full::new(bytes.clone())).unwrap();
            assert_eq!(sender.send_request(post).await.unwrap().status(), 201);
            let path = format!("{origin}/v2/h2/app/blobs/{digest}");
            let get = Request::get(path).body(Full::new(Bytes::new())).unwrap();
            let got = sender.send_request(get).await.unwrap();
            assert_eq!(got.status(), 200);
            assert_eq!(got.into_body().collect().await.unwrap().to_bytes(), bytes);
        }
    });
    futures::future::join_all(pushes).await;
    drop(sender);
    connection.await.unwrap().unwrap();
}

/// TLS, with HTTP/2 and HTTP/1.1 offered; what is not TLS is turned away.
#[tokio::test]
async fn tls_is_spoken() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let config =
        artifact_proto::server::tls_config(certificate.as_bytes(), key.as_bytes()).unwrap();
    let server = Setup {
        tls: Some(config),
        ..Setup::default()
    }
    .serve()
    .await;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    for (offer, expected) in [(&b"h2"[..], &b"h2"[..]), (b"http/1.1", b"http/1.1")] {
        let mut client = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        client.alpn_protocols = vec![offer.to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        let stream = TcpStream::connect(server.address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let stream = connector.connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(expected));
        let get = Request::get("https://localhost/v2/").header("host", "localhost");
        let get = get.body(Full::new(Bytes::new())).unwrap();
        let status = if expected == b"h2" {
            let io = TokioIo::new(stream);
            let (mut sender, connection) =
                http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(get).await.unwrap().status()
        } else {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            sender.send_request(get).await.unwrap().status()
        };
        assert_eq!(status, 200);
    }
    let plain = server
        .client()
        .raw(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    assert!(!plain.contains("200 OK"), "{plain}");
}

/// `/healthz` and `/readyz`; a registry that is read-only says so, refuses writes and serves reads.
#[tokio::test]
async fn health_is_told() {
    let server = server().await;
    let client = server.client();
    client.image("a", "v1").await;
    client.get("/healthz").await.expect(200);
    assert_eq!(
        client.get("/readyz").await.expect(200).json()["status"],
        "ready"
    );
    server
        .embedder()
        .set_mode(&Mode::ReadOnly("canary".into()))
        .await
        .unwrap();
    let ready = client.get("/readyz").await.expect(200);
    assert_eq!(
        ready.body, "{\"status\":\"read-only\"}\n",
        "the reason is the operator's"
    );
    let refused = client.post("/v2/a/blobs/uploads/").await.expect(503);
    assert!(refused.headers.contains_key("retry-after"));
    client.get("/v2/a/manifests/v1").await.expect(200);
    let metrics = client.get("/metrics").await.expect(200);
    assert!(String::from_utf8_lossy(&metrics.body).contains("artifact_read_only 1\n"));
}

/// `/metrics` counts what was asked for, under the names of the table.
#[tokio::test]
async fn requests_are_counted() {
    let server = server().await;
    let client = server.client();
    client.image("a", "v1").await;
    client.get("/v2/a/manifests/v2").await.expect(404);
    client.get("/nowhere").await.expect(404);
    let reply = client.get("/metrics").await.expect(200);
    assert!(
        reply
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    let metrics = String::from_utf8_lossy(&reply.body).into_owned();
    for line in [
        "artifact_requests_total{endpoint=\"oci_put_manifest\",method=\"PUT\",status=\"201\"} 1",
        "artifact_requests_total{endpoint=\"oci_read_manifest\",method=\"GET\",status=\"404\"} 1",
        "artifact_requests_total{endpoint=\"none\",method=\"GET\",status=\"404\"} 1",
        "artifact_requests_in_flight 1",
        "artifact_request_bytes_total{endpoint=\"oci_begin_upload\"} 2",
        "artifact_accesses_total{action=\"create\",outcome=\"allowed\"}",
        "artifact_connections_accepted_total{transport=\"plain\"} 5",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    let known: Vec<&str> = artifact_proto::metrics::METRICS
        .iter()
        .map(|metric| metric.name)
        .collect();
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let name = name
            .trim_end_matches("_bucket")
            .trim_end_matches("_sum")
            .trim_end_matches("_count");
        assert!(known.contains(&name), "{name} is not in the table");
    }
}

/// F34: when the server stops, what is under way ends, and what does not end can be resumed.
#[tokio::test]
async fn f34_a_stop_lets_uploads_end_or_keeps_them() {
    let mut setup = Setup::default();
    setup.limits.drain = Duration::from_secs(1);
    let server = setup.serve().await;
    let client = server.client();
    let bytes = noise(1, 400_000);
    let begin = || async {
        let begun = client.post("/v2/a/blobs/uploads/").await.expect(202);
        begun.header("location").to_owned()
    };
    let (ending, hanging) = (begin().await, begin().await);
    let idle = TcpStream::connect(server.address).await.unwrap();
    let send = |location: String| {
        let (address, bytes) = (server.address, bytes.clone());
        async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head =
                format!("PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&bytes[..300_000]).await.unwrap();
            stream
        }
    };
    let (mut one, two) = (send(ending).await, send(hanging.clone()).await);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let registry = server.registry.clone();
    let stopping = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(200)).await;
    one.write_all(&bytes[300_000..]).await.unwrap();
    let answer = read_all(&mut one).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let stopped = stopping.await.unwrap();
    assert_eq!((stopped.cut, stopped.settled), (1, true));
    let session = registry.session(
        artifact::Principal::Anonymous(artifact::AnonymousAccess::Write),
        artifact::RequestContext::default(),
    );
    let id = hanging.rsplit('/').next().unwrap().parse().unwrap();
    let package = artifact::PackageRef::in_default(&"a".parse().unwrap());
    let status = session.upload_status(&package, &id).await.unwrap();
    assert_eq!(status.offset, 300_000, "what came is kept");
    drop((two, idle));
}
