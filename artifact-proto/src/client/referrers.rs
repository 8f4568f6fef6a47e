//! Referrers at registries that keep no list of them: an index under a tag that is made of the
//! subject's digest.
//!
//! Source: OCI distribution specification 1.1, "Referrers Tag Schema".

use artifact_core::{Algorithm, Descriptor, Digest, Manifest, ManifestError, MediaType, Tag};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u32,
    media_type: &'a str,
    manifests: Vec<Descriptor>,
}

/// Returns the tag that stands for the list of what refers to a manifest.
///
/// # Panics
/// Never: an algorithm, a dash and the first 64 digits of a hash are a tag.
pub(super) fn fallback_tag(subject: &Digest) -> Tag {
    let hex: String = subject.hex().chars().take(64).collect();
    let tag = format!("{}-{hex}", subject.algorithm()).parse();
    tag.expect("a digest with a dash is a tag")
}

/// Returns the index with the manifest in it, or `None` when it is there already.
///
/// # Errors
/// [`ManifestError`] when the index becomes too long.
pub(super) fn add_to_fallback(
    before: Option<&Manifest>,
    manifest: &Manifest,
) -> Result<Option<Manifest>, ManifestError> {
    let mut manifests = before.map_or_else(Vec::new, parse_index);
    if manifests
        .iter()
        .any(|known| known.digest == manifest.digest())
    {
        return Ok(None);
    }
    let media_type = manifest.media_type().clone();
    let mut entry = Descriptor::new(media_type, manifest.digest(), manifest.size());
    entry.artifact_type = manifest.artifact_type().cloned();
    entry.annotations = manifest.annotations().clone();
    manifests.push(entry);
    let index = Index {
        schema_version: 2,
        media_type: MediaType::OCI_INDEX,
        manifests,
    };
    let bytes = serde_json::to_vec(&index).map_err(ManifestError::Json)?;
    Manifest::parse(bytes.into(), None, Algorithm::Sha256).map(Some)
}

/// Returns the entries of an index.
pub(super) fn parse_index(index: &Manifest) -> Vec<Descriptor> {
    index
        .references()
        .iter()
        .map(|entry| entry.descriptor.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: String) -> Manifest {
        Manifest::parse(text.into(), None, Algorithm::Sha256).unwrap()
    }

    #[test]
    fn a_referrer_is_listed_once() {
        let empty = format!("sha256:{}", "4".repeat(64));
        let config = format!(r#"{{"mediaType":"application/x","digest":"{empty}","size":2}}"#);
        let first = manifest(format!(
            r#"{{"schemaVersion":2,"artifactType":"a/b","config":{config}}}"#
        ));
        let second = manifest(format!(
            r#"{{"schemaVersion":2,"config":{config},"annotations":{{"k":"v"}}}}"#
        ));
        let one = add_to_fallback(None, &first).unwrap().unwrap();
        assert!(add_to_fallback(Some(&one), &first).unwrap().is_none());
        let two = add_to_fallback(Some(&one), &second).unwrap().unwrap();
        let entries = parse_index(&two);
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].artifact_type.as_ref().unwrap().as_str(), "a/b");
        assert_eq!(entries[1].annotations["k"], "v");
    }

    #[test]
    fn the_tag_is_made_of_the_digest() {
        let short = Digest::Sha256([0xab; 32]);
        assert_eq!(
            fallback_tag(&short).as_str(),
            format!("sha256-{}", "ab".repeat(32))
        );
        assert_eq!(
            fallback_tag(&Digest::Sha512([0xab; 64])).as_str().len(),
            7 + 64
        );
    }
}
