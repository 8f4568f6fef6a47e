//! Fields by one spelling: readers that pass over case must find in a manifest what others find.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

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
    Spelling.deserialize(&mut serde_json::Deserializer::from_slice(bytes))
}

/// Returns a key without its case, as Go compares: U+017F is an `s` to it, and U+212A a `k`.
fn folded(key: &str) -> impl Iterator<Item = char> {
    let lower = key.chars().flat_map(char::to_lowercase);
    lower.flat_map(char::to_uppercase)
}

#[derive(Clone, Copy)]
struct Spelling;

impl<'de> DeserializeSeed<'de> for Spelling {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Spelling {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<String>()? {
            let alike = |field: &&&str| **field != key && folded(field).eq(folded(&key));
            if let Some(field) = FIELDS.iter().find(alike) {
                let words = format_args!("key {key:?} is {field:?} to some readers: spell it so");
                return Err(A::Error::custom(words));
            }
            if DEEPER.contains(&key.as_str()) {
                entries.next_value_seed(self)?;
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
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
