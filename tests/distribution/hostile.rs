//! Hostile words: in paths, names and headers; whole classes of them, written raw where
//! a library would tidy them.

use artifact::{AnonymousAccess, UserRole};
use artifact_proto::oci::endpoint::{ROUTES, Shape};

use crate::support::{
    Setup, digest,
    raw::{raw, state, status},
    server,
};

const ID: &str = "00112233445566778899aabbccddeeff";

/// Returns the path of a form with a word in each of its variable places, one at a time.
fn with_word(shape: Shape, word: &[u8]) -> Vec<Vec<u8>> {
    let digest = digest(b"{}");
    let fill = [
        ("<name>", "priv/app"),
        ("<digest>", digest.as_str()),
        ("<reference>", "v1"),
        ("<id>", ID),
    ];
    let pattern = shape.pattern();
    let places = fill.iter().filter(|(place, _)| pattern.contains(place));
    let each = |(hostile, usual): &(&str, &str)| {
        let mut paths = Vec::new();
        for form in 0..4 {
            let mut path = pattern.to_owned();
            for (place, value) in fill {
                let marked = match form {
                    _ if place != *hostile => value.to_owned(),
                    0 => "\0".to_owned(),
                    1 => format!("{usual}\0"),
                    2 => format!("\0{usual}"),
                    _ => format!("{}\0{}", &usual[..1], &usual[1..]),
                };
                path = path.replace(place, &marked);
            }
            let (before, after) = path.split_once('\0').unwrap();
            paths.push([before.as_bytes(), word, after.as_bytes()].concat());
        }
        paths
    };
    places.flat_map(each).collect()
}

/// A47, A29, A32: whatever tries to leave its place, in any place of any route and by any method, finds
/// nothing and changes nothing.
#[tokio::test]
async fn a47_nothing_leaves_its_place_in_any_route() {
    let server = server().await;
    let client = server.client();
    client.image("priv/app", "v1").await;
    let before = state(&server).await;
    let words: [&[u8]; 30] = [
        b"/../",
        b"/./",
        b"//",
        b"/..;/",
        b"/%2e%2e/",
        b"%2f%2e%2e%2f",
        b"/.%2e/",
        b"%252e%252e%252f",
        b"%252f",
        b"%5c",
        b"..%5c",
        b"\\",
        b"..\\",
        b"%c0%ae",
        b"%c0%af",
        b"%e0%80%af",
        b"%f0%80%80%af",
        b"%c1%9c",
        b"\xc0\xae",
        b"\xff",
        b"%00",
        b"%ff",
        b"%",
        b"%2",
        b"%zz",
        b"%u002e",
        b"~",
        b"%7e",
        b"..%2f..%2f..%2fetc%2fpasswd",
        b"%ef%bc%8f",
    ];
    let mut asked = 0;
    for row in ROUTES
        .iter()
        .filter(|row| row.shape.pattern().contains('<'))
    {
        for word in words {
            for target in with_word(row.shape, word) {
                let answer = raw(&client, row.method.as_str(), &target, b"").await;
                let told = status(&answer);
                let words = format!("{} {}", row.method, String::from_utf8_lossy(&target));
                assert!(matches!(told, 400 | 404 | 405), "{words}: {answer}");
                assert!(!answer.contains("root:"), "{words}: {answer}");
                asked += 1;
            }
        }
    }
    assert!(asked > 1_000, "{asked}");
    for target in [
        "/%2F%2F..%2F..%2Fetc/passwd",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/.",
        "/..",
        "//etc/passwd",
        "/v2/..",
        "/v2/../index.db",
        "/v2/%2e%2e/artifact.toml",
        "/v2/priv/app/blobs/../../../artifact.toml",
        "/healthz/../v2/",
        "/metrics%2f",
        "/%6detrics",
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let told = status(&raw(&client, method, target.as_bytes(), b"").await);
            assert!(matches!(told, 400 | 404 | 405), "{method} {target}: {told}");
        }
    }
    assert_eq!(state(&server).await, before, "nothing was changed");
}

/// Says what of an answer broke out of its place: a line that a client wrote, or a control character.
fn broken_out(answer: &str) -> Option<&str> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let evil = |line: &&str| {
        let control = line.contains(|c: char| c.is_control() && c != '\t');
        line.to_lowercase().starts_with("x-evil") || control
    };
    let in_body = body.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    head.split("\r\n").find(evil).or(in_body.then_some(body))
}

