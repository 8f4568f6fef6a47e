//! The contracts of what signs and what verifies.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use super::store_error::BoxError;

/// What is signed: bytes of a stated type.
///
/// Source: DSSE protocol 1.0, secure-systems-lab/dsse, protocol.md.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Statement {
    /// The type of the payload, such as `application/vnd.in-toto+json`.
    pub payload_type: String,
    /// The payload.
    pub payload: Bytes,
}

impl Statement {
    /// Returns the statement.
    pub const fn new(payload_type: String, payload: Bytes) -> Self {
        Self {
            payload_type,
            payload,
        }
    }

    /// Returns the bytes that a signature is of: DSSE's pre-authentication encoding.
    pub fn pre_authentication_encoding(&self) -> Vec<u8> {
        let kind = &self.payload_type;
        let mut bytes =
            format!("DSSEv1 {} {kind} {} ", kind.len(), self.payload.len()).into_bytes();
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

/// Names a key, as its holder and those who trust it do.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId(String);

impl KeyId {
    /// Returns the key id with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A signature, of which nothing is proven yet.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Signature {
    /// The key that is said to have made it.
    pub key_id: KeyId,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Signature {
    /// Returns the signature.
    pub const fn new(key_id: KeyId, bytes: Bytes) -> Self {
        Self { key_id, bytes }
    }
}

/// Proof that a verifier accepted a signature of a statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifiedSignature {
    key_id: KeyId,
}

impl VerifiedSignature {
    /// Returns the proof; only an implementation of [`Verifier::verify`] that has checked the
    /// signature may say so.
    pub const fn assertion(key_id: KeyId) -> Self {
        Self { key_id }
    }

    /// Returns the key that made the signature.
    pub const fn key_id(&self) -> &KeyId {
        &self.key_id
    }
}

/// Signs: a file, a key management service, a hardware module.
///
/// # Contract
/// * SG-1: the signature is of the statement's pre-authentication encoding.
/// * SG-2: it never gives the key away, in no error and no debug line (I27).
#[async_trait]
pub trait Signer: fmt::Debug + Send + Sync + 'static {
    /// Returns the id of the key.
    fn key_id(&self) -> &KeyId;

    /// Signs a statement.
    ///
    /// # Errors
    /// [`SignError`] when the key cannot be used; nothing is then signed.
    async fn sign(&self, statement: &Statement) -> Result<Signature, SignError>;
}

/// Verifies: a proof or an error, never a bool (I20).
///
/// # Contract
/// * VF-1: every doubt is an error: an unknown key or algorithm, a malformed signature, a key out of
///   its validity.
/// * VF-2: it reads no clock and no network.
pub trait Verifier: fmt::Debug + Send + Sync + 'static {
    /// Verifies a signature of a statement.
    ///
    /// # Errors
    /// [`VerifyError`] when the signature is not proven.
    fn verify(
        &self,
        statement: &Statement,
        signature: &Signature,
    ) -> Result<VerifiedSignature, VerifyError>;
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The key cannot be used at all.
    #[error("key {key_id} cannot sign", key_id = .key_id.as_str())]
    Key {
        /// The key.
        key_id: KeyId,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The key's holder does not answer now.
    #[error("the holder of key {key_id} is unavailable", key_id = .key_id.as_str())]
    Unavailable {
        /// The key.
        key_id: KeyId,
        /// Why.
        #[source]
        source: BoxError,
    },
}

/// Why a signature is not proven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The signature is not of this statement by this key.
    #[error("the signature does not fit")]
    Invalid,
    /// The signature cannot be read.
    #[error("the signature is malformed")]
    Malformed,
    /// The key is not known, or not valid here.
    #[error("key {key_id} is not trusted here", key_id = .key_id.as_str())]
    UntrustedKey {
        /// The key.
        key_id: KeyId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the DSSE protocol.
    #[test]
    fn the_encoding_is_the_specifications() {
        let statement = Statement::new(
            "http://example.com/HelloWorld".into(),
            Bytes::from_static(b"hello world"),
        );
        assert_eq!(
            statement.pre_authentication_encoding(),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }
}
