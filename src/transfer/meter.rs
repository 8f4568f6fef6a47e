//! How far a transfer is.

use std::sync::atomic::{AtomicU64, Ordering};

use super::bytes::Delivery;

/// Counts what a transfer does; whoever shares it may look at any time.
#[derive(Debug, Default)]
pub struct Meter {
    bytes: AtomicU64,
    bytes_total: AtomicU64,
    items: AtomicU64,
    items_total: AtomicU64,
}

/// How far a transfer was when somebody looked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// The bytes that are done with, sent or found there.
    pub bytes: u64,
    /// The bytes that are known of so far.
    pub bytes_total: u64,
    /// The contents or entries that are done with.
    pub items: u64,
    /// Those that are known of so far.
    pub items_total: u64,
}

impl Meter {
    /// Returns how far it is now.
    pub fn progress(&self) -> Progress {
        Progress {
            bytes: self.bytes.load(Ordering::Relaxed),
            bytes_total: self.bytes_total.load(Ordering::Relaxed),
            items: self.items.load(Ordering::Relaxed),
            items_total: self.items_total.load(Ordering::Relaxed),
        }
    }

    /// Notes that so much more is to be done.
    pub fn expect(&self, items: u64, bytes: u64) {
        self.items_total.fetch_add(items, Ordering::Relaxed);
        self.bytes_total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that bytes were moved.
    pub fn moved(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that an item is done with.
    pub fn done(&self) {
        self.items.fetch_add(1, Ordering::Relaxed);
    }
}

/// What was done with contents so far; shared by what runs at the same time.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    sent: AtomicU64,
    sent_bytes: AtomicU64,
    mounted: AtomicU64,
    present: AtomicU64,
}

/// What was done with contents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) mounted: u64,
    pub(crate) present: u64,
}

impl Tally {
    /// Counts a content of so many bytes.
    pub(crate) fn count(&self, delivery: Delivery, size: u64) {
        let counter = match delivery {
            Delivery::Sent => {
                self.sent_bytes.fetch_add(size, Ordering::Relaxed);
                &self.sent
            }
            Delivery::Mounted => &self.mounted,
            Delivery::Present => &self.present,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            sent: read(&self.sent),
            sent_bytes: read(&self.sent_bytes),
            mounted: read(&self.mounted),
            present: read(&self.present),
        }
    }
}
