//! Tags of a package.
//!
//! Source: OCI distribution specification 1.1, "Listing Tags".

use std::num::NonZeroU32;

use artifact_core::{Action, AsOf, OciName, Page, Tag};
use http::{Response, StatusCode};

use super::{
    call::{Call, Failure, about},
    code::{Code, Noun},
    error::Refusal,
    model::TagList,
    query::PageQuery,
    reply::{json, link_next},
};
use crate::body::Body;

/// Lists the tags of a package, or a part of them.
pub(super) async fn list(call: &Call, name: &OciName) -> Result<Response<Body>, Failure> {
    let asked = PageQuery::read(&call.query()?)?;
    let after = after(asked.last.as_deref())?;
    let package = call.package(name, Action::Read, Noun::Package).await?;
    // One more than is shown tells whether the list goes on.
    let limit = asked
        .limit
        .map_or(NonZeroU32::MIN, |limit| limit.saturating_add(1));
    let page = Page { after, limit };
    let tags = call.session.list_tags(AsOf::Now, &package, page).await;
    let tags = tags.map_err(about(Noun::Package))?;
    let shown = asked.limit.map_or(0, |limit| limit.get() as usize);
    let more = shown > 0 && tags.len() > shown;
    let tags: Vec<String> = tags
        .into_iter()
        .take(shown)
        .map(|tag| tag.tag.into())
        .collect();
    let list = TagList {
        name: name.to_string(),
        tags,
    };
    let mut response = json("application/json", &list);
    if let (true, Some(last)) = (more, list.tags.last()) {
        let path = format!("/v2/{name}/tags/list");
        let query = [("last", last.as_str()), ("n", &shown.to_string())];
        link_next(response.headers_mut(), &path, &query);
    }
    Ok(response)
}

/// Reads the tag after which a list begins: a proper one, for it is no number of a place.
fn after(last: Option<&str>) -> Result<Option<Tag>, Failure> {
    let tag = last
        .filter(|last| !last.is_empty())
        .map(str::parse)
        .transpose();
    tag.map_err(|_| {
        let words = "the parameter last is a tag";
        Refusal::new(StatusCode::BAD_REQUEST, Code::Unsupported, words).into()
    })
}
