//! Which faults a disk has.

/// Which faults a disk has: each once in so many calls, or never (0).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// A sync fails, and what it should have written is lost (F6, F7).
    pub(crate) sync: u64,
    /// A write fails after a part of it (F8).
    pub(crate) write: u64,
    /// A read fails (F9).
    pub(crate) read: u64,
    /// Another call fails: an open, a rename, a list.
    pub(crate) other: u64,
    /// A read gives fewer bytes than were asked for, which is no fault but must be borne (F9).
    pub(crate) short: u64,
    /// What is not synced goes to the disk by itself.
    pub(crate) write_back: u64,
    /// How many pages there are (F8).
    pub(crate) space: Option<usize>,
}

impl Faults {
    /// Says whether a call may fail.
    pub(crate) fn is_faulty(&self) -> bool {
        self.sync + self.write + self.read + self.other > 0 || self.space.is_some()
    }
}
