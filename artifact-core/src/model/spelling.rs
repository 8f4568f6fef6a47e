//! Fields by one spelling: readers that pass over case must find in a manifest what others find.

use std::collections::HashSet;

use super::json::{KeyRule, check_keys};

/// The fields that a reader of a manifest acts on.
const FIELDS: &[&str] = &[
    "annotations",
    "artifactType",
    "config",
    "data",
    "digest",
    "fsLayers",
    "layers",
    "manifests",
    "mediaType",
    "platform",
    "schemaVersion",
    "size",
    "subject",
    "urls",
];

/// Those of them in which there are more.
const DEEPER: &[&str] = &["config", "layers", "manifests", "subject"];

/// Checks that a manifest has no field that is one of those which readers know, but for its case.
///
/// The JSON parser of Go, in which most clients are written, takes `Layers` for `layers`, and of both
/// the later: such a document would name other content to them than to the registry (A36).
///
/// # Errors
/// The parser's error, with line and column.
pub(crate) fn check_spelling(bytes: &[u8]) -> Result<(), serde_json::Error> {
    check_keys(bytes, Spelling::Known)
}

/// Returns a key without its case, as Go compares: U+017F is an `s` to it, and U+212A a `k`.
fn folded(key: &str) -> impl Iterator<Item = char> {
    let lower = key.chars().flat_map(char::to_lowercase);
    lower.flat_map(char::to_uppercase)
}

#[derive(Clone, Copy)]
enum Spelling {
    /// Here are fields that readers know.
    Known,
    /// What stands here is nobody's but its author's.
    Any,
}

impl KeyRule for Spelling {
    fn judge(self, key: &str, _: &mut HashSet<String>) -> Result<Self, String> {
        if matches!(self, Self::Any) {
            return Ok(self);
        }
        let alike = |field: &&&str| **field != key && folded(field).eq(folded(key));
        match FIELDS.iter().find(alike) {
            Some(field) => Err(format!(
                "key {key:?} is {field:?} to some readers: spell it so"
            )),
            None if DEEPER.contains(&key) => Ok(self),
            None => Ok(Self::Any),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check_spelling;

    #[test]
    fn a36_a_known_field_has_one_spelling() {
        for good in [
            r#"{"layers":[],"x":{"Layers":1},"annotations":{"Size":"1","size":"2"}}"#,
            r#"{"config":{"digest":"d","Extra":1},"layer":[],"sizes":1}"#,
            "[1,2.5,-1,null,true,\"x\"]",
        ] {
            assert!(check_spelling(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in [
            r#"{"Layers":[]}"#,
            r#"{"layers":[],"LAYERS":[]}"#,
            r#"{"\u004cayers":[]}"#,
            r#"{"layer\u017f":[]}"#,
            r#"{"config":{"digest":"d","Digest":"e"}}"#,
            r#"{"manifests":[{"SIZE":1}]}"#,
            r#"{"subject":{"MediaType":"a/b"}}"#,
            r#"{"mediatype":"a/b"}"#,
        ] {
            assert!(check_spelling(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
