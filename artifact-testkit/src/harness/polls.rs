//! Futures that are dropped at each of their await points.

use std::{future::poll_fn, task::Poll};

/// Polls a future at most so many times, then drops it. `None` when it was dropped before its end.
pub(crate) async fn poll_at_most<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut polls = 0;
    poll_fn(|context| {
        if polls == times {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == times => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_future_ends_or_is_dropped() {
        let work = || async {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            7
        };
        assert_eq!(poll_at_most(0, work()).await, None);
        assert_eq!(poll_at_most(2, work()).await, None);
        assert_eq!(poll_at_most(3, work()).await, Some(7));
    }
}
