//! What the engine answers.

use artifact_core::{Committed, Digest, Error, Generation, IndexError, Revision, StoreError, Tag};

/// What the engine answers when it does what it is asked.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// It is done, or was so already.
    Done,
    /// It is committed.
    Committed(Committed),
    /// The blob has this digest and length.
    Blob(Digest, u64),
    /// There is no such thing to be had.
    Nothing,
    /// These bytes, from this offset on; and whether they are all to the end that was asked for.
    Bytes(Vec<u8>, u64),
    /// The tag points at this.
    Tag(Digest, Generation, Revision),
    Tags(Vec<(Tag, Digest, Generation)>),
    Manifest(Digest, Vec<u8>),
    Digests(Vec<Digest>),
}

/// What an error says of what was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It was refused, and nothing changed.
    Refused,
    /// A part of the machine failed: it may have been done.
    Unknown,
}

/// Returns what an error says of what was asked.
pub(crate) fn verdict(error: &Error) -> Verdict {
    match error {
        // That a write holds the upload is no fault, and says nothing of it.
        Error::Index(IndexError::FutureRevision { .. }) => Verdict::Refused,
        Error::Index(_) | Error::Store(_) => Verdict::Unknown,
        _ => Verdict::Refused,
    }
}

/// Says whether an error can only come from a part of the machine that failed.
pub(crate) fn is_fault(error: &Error) -> bool {
    match error {
        Error::Store(StoreError::Held { .. }) => false,
        Error::Index(IndexError::FutureRevision { .. }) => false,
        Error::Index(_) | Error::Store(_) => true,
        _ => false,
    }
}
