//! The file of a journal that is appended to.

use std::sync::Arc;

use artifact_core::Revision;

use super::{
    error::JournalError,
    line::{self, Line},
    scan::Scan,
};
use crate::vfs::VfsFile;

/// The file that is appended to.
#[derive(Debug)]
pub(super) struct Newest {
    pub(super) number: u64,
    pub(super) file: Arc<dyn VfsFile>,
    /// Up to where its lines are whole, in bytes.
    pub(super) whole: u64,
    /// Up to where it was scanned: the rest behind `whole` is torn.
    pub(super) scanned: u64,
    /// The newest revision.
    pub(super) last: Revision,
    /// Up to where this process wrote and did not sync.
    pub(super) unsynced: bool,
}

impl Newest {
    /// Reads the lines that were added since it was looked at last.
    pub(super) fn scan(&mut self) -> Result<(), JournalError> {
        // A torn tail may have been cut, and as many bytes written: so it is always read again.
        if self.scanned == self.whole && self.file.metadata()?.size == self.scanned {
            return Ok(());
        }
        let mut scan = Scan::new(Arc::clone(&self.file), self.whole);
        self.scanned = self.whole;
        while let Some(found) = scan.advance()? {
            let line = scan.line();
            self.scanned = found.offset + line.len() as u64 + u64::from(found.ended);
            let read = if found.ended { line::read(line) } else { None };
            // What follows a damaged line may be whole: then it is kept, and told by who reads.
            if let Some(read) = read {
                self.whole = self.scanned;
                if let Line::Entry(revision, _) = read {
                    self.last = self.last.max(revision);
                }
            }
        }
        Ok(())
    }

    pub(super) fn cut_tail(&mut self) -> Result<(), JournalError> {
        if self.scanned > self.whole {
            self.file.set_length(self.whole)?;
            self.scanned = self.whole;
        }
        Ok(())
    }

    pub(super) fn append(&mut self, lines: &[u8], last: Revision) -> Result<(), JournalError> {
        if lines.is_empty() {
            return Ok(());
        }
        // Set first: should the write fail halfway, the rest is a torn tail that is cut later.
        self.unsynced = true;
        self.scanned = u64::MAX;
        self.file.write_at(lines, self.whole)?;
        self.whole += lines.len() as u64;
        self.scanned = self.whole;
        self.last = last;
        Ok(())
    }
}
