//! Bodies on their way, and whether they still move.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use artifact_core::BoxError;
use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// When something last moved, and whether its source failed.
#[derive(Clone, Debug)]
pub(super) struct Activity {
    start: Instant,
    /// Milliseconds after the start.
    last: Arc<AtomicU64>,
    failed: Arc<AtomicBool>,
}

impl Activity {
    /// Returns an activity that moves now.
    pub(super) fn starting() -> Self {
        Self {
            start: Instant::now(),
            last: Arc::default(),
            failed: Arc::default(),
        }
    }

    /// Says whether the source of what is sent failed, and not the connection.
    pub(super) fn source_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    fn touch(&self) {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }

    /// Waits until nothing has moved for `limit`.
    pub(super) async fn idle_for(&self, limit: Duration) {
        loop {
            let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
            let end = self.start + last + limit;
            if Instant::now() >= end {
                return;
            }
            sleep_until(end).await;
        }
    }
}

/// A body of known length, streamed from its source.
///
/// It fails when the source has more or fewer bytes than were announced, so a wrong body is never
/// sent as a whole one.
pub(super) struct SizedBody {
    /// Never locked: it makes the body shareable, which the HTTP client asks for.
    chunks: Mutex<BoxStream<'static, Result<Bytes, BoxError>>>,
    left: u64,
    activity: Activity,
}

impl SizedBody {
    /// Returns the body of the first `size` bytes of `chunks`.
    pub(super) fn new(
        chunks: BoxStream<'static, Result<Bytes, BoxError>>,
        size: u64,
        activity: Activity,
    ) -> Self {
        Self {
            chunks: Mutex::new(chunks),
            left: size,
            activity,
        }
    }
}

impl Body for SizedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            let Poll::Ready(next) = self.chunks.get_mut().poll_next_unpin(context) else {
                return Poll::Pending;
            };
            self.activity.touch();
            let mut chunk = match next {
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => {
                    self.activity.fail();
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    self.activity.fail();
                    let error = ShortSource { missing: self.left };
                    return Poll::Ready(Some(Err(error.into())));
                }
            };
            // What is behind the end belongs to the next part, which opens the source there.
            chunk.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            if !chunk.is_empty() {
                self.left -= chunk.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(chunk))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl fmt::Debug for SizedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SizedBody")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// The source ended early.
#[derive(Debug, thiserror::Error)]
#[error("the source ended {missing} bytes early: it changed while it was read")]
pub(super) struct ShortSource {
    missing: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use http_body_util::BodyExt as _;

    fn body(parts: &[&'static str], size: u64) -> SizedBody {
        let parts: Vec<_> = parts
            .iter()
            .map(|part| Ok(Bytes::from_static(part.as_bytes())))
            .collect();
        SizedBody::new(stream::iter(parts).boxed(), size, Activity::starting())
    }

    #[tokio::test]
    async fn a_body_has_the_length_that_was_announced() {
        assert_eq!(
            body(&["abc", "", "def"], 6)
                .collect()
                .await
                .unwrap()
                .to_bytes(),
            "abcdef"
        );
        assert_eq!(
            body(&["abc", "def"], 4).collect().await.unwrap().to_bytes(),
            "abcd"
        );
        assert_eq!(body(&[], 0).collect().await.unwrap().to_bytes(), "");
        let error = body(&["abc"], 5).collect().await.unwrap_err();
        assert!(error.to_string().contains("2 bytes early"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_counted_from_the_last_move() {
        let limit = Duration::from_secs(10);
        let activity = Activity::starting();
        tokio::time::advance(Duration::from_secs(8)).await;
        activity.touch();
        let begun = Instant::now();
        activity.idle_for(limit).await;
        assert!(begun.elapsed() >= limit, "{:?}", begun.elapsed());
    }
}
