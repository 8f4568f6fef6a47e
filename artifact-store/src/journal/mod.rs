//! The journal: every committed change set in plain, from which a lost index is made anew.

mod entry;
mod error;
mod files;
mod fold;
mod line;
mod log;
mod mend;
mod newest;
mod read;
mod rewrite;
mod scan;

pub use entry::JournalEntry;
pub use error::JournalError;
pub(crate) use log::FILE_LIMIT;
pub use log::Journal;
pub use mend::Feed;
pub use read::{Entries, TornTail};
pub use rewrite::{ClosedFiles, Compacted};

#[cfg(test)]
mod tests;
