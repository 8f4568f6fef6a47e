//! Reading blobs: streams, ranges, local files.

use std::{fmt, path::Path, pin::Pin, sync::Arc, task::Context, task::Poll};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};

use super::{commit::TRIES, permit::Missing, session::Session};
use crate::{
    contract::{
        blob_store::{ByteRange, LocalBlob, Way},
        change::Location,
        policy::Action,
        record::{AsOf, BlobRecord},
        seams::SpawnExt as _,
        store_error::StoreError,
    },
    error::{Error, What},
    guard,
    model::{digest::Digest, hasher::Hasher, id::BlobKey, name::PackageRef},
};

/// Which part of a blob is asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum BlobRange {
    /// All of it.
    #[default]
    All,
    /// From this byte to the end.
    From(u64),
    /// From the first to the last byte named, both included.
    Bounded(u64, u64),
    /// The last so many bytes.
    Last(u64),
}

impl BlobRange {
    /// Returns offset and length of the part in a blob of `size` bytes.
    ///
    /// # Errors
    /// [`Error::RangeReversed`] when it ends before it starts, [`Error::Range`] when no byte of it is in
    /// the blob.
    ///
    /// Source: RFC 9110, section 14.1.2.
    pub fn resolve(self, size: u64) -> Result<(u64, u64), Error> {
        let (offset, end) = match self {
            Self::All => (0, size),
            Self::From(first) if first < size => (first, size),
            Self::Bounded(first, last) if first > last => {
                return Err(Error::RangeReversed { first, last, size });
            }
            Self::Bounded(first, last) if first < size => (first, last.saturating_add(1).min(size)),
            Self::Last(count) if count > 0 && size > 0 => (size - count.min(size), size),
            _ => return Err(Error::Range { size }),
        };
        Ok((offset, end - offset))
    }
}

/// A blob, or a part of it, on its way to the caller.
///
/// Its stream gives `length` bytes and ends, or ends with an error: never with fewer bytes or other
/// bytes than the digest stands for.
pub struct BlobBody {
    digest: Digest,
    size: u64,
    offset: u64,
    length: u64,
    bytes: BoxStream<'static, Result<Bytes, Error>>,
}

impl BlobBody {
    /// Returns the digest of the blob.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the length of the whole blob, in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Returns where in the blob the body begins.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the length of the body, in bytes.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Reads all of it into memory, where it is at most `limit` bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`], and those of the stream.
    pub async fn collect(mut self, limit: u64) -> Result<Bytes, Error> {
        if guard!(502) && self.length > limit {
            return Err(Error::TooLarge {
                what: "the blob",
                size: self.length,
                limit,
            });
        }
        let mut all = Vec::new();
        while let Some(chunk) = self.bytes.try_next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.into())
    }
}

impl Stream for BlobBody {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.bytes.poll_next_unpin(context)
    }
}

