//! Waiting for a future on the thread that asks.

use std::{
    cell::Cell,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use artifact_core::Error;

thread_local! {
    static WAITING: Cell<bool> = const { Cell::new(false) };
}

/// Polls a future on this thread until it is done. No runtime takes part: where the future's work
/// runs beside it, it runs on the spawner of its registry.
///
/// # Errors
/// [`Error::Busy`] on a thread that is waiting for such a future already, as a callback of a backend
/// is: the outer wait could never end.
///
/// ```
/// assert_eq!(artifact::blocking::wait(async { 6 * 7 })?, 42);
/// # Ok::<(), artifact::Error>(())
/// ```
pub fn wait<F: Future>(future: F) -> Result<F::Output, Error> {
    let _guard = Guard::enter()?;
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return Ok(output),
            Poll::Pending => thread::park(),
        }
    }
}

struct Guard;

impl Guard {
    fn enter() -> Result<Self, Error> {
        if WAITING.replace(true) {
            return Err(Error::Busy {
                what: "a blocking call was made inside another one on the same thread".to_owned(),
            });
        }
        Ok(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        WAITING.set(false);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use artifact_core::ErrorKind;

    use super::wait;

    #[test]
    fn a_wait_inside_a_wait_is_refused() {
        let inner = wait(async { wait(async {}).map_err(|error| error.kind()) }).unwrap();
        assert_eq!(inner, Err(ErrorKind::Busy));
        assert!(wait(async {}).is_ok(), "and does not spoil the thread");
    }
}
