//! The kinds of failures.

/// What kind of failure an error is.
///
/// HTTP statuses, C codes and Python exceptions are made from it alone. Numbers are never reused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u32)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nothing better is known.
    Unknown = 1,
    /// What was given cannot be meant.
    InvalidArgument = 2,
    /// It is not there, or not to be seen.
    NotFound = 3,
    /// It is there already.
    AlreadyExists = 4,
    /// The world has moved on: a tag, an offset, a generation.
    Conflict = 5,
    /// The bytes are not those that were announced.
    DigestMismatch = 6,
    /// Stored bytes are not those that their digest names.
    Corrupt = 7,
    /// It is refused, and may be said so.
    Denied = 8,
    /// It is refused until the caller says who it is.
    Unauthenticated = 9,
    /// A signature is invalid, missing, or of a key that is not trusted.
    Untrusted = 10,
    /// The caller gave up.
    Cancelled = 11,
    /// Time ran out.
    Timeout = 12,
    /// It may work later.
    Unavailable = 13,
    /// More than is taken.
    TooLarge = 14,
    /// No room within the quota.
    Quota = 15,
    /// A range or offset does not fit.
    Range = 16,
    /// It cannot be done with this, here.
    Unsupported = 17,
    /// The operating system failed.
    Io = 18,
    /// A backend failed.
    Backend = 19,
    /// In use: by another call, or by a process that is stopped inside a commit.
    Busy = 20,
    /// The handle was made before a fork.
    WrongProcess = 21,
    /// The caller's header does not fit the library.
    Abi = 22,
    /// The registry takes no writes now.
    ReadOnly = 23,
    /// Another copy of the library in this process has the directory open.
    InUse = 24,
    /// It was before what is remembered.
    HistoryForgotten = 25,
    /// The content was purged.
    Purged = 26,
    /// No space is left on the device.
    NoSpace = 27,
    /// A mistake of the library's own.
    Panic = 99,
}
