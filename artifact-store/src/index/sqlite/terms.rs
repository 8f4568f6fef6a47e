//! Terms: what a search finds manifests by, in 16 bytes, however long an annotation is.
//!
//! They are hashes. Two texts with one term would need 2^64 tries to be made on purpose, and then a
//! search would find one manifest too many.

use artifact_core::{Algorithm, Annotations, Hasher, MediaType};

/// A term.
pub(super) type Term = [u8; LENGTH];

const LENGTH: usize = 16;

/// Returns the term that every manifest has.
pub(super) const fn any() -> Term {
    [0; LENGTH]
}

/// Returns the term of the manifests of one artifact type.
pub(super) fn artifact_type(of: &MediaType) -> Term {
    hash("type", of.as_str(), "")
}

/// Returns the term of the manifests that have an annotation with this value.
pub(super) fn annotation(key: &str, value: &str) -> Term {
    hash("annotation", key, value)
}

/// Returns all terms of a manifest, one after the other.
pub(super) fn of_manifest(of: Option<&MediaType>, annotations: &Annotations) -> Vec<u8> {
    let mut terms = any().to_vec();
    terms.extend(of.map(artifact_type).iter().flatten());
    for (key, value) in annotations {
        terms.extend(annotation(key, value));
    }
    terms
}

/// Takes terms apart.
pub(super) fn split(terms: &[u8]) -> impl Iterator<Item = &[u8]> {
    terms.chunks_exact(LENGTH)
}

fn hash(kind: &str, first: &str, second: &str) -> Term {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for part in [kind, first, second] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finish().digest();
    let mut term = any();
    term.iter_mut()
        .zip(digest.as_bytes())
        .for_each(|(to, from)| *to = *from);
    term
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_differ_where_the_words_do() {
        assert_ne!(annotation("a", "bc"), annotation("ab", "c"));
        assert_ne!(
            annotation("a/b", ""),
            artifact_type(&"a/b".parse().unwrap())
        );
        let mut annotations = Annotations::new();
        annotations.insert("k".into(), "v".into());
        let terms = of_manifest(Some(&"a/b".parse().unwrap()), &annotations);
        let terms: Vec<&[u8]> = split(&terms).collect();
        assert_eq!(
            terms,
            [
                &any()[..],
                &artifact_type(&"a/b".parse().unwrap()),
                &annotation("k", "v")
            ]
        );
    }
}
