//! Hostile documents: manifests that can be read in two ways, that run in a browser, that exhaust.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::support::{
    digest,
    goods::{EMPTY, INDEX, LAYER, MANIFEST, descriptor},
    image, noise,
    raw::{state, status},
    server,
};

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
