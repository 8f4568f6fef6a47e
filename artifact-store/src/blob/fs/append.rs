//! Chunks of any size become large writes.
//!
//! A writer of another kind, with aligned buffers past the page cache, has its place here.

use bytes::Bytes;

use super::frame::FRAME;
use crate::vfs::{VfsError, VfsFile};

/// A chunk of this size is not worth copying together with others.
const WHOLE_MIN: usize = FRAME / 4;

/// Gathers what is to be appended.
#[derive(Debug)]
pub(super) struct Appender {
    /// Where the gathered bytes go, counted from the first byte of the blob.
    at: u64,
    gathered: Vec<u8>,
}

impl Appender {
    /// Returns one that goes on after `at` bytes.
    pub(super) const fn new(at: u64) -> Self {
        Self {
            at,
            gathered: Vec::new(),
        }
    }

    /// Returns how many bytes there are, gathered ones too.
    pub(super) const fn offset(&self) -> u64 {
        self.at + self.gathered.len() as u64
    }

    /// Takes a chunk; returns what is to be written now.
    pub(super) fn push(&mut self, chunk: Bytes) -> Option<Batch> {
        if chunk.len() >= WHOLE_MIN {
            let mut batch = self.flush();
            batch.chunk = chunk;
            self.at += batch.chunk.len() as u64;
            return Some(batch);
        }
        self.gathered.extend_from_slice(&chunk);
        (self.gathered.len() >= FRAME).then(|| self.flush())
    }

    /// Returns all that is to be written.
    pub(super) fn flush(&mut self) -> Batch {
        let batch = Batch {
            at: self.at,
            gathered: std::mem::take(&mut self.gathered),
            chunk: Bytes::new(),
        };
        self.at += batch.gathered.len() as u64;
        batch
    }

    /// Takes the buffer of a batch back, to gather in it again.
    pub(super) fn recycle(&mut self, batch: Batch) {
        if self.gathered.capacity() == 0 {
            self.gathered = batch.gathered;
            self.gathered.clear();
        }
    }
}

/// Bytes that follow each other.
#[derive(Debug)]
pub(super) struct Batch {
    at: u64,
    gathered: Vec<u8>,
    chunk: Bytes,
}

impl Batch {
    /// Writes them to the file in which the blob begins at `offset`.
    pub(super) fn write(&self, file: &dyn VfsFile, offset: u64) -> Result<(), VfsError> {
        if !self.gathered.is_empty() {
            file.write_at(&self.gathered, offset + self.at)?;
        }
        if !self.chunk.is_empty() {
            let at = self.at + self.gathered.len() as u64;
            file.write_at(&self.chunk, offset + at)?;
        }
        Ok(())
    }

    /// Returns how many they are.
    pub(super) const fn len(&self) -> u64 {
        (self.gathered.len() + self.chunk.len()) as u64
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.gathered.is_empty() && self.chunk.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_chunks_are_gathered_and_large_ones_passed_on() {
        let mut appender = Appender::new(10);
        let mut written = Vec::new();
        let mut batches = 0;
        let mut expected = Vec::new();
        for (round, length) in [1, 100, WHOLE_MIN, FRAME * 3, 5, 0]
            .iter()
            .cycle()
            .take(60)
            .enumerate()
        {
            let chunk = vec![u8::try_from(round).unwrap(); *length];
            expected.extend_from_slice(&chunk);
            if let Some(batch) = appender.push(chunk.into()) {
                batches += 1;
                assert_eq!(batch.at, 10 + written.len() as u64);
                written.extend([&batch.gathered[..], &batch.chunk].concat());
                assert_eq!(batch.len(), written.len() as u64 + 10 - batch.at);
                assert!(!batch.is_empty());
                appender.recycle(batch);
            }
            assert_eq!(appender.offset(), 10 + expected.len() as u64);
            assert_eq!(appender.at, 10 + written.len() as u64);
        }
        written.extend(appender.flush().gathered);
        assert!(written == expected);
        assert_eq!(
            batches, 20,
            "each large chunk takes along the small ones before it"
        );
        assert!(appender.flush().is_empty());
    }

    #[test]
    fn many_small_chunks_are_one_write() {
        let mut appender = Appender::new(0);
        let pushed = (0..FRAME / 64).filter_map(|_| appender.push(vec![1; 64].into()));
        assert_eq!(
            pushed.map(|batch| batch.gathered.len()).collect::<Vec<_>>(),
            [FRAME]
        );
    }
}
