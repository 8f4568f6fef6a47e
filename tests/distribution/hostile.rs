//! Hostile words: in paths, names, headers, documents and types; whole classes of them, written raw where
//! a library would tidy them.

use artifact::{AnonymousAccess, UserRole};
use artifact_proto::oci::route::{ROUTES, Shape};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::support::{
    Client, Setup, TestServer, digest,
    goods::{EMPTY, INDEX, LAYER, MANIFEST, descriptor},
    image, noise, server,
};

const ID: &str = "00112233445566778899aabbccddeeff";

/// Sends a head, raw, and returns what came back, as text and as bytes.
async fn raw(client: &Client, method: &str, target: &[u8], headers: &[u8]) -> String {
    let mut head = format!("{method} ").into_bytes();
    head.extend_from_slice(target);
    head.extend_from_slice(b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    head.extend_from_slice(headers);
    head.extend_from_slice(b"\r\n");
    client.raw_to_end(&head).await
}

fn status(answer: &str) -> u16 {
    let digits = answer.get(9..12).unwrap_or_else(|| panic!("{answer:?}"));
    assert!(answer.starts_with("HTTP/1.1 "), "{answer:?}");
    digits.parse().unwrap()
}

/// Returns all that a write would change.
async fn state(server: &TestServer) -> String {
    let embedder = server.embedder();
    let revision = embedder.revision().await.unwrap();
    format!("{revision:?} {:?}", embedder.totals().await.unwrap())
}

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

/// A36: a document that two readers could read differently is no manifest, under any of its types.
#[tokio::test]
async fn a36_no_manifest_can_be_read_in_two_ways() {
    let server = server().await;
    let client = server.client();
    client.push("a", "{}").await;
    let child = client.image("a", "child").await;
    let before = state(&server).await;
    let types = [
        MANIFEST,
        INDEX,
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ];
    let config = descriptor(EMPTY, b"{}");
    let (layers, manifests) = (json!([config]), json!([child.descriptor()]));
    let parts = [
        ("config", config.clone()),
        ("layers", layers.clone()),
        ("manifests", manifests.clone()),
    ];
    let mut bodies: Vec<String> = Vec::new();
    // Whatever makes an image, beside what makes an index.
    for pick in [[true, false, true], [false, true, true], [true, true, true]] {
        for own in types.iter().copied().map(Some).chain([None]) {
            let mut document = json!({ "schemaVersion": 2 });
            if let Some(own) = own {
                document["mediaType"] = Value::from(own);
            }
            for ((name, value), _) in parts.iter().zip(pick).filter(|(_, picked)| *picked) {
                document[*name] = value.clone();
            }
            bodies.push(document.to_string());
        }
    }
    // A key given twice, at any depth, in any order, also where it is written with an escape.
    for (one, other) in [
        ("\"layers\":[]", format!("\"layers\":{layers}")),
        ("\"layers\":[]", format!("\"\\u006cayers\":{layers}")),
        ("\"schemaVersion\":2", "\"schemaVersion\":1".to_owned()),
        ("\"subject\":null", format!("\"subject\":{config}")),
        ("\"x\":{\"y\":1,\"y\":2}", "\"z\":1".to_owned()),
        (
            "\"annotations\":{\"a\":\"b\",\"a\":\"c\"}",
            "\"z\":1".to_owned(),
        ),
        ("\"mediaType\":\"a/b\"", "\"mediaType\":\"c/d\"".to_owned()),
    ] {
        let rest = format!("\"config\":{config},\"layers\":[]");
        let rest = if one.contains("layers") {
            format!("\"config\":{config}")
        } else {
            rest
        };
        let version = if one.contains("Version") {
            ""
        } else {
            "\"schemaVersion\":2,"
        };
        for (first, second) in [(one, other.as_str()), (other.as_str(), one)] {
            bodies.push(format!("{{{version}{rest},{first},{second}}}"));
        }
    }
    // Another case, which most clients pass over, beside the usual one and alone.
    let layer = json!({ "mediaType": LAYER, "digest": digest(b"{}"), "size": 2 });
    for field in [
        "Layers",
        "LAYERS",
        "layer\u{17f}",
        "Manifests",
        "Config",
        "Subject",
        "MediaType",
    ] {
        let mut document = json!({ "schemaVersion": 2, "config": config, "layers": [layer] });
        document[field] = json!([layer]);
        bodies.push(document.to_string());
    }
    for field in ["Digest", "Size", "mediatype", "URLs"] {
        let mut layer = layer.clone();
        layer[field] = Value::from("sha256:x");
        bodies.push(json!({ "schemaVersion": 2, "config": config, "layers": [layer] }).to_string());
    }
    let good = image(&json!({})).bytes;
    let good = String::from_utf8(good.to_vec()).unwrap();
    for tail in ["{}", "x", "\0", "[]", &good] {
        bodies.push(format!("{good}{tail}"));
    }
    bodies.push(format!("\u{feff}{good}"));
    for media_type in types {
        for body in &bodies {
            let reply = client
                .put("/v2/a/manifests/v1", media_type, body.clone())
                .await;
            assert_eq!(
                reply.expect(400).code(),
                "MANIFEST_INVALID",
                "{media_type}: {body}"
            );
        }
    }
    // The type beside the document is that of the document, for each pair.
    for own in types {
        for beside in types.iter().filter(|beside| **beside != own) {
            let mut document = json!({ "schemaVersion": 2, "mediaType": own });
            if own == INDEX || own.contains("list") {
                document["manifests"] = manifests.clone();
            } else {
                document["config"] = config.clone();
                document["layers"] = layers.clone();
            }
            let reply = client
                .put("/v2/a/manifests/v1", beside, document.to_string())
                .await;
            assert_eq!(
                reply.expect(400).code(),
                "MANIFEST_INVALID",
                "{own} as {beside}"
            );
        }
    }
    assert_eq!(state(&server).await, before, "nothing was changed");
}

/// A53: what a browser would run comes back as something that it does not run, by every route that gives
/// it back.
#[tokio::test]
async fn a53_nothing_that_was_pushed_runs_in_a_browser() {
    let server = server().await;
    let client = server.client();
    let page = "<html><svg onload=\"alert(1)\"><script>alert(1)</script></svg></html>";
    let blob = client.push("a", page).await;
    let types = [
        "text/html",
        "TEXT/HTML",
        "text/html; charset=utf-8",
        "application/xhtml+xml",
        "image/svg+xml",
        "text/xml",
        "application/xml",
        "text/javascript",
        "application/javascript",
        "text/plain",
        "text/markdown",
        "application/pdf",
        "image/png",
        "multipart/x-mixed-replace",
        "application/wasm",
        "application/x-shockwave-flash",
        "text/css",
        "message/rfc822",
    ];
    let mut paths = vec![format!("/v2/a/blobs/{blob}")];
    for (at, media_type) in types.iter().enumerate() {
        let body = json!({ "page": page, "n": at }).to_string();
        let path = format!("/v2/a/manifests/t{at}");
        let pushed = client.put(&path, media_type, body.clone()).await;
        if pushed.status != 201 {
            assert_eq!(
                pushed.expect(400).code(),
                "MANIFEST_INVALID",
                "{media_type}"
            );
            continue;
        }
        paths.extend([path, format!("/v2/a/manifests/{}", digest(body.as_bytes()))]);
    }
    assert!(paths.len() > 20, "most types are taken: {}", paths.len());
    paths.extend(
        [
            "/v2/a/tags/list",
            "/v2/_catalog",
            "/v2/a/manifests/<script>",
            "/v2/%3Cscript%3E",
            "/<script>",
        ]
        .map(String::from),
    );
    paths.push(format!("/v2/a/referrers/{blob}"));
    for path in &paths {
        for query in [
            "",
            "?response-content-type=text/html",
            "?download=index.html",
        ] {
            for (method, headers) in [
                (Method::GET, &[][..]),
                (Method::HEAD, &[]),
                (Method::GET, &[("range", "bytes=0-30")]),
                (Method::GET, &[("accept", "text/html")]),
            ] {
                if path.contains('<') && !query.is_empty() {
                    continue;
                }
                let path = path.replace('<', "%3C").replace('>', "%3E");
                let reply = client
                    .send(method, &format!("{path}{query}"), headers, "")
                    .await;
                assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
                assert!(
                    reply.header("content-security-policy").contains("sandbox"),
                    "{path}"
                );
                assert!(
                    !reply.headers.contains_key("access-control-allow-origin"),
                    "{path}"
                );
                let Some(told) = reply.headers.get("content-type") else {
                    continue;
                };
                let told = told.to_str().unwrap().to_lowercase();
                let inert = ["application/octet-stream", "application/json", INDEX];
                let attached = reply
                    .headers
                    .get("content-disposition")
                    .is_some_and(|how| how == "attachment");
                assert!(inert.contains(&told.as_str()) || attached, "{path}: {told}");
            }
        }
    }
}

/// A59: a document that is too long, too deep or names too much is refused in good time, whether its
/// length is told or not, and others are served meanwhile and afterwards.
#[tokio::test]
async fn a59_exhausting_documents_are_refused() {
    let server = server().await;
    let client = server.client();
    client.image("a", "v1").await;
    let before = state(&server).await;
    let layer = descriptor(LAYER, b"x");
    let child = descriptor(MANIFEST, b"x");
    let many = |name: &str, item: &Value, count: usize| {
        let config = descriptor(EMPTY, b"{}");
        let mut document = json!({ "schemaVersion": 2, name: vec![item.clone(); count] });
        if name == "layers" {
            document["config"] = config;
        }
        Bytes::from(document.to_string())
    };
    let deep = |open: &str, close: &str, depth: usize| {
        let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        Bytes::from(format!("{{\"schemaVersion\":2,\"x\":{nested}}}"))
    };
    let keys: String = (0..300_000).map(|at| format!("\"k{at}\":1,")).collect();
    let number = "9".repeat(1 << 20);
    for (what, media_type, body, due) in [
        (
            "100,000 layers",
            MANIFEST,
            many("layers", &layer, 100_000),
            413,
        ),
        (
            "100,000 children",
            INDEX,
            many("manifests", &child, 100_000),
            413,
        ),
        (
            "20,000 layers that are not there",
            MANIFEST,
            many("layers", &layer, 20_000),
            400,
        ),
        (
            "20,000 children that are not there",
            INDEX,
            many("manifests", &child, 20_000),
            400,
        ),
        ("a deep list", MANIFEST, deep("[", "]", 1_000_000), 400),
        (
            "a deep object",
            MANIFEST,
            deep("{\"a\":", "}", 500_000),
            400,
        ),
        (
            "a list that does not end",
            MANIFEST,
            Bytes::from("[".repeat(4 << 20)),
            400,
        ),
        (
            "many keys",
            MANIFEST,
            Bytes::from(format!("{{{keys}\"z\":1}}")),
            400,
        ),
        (
            "a long number",
            MANIFEST,
            Bytes::from(format!("{{\"schemaVersion\":{number}}}")),
            400,
        ),
        (
            "nothing but blanks",
            MANIFEST,
            Bytes::from(vec![b' '; 4 << 20]),
            400,
        ),
        ("noise", MANIFEST, noise(1, 4 << 20), 400),
        ("a byte too many", MANIFEST, noise(1, (4 << 20) + 1), 413),
        ("a long index", INDEX, noise(1, 20 << 20), 413),
    ] {
        let path = "/v2/a/manifests/evil";
        let mut told = vec![client.put(path, media_type, body.clone()).await];
        if body.len() <= 8 << 20 {
            told.push(client.send_chunked(Method::PUT, path, &body, 60_000).await);
        }
        for reply in told {
            assert_eq!(reply.status.as_u16(), due, "{what}: {reply:?}");
            assert!(reply.body.len() < 4_096, "{what}: the refusal is short");
        }
        client.get("/v2/a/manifests/v1").await.expect(200);
    }
    // What is announced to be too long is refused before it is sent.
    for length in ["4194305", "99999999999", "18446744073709551615"] {
        let request = format!(
            "PUT /v2/a/manifests/evil HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        );
        let answer = client.raw(request.as_bytes()).await;
        assert!(
            matches!(status(&answer), 400 | 413 | 431),
            "{length}: {answer}"
        );
        assert!(!answer.contains("100 Continue"), "{length}: {answer}");
    }
    assert_eq!(state(&server).await, before, "nothing was changed");
}
