//! Descriptors: what a manifest says of the content it names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{digest::Digest, json::object, media_type::MediaType};

/// Notes on a manifest or descriptor, by key.
pub type Annotations = BTreeMap<String, String>;

/// What is said of some content where it is named.
///
/// Source: OCI image specification, descriptor.md.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Descriptor {
    /// The type of the content.
    pub media_type: MediaType,
    /// The digest of the content.
    pub digest: Digest,
    /// The length of the content, in bytes.
    pub size: u64,
    /// Where else the content may be fetched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Notes.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
    /// The type of the artifact, where the content is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<MediaType>,
    /// What the content runs on, where that matters.
    #[serde(
        default,
        deserialize_with = "object",
        skip_serializing_if = "Option::is_none"
    )]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// Returns a descriptor that says no more than it must.
    pub const fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self {
            media_type,
            digest,
            size,
            urls: Vec::new(),
            annotations: Annotations::new(),
            artifact_type: None,
            platform: None,
        }
    }
}

/// What an image runs on.
///
/// Source: OCI image specification, image-index.md.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Platform {
    /// The processor, as Go names it.
    pub architecture: String,
    /// The operating system, as Go names it.
    pub os: String,
    /// The variant of the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}
