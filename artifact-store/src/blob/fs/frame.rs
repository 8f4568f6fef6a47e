//! The buffers in which bytes are read.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;

/// How much is read at once, in bytes.
pub(super) const FRAME: usize = 256 << 10;

/// From here on a buffer is worth keeping: the allocator gives larger ones back to the system, and
/// every page of the next one is a fault.
const KEPT_MIN: usize = FRAME / 2;

/// How many buffers are kept while nobody reads: 4 MiB.
const KEPT_MAX: usize = 16;

/// The buffers of a store that are not in use.
#[derive(Default)]
pub(super) struct Frames {
    free: Mutex<Vec<Vec<u8>>>,
}

impl Frames {
    /// Returns a buffer of `length` bytes, at most [`FRAME`].
    pub(super) fn take(self: &Arc<Self>, length: usize) -> Frame {
        let length = length.min(FRAME);
        if length < KEPT_MIN {
            return Frame {
                buffer: vec![0; length],
                length,
                home: None,
            };
        }
        let kept = self.free.lock().pop();
        Frame {
            buffer: kept.unwrap_or_else(|| vec![0; FRAME]),
            length,
            home: Some(Arc::clone(self)),
        }
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Frames")
            .field(&self.free.lock().len())
            .finish()
    }
}

/// A buffer; it goes back to where it came from when nobody has it any more.
#[derive(Debug)]
pub(super) struct Frame {
    buffer: Vec<u8>,
    length: usize,
    home: Option<Arc<Frames>>,
}

impl Frame {
    /// Returns its bytes from `from` on.
    pub(super) fn rest(&mut self, from: usize) -> &mut [u8] {
        self.buffer.get_mut(from..self.length).unwrap_or_default()
    }

    /// Returns its first `length` bytes.
    pub(super) fn freeze(mut self, length: usize) -> Bytes {
        self.length = self.length.min(length);
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            let mut free = home.free.lock();
            if free.len() < KEPT_MAX {
                free.push(std::mem::take(&mut self.buffer));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_buffers_come_back_and_small_ones_go() {
        let frames = Arc::new(Frames::default());
        let mut frame = frames.take(usize::MAX);
        assert_eq!(frame.rest(0).len(), FRAME);
        frame.rest(3).fill(7);
        let bytes = frame.freeze(5);
        assert_eq!(&bytes[..], &[0, 0, 0, 7, 7]);
        drop(bytes.clone());
        assert_eq!(frames.free.lock().len(), 0, "a clone is left");
        drop(bytes);
        assert_eq!(frames.free.lock().len(), 1);
        drop(frames.take(KEPT_MIN - 1));
        assert_eq!(frames.free.lock().len(), 1);
        let many: Vec<_> = (0..2 * KEPT_MAX).map(|_| frames.take(FRAME)).collect();
        drop(many);
        assert_eq!(frames.free.lock().len(), KEPT_MAX);
    }
}