impl fmt::Debug for BlobBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobBody")
            .field("digest", &self.digest)
            .field("offset", &self.offset)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Reads a blob of a package, or a part of it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Range`], [`Error::RangeReversed`], [`Error::Corrupt`],
    /// [`Error::Purged`], [`Error::HistoryForgotten`]; refusals; and where a backend fails.
    pub async fn read_blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
        range: BlobRange,
    ) -> Result<BlobBody, Error> {
        let (blob, trusted) = self.sound_blob(at, package, digest).await?;
        let (offset, length) = range.resolve(blob.size)?;
        let (digest, size) = (blob.digest, blob.size);
        let bytes = match &blob.location {
            Location::Inline(bytes) => {
                guard!(205, check_inline(&digest, bytes))?;
                stream::iter([Ok(slice(bytes, offset, length))]).boxed()
            }
            Location::Key(key) => {
                if !trusted && length == size {
                    self.inner()
                        .stream_hashed(digest, key.clone())
                        .await?
                        .boxed()
                } else {
                    if guard!(218) && !trusted {
                        self.inner().hash_whole(digest, key).await?;
                    }
                    let range = ByteRange::new(offset, Some(length));
                    let reader = self.inner().open(digest, key, range).await?;
                    reader.map_err(Error::from).boxed()
                }
            }
        };
        Ok(BlobBody {
            digest,
            size,
            offset,
            length,
            bytes,
        })
    }

    /// Opens a blob as a local file: to send, map or read it. `None` when it is in no local file.
    ///
    /// # Errors
    /// As [`Session::read_blob`].
    pub async fn open_blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<LocalBlob>, Error> {
        let (blob, trusted) = self.sound_blob(at, package, digest).await?;
        let Location::Key(key) = &blob.location else {
            return Ok(None);
        };
        let key = self.sound_key(&blob, key, trusted).await?;
        let store = Arc::clone(&self.inner().parts.store);
        let open = move || store.local().map(|local| local.open(&key)).transpose();
        let opened = self
            .inner()
            .parts
            .spawn
            .run_blocking(open)
            .await
            .map_err(ended)??;
        Ok(opened.flatten())
    }

    /// Makes the file `target` of a blob, in the first of `ways` that works. What is there is never
    /// replaced; the file is complete, or not there.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when `target` is there already; [`Error::Unsupported`] when the blob is in
    /// no local file, or none of the ways can be taken here, such as a hard link across file systems:
    /// read it instead, or allow [`Way::Copy`]; else as [`Session::read_blob`].
    pub async fn materialize_blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
        target: &Path,
        ways: &[Way],
    ) -> Result<Way, Error> {
        let unsupported = || Error::Unsupported {
            what: format!("{digest} is in no file of its own here: read it instead"),
        };
        let (blob, trusted) = self.sound_blob(at, package, digest).await?;
        let Location::Key(key) = &blob.location else {
            return Err(unsupported());
        };
        let key = self.sound_key(&blob, key, trusted).await?;
        let store = Arc::clone(&self.inner().parts.store);
        let (target, ways) = (target.to_owned(), ways.to_owned());
        let work = move || {
            let made = store
                .local()
                .map(|local| local.materialize(&key, &target, &ways));
            made.transpose().map(Option::flatten)
        };
        let made = self
            .inner()
            .parts
            .spawn
            .run_blocking(work)
            .await
            .map_err(ended)??;
        made.ok_or_else(unsupported)
    }

    async fn sound_key(
        &self,
        blob: &BlobRecord,
        key: &BlobKey,
        trusted: bool,
    ) -> Result<BlobKey, Error> {
        if guard!(219) && !trusted {
            self.inner().hash_whole(blob.digest, key).await?;
        }
        Ok(key.clone())
    }

    /// Returns a blob that this principal may read, and whether its bytes may be given away unhashed.
    async fn sound_blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<(BlobRecord, bool), Error> {
        let mut tries = TRIES;
        loop {
            let (blob, always) = self.readable_blob(at, package, digest).await?;
            let Location::Key(key) = &blob.location else {
                return Ok((blob, true));
            };
            let trusted =
                guard!(238, self.inner().is_trusted(&blob, key, always).await, else Ok(true));
            match trusted {
                // It was collected, or stored anew, since its row was read: then that says so.
                Err(Error::NotFound { .. }) if tries > 1 => tries -= 1,
                trusted => return trusted.map(|trusted| (blob, trusted)),
            }
        }
    }

    /// Returns a blob that this principal may read, and whether each read of it is hashed.
    async fn readable_blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<(BlobRecord, bool), Error> {
        let missing = Missing::new(What::Blob, digest);
        let permit = guard!(317, self)
            .permit(Action::Read, package, &missing)
            .await?;
        let link = self.inner().index().blob(at, package, digest).await?;
        let link = link.ok_or_else(|| missing.error())?;
        Ok((link.blob, permit.stage().verify_always))
    }
}

fn ended(error: crate::contract::seams::TaskError) -> Error {
    Error::Store(StoreError::Unavailable {
        backend: "engine",
        operation: "open a local file",
        source: Box::new(error),
    })
}

/// Checks bytes that the index itself keeps; they are hashed each time they are read.
pub(crate) fn check_inline(digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
    if Hasher::hash(digest.algorithm(), bytes).digest() == *digest {
        Ok(())
    } else {
        Err(Error::Corrupt { digest: *digest })
    }
}

fn slice(bytes: &Bytes, offset: u64, length: u64) -> Bytes {
    let start = usize::try_from(offset)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let end = usize::try_from(offset.saturating_add(length))
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    bytes.slice(start..end)
}

#[cfg(test)]
mod tests {
    use super::BlobRange;
    use crate::model::error_kind::ErrorKind;

    #[test]
    fn ranges_are_those_of_http() {
        assert_eq!(BlobRange::All.resolve(0).unwrap(), (0, 0));
        assert_eq!(BlobRange::From(3).resolve(10).unwrap(), (3, 7));
        assert_eq!(BlobRange::Bounded(3, 3).resolve(10).unwrap(), (3, 1));
        assert_eq!(BlobRange::Bounded(3, u64::MAX).resolve(10).unwrap(), (3, 7));
        assert_eq!(BlobRange::Last(3).resolve(10).unwrap(), (7, 3));
        assert_eq!(BlobRange::Last(30).resolve(10).unwrap(), (0, 10));
        for range in [
            BlobRange::From(10),
            BlobRange::Bounded(10, 12),
            BlobRange::Last(0),
        ] {
            assert!(range.resolve(10).is_err(), "{range:?}");
        }
        assert!(BlobRange::Last(1).resolve(0).is_err());
    }

    #[test]
    fn a_range_that_is_the_wrong_way_round_is_told_so() {
        for size in [0, 4, 10] {
            let refused = BlobRange::Bounded(4, 3).resolve(size).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Range);
            let said = refused.to_string();
            assert!(
                said.contains("byte 3, before its start at byte 4"),
                "{said}"
            );
        }
    }
}
