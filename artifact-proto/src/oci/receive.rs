//! Receiving: the bytes of a body, on their way into an upload.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use artifact_core::{Error, Spawn, Upload};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::sync::{Notify, oneshot};

use crate::{body::RequestBody, pool::Transfer};

/// Smaller pieces than this are gathered before they go on, for each costs a hop.
const GATHER: usize = 64 << 10;

/// How the receiving of a body ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Received {
    /// All of it came.
    All,
    /// The client went away, or sent less than it said.
    Part,
    /// The client sent more than it said.
    TooMuch,
}

/// Receives a body into an upload, of which `length` bytes are announced if any number is.
///
/// At no time is more of it held than was borrowed from the pool.
pub(crate) async fn receive(
    upload: &mut Upload,
    mut body: RequestBody,
    length: Option<u64>,
    transfer: &Transfer,
) -> Result<Received, Error> {
    let (mut gathered, mut received) = (BytesMut::new(), 0_u64);
    let mut broken = false;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            broken = true;
            break;
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        received = received.saturating_add(data.len() as u64);
        if length.is_some_and(|length| received > length) {
            return Ok(Received::TooMuch);
        }
        if gathered.is_empty() && data.len() >= GATHER {
            pass_on(upload, data, transfer).await?;
            continue;
        }
        gathered.extend_from_slice(&data);
        if gathered.len() >= GATHER {
            pass_on(upload, gathered.split().freeze(), transfer).await?;
        }
    }
    if !gathered.is_empty() {
        pass_on(upload, gathered.freeze(), transfer).await?;
    }
    // A transport that is torn down may end a body as if it were whole.
    let short = length.is_some_and(|length| received < length);
    Ok(if broken || short {
        Received::Part
    } else {
        Received::All
    })
}

async fn pass_on(upload: &mut Upload, chunk: Bytes, transfer: &Transfer) -> Result<(), Error> {
    let loan = transfer.borrow(chunk.len()).await;
    upload.write(loan.cover(chunk)).await
}

/// The bodies that are being received, each by a task of its own: when a client goes away its
/// request is dropped, but what came of the body is still to be put away so that it can go on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Receiving(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    bodies: AtomicUsize,
    ended: Notify,
}

impl Receiving {
    /// Runs a future to its end, also when the caller stops waiting for it. `None` when it panicked
    /// or the program is ending.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        spawn: &dyn Spawn,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (send, outcome) = oneshot::channel();
        let running = Running::begin(&self.0);
        spawn.spawn(Box::pin(async move {
            // Nobody waits for the outcome when the client is gone.
            let _unsent = send.send(work.await);
            drop(running);
        }));
        outcome.await.ok()
    }

    /// Waits until no body is being received.
    pub(crate) async fn settled(&self) {
        loop {
            let ended = self.0.ended.notified();
            if self.0.bodies.load(Ordering::Acquire) == 0 {
                return;
            }
            ended.await;
        }
    }
}

struct Running(Arc<Inner>);

impl Running {
    fn begin(inner: &Arc<Inner>) -> Self {
        inner.bodies.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(inner))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.bodies.fetch_sub(1, Ordering::AcqRel);
        self.0.ended.notify_waiters();
    }
}
