//! Hashing that can be suspended, and the proof that it was done.

use std::fmt;

use bytes::Bytes;
use sha2::{
    Digest as _, Sha256, Sha512,
    digest::{common::hazmat::SerializableState, typenum::Unsigned as _},
};

use super::digest::{Algorithm, Digest};

/// Hashes content as it streams by, and alone can say that it was hashed.
///
/// ```
/// use artifact_core::{Algorithm, Hasher};
///
/// let mut hasher = Hasher::new(Algorithm::Sha256);
/// hasher.update(b"hello ");
/// let mut resumed = Hasher::resume(&hasher.state())?;
/// resumed.update(b"world");
/// let blob = resumed.finish();
/// assert_eq!(blob.size(), 11);
/// # Ok::<(), artifact_core::HasherStateError>(())
/// ```
#[derive(Clone)]
pub struct Hasher {
    inner: Inner,
    hashed: u64,
}

#[derive(Clone)]
enum Inner {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// Returns a hasher that has seen nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        let inner = match algorithm {
            Algorithm::Sha256 => Inner::Sha256(Sha256::new()),
            Algorithm::Sha512 => Inner::Sha512(Sha512::new()),
        };
        Self { inner, hashed: 0 }
    }

    /// Returns the algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        match self.inner {
            Inner::Sha256(_) => Algorithm::Sha256,
            Inner::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Returns how many bytes were hashed so far.
    pub const fn hashed(&self) -> u64 {
        self.hashed
    }

    /// Hashes `data` after what was hashed before.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.inner {
            Inner::Sha256(hash) => hash.update(data),
            Inner::Sha512(hash) => hash.update(data),
        }
        self.hashed += data.len() as u64;
    }

    /// Returns what [`Hasher::resume`] needs to go on from here, in this process or another.
    ///
    /// The bytes are the algorithm's name, a colon, the number of bytes hashed (eight bytes, little
    /// endian) and the compression state as `sha2` serializes it.
    pub fn state(&self) -> Bytes {
        let mut state = format!("{}:", self.algorithm()).into_bytes();
        state.extend_from_slice(&self.hashed.to_le_bytes());
        match &self.inner {
            Inner::Sha256(hash) => state.extend_from_slice(&hash.serialize()),
            Inner::Sha512(hash) => state.extend_from_slice(&hash.serialize()),
        }
        state.into()
    }

    /// Returns the hasher whose [`Hasher::state`] this is.
    ///
    /// # Errors
    /// [`HasherStateError`] when the bytes are no such state.
    pub fn resume(state: &[u8]) -> Result<Self, HasherStateError> {
        fn inner<H: SerializableState>(state: &[u8]) -> Result<H, HasherStateError> {
            let state = state.try_into().map_err(|_| HasherStateError)?;
            if H::SerializedStateSize::USIZE == 0 {
                return Err(HasherStateError);
            }
            H::deserialize(state).map_err(|_| HasherStateError)
        }
        let colon = state
            .iter()
            .position(|byte| *byte == b':')
            .ok_or(HasherStateError)?;
        let (algorithm, rest) = state.split_at_checked(colon).ok_or(HasherStateError)?;
        let rest = rest.get(1..).ok_or(HasherStateError)?;
        let (hashed, rest) = rest.split_first_chunk::<8>().ok_or(HasherStateError)?;
        let inner = match algorithm {
            b"sha256" => Inner::Sha256(inner(rest)?),
            b"sha512" => Inner::Sha512(inner(rest)?),
            _ => return Err(HasherStateError),
        };
        Ok(Self {
            inner,
            hashed: u64::from_le_bytes(*hashed),
        })
    }

    /// Returns the proof of what was hashed.
    pub fn finish(self) -> VerifiedBlob {
        let digest = match self.inner {
            Inner::Sha256(hash) => Digest::Sha256(hash.finalize().into()),
            Inner::Sha512(hash) => Digest::Sha512(hash.finalize().into()),
        };
        VerifiedBlob {
            digest,
            size: self.hashed,
        }
    }

    /// Returns the proof for bytes that are all at hand.
    pub fn hash(algorithm: Algorithm, data: &[u8]) -> VerifiedBlob {
        let mut hasher = Self::new(algorithm);
        hasher.update(data);
        hasher.finish()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher")
            .field("algorithm", &self.algorithm())
            .field("hashed", &self.hashed)
            .finish_non_exhaustive()
    }
}

/// Proof that `size` bytes were hashed to `digest`. Only a [`Hasher`] makes one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VerifiedBlob {
    digest: Digest,
    size: u64,
}

impl VerifiedBlob {
    /// Returns the digest.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the number of bytes that were hashed.
    pub const fn size(&self) -> u64 {
        self.size
    }
}

/// The bytes are not the state of a [`Hasher`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not the state of a hasher of this program: begin the upload again")]
#[non_exhaustive]
pub struct HasherStateError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        let empty = Hasher::new(Algorithm::Sha256).finish();
        assert_eq!(
            empty.digest().to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert!(
            Hasher::hash(Algorithm::Sha512, b"abc")
                .digest()
                .to_string()
                .starts_with(
                    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                )
        );
    }

    #[test]
    fn a_resumed_hash_is_the_hash_of_all() {
        let data: Vec<u8> = (0..1000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let whole = Hasher::hash(algorithm, &data);
            for cut in [0, 1, 63, 64, 65, 127, 128, 500, 1000] {
                let mut first = Hasher::new(algorithm);
                first.update(&data[..cut]);
                let mut second = Hasher::resume(&first.state()).unwrap();
                second.update(&data[cut..]);
                assert_eq!(second.finish(), whole, "{algorithm} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_wrong_state_is_refused() {
        let state = Hasher::new(Algorithm::Sha256).state();
        for cut in 0..state.len() {
            assert!(Hasher::resume(&state[..cut]).is_err(), "{cut}");
        }
        assert!(Hasher::resume(b"md5:0123456789").is_err());
    }
}
