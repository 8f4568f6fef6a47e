//! The packages of a registry.
//!
//! Source: the Docker registry's documentation, "Listing Repositories".

use std::num::NonZeroU32;

use artifact_core::{AsOf, PackageRef, Page, Scope};
use http::Response;

use super::{
    call::{Call, Failure, about},
    code::Noun,
    model::Catalog,
    query::PageQuery,
    reply::{json, link_next},
};
use crate::body::Body;

/// Lists the packages that the caller may read, or a part of them.
pub(super) async fn list(call: &Call) -> Result<Response<Body>, Failure> {
    let asked = PageQuery::read(&call.query()?)?;
    let limit = asked
        .limit
        .map_or(NonZeroU32::MIN, |limit| limit.saturating_add(1));
    let page = Page {
        after: asked.last.filter(|last| !last.is_empty()),
        limit,
    };
    let packages = call
        .session
        .list_packages(AsOf::Now, &Scope::all(), page)
        .await;
    let packages = packages.map_err(about(Noun::Catalog))?;
    let shown = asked.limit.map_or(0, |limit| limit.get() as usize);
    let more = shown > 0 && packages.len() > shown;
    let repositories: Vec<String> = packages
        .iter()
        .take(shown)
        .map(PackageRef::oci_name)
        .collect();
    let catalog = Catalog { repositories };
    let mut response = json("application/json", &catalog);
    if let (true, Some(last)) = (more, catalog.repositories.last()) {
        let query = [("last", last.as_str()), ("n", &shown.to_string())];
        link_next(response.headers_mut(), "/v2/_catalog", &query);
    }
    Ok(response)
}
