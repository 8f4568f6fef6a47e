//! Work on a small pool of threads, for programs without a runtime.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    task::{Context, Wake},
    thread::{self, JoinHandle},
    time::Duration,
};

use artifact_core::{Spawn, guard};
use futures::future::BoxFuture;
use parking_lot::{Condvar, Mutex};

/// The most threads that a pool has; beyond them, work waits.
const THREADS_MAX: usize = 64;

/// How long a thread without work is kept.
const IDLE: Duration = Duration::from_secs(10);

/// Runs work on threads of its own: none before the first work, and none after its last handle.
#[derive(Clone)]
pub struct Threads {
    pool: Arc<Pool>,
}

struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    running: usize,
    ending: bool,
    threads: Vec<JoinHandle<()>>,
}

enum Job {
    Poll(Arc<Polled>),
    Run(Box<dyn FnOnce() + Send>),
}

/// A future on the pool. Its waker puts it back into the queue.
struct Polled {
    future: Mutex<Option<BoxFuture<'static, ()>>>,
    shared: Weak<Shared>,
}

impl Threads {
    /// Returns a pool that has no threads yet.
    pub fn new() -> Self {
        let shared = Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        Self {
            pool: Arc::new(Pool {
                shared: Arc::new(shared),
            }),
        }
    }
}

impl Default for Threads {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.pool.shared.state.lock().running;
        f.debug_struct("Threads")
            .field("running", &running)
            .finish()
    }
}

impl Spawn for Threads {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        let shared = Arc::downgrade(&self.pool.shared);
        let polled = Polled {
            future: Mutex::new(Some(future)),
            shared,
        };
        self.pool.shared.push(Job::Poll(Arc::new(polled)));
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.pool.shared.push(Job::Run(work));
    }
}

impl Shared {
    fn push(self: &Arc<Self>, job: Job) {
        let mut state = self.state.lock();
        if state.ending {
            return; // The last handle is gone: nobody waits for this any more.
        }
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() || guard!(566) && state.running >= THREADS_MAX {
            self.changed.notify_one();
            return;
        }
        let shared = Arc::clone(self);
        let thread = thread::Builder::new().name("artifact".to_owned());
        match thread.spawn(move || shared.work()) {
            Ok(thread) => {
                state.running += 1;
                // Threads that ended for lack of work need no join.
                state.threads.retain(|thread| !thread.is_finished());
                state.threads.push(thread);
            }
            // Where the system gives no thread, one that runs takes the job when it is free (F29).
            Err(_) if state.running > 0 => {
                self.changed.notify_one();
            }
            Err(_) => {
                let job = state.jobs.pop_back();
                drop(state);
                if let Some(job) = job {
                    run(job);
                }
            }
        }
    }

    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                run(job);
                state = self.state.lock();
                continue;
            }
            if state.ending {
                break;
            }
            state.idle += 1;
            let timed_out = self.changed.wait_for(&mut state, IDLE).timed_out();
            state.idle -= 1;
            if timed_out && state.jobs.is_empty() {
                break;
            }
        }
        state.running -= 1;
    }
}

/// Runs a job. A panic in it ends it alone: whoever waits for it is told by its channel (SP-3).
fn run(job: Job) {
    let outcome = match job {
        Job::Run(work) => catch_unwind(AssertUnwindSafe(work)),
        Job::Poll(polled) => catch_unwind(AssertUnwindSafe(|| polled.poll())),
    };
    drop(outcome);
}

impl Polled {
    fn poll(self: Arc<Self>) {
        let mut slot = self.future.lock();
        let Some(mut future) = slot.take() else {
            return;
        };
        let waker = Arc::clone(&self).into();
        if future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            *slot = Some(future);
        }
    }
}

impl Wake for Polled {
    fn wake(self: Arc<Self>) {
        if let Some(shared) = self.shared.upgrade() {
            shared.push(Job::Poll(self));
        }
    }
}

impl Drop for Pool {
    /// Lets queued work end, and joins the threads; all but the one that drops the last handle.
    fn drop(&mut self) {
        let threads = {
            let mut state = self.shared.state.lock();
            state.ending = true;
            self.shared.changed.notify_all();
            std::mem::take(&mut state.threads)
        };
        let own = thread::current().id();
        for thread in threads {
            if thread.thread().id() != own {
                drop(thread.join());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use artifact_core::SpawnExt as _;

    use super::*;
    use crate::blocking::wait;

    #[test]
    fn futures_and_blocking_work_run_and_tell_their_outcome() {
        let threads = Threads::new();
        assert_eq!(
            threads.pool.shared.state.lock().running,
            0,
            "no thread before the first need"
        );
        let inner = threads.clone();
        let sum = threads.run(async move {
            let mut sum = 0;
            for n in 0..100 {
                sum += inner.run_blocking(move || n).await.unwrap();
            }
            sum
        });
        assert_eq!(wait(sum).unwrap().unwrap(), 4950);
    }

    #[test]
    fn a_panic_ends_its_work_alone() {
        let threads = Threads::new();
        let lost = threads.run_blocking(|| panic!("on purpose"));
        assert!(wait(lost).unwrap().is_err());
        assert_eq!(wait(threads.run_blocking(|| 1)).unwrap(), Ok(1));
    }

    /// I23: however much work there is, so many threads do it and no more; the rest waits, and is done.
    #[test]
    fn i23_work_without_end_takes_no_threads_without_end() {
        static DONE: AtomicUsize = AtomicUsize::new(0);
        let threads = Threads::new();
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock();
        for _ in 0..THREADS_MAX + 20 {
            let gate = Arc::clone(&gate);
            threads.spawn_blocking(Box::new(move || {
                drop(gate.lock());
                DONE.fetch_add(1, Ordering::SeqCst);
            }));
        }
        assert_eq!(threads.pool.shared.state.lock().running, THREADS_MAX);
        drop(closed);
        drop(threads);
        assert_eq!(DONE.load(Ordering::SeqCst), THREADS_MAX + 20);
    }

    #[test]
    fn queued_work_ends_before_the_pool() {
        static DONE: AtomicUsize = AtomicUsize::new(0);
        let threads = Threads::new();
        for _ in 0..200 {
            threads.spawn_blocking(Box::new(|| {
                thread::sleep(Duration::from_millis(1));
                DONE.fetch_add(1, Ordering::SeqCst);
            }));
        }
        drop(threads);
        assert_eq!(DONE.load(Ordering::SeqCst), 200);
    }

    #[test]
    fn a_task_whose_handle_is_dropped_ends() {
        let threads = Threads::new();
        let held = Arc::new(());
        let inner = Arc::clone(&held);
        let task = threads.run(async move {
            futures::future::pending::<()>().await;
            drop(inner);
        });
        drop(task);
        while Arc::strong_count(&held) > 1 {
            thread::yield_now();
        }
    }
}
