//! Lists in pages.

use artifact_proto::client::{ClientError, OciClient};
use futures::TryStreamExt as _;

use crate::registry::{Registry, options};

fn page(registry: &Registry, target: &str, body: &str, link: Option<&str>) {
    registry.tell(|script| {
        script
            .pages
            .insert(target.into(), (body.into(), link.map(Into::into)));
    });
}

#[tokio::test]
async fn pages_are_followed() {
    let registry = Registry::start().await;
    let first = "/v2/team/app/tags/list?n=1000";
    let second = "/v2/team/app/tags/list?n=1000&last=b";
    page(
        &registry,
        first,
        r#"{"name":"x","tags":["a","b"]}"#,
        Some(&format!("<{second}>; rel=\"next\"")),
    );
    page(
        &registry,
        second,
        r#"{"name":"x","tags":null}"#,
        Some("</v2/team/app/tags/list?last=c>; rel=next"),
    );
    page(
        &registry,
        "/v2/team/app/tags/list?last=c",
        r#"{"tags":["c"]}"#,
        None,
    );
    let tags: Vec<_> = registry
        .package(options())
        .tags()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        tags.iter()
            .map(artifact_core::Tag::as_str)
            .collect::<Vec<_>>(),
        ["a", "b", "c"]
    );
    page(
        &registry,
        "/v2/_catalog?n=1000",
        r#"{"repositories":["x/y","z"]}"#,
        None,
    );
    let client = OciClient::new(options()).unwrap();
    let names: Vec<_> = client
        .catalog(&registry.origin())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["x/y", "z"]
    );
}

/// A65, I23: a list leads nowhere else, and not for ever to the same page.
#[tokio::test]
async fn i23_a_list_stays_where_it_is_and_ends() {
    let registry = Registry::start().await;
    let other = Registry::start().await;
    let first = "/v2/team/app/tags/list?n=1000";
    let elsewhere = format!("<{}/v2/team/app/tags/list>; rel=next", other.origin());
    for link in [format!("<{first}>; rel=next"), elsewhere, "nonsense".into()] {
        page(&registry, first, r#"{"tags":["a"]}"#, Some(&link));
        let tags: Result<Vec<_>, _> = registry.package(options()).tags().try_collect().await;
        assert!(
            matches!(tags, Err(ClientError::Protocol { .. })),
            "{link}: {tags:?}"
        );
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn what_is_no_list_is_an_error() {
    let registry = Registry::start().await;
    let first = "/v2/team/app/tags/list?n=1000";
    for body in ["", "[]", r#"{"tags":["../x"]}"#, r#"{"tags":7}"#] {
        page(&registry, first, body, None);
        let tags: Result<Vec<_>, _> = registry.package(options()).tags().try_collect().await;
        assert!(
            matches!(tags, Err(ClientError::Protocol { .. })),
            "{body}: {tags:?}"
        );
    }
    registry.tell(|script| script.pages.clear());
    let tags: Result<Vec<_>, _> = registry.package(options()).tags().try_collect().await;
    assert!(
        matches!(tags, Err(ClientError::NotFound { .. })),
        "{tags:?}"
    );
}
