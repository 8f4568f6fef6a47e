//! How values of the model stand in columns.
//!
//! A digest is a byte for its algorithm and its bytes, so that the order of blobs is the order of
//! digests; numbers are SQLite's integers; names are text, whose order there is that of bytes.

use artifact_core::{
    Algorithm, BlobKey, Digest, Epoch, Generation, MediaType, PackageName, RegistryId,
    RepositoryName, Revision, Tag, Timestamp, UploadId,
};
use rusqlite::{
    Error as SqlError, Result as SqlResult,
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef},
};

/// A value of the model on its way into or out of a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw<T>(pub(super) T);

const SHA256: u8 = 1;
const SHA512: u8 = 2;

/// Returns the bytes under which a digest stands in a column.
pub(super) fn digest_bytes(digest: &Digest) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + digest.as_bytes().len());
    bytes.push(match digest.algorithm() {
        Algorithm::Sha512 => SHA512,
        _ => SHA256,
    });
    bytes.extend_from_slice(digest.as_bytes());
    bytes
}

/// Reads one digest off the front of `bytes`.
pub(super) fn split_digest(bytes: &[u8]) -> Option<(Digest, &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let algorithm = match *kind {
        SHA256 => Algorithm::Sha256,
        SHA512 => Algorithm::Sha512,
        _ => return None,
    };
    let (hash, rest) = rest.split_at_checked(algorithm.digest_len())?;
    Some((Digest::from_bytes(algorithm, hash).ok()?, rest))
}

impl ToSql for Raw<&Digest> {
    fn to_sql(&self) -> SqlResult<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Blob(digest_bytes(self.0))))
    }
}

impl ToSql for Raw<Digest> {
    fn to_sql(&self) -> SqlResult<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Blob(digest_bytes(&self.0))))
    }
}

impl FromSql for Raw<Digest> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match split_digest(value.as_blob()?) {
            Some((digest, [])) => Ok(Self(digest)),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// Puts names into columns as their text.
macro_rules! text {
    ($($name:ty),*) => {$(
        impl ToSql for Raw<&$name> {
            fn to_sql(&self) -> SqlResult<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0.as_str().as_bytes())))
            }
        }

        impl FromSql for Raw<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let text = value.as_str()?.to_owned();
                text.try_into().map(Self).map_err(FromSqlError::other)
            }
        }
    )*};
}

text!(BlobKey, MediaType, PackageName, RepositoryName, Tag);

/// Puts counters into columns as integers.
macro_rules! number {
    ($($name:ty),*) => {$(
        impl ToSql for Raw<$name> {
            fn to_sql(&self) -> SqlResult<ToSqlOutput<'_>> {
                integer(self.0.get()).map(|number| ToSqlOutput::Owned(Value::Integer(number)))
            }
        }

        impl FromSql for Raw<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                natural(value).map(|number| Self(<$name>::new(number)))
            }
        }
    )*};
}

number!(Epoch, Generation, Revision);

impl ToSql for Raw<u64> {
    fn to_sql(&self) -> SqlResult<ToSqlOutput<'_>> {
        integer(self.0).map(|number| ToSqlOutput::Owned(Value::Integer(number)))
    }
}

impl FromSql for Raw<u64> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        natural(value).map(Self)
    }
}

impl ToSql for Raw<Timestamp> {
    fn to_sql(&self) -> SqlResult<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Integer(self.0.as_millis())))
    }
}

impl FromSql for Raw<Timestamp> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Timestamp::from_millis).map(Self)
    }
}

/// Puts random ids into columns as their bytes.
macro_rules! id {
    ($($name:ty),*) => {$(
        impl ToSql for Raw<&$name> {
            fn to_sql(&self) -> SqlResult<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
            }
        }

        impl FromSql for Raw<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let bytes: [u8; 16] = value
                    .as_blob()?
                    .try_into()
                    .map_err(|_| FromSqlError::InvalidType)?;
                Ok(Self(<$name>::from_random(bytes)))
            }
        }
    )*};
}

id!(RegistryId, UploadId);

/// Returns a number as SQLite's integer.
fn integer(number: u64) -> SqlResult<i64> {
    i64::try_from(number).map_err(|error| SqlError::ToSqlConversionFailure(error.into()))
}

fn natural(value: ValueRef<'_>) -> FromSqlResult<u64> {
    let number = value.as_i64()?;
    u64::try_from(number).map_err(|_| FromSqlError::OutOfRange(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_read_back_and_keep_their_order() {
        let digests = [
            Digest::Sha256([0; 32]),
            Digest::Sha256([0xff; 32]),
            Digest::Sha512([0; 64]),
        ];
        let mut all = Vec::new();
        for digest in &digests {
            all.extend(digest_bytes(digest));
        }
        let mut rest = &all[..];
        for digest in &digests {
            let (found, left) = split_digest(rest).unwrap();
            assert_eq!(found, *digest);
            rest = left;
        }
        assert!(rest.is_empty());
        assert!(digests.is_sorted());
        assert!(digests.map(|digest| digest_bytes(&digest)).is_sorted());
    }

    /// What is no digest is a corrupt row, not a panic.
    #[test]
    fn bytes_that_are_no_digest_are_refused() {
        for bad in [&[][..], &[1], &[3; 33], &[1; 32]] {
            assert!(split_digest(bad).is_none(), "{bad:?}");
        }
        assert!(Raw::<Digest>::column_result(ValueRef::Blob(&[1; 34])).is_err());
        assert!(Raw::<Digest>::column_result(ValueRef::Null).is_err());
    }
}
