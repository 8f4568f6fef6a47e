//! Identifiers and counters that are not names.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The number of a committed change set; zero is the empty registry.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// The revision of a registry in which nothing was done.
    pub const ZERO: Self = Self(0);

    /// Returns the revision with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the revision after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Counts the changes of one record; it tells nothing of the revision (I11).
///
/// A record's first generation is 1. It goes on counting when the record is deleted and made anew,
/// so that a condition on an old generation never holds again.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Generation(u64);

impl Generation {
    /// The generation of a record that never was.
    pub const NONE: Self = Self(0);

    /// Returns the generation with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the generation after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The number of the last rebuild, migration or restore of a registry.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Epoch(u64);

impl Epoch {
    /// Returns the epoch with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// An identifier of 16 random bytes, written as 32 lower-case hexadecimal digits.
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 16]);

        impl $name {
            /// Returns the identifier made of these random bytes.
            pub const fn from_random(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Returns its bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut bytes = [0_u8; 16];
                let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if !lower || hex::decode_to_slice(text, &mut bytes).is_err() {
                    return Err(IdError { what: $what });
                }
                Ok(Self(bytes))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

random_id! {
    /// Names an upload; unguessable, and never a path (I15).
    UploadId, "an upload id"
}

random_id! {
    /// Names a registry, from init for ever; a collector refuses to work with another's.
    RegistryId, "a registry id"
}

/// The text is not 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what} has 32 lower-case hexadecimal digits")]
#[non_exhaustive]
pub struct IdError {
    what: &'static str,
}

/// Where a blob store keeps the bytes of one blob. The store makes it, and nobody else reads it.
///
/// At most 255 characters of `a-z`, `0-9`, `.`, `_`, `-`, `+` and `/`; no part between slashes is
/// empty, `.` or `..`. There is no digest in it, and a store never makes the same one twice (BS-6).
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobKey(String);

impl BlobKey {
    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BlobKey {
    type Err = BlobKeyError;

    fn from_str(text: &str) -> Result<Self, BlobKeyError> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for BlobKey {
    type Error = BlobKeyError;

    fn try_from(text: String) -> Result<Self, BlobKeyError> {
        let plain =
            |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'+' | b'/');
        let good = text.len() <= 255
            && text.bytes().all(plain)
            && text.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if good {
            Ok(Self(text))
        } else {
            Err(BlobKeyError)
        }
    }
}

impl From<BlobKey> for String {
    fn from(key: BlobKey) -> Self {
        key.0
    }
}

/// The text cannot be a key of a blob.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a blob key has at most 255 characters of a-z 0-9 . _ - + and /")]
#[non_exhaustive]
pub struct BlobKeyError;

/// The process that writes an upload, as its store names it.
///
/// Two live processes never have the same one.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Holder(String);

impl Holder {
    /// Returns the holder with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I15, A29: what is not exactly an id is refused, so it can never be a path.
    #[test]
    fn a29_only_hexadecimal_is_an_id() {
        let id = UploadId::from_random([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in [
            "",
            "../../x",
            "AB",
            "\0",
            &"A".repeat(32),
            &"a".repeat(31),
            &"a".repeat(34),
        ] {
            assert!(bad.parse::<UploadId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_leave_no_tree() {
        for bad in [
            "",
            "/a",
            "a//b",
            "../a",
            "a/..",
            "a/./b",
            "A",
            "a b",
            &"a".repeat(256),
        ] {
            assert!(bad.parse::<BlobKey>().is_err(), "{bad}");
        }
        assert_eq!(
            "blobs/ab/0f".parse::<BlobKey>().unwrap().as_str(),
            "blobs/ab/0f"
        );
    }
}
