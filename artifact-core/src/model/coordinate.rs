//! Coordinates: which artifact is meant.

use std::{fmt, str::FromStr};

use super::{
    digest::{Digest, DigestError},
    name::{NameError, PackageRef, Tag},
};

/// What a manifest of a package is asked for by.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a manifest has no other names")]
pub enum ManifestRef {
    /// Its digest.
    Digest(Digest),
    /// A tag that points at it.
    Tag(Tag),
}

impl From<Digest> for ManifestRef {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

impl From<Tag> for ManifestRef {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl fmt::Display for ManifestRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => digest.fmt(f),
            Self::Tag(tag) => tag.fmt(f),
        }
    }
}

/// Why a text is no [`ManifestRef`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "what has a colon is the one, all else the other"
)]
pub enum ManifestRefError {
    /// It has a colon, and is no digest.
    #[error("{text:?} is no digest, and no tag has a colon")]
    Digest {
        /// The text.
        text: String,
        /// What is wrong with it.
        source: DigestError,
    },
    /// It is no tag.
    #[error("{text:?} is no tag and no digest")]
    Tag {
        /// The text.
        text: String,
        /// What is wrong with it.
        source: NameError,
    },
}

impl FromStr for ManifestRef {
    type Err = ManifestRefError;

    /// Parses a digest where there is a colon, else a tag: no tag has a colon.
    fn from_str(text: &str) -> Result<Self, ManifestRefError> {
        if text.contains(':') {
            let digest = text.parse().map_err(|source| ManifestRefError::Digest {
                text: text.to_owned(),
                source,
            })?;
            return Ok(Self::Digest(digest));
        }
        let tag = text.parse().map_err(|source| ManifestRefError::Tag {
            text: text.to_owned(),
            source,
        })?;
        Ok(Self::Tag(tag))
    }
}

/// Names one artifact of a registry: repository, package, and a tag or a digest.
///
/// It is made once from what a caller wrote, authorized, and handed on as that value, so that what was
/// judged and what is read cannot differ (I12). What has no tag or digest of its own, such as a list of
/// tags, is named by the [`PackageRef`] alone.
///
/// ```
/// use artifact_core::{Coordinate, OciName, PackageRef, Tag};
///
/// let name: OciName = "team/app".parse()?;
/// let tag: Tag = "v1".parse()?;
/// let coordinate: Coordinate = PackageRef::in_default(&name).at(tag);
/// assert_eq!(coordinate.to_string(), "team/app:v1");
/// # Ok::<(), artifact_core::NameError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a package and what is meant in it name an artifact, and nothing else does"
)]
pub struct Coordinate {
    /// The repository and the package.
    pub package: PackageRef,
    /// Which artifact of it.
    pub reference: ManifestRef,
}

impl PackageRef {
    /// Returns the coordinate of one of its artifacts.
    #[must_use]
    pub fn at(&self, reference: impl Into<ManifestRef>) -> Coordinate {
        Coordinate {
            package: self.clone(),
            reference: reference.into(),
        }
    }
}

impl fmt::Display for Coordinate {
    /// Writes it as container clients do: `name:tag` or `name@algorithm:hex`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.reference {
            ManifestRef::Digest(_) => '@',
            ManifestRef::Tag(_) => ':',
        };
        write!(f, "{}{mark}{}", self.package, self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_reference_is_a_digest_or_a_tag() {
        let digest: ManifestRef = DIGEST.parse().unwrap();
        assert_eq!(digest, DIGEST.parse::<Digest>().unwrap().into());
        let tag: ManifestRef = "v1".parse().unwrap();
        assert_eq!(tag, "v1".parse::<Tag>().unwrap().into());
        for (bad, word) in [
            ("", "no tag"),
            ("-a", "no tag"),
            ("a:b", "no digest"),
            ("sha256:12", "no digest"),
        ] {
            let error = bad.parse::<ManifestRef>().unwrap_err().to_string();
            assert!(error.contains(word), "{bad}: {error}");
        }
    }

    #[test]
    fn a_coordinate_is_written_as_clients_write_it() {
        let package = PackageRef::in_default(&"team/app".parse().unwrap());
        let by_tag = package.at("v1".parse::<Tag>().unwrap());
        assert_eq!(by_tag.to_string(), "team/app:v1");
        let by_digest = package.at(DIGEST.parse::<Digest>().unwrap());
        assert_eq!(by_digest.to_string(), format!("team/app@{DIGEST}"));
    }
}
