//! Buffers for transfers: one pool for all of them, so that memory is bounded whoever comes (I23).

use artifact_core::guard;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bytes all transfers together may have under way, unless it is told otherwise.
pub const POOL_SIZE: usize = 24 << 20;

/// The least and the most that one transfer has under way.
const SHARE: std::ops::RangeInclusive<usize> = 64 << 10..=2 << 20;

/// Memory for the bytes that are between the network and the blob store.
///
/// Each transfer is due the same share of the pool, between 64 KiB and 2 MiB. Who finds nothing
/// left waits. What was lent comes back when the bytes are dropped.
#[derive(Clone, Debug)]
pub struct TransferPool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    size: usize,
    free: Arc<Semaphore>,
    transfers: AtomicUsize,
    waiting: AtomicUsize,
}

impl TransferPool {
    /// Returns a pool of `size` bytes; less than a share is raised to one.
    pub fn new(size: usize) -> Self {
        let size = size.clamp(*SHARE.end(), u32::MAX as usize);
        let inner = Inner {
            size,
            free: Arc::new(Semaphore::new(size)),
            transfers: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Begins a transfer.
    pub fn begin(&self) -> Transfer {
        self.inner.transfers.fetch_add(1, Ordering::Relaxed);
        Transfer { pool: self.clone() }
    }

    /// Returns the size of the pool, in bytes.
    pub fn size(&self) -> usize {
        self.inner.size
    }

    /// Returns how many bytes are lent now.
    pub fn lent(&self) -> usize {
        self.inner.size - self.inner.free.available_permits().min(self.inner.size)
    }

    /// Returns how many transfers are under way.
    pub fn transfers(&self) -> usize {
        self.inner.transfers.load(Ordering::Relaxed)
    }

    /// Returns how many of them wait for memory.
    pub fn waiting(&self) -> usize {
        self.inner.waiting.load(Ordering::Relaxed)
    }
}

impl Default for TransferPool {
    fn default() -> Self {
        Self::new(POOL_SIZE)
    }
}

/// A transfer that is under way.
#[derive(Debug)]
pub struct Transfer {
    pool: TransferPool,
}

impl Transfer {
    /// Returns how many bytes the transfer may have under way now.
    pub fn share(&self) -> usize {
        let transfers = self.pool.transfers().max(1);
        let share = self.pool.size() / transfers;
        guard!(512, share.clamp(*SHARE.start(), *SHARE.end()), else self.pool.size())
    }

    /// Borrows memory for `bytes` bytes; waits until there is as much.
    pub async fn borrow(&self, bytes: usize) -> Loan {
        let inner = &self.pool.inner;
        let bytes = guard!(511, bytes.min(inner.size), else 0);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if let Ok(permit) = Arc::clone(&inner.free).try_acquire_many_owned(bytes) {
            return Loan(Some(permit));
        }
        let waiting = Waiting::begin(inner);
        // The semaphore is never closed; without a permit the loan would be uncounted, not unsafe.
        let permit = Arc::clone(&inner.free).acquire_many_owned(bytes).await.ok();
        drop(waiting);
        Loan(permit)
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.pool.inner.transfers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts one that waits, also when the wait is given up.
struct Waiting<'a>(&'a Inner);

impl<'a> Waiting<'a> {
    fn begin(inner: &'a Inner) -> Self {
        inner.waiting.fetch_add(1, Ordering::Relaxed);
        Self(inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Memory that was borrowed from a pool; it goes back when it is dropped.
#[derive(Debug)]
pub struct Loan(Option<OwnedSemaphorePermit>);

impl Loan {
    /// Returns the bytes with the loan tied to them: the memory is back in the pool when the last
    /// handle on them is dropped.
    ///
    /// What was borrowed beyond their length goes back at once.
    pub fn cover(mut self, bytes: Bytes) -> Bytes {
        let surplus = self
            .0
            .as_ref()
            .map_or(0, |permit| permit.num_permits().saturating_sub(bytes.len()));
        if surplus > 0 {
            drop(self.0.as_mut().and_then(|permit| permit.split(surplus)));
        }
        Bytes::from_owner(Covered { bytes, _loan: self })
    }
}

struct Covered {
    bytes: Bytes,
    _loan: Loan,
}

impl AsRef<[u8]> for Covered {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn shares_shrink_as_transfers_come() {
        let pool = TransferPool::default();
        let first = pool.begin();
        assert_eq!(first.share(), 2 << 20);
        let others: Vec<_> = (1..32).map(|_| pool.begin()).collect();
        assert_eq!(first.share(), POOL_SIZE / 32);
        let crowd: Vec<_> = (0..10_000).map(|_| pool.begin()).collect();
        assert_eq!(first.share(), 64 << 10);
        drop((others, crowd));
        assert_eq!((pool.transfers(), first.share()), (1, 2 << 20));
    }

    #[tokio::test]
    async fn who_finds_nothing_waits_until_something_is_dropped() {
        let pool = TransferPool::new(2 << 20);
        let transfer = pool.begin();
        let held = transfer
            .borrow(2 << 20)
            .await
            .cover(Bytes::from(vec![0; 2 << 20]));
        let slice = held.slice(..1);
        assert_eq!(pool.lent(), 2 << 20);
        let more = tokio::time::timeout(Duration::from_millis(20), transfer.borrow(1)).await;
        assert!(more.is_err());
        assert_eq!(pool.waiting(), 0, "a wait that was given up is not counted");
        drop(held);
        assert_eq!(pool.lent(), 2 << 20, "a slice keeps the bytes");
        drop(slice);
        assert_eq!(pool.lent(), 0);
        drop(transfer.borrow(1).await);
    }

    #[tokio::test]
    async fn what_is_not_needed_goes_back_at_once() {
        let pool = TransferPool::default();
        let bytes = pool
            .begin()
            .borrow(1 << 20)
            .await
            .cover(Bytes::from_static(b"abc"));
        assert_eq!(pool.lent(), 3);
        assert_eq!(bytes, "abc");
        drop(bytes);
        assert_eq!(pool.lent(), 0);
    }
}
