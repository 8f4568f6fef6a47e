//! What a client may take of the server: memory, time and connections (I23): by raw bytes, where a
//! library would be polite, and of the application itself, where a clock must go on by hours.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use artifact::{AnonymousAccess, OpenOptions, Registry};
use artifact_proto::{
    auth::{DoorOptions, TokenKey},
    metrics::Metrics,
    server::App,
};
use artifact_testkit::seams::{FakeClock, TokioSpawn};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tower_service::Service as _;

use crate::support::{Setup, digest, noise, server};

/// Longer than anything here may take, and shorter than for ever.
const LONG: Duration = Duration::from_secs(30);

/// I23: a client of HTTP/2 is told what it may have under way: requests, headers, and bytes that nobody
/// has taken yet.
///
/// Source: RFC 9113, sections 3.4, 6.5 and 6.9.
#[tokio::test]
async fn i23_http2_is_told_its_bounds() {
    const SETTINGS: u8 = 4;
    const WINDOW_UPDATE: u8 = 8;
    let server = server().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(preface).await.unwrap();
    let (mut settings, mut window) = (Vec::new(), 65_535);
    let frames = async {
        while settings.is_empty() || window == 65_535 {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut body = vec![0; usize::try_from(length).unwrap()];
            stream.read_exact(&mut body).await.unwrap();
            let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
            match head[3] {
                SETTINGS => settings.extend(body.chunks(6).map(|setting| {
                    let name = u16::from_be_bytes([setting[0], setting[1]]);
                    (name, number(&setting[2..]))
                })),
                WINDOW_UPDATE => window += number(&body),
                _ => {}
            }
        }
    };
    timeout(LONG, frames)
        .await
        .expect("the server says its bounds");
    let told = |name| {
        settings
            .iter()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| *value)
    };
    assert_eq!(told(3), Some(64), "requests at once");
    assert_eq!(told(4), Some(256 << 10), "bytes of one of them");
    assert_eq!(told(6), Some(32 << 10), "headers");
    assert_eq!(window, 512 << 10, "bytes of all of them");
}

/// I23: a manifest that is announced too long is refused before a byte of it came, and one that is not
/// announced as soon as it is too long.
#[tokio::test]
async fn i23_a_manifest_that_is_too_long_is_not_waited_for() {
    let server = server().await;
    let put = "PUT /v2/app/manifests/v1 HTTP/1.1\r\nHost: x\r\n\
               Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";
    let announced = format!("{put}Content-Length: {}\r\n\r\n", (4 << 20) + 1);
    let chunk = 5 << 20;
    let mut endless = format!("{put}Transfer-Encoding: chunked\r\n\r\n{chunk:x}\r\n").into_bytes();
    endless.extend(vec![b' '; chunk]);
    for request in [announced.into_bytes(), endless] {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        // The server may end the connection while it is written to.
        let writing = tokio::spawn(async move {
            let _cut = write.write_all(&request).await;
            write
        });
        let mut status = [0; 12];
        timeout(LONG, read.read_exact(&mut status))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&status, b"HTTP/1.1 413");
        drop(writing.await.unwrap());
    }
}

/// I23, F30: who agrees on no TLS is not waited for.
#[tokio::test]
async fn f30_a_silent_handshake_ends() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let config = artifact_proto::server::tls_config(certificate.as_bytes(), key.as_bytes());
    let mut setup = Setup {
        tls: Some(config.unwrap()),
        ..Setup::default()
    };
    setup.limits.handshake = Duration::from_millis(100);
    let server = setup.serve().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let ended = timeout(LONG, stream.read(&mut [0; 1])).await;
    let ended = ended.expect("the connection is ended");
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
}

/// F34: a server that is to stop does not wait for ever for a client that does not end.
#[tokio::test]
async fn f34_a_stop_is_not_held_up() {
    let mut setup = Setup::default();
    setup.limits.drain = Duration::from_millis(100);
    let server = setup.serve().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let begun = "POST /v2/app/blobs/uploads/?digest=sha256:\
                 0000000000000000000000000000000000000000000000000000000000000000 HTTP/1.1\r\n\
                 Host: x\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n";
    stream.write_all(begun.as_bytes()).await.unwrap();
    let mut asked = [0; 12];
    timeout(LONG, stream.read_exact(&mut asked))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100");
    let stopped = timeout(LONG, server.stop()).await.expect("it stops");
    assert_eq!(stopped.cut, 1);
}

/// The application over a registry to which anybody may push.
async fn app() -> (TempDir, Registry, App) {
    app_at(FakeClock::new()).await
}

/// The same, at a clock.
async fn app_at(clock: FakeClock) -> (TempDir, Registry, App) {
    let directory = tempfile::tempdir().unwrap();
    let registry = OpenOptions::new()
        .create_new()
        .clock(Arc::new(clock))
        .spawn(Arc::new(TokioSpawn::current()))
        .open_async(directory.path().join("registry"))
        .await
        .unwrap();
    let app = App::new(
        (*registry).clone(),
        DoorOptions::new(AnonymousAccess::Write),
        TokenKey::new([9; 32]),
        Arc::new(Metrics::new()),
    );
    (directory, registry, app)
}

type Frames = Result<Frame<Bytes>, Infallible>;

