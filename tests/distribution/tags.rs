//! "Listing Tags", and the catalog.

use serde_json::json;

use crate::support::{Client, image, server};

/// Follows `Link` from page to page, and returns the pages.
async fn pages(client: &Client, first: &str, list: &str) -> Vec<Vec<String>> {
    let (mut pages, mut next) = (Vec::new(), Some(first.to_owned()));
    while let Some(path) = next {
        let page = client.get(&path).await.expect(200);
        let items = page.json()[list].as_array().unwrap().clone();
        pages.push(
            items
                .iter()
                .map(|item| item.as_str().unwrap().to_owned())
                .collect(),
        );
        next = page.headers.get("link").map(|link| {
            let link = link.to_str().unwrap();
            let target = link.strip_suffix(">; rel=\"next\"").expect("RFC 8288");
            target.strip_prefix('<').unwrap().to_owned()
        });
    }
    pages
}

/// 200 with the name and the tags, in order; a subset by `n` and `last`, with `Link` while there are
/// more; `n=0` is an empty list without one. The order is that of bytes, capitals first: the
/// specification says otherwise, and its conformance tests allow it, for so registries list.
#[tokio::test]
async fn tags_are_listed_in_order_and_by_pages() {
    let server = server().await;
    let client = server.client();
    client.push("list/app", "{}").await;
    let manifest = image(&json!({}));
    let mut tags = ["v1", "latest", "V2", "_x", "10", "9", "v1.0-rc.1", "vA"];
    for tag in tags {
        manifest.put(&client, "list/app", tag).await.expect(201);
    }
    tags.sort_unstable();
    let all = client.get("/v2/list/app/tags/list").await.expect(200);
    assert_eq!(all.header("content-type"), "application/json");
    assert_eq!(all.json(), json!({ "name": "list/app", "tags": tags }));
    assert!(!all.headers.contains_key("link"));
    for n in [1, 3, 7, 8, 9, 5_000_000] {
        let pages = pages(&client, &format!("/v2/list/app/tags/list?n={n}"), "tags").await;
        assert_eq!(pages.concat(), tags, "n={n}");
        assert_eq!(
            pages.len(),
            tags.len().div_ceil(n),
            "n={n}: no page is empty"
        );
        assert!(pages.iter().all(|page| page.len() <= n));
    }
    let none = client.get("/v2/list/app/tags/list?n=0").await.expect(200);
    assert_eq!(none.json()["tags"], json!([]));
    assert!(!none.headers.contains_key("link"));
    for (query, at) in [
        ("last=_x", 4),
        ("last=a", 4),
        ("n=2&last=_x", 4),
        ("last=zzz", 8),
    ] {
        let some = client
            .get(&format!("/v2/list/app/tags/list?{query}"))
            .await
            .expect(200);
        let to = if query.starts_with('n') {
            at + 2
        } else {
            tags.len()
        };
        assert_eq!(some.json()["tags"], json!(tags[at..to]), "{query}");
    }
    for bad in ["n=-1", "n=x", "n=", "last=%2F", "n=1&n=2"] {
        client
            .get(&format!("/v2/list/app/tags/list?{bad}"))
            .await
            .expect(400);
    }
}

/// A repository that was never pushed to is 404; one whose tags are gone has an empty list.
#[tokio::test]
async fn an_unknown_repository_has_no_list() {
    let server = server().await;
    let client = server.client();
    let unknown = client.get("/v2/never/tags/list").await.expect(404);
    assert_eq!(unknown.code(), "NAME_UNKNOWN");
    client.get("/v2/never/tags/list?n=0").await.expect(404);
    client.image("a", "v1").await;
    client.delete("/v2/a/manifests/v1").await.expect(202);
    let empty = client.get("/v2/a/tags/list").await.expect(200);
    assert_eq!(empty.json()["tags"], json!([]));
}

/// More tags than a page holds are listed by pages also when nobody asks for pages.
#[tokio::test]
async fn a_long_list_goes_on() {
    let server = server().await;
    let client = server.client();
    client.push("a", "{}").await;
    let manifest = image(&json!({}));
    for chunk in 0..17 {
        let tags: Vec<String> = (0..60).map(|at| format!("tag=t{chunk}-{at}")).collect();
        let path = format!("{}?{}", manifest.digest, tags.join("&"));
        manifest.put(&client, "a", &path).await.expect(201);
    }
    let pages = pages(&client, "/v2/a/tags/list", "tags").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [1_000, 20]);
}

/// The catalog of the Docker registry protocol: names in order, by pages.
#[tokio::test]
async fn the_catalog_is_listed_by_pages() {
    let server = server().await;
    let client = server.client();
    let empty = client.get("/v2/_catalog").await.expect(200);
    assert_eq!(empty.json(), json!({ "repositories": [] }));
    let mut names = ["b", "a/b", "a", "a-c", "z/y/x", "a0"];
    for name in names {
        client.image(name, "v1").await;
    }
    names.sort_unstable();
    for n in [1, 2, 5, 6, 100] {
        let pages = pages(&client, &format!("/v2/_catalog?n={n}"), "repositories").await;
        assert_eq!(pages.concat(), names, "n={n}");
    }
    let none = client.get("/v2/_catalog?n=0").await.expect(200);
    assert_eq!(none.json(), json!({ "repositories": [] }));
    let some = client.get("/v2/_catalog?last=a0").await.expect(200);
    assert_eq!(some.json(), json!({ "repositories": ["b", "z/y/x"] }));
    client.get("/v2/_catalog?n=x").await.expect(400);
}
