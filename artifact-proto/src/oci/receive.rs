//! Receiving: the bytes of a body, on their way into an upload.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use artifact_core::{Error, Spawn, Upload, guard};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::sync::{Notify, oneshot};

use crate::{
    body::RequestBody,
    pool::{Loan, Transfer},
};

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
    let mut under_way = UnderWay {
        upload,
        transfer,
        loan: None,
    };
    let (mut gathered, mut received) = (BytesMut::new(), 0_u64);
    let mut broken = false;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            broken = guard!(229);
            break;
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        received = received.saturating_add(data.len() as u64);
        if guard!(227) && length.is_some_and(|length| received > length) {
            return Ok(Received::TooMuch);
        }
        if gathered.is_empty() && data.len() >= GATHER {
            under_way.pass_on(data).await?;
            continue;
        }
        gathered.extend_from_slice(&data);
        if gathered.len() >= GATHER {
            under_way.pass_on(gathered.split().freeze()).await?;
        }
    }
    if !gathered.is_empty() {
        under_way.pass_on(gathered.freeze()).await?;
    }
    // A transport that is torn down may end a body as if it were whole.
    let short = guard!(228) && length.is_some_and(|length| received < length);
    Ok(if broken || short {
        Received::Part
    } else {
        Received::All
    })
}

/// What is on its way into an upload.
///
/// The upload works on one piece while it takes the next, so the memory of a piece is given back when
/// the one after it was taken. It is not tied to the bytes themselves: a store may keep those.
struct UnderWay<'a> {
    upload: &'a mut Upload,
    transfer: &'a Transfer,
    loan: Option<Loan>,
}

impl UnderWay<'_> {
    async fn pass_on(&mut self, piece: Bytes) -> Result<(), Error> {
        let loan = self.transfer.borrow(piece.len()).await;
        self.upload.write(piece).await?;
        self.loan = Some(loan);
        Ok(())
    }
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
