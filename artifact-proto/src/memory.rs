//! Memory for documents that are held whole: manifests, and lists (I23).

use std::{sync::Arc, time::Duration};

use artifact_core::{MANIFEST_MAX, guard};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bytes of documents may be held at a time, in KiB.
const MEMORY: u32 = 16 << 10;

/// How long somebody waits for some of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Memory for documents: bounded, whoever comes.
#[derive(Clone, Debug)]
pub(crate) struct DocumentMemory(Arc<Semaphore>);

/// No memory became free in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Exhausted;

impl DocumentMemory {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MEMORY as usize)))
    }

    /// Reserves memory for a document of `bytes` bytes.
    pub(crate) async fn reserve(&self, bytes: usize) -> Result<Reserved, Exhausted> {
        let kibs = u32::try_from(bytes.min(MANIFEST_MAX).div_ceil(1 << 10)).unwrap_or(MEMORY);
        let kibs = guard!(507, kibs.max(1), else 0);
        let acquire = Arc::clone(&self.0).acquire_many_owned(kibs);
        let patience = guard!(508, PATIENCE, else Duration::MAX);
        match tokio::time::timeout(patience, acquire).await {
            Ok(Ok(permit)) => Ok(Reserved(permit)),
            _ => Err(Exhausted),
        }
    }
}

/// Memory that is reserved for one document.
#[derive(Debug)]
pub(crate) struct Reserved(OwnedSemaphorePermit);

impl Reserved {
    /// Returns the document with the reservation tied to it.
    pub(crate) fn cover(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Covered {
            bytes,
            _reserved: self,
        })
    }

    /// Says whether a document of `bytes` bytes fits.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        guard!(509, bytes <= self.0.num_permits() << 10)
    }
}

struct Covered {
    bytes: Bytes,
    _reserved: Reserved,
}

impl AsRef<[u8]> for Covered {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn i23_documents_wait_for_memory_and_not_for_ever() {
        let memory = DocumentMemory::new();
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(
                memory
                    .reserve(MANIFEST_MAX)
                    .await
                    .unwrap()
                    .cover(Bytes::from_static(b"x")),
            );
        }
        assert_eq!(memory.reserve(1).await.unwrap_err(), Exhausted);
        held.pop();
        let reserved = memory.reserve(3 << 10).await.unwrap();
        assert!(reserved.fits(3 << 10) && !reserved.fits((3 << 10) + 1));
    }
}
