//! Reads a file line by line.

use std::sync::Arc;

use crate::vfs::{VfsError, VfsFile};

const CHUNK: usize = 256 * 1024;

/// Where a line is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Found {
    /// Where it begins, in bytes.
    pub(super) offset: u64,
    /// Whether a line feed ends it; only the last line of a file may have none.
    pub(super) ended: bool,
}

/// Goes through a file line by line, with a buffer that is as long as its longest line.
#[derive(Debug)]
pub(super) struct Scan {
    file: Arc<dyn VfsFile>,
    buffer: Vec<u8>,
    /// Where the buffer begins in the file.
    base: u64,
    /// Where the current line begins and ends in the buffer, and where the next one begins.
    start: usize,
    end: usize,
    next: usize,
}

impl Scan {
    /// Returns the scan of a file from `offset` on, where a line must begin.
    pub(super) const fn new(file: Arc<dyn VfsFile>, offset: u64) -> Self {
        Self {
            file,
            buffer: Vec::new(),
            base: offset,
            start: 0,
            end: 0,
            next: 0,
        }
    }

    /// Goes to the next line; `None` at the end of the file.
    pub(super) fn advance(&mut self) -> Result<Option<Found>, VfsError> {
        self.start = self.next;
        let mut looked = self.start;
        loop {
            let rest = self.buffer.get(looked..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', rest) {
                self.end = looked + at;
                self.next = self.end + 1;
                return Ok(Some(self.found(true)));
            }
            looked = self.buffer.len();
            let kept = self.start;
            if !self.fill()? {
                self.end = self.buffer.len();
                self.next = self.end;
                return Ok((self.start < self.end).then(|| self.found(false)));
            }
            looked -= kept - self.start;
        }
    }

    /// Returns the line without its end.
    pub(super) fn line(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn found(&self, ended: bool) -> Found {
        Found {
            offset: self.base + self.start as u64,
            ended,
        }
    }

    /// Drops what lies before the current line and reads on; `false` at the end of the file.
    fn fill(&mut self) -> Result<bool, VfsError> {
        self.buffer.drain(..self.start);
        self.base += self.start as u64;
        self.start = 0;
        let filled = self.buffer.len();
        // No more than there is: to clear a whole chunk costs more than to read a short file. One byte
        // finds what was appended meanwhile.
        let left = self.file.metadata()?.size;
        let left = left.saturating_sub(self.base + filled as u64);
        let room = usize::try_from(left).unwrap_or(CHUNK).clamp(1, CHUNK);
        self.buffer.resize(filled + room, 0);
        let room = self.buffer.get_mut(filled..).unwrap_or_default();
        let read = self.file.read_at(room, self.base + filled as u64);
        let length = *read.as_ref().unwrap_or(&0);
        self.buffer.truncate(filled + length);
        read.map(|length| length > 0)
    }
}
