//! Headers that every answer has, and what an answer tells the server that sends it.

use artifact_core::Principal;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS},
};

use crate::arrival::Arrival;

/// The id of a request, in its answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the id of the request into an answer, and has browsers take it for what it says it is, and
/// run nothing of it (A53).
pub(crate) fn seal(headers: &mut HeaderMap, arrival: &Arrival) {
    if let Ok(id) = HeaderValue::from_str(&arrival.id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox"),
    );
}

/// What a service did with a request; it stands among the extensions of its answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Handled {
    /// What was asked for, as metrics and logs call it.
    pub endpoint: &'static str,
    /// Who asked, if it was found out.
    pub principal: Option<Principal>,
}

impl Handled {
    /// Returns what was done.
    pub const fn new(endpoint: &'static str, principal: Option<Principal>) -> Self {
        Self {
            endpoint,
            principal,
        }
    }
}