/// A51, A55: a line break or a control character is in no name, parameter or header that is taken, and in
/// no line of an answer.
#[tokio::test]
async fn a51_no_control_character_breaks_out_of_any_place() {
    let setup = Setup::anonymous(AnonymousAccess::Write);
    let server = setup.user("root", UserRole::Admin, "").serve().await;
    let client = server.client();
    client.image("priv/app", "v1").await;
    client.image("other", "v1").await;
    let before = state(&server).await;
    let words: [&[u8]; 14] = [
        b"%0d%0aX-Evil:%20y",
        b"%0aX-Evil:%20y",
        b"%0d",
        b"%00",
        b"%08",
        b"%09",
        b"%1b[31m",
        b"%7f",
        b"%c2%85X-Evil:%20y",
        b"%c2%9b31m",
        b"\x1b[31m",
        b"\x00",
        b"\x7f",
        b"\x0bX-Evil:y",
    ];
    for row in ROUTES
        .iter()
        .filter(|row| row.shape.pattern().contains('<'))
    {
        for word in words {
            for target in with_word(row.shape, word) {
                let answer = raw(&client, row.method.as_str(), &target, b"").await;
                let words = format!("{} {:?}", row.method, String::from_utf8_lossy(&target));
                assert!(matches!(status(&answer), 400 | 404), "{words}: {answer}");
                assert_eq!(broken_out(&answer), None, "{words}");
            }
        }
    }
    for place in [
        "/v2/_catalog?n=1&last=",
        "/v2/_catalog?n=",
        "/v2/_catalog?",
        "/v2/priv/app/tags/list?last=",
        "/v2/priv/app/tags/list?n=1&last=",
        "/token?scope=repository:a",
        "/token?service=",
        "/token?account=",
        "/v2/priv/app/manifests/v1?ns=",
        "/v2/priv/app/manifests/v1?tag=",
    ] {
        for word in words {
            let target = [place.as_bytes(), word].concat();
            let answer = raw(&client, "GET", &target, b"").await;
            assert_eq!(broken_out(&answer), None, "{place}{word:?}");
            // What a route does not read it passes over.
            let told = status(&answer);
            let unread = place.contains("manifests") || place.starts_with("/token?");
            assert!(
                told == 400 || unread && matches!(told, 200 | 401),
                "{place}{word:?}: {answer}"
            );
        }
    }
    for name in [
        "content-type",
        "if-match",
        "if-none-match",
        "if-range",
        "range",
        "accept",
        "user-agent",
        "traceparent",
        "content-range",
        "authorization",
        "x-request-id",
        "origin",
        "referer",
        "x-forwarded-for",
    ] {
        for word in [
            &b"a\rX-Evil: y"[..],
            b"a\x00b",
            b"\x1b[31m",
            b"a\x7fb",
            b"\xe2\x80\xae",
            b"a\nX-Evil: y",
        ] {
            let line = [name.as_bytes(), b": ", word, b"\r\n"].concat();
            for target in [
                "/v2/priv/app/manifests/v1",
                "/v2/A",
                "/v2/priv/app/manifests/none",
            ] {
                let answer = raw(&client, "GET", target.as_bytes(), &line).await;
                assert_eq!(broken_out(&answer), None, "{name}: {word:?}");
            }
        }
    }
    assert_eq!(state(&server).await, before, "nothing was changed");
}

/// A50: what could be read in two ways is refused on every route that takes a body and every one that
/// takes none, and nothing that follows it is taken for a request.
#[tokio::test]
async fn a50_no_route_reads_an_ambiguous_length() {
    let server = server().await;
    let client = server.client();
    let lines = [
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5;",
        "Content-Length: 5, 5",
        "Content-Length: 5 5",
        "Content-Length: ",
        "Content-Length: five",
        "Content-Length: 99999999999999999999",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked;x=y",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: ",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding : chunked",
        "Content-Length : 5",
        " Content-Length: 5",
        "X: y\r\n Content-Length: 5",
        "Content-Length\x00: 5",
    ];
    for row in ROUTES {
        let mut target = row
            .shape
            .pattern()
            .replace("<name>", "a")
            .replace("<reference>", "v1");
        target = target
            .replace("<digest>", &digest(b"{}"))
            .replace("<id>", ID);
        for line in lines {
            let request = format!(
                "{} {target} HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
                row.method
            );
            let answers = client.raw(request.as_bytes()).await;
            let words = format!("{} {target} {line:?}: {answers}", row.method);
            assert!(answers.starts_with("HTTP/1.1 400 "), "{words}");
            assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{words}");
        }
    }
}
