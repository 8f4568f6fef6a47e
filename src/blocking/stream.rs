//! Blobs as `std::io` streams.

use std::{
    fmt,
    io::{self, Read, Write},
};

use artifact_core::{BlobBody, BlobInfo, Digest, Error, UploadId, UploadStatus};
use bytes::{Buf as _, Bytes, BytesMut};
use futures::StreamExt as _;

use super::wait::wait;

/// How many bytes of small writes are gathered before they go on together.
const GATHER: usize = 256 << 10;

/// A blob that is being read.
///
/// It gives all its bytes, or an error: corrupt bytes never look like a success, so a reader must
/// read to the end before it believes what it read.
pub struct BlobReader {
    body: BlobBody,
    chunk: Bytes,
}

impl BlobReader {
    pub(crate) const fn new(body: BlobBody) -> Self {
        Self {
            body,
            chunk: Bytes::new(),
        }
    }

    /// Returns the digest of the blob.
    pub const fn digest(&self) -> Digest {
        self.body.digest()
    }

    /// Returns the length of the whole blob, in bytes.
    pub const fn size(&self) -> u64 {
        self.body.size()
    }

    /// Returns how many bytes the reader gives from its beginning.
    pub const fn length(&self) -> u64 {
        self.body.length()
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match wait(self.body.next()).map_err(io::Error::other)? {
                None => return Ok(0),
                Some(chunk) => self.chunk = chunk.map_err(io::Error::other)?,
            }
        }
        let count = buffer.len().min(self.chunk.len());
        self.chunk
            .split_to(count)
            .copy_to_slice(buffer.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body.fmt(f)
    }
}

/// An upload that is being written. To drop it equals a crash of it.
#[derive(Debug)]
pub struct Upload {
    upload: artifact_core::Upload,
    gathered: BytesMut,
}

impl Upload {
    pub(crate) fn new(upload: artifact_core::Upload) -> Self {
        Self {
            upload,
            gathered: BytesMut::new(),
        }
    }

    /// Returns its id, with which it is resumed.
    pub const fn id(&self) -> UploadId {
        self.upload.id()
    }

    /// Returns how many bytes it has received.
    pub fn offset(&self) -> u64 {
        self.upload
            .offset()
            .saturating_add(self.gathered.len() as u64)
    }

    /// Receives bytes that are shared already, without copying them.
    ///
    /// # Errors
    /// Those of [`artifact_core::Upload::write`].
    pub fn write_bytes(&mut self, chunk: Bytes) -> Result<(), Error> {
        self.send_gathered()?;
        wait(self.upload.write(chunk))?
    }

    /// Makes what was received durable, so that it can be resumed by its id.
    ///
    /// # Errors
    /// Those of [`artifact_core::Upload::suspend`].
    pub fn suspend(mut self) -> Result<UploadStatus, Error> {
        self.send_gathered()?;
        wait(self.upload.suspend())?
    }

    /// Publishes the blob to its package.
    ///
    /// # Errors
    /// Those of [`artifact_core::Upload::finish`].
    pub fn finish(mut self, expected: Option<&Digest>) -> Result<BlobInfo, Error> {
        self.send_gathered()?;
        wait(self.upload.finish(expected))?
    }

    /// Throws away what was received.
    ///
    /// # Errors
    /// Those of [`artifact_core::Upload::abort`].
    pub fn abort(self) -> Result<(), Error> {
        wait(self.upload.abort())?
    }

    fn send_gathered(&mut self) -> Result<(), Error> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let chunk = self.gathered.split().freeze();
        wait(self.upload.write(chunk))?
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHER {
            self.send_gathered().map_err(io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_gathered().map_err(io::Error::other)
    }
}
