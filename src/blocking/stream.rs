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

    /// Sends on what was gathered. Where that fails it stays gathered, for it was taken from the caller.
    fn send_gathered(&mut self) -> Result<(), Error> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let chunk = self.gathered.split().freeze();
        let sent = wait(self.upload.write(chunk.clone())).flatten();
        if sent.is_err() {
            self.gathered = BytesMut::from(chunk);
        }
        sent
    }
}

impl Write for Upload {
    /// Takes some of the bytes: never so many that they would need more memory than a chunk.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Before any are taken: of a write that fails none is.
        if self.gathered.len() >= GATHER {
            self.send_gathered().map_err(io::Error::other)?;
        }
        let count = bytes.len().min(GATHER - self.gathered.len());
        self.gathered
            .extend_from_slice(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_gathered().map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use artifact_core::{ErrorKind, NamespaceSettings, PackageRef, Scope, UploadOptions};

    use super::*;
    use crate::Registry;

    /// I23: however much is given at once, no more of it is taken than is sent on together.
    #[test]
    fn i23_a_write_takes_no_more_than_a_chunk() {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::create(directory.path().join("registry")).unwrap();
        let package = PackageRef::in_default(&"app".parse().unwrap());
        let begun = registry
            .blocking()
            .begin_upload(&package, UploadOptions::default());
        let mut upload = begun.unwrap();
        let much = vec![7; 5 * GATHER];
        assert_eq!(upload.write(&much).unwrap(), GATHER);
        upload.write_all(&much).unwrap();
        assert!(upload.gathered.len() <= GATHER);
        assert_eq!(upload.finish(None).unwrap().size, 6 * GATHER as u64);
    }

    /// I3: what was taken is in the blob, or there is no blob: a refusal on the way loses nothing.
    #[test]
    fn i3_what_was_taken_is_not_lost_by_a_refusal() {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::create(directory.path().join("registry")).unwrap();
        let session = registry.blocking();
        let mut quota = NamespaceSettings::default();
        quota.quota = Some(20_000);
        session.set_namespace(&Scope::all(), &quota).unwrap();
        let package = PackageRef::in_default(&"app".parse().unwrap());
        let begin = || session.begin_upload(&package, UploadOptions::default());
        let mut first = begin().unwrap();
        first.write_all(&[1; 15_000]).unwrap();
        let first = first.finish(None).unwrap();
        let refused = || {
            let mut upload = begin().unwrap();
            upload.write_all(&[7; 9_000]).unwrap();
            let refused = upload.flush().unwrap_err();
            let refused = refused
                .get_ref()
                .and_then(|error| error.downcast_ref::<Error>());
            assert_eq!(refused.map(Error::kind), Some(ErrorKind::Quota));
            upload
        };
        assert_eq!(refused().finish(None).unwrap_err().kind(), ErrorKind::Quota);
        let upload = refused();
        session.delete_blob(&package, &first.digest).unwrap();
        assert_eq!(upload.finish(None).unwrap().size, 9_000);
    }
}
