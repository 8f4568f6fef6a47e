//! Parsers of what comes from outside that are nobody's interface, for tests that feed them noise.

use artifact_core::{Condition, Digest};
use http::HeaderMap;

use super::condition::{is_known, on_change, range_applies};

/// Reads on which condition a tag is to be changed; `None` when it cannot be kept.
pub fn read_condition(headers: &HeaderMap) -> Option<Condition> {
    on_change(headers).ok()
}

/// Says whether a client has the content already, and whether a range of it is to be served.
pub fn read_validators(headers: &HeaderMap, digest: &Digest) -> (bool, bool) {
    (is_known(headers, digest), range_applies(headers, digest))
}
