//! Digests: the names of content.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A hash algorithm that may address content.
///
/// Source: OCI image specification, descriptor.md, "Registered Algorithms".
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256, the default.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Returns the name that stands before the colon of a digest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Returns the length of a digest of this algorithm, in bytes.
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        match text {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(DigestError::Algorithm),
        }
    }
}

/// The hash of some content, by which it is addressed.
///
/// The variant fixes the length, so a digest of a wrong length cannot exist.
///
/// ```
/// use artifact_core::Digest;
///
/// let digest: Digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse()?;
/// assert_eq!(digest.to_string().len(), 71);
/// assert!("sha256:E3B0".parse::<Digest>().is_err());
/// # Ok::<(), artifact_core::DigestError>(())
/// ```
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Digest {
    /// A SHA-256 hash.
    Sha256([u8; 32]),
    /// A SHA-512 hash.
    Sha512([u8; 64]),
}

impl Digest {
    /// Returns the algorithm that made the hash.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Returns the bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) => bytes,
            Self::Sha512(bytes) => bytes,
        }
    }

    /// Returns the digest that an algorithm and its raw bytes stand for.
    ///
    /// # Errors
    /// [`DigestError::Length`] when `bytes` is not as long as the algorithm's hash.
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, DigestError> {
        let wrong = DigestError::Length {
            algorithm,
            hex: bytes.len().saturating_mul(2),
        };
        match algorithm {
            Algorithm::Sha256 => bytes.try_into().map(Self::Sha256).map_err(|_| wrong),
            Algorithm::Sha512 => bytes.try_into().map(Self::Sha512).map_err(|_| wrong),
        }
    }

    /// Returns the hash in lower-case hexadecimal, without the algorithm.
    pub fn hex(&self) -> String {
        hex::encode(self.as_bytes())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0_u8; 128];
        let hex = text
            .get_mut(..self.algorithm().digest_len() * 2)
            .ok_or(fmt::Error)?;
        hex::encode_to_slice(self.as_bytes(), hex).map_err(|_| fmt::Error)?;
        let hex = std::str::from_utf8(hex).map_err(|_| fmt::Error)?;
        write!(f, "{}:{hex}", self.algorithm())
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    /// Parses `algorithm:hex`, where the hexadecimal is lower case and exactly as long as the
    /// algorithm's hash (A32).
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hex) = text.split_once(':').ok_or(DigestError::Form)?;
        let algorithm = Algorithm::from_str(algorithm)?;
        if hex.len() != algorithm.digest_len() * 2 {
            return Err(DigestError::Length {
                algorithm,
                hex: hex.len(),
            });
        }
        if !hex
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Err(DigestError::Hex);
        }
        let bytes = hex::decode(hex).map_err(|_| DigestError::Hex)?;
        Self::from_bytes(algorithm, &bytes)
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Why a text is not a digest.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// The algorithm is none that may address content.
    #[error("unsupported digest algorithm: use sha256 or sha512")]
    Algorithm,
    /// There is no colon.
    #[error("a digest has the form algorithm:hex")]
    Form,
    /// A character is not a lower-case hexadecimal digit.
    #[error("a digest is written in lower-case hexadecimal")]
    Hex,
    /// The hash is too short or too long for its algorithm.
    #[error("a {algorithm} digest has {} hexadecimal digits, not {hex}", .algorithm.digest_len() * 2)]
    Length {
        /// The algorithm that was named.
        algorithm: Algorithm,
        /// The digits that were found.
        hex: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A32: what is not exactly a digest is refused before any path could be formed of it.
    #[test]
    fn a32_only_exact_digests_parse() {
        let good = format!("sha256:{}", "a".repeat(64));
        assert_eq!(good.parse::<Digest>().unwrap().to_string(), good);
        let long = format!("sha512:{}", "0".repeat(128));
        assert_eq!(long.parse::<Digest>().unwrap().to_string(), long);
        let hex = "a".repeat(64);
        for bad in [
            format!("SHA256:{hex}"),
            format!("md5:{}", "a".repeat(32)),
            format!("sha256:{}", "A".repeat(64)),
            format!("sha256:{}", "a".repeat(63)),
            format!("sha256:{}", "a".repeat(65)),
            format!("sha512:{hex}"),
            "sha256:../../x".to_owned(),
            format!("sha256:{}é", "a".repeat(62)),
            hex,
            "sha256:".to_owned(),
            String::new(),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
