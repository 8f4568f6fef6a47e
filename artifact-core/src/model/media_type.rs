//! Media types.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A media type without parameters, such as `application/json`.
///
/// Source: RFC 6838, section 4.2.
#[derive(Clone, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaType(String);

impl MediaType {
    /// An OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// The empty JSON object, where a config has nothing to say.
    pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// A Docker image manifest, version 2, schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// A directory of files.
    pub const DIRECTORY: &str = "application/vnd.artifact.directory.v1";
    /// The list of a directory's entries.
    pub const DIRECTORY_CONFIG: &str = "application/vnd.artifact.directory.v1+json";
    /// Bytes of which nothing is said.
    pub const OCTETS: &str = "application/octet-stream";

    /// Returns a media type of this module's own constants.
    ///
    /// # Panics
    /// When the text is no media type; only literals reach here.
    pub fn literal(text: &'static str) -> Self {
        text.parse().expect("a literal media type is well formed")
    }

    /// Returns the media type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether it is an OCI index or a Docker manifest list.
    pub fn is_index(&self) -> bool {
        matches!(self.as_str(), Self::OCI_INDEX | Self::DOCKER_LIST)
    }

    /// Says whether it is an OCI or Docker image manifest.
    pub fn is_image(&self) -> bool {
        matches!(self.as_str(), Self::OCI_MANIFEST | Self::DOCKER_MANIFEST)
    }

    /// Says whether blobs of the type may be absent from a registry: layers that may not be
    /// distributed and are fetched from elsewhere.
    pub fn is_foreign(&self) -> bool {
        self.as_str()
            .starts_with("application/vnd.oci.image.layer.nondistributable.v1.tar")
            || self.as_str() == "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MediaType {
    type Err = MediaTypeError;

    fn from_str(text: &str) -> Result<Self, MediaTypeError> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for MediaType {
    type Error = MediaTypeError;

    fn try_from(text: String) -> Result<Self, MediaTypeError> {
        let name = |part: &str| {
            let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
            !part.is_empty()
                && part.len() <= 127
                && part
                    .bytes()
                    .next()
                    .is_some_and(|byte| byte.is_ascii_alphanumeric())
                && part.bytes().all(good)
        };
        match text.split_once('/') {
            Some((kind, subtype)) if name(kind) && name(subtype) => Ok(Self(text)),
            _ => Err(MediaTypeError),
        }
    }
}

impl From<MediaType> for String {
    fn from(media_type: MediaType) -> Self {
        media_type.0
    }
}

/// The text is not a media type.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a media type has the form type/subtype, without parameters")]
#[non_exhaustive]
pub struct MediaTypeError;

#[cfg(test)]
mod tests {
    use super::*;

    /// A51: what goes into a `Content-Type` header holds no line break.
    #[test]
    fn a51_a_media_type_is_a_plain_token() {
        assert!("application/vnd.x.y+json".parse::<MediaType>().is_ok());
        for bad in [
            "",
            "a",
            "a/",
            "/b",
            "a/b/c",
            "a/b; c=d",
            "a/b\r\nX: y",
            "a /b",
            "é/b",
        ] {
            assert!(bad.parse::<MediaType>().is_err(), "{bad:?}");
        }
    }
}
