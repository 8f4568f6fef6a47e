//! Uploads that are interrupted, by the client and by a crash of the server, and then resumed.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use reqwest::blocking::{Body, Response};
use reqwest::{Method, StatusCode, Url};

use crate::image::{Layout, digest_of, noise};
use crate::mode::{Access, Mode, Transport, in_each_mode};
use crate::process::run;
use crate::workbench::Workbench;

in_each_mode!(
    keeps_what_was_acknowledged_through_a_crash,
    resumes_after_the_client_was_cut_off,
    resumes_after_the_server_crashed,
);

const PACKAGE: &str = "team/blobs";

fn resumes_after_the_client_was_cut_off(mode: Mode) {
    let bench = Workbench::new(mode);
    let content = noise(1, 6_000_000);
    let upload = begin(&bench);
    let half = Body::sized(
        Half(io::Cursor::new(content[..3_000_000].to_vec())),
        6_000_000,
    );
    let cut_off = bench.request(Method::PATCH, &upload).body(half).send();
    assert!(
        cut_off.is_err(),
        "half of a body is no request: {cut_off:?}"
    );

    let (upload, kept) = wait_for_offset(&bench, &upload);
    assert!(
        kept <= 3_000_000,
        "{kept} bytes are kept, and 3000000 were sent"
    );
    // A chunk that does not begin where the kept bytes end is refused, and changes nothing.
    let gap = append(&bench, &upload, &content, kept + 1);
    assert_eq!(gap.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    let (upload, still) = offset(&bench, &upload).expect("the session is still there");
    assert_eq!(still, kept);

    let appended = append(&bench, &upload, &content, kept);
    assert_eq!(appended.status(), StatusCode::ACCEPTED);
    assert_eq!(appended.headers()["range"], "0-5999999");
    finish(&bench, &path_in(&appended), &content);
    bench.finish();
}

/// F1: the first half was acknowledged before the kill, and so it is there after it.
fn resumes_after_the_server_crashed(mode: Mode) {
    let mut bench = Workbench::new(mode);
    let content = noise(2, 3_000_000);
    let upload = begin(&bench);
    let first = bench
        .request(Method::PATCH, &upload)
        .header("content-range", "0-1499999")
        .body(content[..1_500_000].to_vec())
        .send()
        .unwrap();
    assert_eq!(first.status(), StatusCode::ACCEPTED);
    let upload = path_in(&first);
    bench.server.crash_and_restart(&bench.sandbox);

    let (upload, kept) = offset(&bench, &upload).expect("the session outlives the server");
    assert_eq!(kept, 1_500_000);
    let appended = append(&bench, &upload, &content, kept);
    assert_eq!(appended.status(), StatusCode::ACCEPTED);
    finish(&bench, &path_in(&appended), &content);
    bench.finish();
}

/// I1, F1: a client was told that its image is stored, and the server is killed at once.
fn keeps_what_was_acknowledged_through_a_crash(mode: Mode) {
    let mut bench = Workbench::new(mode);
    let local = Layout::create(bench.sandbox.path("layout"));
    let digest = local.tag(&local.add_two_platforms(3), "v1");
    let mut push = bench.sandbox.client("oras");
    push.args(["cp", "--from-oci-layout", "layout:v1"])
        .arg(bench.image("team/app", "v1"));
    match bench.server.certificate() {
        None => push.arg("--to-plain-http"),
        Some(files) => push.arg("--to-ca-file").arg(&files.authority),
    };
    if let Some((name, password)) = bench.server.user() {
        push.args(["--to-username", name, "--to-password", password]);
    }
    run(&mut push);
    bench.server.crash_and_restart(&bench.sandbox);
    assert_eq!(bench.check("team/app", "v1").0, digest);
    bench.finish();
}

#[test]
fn an_unknown_upload_is_refused() {
    let bench = Workbench::new(Mode {
        transport: Transport::Http,
        access: Access::Anyone,
    });
    begin(&bench);
    for unknown in [
        "00000000-0000-4000-8000-000000000000",
        "nonsense",
        "..%2f..%2fregistry",
    ] {
        let path = format!("/v2/{PACKAGE}/blobs/uploads/{unknown}");
        for method in [Method::GET, Method::PATCH, Method::PUT, Method::DELETE] {
            let answer = bench
                .request(method.clone(), &path)
                .body("bytes")
                .send()
                .unwrap();
            assert!(
                answer.status().is_client_error(),
                "{method} {path}: {}",
                answer.status()
            );
        }
    }
    bench.finish();
}

/// Begins an upload and returns the path to send its bytes to.
fn begin(bench: &Workbench) -> String {
    let path = format!("/v2/{PACKAGE}/blobs/uploads/");
    let answer = bench.request(Method::POST, &path).send().unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    path_in(&answer)
}

/// Sends what follows the first `from` bytes as one chunk.
fn append(bench: &Workbench, upload: &str, content: &[u8], from: usize) -> Response {
    let range = format!("{from}-{}", content.len() - 1);
    let request = bench
        .request(Method::PATCH, upload)
        .header("content-range", range);
    request.body(content[from..].to_vec()).send().unwrap()
}

/// Ends the upload, and checks what became of it.
fn finish(bench: &Workbench, upload: &str, content: &[u8]) {
    let digest = digest_of(content);
    let answer = bench
        .request(Method::PUT, upload)
        .query(&[("digest", &digest)])
        .send()
        .unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()["docker-content-digest"], digest);
    assert_eq!(bench.check_blob(PACKAGE, &digest), content);
    let again = bench.request(Method::GET, upload).send().unwrap();
    assert_eq!(again.status(), StatusCode::NOT_FOUND, "the session is over");
}

/// Asks how many bytes of an upload are kept, and where to send the others.
fn offset(bench: &Workbench, upload: &str) -> Option<(String, usize)> {
    let answer = bench.request(Method::GET, upload).send().unwrap();
    if answer.status() != StatusCode::NO_CONTENT {
        return None;
    }
    let range = answer.headers().get("range")?.to_str().unwrap();
    let last: usize = range.split_once('-').expect("a range").1.parse().unwrap();
    Some((path_in(&answer), last + 1))
}

/// Waits until the server has seen that the client is gone.
fn wait_for_offset(bench: &Workbench, upload: &str) -> (String, usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        // An upload without bytes is told as `0-0`, as one byte is.
        match offset(bench, upload) {
            Some((location, kept)) if kept > 1 => return (location, kept),
            found => assert!(Instant::now() < deadline, "nothing was kept: {found:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns path and query of the `Location`, for the server may be at another port by then.
fn path_in(answer: &Response) -> String {
    let location = answer.headers()["location"].to_str().unwrap();
    let location: Url = answer.url().join(location).expect("Location is a URL");
    location.query().map_or_else(
        || location.path().to_owned(),
        |query| format!("{}?{query}", location.path()),
    )
}

/// A body that breaks off where its bytes end.
struct Half(io::Cursor<Vec<u8>>);

impl Read for Half {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the client is cut off")),
            length => Ok(length),
        }
    }
}
