//! Reading a part of a file as a stream.

use std::sync::Arc;

use artifact_core::{BlobKey, BlobReader, ByteRange, StoreError};
use bytes::Bytes;
use futures::stream;

use super::{error::failed, frame::Frame, shared::Shared};
use crate::vfs::VfsFile;

/// Returns the reader of `range` of the `size` bytes at `offset` of a file; it holds the file, and
/// so the file's locks.
pub(super) fn reader(
    shared: &Arc<Shared>,
    key: &BlobKey,
    file: Arc<dyn VfsFile>,
    offset: u64,
    size: u64,
    range: ByteRange,
) -> Result<BlobReader, StoreError> {
    let end = range
        .end(size)
        .ok_or(StoreError::RangeNotSatisfiable { size })?;
    let part = Part {
        shared: Arc::clone(shared),
        key: key.clone(),
        file,
        at: offset + range.offset,
        end: offset + end,
    };
    let chunks = stream::try_unfold(part, |mut part| async move {
        let chunk = part.next().await?;
        Ok(chunk.map(|chunk| (chunk, part)))
    });
    Ok(BlobReader::new(end - range.offset, chunks))
}

/// What is left to read.
struct Part {
    shared: Arc<Shared>,
    key: BlobKey,
    file: Arc<dyn VfsFile>,
    at: u64,
    end: u64,
}

impl Part {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let left = self.end - self.at;
        if left == 0 {
            return Ok(None);
        }
        let mut frame = self
            .shared
            .frames
            .take(usize::try_from(left).unwrap_or(usize::MAX));
        let mut filled = self.fill_cached(&mut frame);
        if filled == 0 {
            (frame, filled) = self.fill(frame).await?;
        }
        self.at += filled as u64;
        Ok(Some(frame.freeze(filled)))
    }

    /// Reads what is in memory, on the caller's thread: it costs less than to change threads.
    fn fill_cached(&self, frame: &mut Frame) -> usize {
        let mut filled = 0;
        while !frame.rest(filled).is_empty() {
            let at = self.at + filled as u64;
            match self.file.read_cached_at(frame.rest(filled), at) {
                Some(read) if read > 0 => filled += read,
                _ => break,
            }
        }
        filled
    }

    /// Reads a whole frame, where that may block.
    async fn fill(&self, mut frame: Frame) -> Result<(Frame, usize), StoreError> {
        let (file, at) = (Arc::clone(&self.file), self.at);
        let key = self.key.clone();
        let work = move |_: &Arc<Shared>| {
            let mut filled = 0;
            while !frame.rest(filled).is_empty() {
                let read = file.read_at(frame.rest(filled), at + filled as u64);
                match read.map_err(failed)? {
                    // The file is shorter than it was when it was committed (BS-7).
                    0 => return Err(StoreError::Corrupt { key }),
                    read => filled += read,
                }
            }
            Ok((frame, filled))
        };
        self.shared.run(work).await
    }
}
