//! Bytes in JSON: base64, standard alphabet, padded. For `#[serde(with = "...")]`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

/// Writes `bytes` as base64.
///
/// # Errors
/// Those of the serializer.
pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

/// Reads base64.
///
/// # Errors
/// When the text is no base64.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD
        .decode(text)
        .map(Bytes::from)
        .map_err(D::Error::custom)
}
