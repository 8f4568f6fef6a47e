//! Bytes on their way from one place to another.

use artifact_core::{BoxError, Digest};
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream, stream::BoxStream};

/// A stream of bytes.
pub(crate) type Chunks = BoxStream<'static, Result<Bytes, BoxError>>;

/// Content that can be read more than once, because a broken transfer is gone on with.
pub(crate) trait Content: Send + Sync {
    /// Returns the digest that the bytes must have.
    fn digest(&self) -> Digest;

    /// Returns the number of bytes.
    fn size(&self) -> u64;

    /// Returns the bytes from `offset` on.
    fn open(&self, offset: u64) -> BoxFuture<'_, Result<Chunks, BoxError>>;
}

/// How content came to be at a place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Delivery {
    /// Its bytes were sent.
    Sent,
    /// The place took it from another package that it has.
    Mounted,
    /// It was there.
    Present,
}

/// Bytes that are at hand: manifests' configs and small files.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
}

impl Content for Held {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn open(&self, offset: u64) -> BoxFuture<'_, Result<Chunks, BoxError>> {
        let offset = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.bytes.len());
        let rest = self.bytes.slice(offset..);
        async { Ok(stream::iter([Ok(rest)]).boxed()) }.boxed()
    }
}