/// Sends a body that says it has so many bytes, and returns the answer.
async fn send(
    app: &App,
    method: &str,
    path: &str,
    announced: usize,
    body: &[u8],
) -> http::Response<artifact_proto::body::Body> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-length", announced)
        .header("content-type", "application/vnd.oci.image.manifest.v1+json")
        .body(Full::new(Bytes::copy_from_slice(body)))
        .unwrap();
    app.clone().call(request).await.unwrap()
}

/// I3: a body has the length that it announced, whatever transport brought it; else nothing is made of it, also
/// where its digest is right.
#[tokio::test]
async fn i3_a_body_has_the_length_that_it_announced() {
    let (_directory, _registry, app) = app().await;
    let blob = noise(1, 3_000);
    let config = digest(b"{}");
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{config}","size":2}},"layers":[]}}"#
    );
    let pushed = format!("/v2/app/blobs/uploads/?digest={config}");
    assert_eq!(send(&app, "POST", &pushed, 2, b"{}").await.status(), 201);
    let pushed = format!("/v2/app/blobs/uploads/?digest={}", digest(&blob));
    for (method, path, body) in [
        ("POST", &*pushed, &blob[..]),
        ("PUT", "/v2/app/manifests/v1", manifest.as_bytes()),
    ] {
        for announced in [body.len() - 1, body.len() + 1] {
            let refused = send(&app, method, path, announced, body).await;
            assert_eq!(refused.status(), 400, "{method} {path} of {announced}");
        }
    }
    let path = format!("/v2/app/blobs/{}", digest(&blob));
    assert_eq!(send(&app, "GET", &path, 0, b"").await.status(), 404);
    let taken = send(&app, "POST", &pushed, blob.len(), &blob).await;
    assert_eq!(taken.status(), 201);
    let path = "/v2/app/manifests/v1";
    let taken = send(&app, "PUT", path, manifest.len(), manifest.as_bytes()).await;
    assert_eq!(taken.status(), 201);
}

/// I8, I23: a small blob is read within the time for which its slot stays, or its answer breaks off: what came
/// after that could be another's bytes.
#[tokio::test]
async fn i8_a_small_blob_is_read_in_its_time() {
    let clock = FakeClock::new();
    let (_directory, _registry, app) = app_at(clock.clone()).await;
    let blob = noise(1, 900_000);
    let path = format!("/v2/app/blobs/uploads/?digest={}", digest(&blob));
    let pushed = send(&app, "POST", &path, blob.len(), &blob).await;
    assert_eq!(pushed.status(), 201);
    let path = format!("/v2/app/blobs/{}", digest(&blob));
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    for (waits, ends) in [(minutes(10), true), (minutes(11), false)] {
        let mut body = send(&app, "GET", &path, 0, b"").await.into_body();
        let first = body.frame().await.unwrap().unwrap();
        let first = first.into_data().unwrap();
        assert!(first.len() < blob.len(), "there is more to come");
        clock.advance(waits);
        let rest = body.collect().await;
        assert_eq!(rest.is_ok(), ends, "after {waits:?}");
    }
}

/// Asks with a body, and waits for the answer an hour of a clock that stands still while anybody works.
async fn ask(
    app: &App,
    method: &str,
    path: &str,
    body: impl Stream<Item = Frames> + Send + 'static,
) -> StatusCode {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/vnd.oci.image.manifest.v1+json")
        .body(StreamBody::new(body))
        .unwrap();
    let answer = app.clone().call(request);
    let answer = timeout(Duration::from_secs(3600), answer).await;
    answer
        .expect("it is answered within an hour")
        .unwrap()
        .status()
}

/// I23, F30: a document that does not come is not waited for, and neither is the rest of a body that
/// nobody wants.
#[tokio::test(start_paused = true)]
async fn f30_a_body_that_does_not_come_is_not_waited_for() {
    let (_directory, _registry, app) = app().await;
    for (method, path, status) in [
        ("PUT", "/v2/app/manifests/v1", 400),
        ("POST", "/token", 400),
        ("PUT", "/v2/APP/manifests/v1", 400),
    ] {
        let answered = ask(&app, method, path, stream::pending()).await;
        assert_eq!(answered, status, "{method} {path}");
    }
}

/// I23: of a form, and of a body that nobody wants, no more is read than their bounds.
#[tokio::test]
async fn i23_a_body_without_end_is_read_to_its_bound() {
    const CHUNK: usize = 64 << 10;
    let (_directory, _registry, app) = app().await;
    for (method, path, status, chunks) in [
        ("POST", "/token", 400, 2),
        ("PUT", "/v2/APP/manifests/v1", 400, 17),
        ("PUT", "/v2/app/manifests/v1", 413, 65 + 17),
    ] {
        let read = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&read);
        let endless = stream::repeat_with(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(Frame::data(Bytes::from(vec![b'a'; CHUNK])))
        });
        // Not for ever, should it be read all the same.
        let answered = ask(&app, method, path, endless.take(400)).await;
        assert_eq!(answered, status, "{method} {path}");
        let read = read.load(Ordering::SeqCst);
        assert!(
            read <= chunks,
            "{read} chunks were read for {method} {path}"
        );
    }
}
