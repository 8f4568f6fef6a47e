//! Replies: the parts that answers are put together from.

use artifact_core::{Digest, Generation, OciName};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, ETAG, LINK, LOCATION},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::condition::entity_tag;
use crate::body::Body;

/// The digest of what was answered or stored.
pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// The filters that a list was cut by.
pub(crate) const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
/// The generation of a tag.
pub(crate) const GENERATION: HeaderName = HeaderName::from_static("artifact-generation");
/// What a pushed manifest refers to.
pub(crate) const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// A tag that was put on a pushed manifest.
pub(crate) const TAG: HeaderName = HeaderName::from_static("oci-tag");
/// The id of an upload.
pub(crate) const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// All but what stands unencoded in a query without harm.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Returns text as a header: texts of ours are of letters, digits and punctuation.
pub(crate) fn header(text: impl AsRef<str>) -> HeaderValue {
    HeaderValue::from_str(text.as_ref()).unwrap_or(HeaderValue::from_static(""))
}

/// Returns an answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Returns an answer in JSON.
pub(crate) fn json(media_type: &'static str, value: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Body::from(Bytes::from(body)));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Returns the answer that something was made, which is found at `location`.
pub(crate) fn created(location: &str, digest: &Digest) -> Response<Body> {
    let mut response = empty(StatusCode::CREATED);
    response.headers_mut().insert(LOCATION, header(location));
    describe(response.headers_mut(), digest, None);
    response
}

/// Says of which content an answer is.
pub(crate) fn describe(headers: &mut HeaderMap, digest: &Digest, generation: Option<Generation>) {
    headers.insert(CONTENT_DIGEST, header(digest.to_string()));
    headers.insert(ETAG, entity_tag(digest));
    if let Some(generation) = generation {
        headers.insert(GENERATION, HeaderValue::from(generation.get()));
    }
}

/// Returns the path of a blob.
pub(crate) fn blob_path(name: &OciName, digest: &Digest) -> String {
    format!("/v2/{name}/blobs/{digest}")
}

/// Returns the path of a manifest.
pub(crate) fn manifest_path(name: &OciName, digest: &Digest) -> String {
    format!("/v2/{name}/manifests/{digest}")
}

/// Says where a list goes on.
///
/// Source: RFC 8288; OCI distribution specification 1.1, "Listing Tags".
pub(crate) fn link_next(headers: &mut HeaderMap, path: &str, query: &[(&str, &str)]) {
    let pairs: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)))
        .collect();
    headers.insert(
        LINK,
        header(format!("<{path}?{}>; rel=\"next\"", pairs.join("&"))),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A51: what stands in a link cannot break out of it.
    #[test]
    fn a51_links_are_encoded() {
        let mut headers = HeaderMap::new();
        link_next(
            &mut headers,
            "/v2/_catalog",
            &[("last", "a/b>\"; x\r\n"), ("n", "2")],
        );
        assert_eq!(
            headers[LINK],
            "</v2/_catalog?last=a%2Fb%3E%22%3B%20x%0D%0A&n=2>; rel=\"next\""
        );
    }
}
