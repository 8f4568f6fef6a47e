//! What stands in the bodies of the protocol's answers.
//!
//! Source: OCI distribution specification 1.1, "Content Discovery" and "Error Codes".

use artifact_core::{Descriptor, MediaType};
use serde::{Deserialize, Serialize};

/// The tags of a package.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "the protocol fixes its fields")]
pub struct TagList {
    /// The name under which the package was asked for.
    pub name: String,
    /// Its tags, in byte order.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub tags: Vec<String>,
}

/// The packages of a registry.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "the protocol fixes its fields")]
pub struct Catalog {
    /// Their names, in byte order.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub repositories: Vec<String>,
}

/// An image index made for an answer: the referrers of a manifest.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::exhaustive_structs, reason = "the protocol fixes its fields")]
pub struct ReferrersIndex {
    /// Always 2.
    pub schema_version: u32,
    /// Always [`MediaType::OCI_INDEX`].
    pub media_type: String,
    /// The referrers, with the types of their artifacts and their annotations.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub manifests: Vec<Descriptor>,
}

impl ReferrersIndex {
    /// Returns the index of these referrers.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: MediaType::OCI_INDEX.to_owned(),
            manifests,
        }
    }
}

/// The body of a refusal.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "the protocol fixes its fields")]
pub struct ErrorBody {
    /// What is wrong; at least one.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub errors: Vec<ErrorEntry>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "the protocol fixes its fields")]
pub struct ErrorEntry {
    /// Which kind of wrong it is: upper-case letters and underscores.
    pub code: String,
    /// What it is, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What a program may want to know of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
}

/// Reads `null`, which registries written in Go give for an empty list, as one.
fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<Vec<T>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bodies as other registries send them.
    #[test]
    fn what_other_registries_say_is_read() {
        let tags: TagList = serde_json::from_str(r#"{"name":"a/b","tags":null}"#).unwrap();
        assert_eq!(tags.tags, Vec::<String>::new());
        let errors: ErrorBody = serde_json::from_str(
            r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry","detail":{"name":"x"}},{"code":"X","detail":"text"}]}"#,
        )
        .unwrap();
        assert_eq!(errors.errors[0].code, "NAME_UNKNOWN");
        assert_eq!(errors.errors[1].message, "");
        let index: ReferrersIndex = serde_json::from_str(
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","artifactType":"a/b","annotations":{"k":"v"},"data":"e30="}]}"#,
        )
        .unwrap();
        assert_eq!(index.manifests[0].annotations["k"], "v");
        let again = serde_json::to_string(&index).unwrap();
        assert_eq!(
            serde_json::from_str::<ReferrersIndex>(&again).unwrap(),
            index
        );
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        let catalog: Catalog =
            serde_json::from_str(r#"{"repositories":["a"],"next":"b"}"#).unwrap();
        assert_eq!(catalog.repositories, ["a"]);
    }
}
