//! Work on one thread, in an order that a seed draws.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Wake, Waker},
};

use artifact_core::Spawn;
use futures::future::BoxFuture;

use super::rng::SeededRng;

/// Runs work on the caller's thread, one step at a time; the seed draws which is next.
///
/// A step polls one future once, or runs one piece of blocking work from begin to end. So one seed is
/// one order, and another seed another one. Now and then one that could go on waits while many others
/// do, as a thread does that the system takes off the processor. Nothing runs unless
/// [`Simulated::step`] is called.
///
/// Work belongs to a process, which can be killed: all its futures are dropped where they wait, and
/// what it spawns while it dies is dropped, too.
///
/// ```
/// use artifact_core::SpawnExt as _;
/// use artifact_testkit::seams::{Simulated, Step};
///
/// let work = Simulated::new(7);
/// let inner = work.clone();
/// let mut sum = work.run(async move { inner.run_blocking(|| 40).await.unwrap() + 2 });
/// while work.step() == Step::Ran {}
/// assert_eq!(futures::FutureExt::now_or_never(&mut sum), Some(Ok(42)));
/// ```
#[derive(Clone)]
pub struct Simulated {
    shared: Arc<Shared>,
    process: u64,
}

/// One in so many draws holds up what was drawn.
const HOLD_UP_ONE_IN: u64 = 40;

/// For how many steps at most.
const HOLD_UP_MAX: u64 = 120;

/// What a step did.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "who drives the steps must know each of them"
)]
pub enum Step {
    /// Nothing: nothing can go on.
    Idle,
    /// A piece of work panicked with this message, and ended.
    Panicked(String),
    /// A piece of work went on.
    Ran,
}

struct Shared {
    state: Mutex<State>,
}

struct State {
    chance: SeededRng,
    tasks: BTreeMap<u64, Task>,
    /// The tasks that can go on, each once.
    ready: Vec<u64>,
    /// Those that could go on and wait, each with the step until which it does.
    held_up: Vec<(u64, u64)>,
    steps: u64,
    made: u64,
    processes: u64,
    killed: BTreeSet<u64>,
}

struct Task {
    process: u64,
    is_ready: bool,
    /// Absent while it is running.
    work: Option<Work>,
}

enum Work {
    Block(Box<dyn FnOnce() + Send>),
    Poll(BoxFuture<'static, ()>),
}

impl Simulated {
    /// Returns the first process of a world of this seed.
    pub fn new(seed: u64) -> Self {
        let state = State {
            chance: SeededRng::new(seed),
            tasks: BTreeMap::new(),
            ready: Vec::new(),
            held_up: Vec::new(),
            steps: 0,
            made: 0,
            processes: 0,
            killed: BTreeSet::new(),
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
            }),
            process: 0,
        }
    }

    /// Returns another process of the same world.
    #[must_use]
    pub fn another(&self) -> Self {
        let mut state = self.shared.state();
        state.processes += 1;
        Self {
            shared: Arc::clone(&self.shared),
            process: state.processes,
        }
    }

    /// Drops all work of this process where it stands; what it spawns from now on is dropped.
    pub fn kill(&self) {
        let mut state = self.shared.state();
        state.killed.insert(self.process);
        let own = |task: &Task| task.process == self.process;
        let dead: Vec<u64> = state
            .tasks
            .iter()
            .filter(|(_, task)| own(task))
            .map(|(id, _)| *id)
            .collect();
        let dead: Vec<_> = dead.iter().map(|id| state.tasks.remove(id)).collect();
        let State {
            ready,
            tasks,
            held_up,
            ..
        } = &mut *state;
        ready.retain(|id| tasks.contains_key(id));
        held_up.retain(|(_, id)| tasks.contains_key(id));
        // What is dropped may spawn or wake.
        drop(state);
        drop(dead);
    }

    /// Lets one piece of work of the world go on, of any process.
    pub fn step(&self) -> Step {
        let Some((id, work)) = self.shared.draw() else {
            return Step::Idle;
        };
        let waker = Waker::from(Arc::new(Awake {
            shared: Arc::downgrade(&self.shared),
            task: id,
        }));
        let ran = catch_unwind(AssertUnwindSafe(|| match work {
            Work::Block(work) => {
                work();
                None
            }
            Work::Poll(mut future) => {
                match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    Poll::Pending => Some(Work::Poll(future)),
                    Poll::Ready(()) => None,
                }
            }
        }));
        match ran {
            Ok(left) => {
                self.shared.put_back(id, left);
                Step::Ran
            }
            Err(panic) => {
                self.shared.put_back(id, None);
                Step::Panicked(message(&*panic))
            }
        }
    }

    /// Returns how many pieces of work of this process have not ended.
    pub fn under_way(&self) -> usize {
        let state = self.shared.state();
        let own = |task: &&Task| task.process == self.process;
        state.tasks.values().filter(own).count()
    }

    /// Waits until others had a chance to go on; none or all of them may have.
    pub fn pause(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut waited = false;
        std::future::poll_fn(move |context| {
            if std::mem::replace(&mut waited, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
    }

    fn enter(&self, work: Work) {
        let mut state = self.shared.state();
        if state.killed.contains(&self.process) {
            drop(state);
            drop(work);
            return;
        }
        let id = state.made;
        state.made += 1;
        state.ready.push(id);
        let task = Task {
            process: self.process,
            is_ready: true,
            work: Some(work),
        };
        state.tasks.insert(id, task);
    }
}

impl fmt::Debug for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulated")
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

impl Spawn for Simulated {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        self.enter(Work::Poll(future));
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.enter(Work::Block(work));
    }
}

impl State {
    /// Lets those go on whose time has come; the first of them where nothing else can.
    fn let_go_on(&mut self) {
        if self.ready.is_empty()
            && let Some(first) = self.held_up.iter().map(|(until, _)| *until).min()
        {
            self.steps = self.steps.max(first);
        }
        let steps = self.steps;
        let ready = &mut self.ready;
        self.held_up.retain(|(until, id)| {
            if *until <= steps {
                ready.push(*id);
            }
            *until > steps
        });
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self) -> Option<(u64, Work)> {
        let mut state = self.state();
        state.steps += 1;
        loop {
            state.let_go_on();
            let count = u64::try_from(state.ready.len())
                .ok()
                .filter(|count| *count > 0)?;
            let drawn = usize::try_from(state.chance.next() % count).unwrap_or_default();
            let id = state.ready.swap_remove(drawn);
            if state.chance.next().is_multiple_of(HOLD_UP_ONE_IN) {
                let until = state.steps + state.chance.next() % HOLD_UP_MAX;
                state.held_up.push((until, id));
                continue;
            }
            if let Some(task) = state.tasks.get_mut(&id) {
                task.is_ready = false;
                if let Some(work) = task.work.take() {
                    return Some((id, work));
                }
            }
        }
    }

    fn put_back(&self, id: u64, left: Option<Work>) {
        let mut state = self.state();
        let over = match (state.tasks.get_mut(&id), left) {
            (Some(task), Some(work)) => {
                task.work = Some(work);
                None
            }
            // It was killed while it ran.
            (None, left) => left,
            (Some(_), None) => {
                state.tasks.remove(&id);
                state.ready.retain(|ready| *ready != id);
                state.held_up.retain(|(_, held)| *held != id);
                None
            }
        };
        drop(state);
        drop(over);
    }
}

struct Awake {
    shared: Weak<Shared>,
    task: u64,
}

impl Wake for Awake {
    fn wake(self: Arc<Self>) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        let mut state = shared.state();
        if let Some(task) = state.tasks.get_mut(&self.task)
            && !std::mem::replace(&mut task.is_ready, true)
        {
            state.ready.push(self.task);
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| String::from("a panic without words"))
}

#[cfg(test)]
mod tests {
    use artifact_core::SpawnExt as _;
    use futures::FutureExt as _;

    use super::*;

    fn order(seed: u64) -> Vec<u8> {
        let work = Simulated::new(seed);
        let order = Arc::new(Mutex::new(Vec::new()));
        for number in 0..5 {
            let (inner, order) = (work.clone(), Arc::clone(&order));
            work.spawn(
                async move {
                    inner.pause().await;
                    order.lock().unwrap().push(number);
                    let _told = inner
                        .run_blocking(move || order.lock().unwrap().push(10 + number))
                        .await;
                }
                .boxed(),
            );
        }
        while work.step() == Step::Ran {}
        assert_eq!(work.under_way(), 0);
        let order = order.lock().unwrap();
        order.clone()
    }

    #[test]
    fn a_seed_is_an_order() {
        assert_eq!(order(3), order(3));
        assert!((0..9).any(|seed| order(seed) != order(3)));
        assert_eq!(order(4).len(), 10);
    }

    /// SP-3.
    #[test]
    fn a_panic_ends_its_work_alone() {
        let work = Simulated::new(1);
        let lost = work.run_blocking(|| -> u8 { panic!("as the test wants") });
        assert_eq!(work.step(), Step::Panicked("as the test wants".into()));
        assert!(lost.now_or_never().unwrap().is_err());
        assert_eq!(work.step(), Step::Idle);
    }

    #[test]
    fn who_is_killed_goes_no_further_and_spawns_nothing() {
        struct Last(Simulated);
        impl Drop for Last {
            fn drop(&mut self) {
                self.0
                    .spawn_blocking(Box::new(|| unreachable!("it is dead")));
            }
        }
        let first = Simulated::new(1);
        let second = first.another();
        let last = Last(second.clone());
        second.spawn(
            async move {
                let _last = last;
                futures::future::pending::<()>().await;
            }
            .boxed(),
        );
        let kept = first.run(async { 1 });
        assert_eq!(first.step(), Step::Ran);
        second.kill();
        assert_eq!(second.under_way(), 0);
        while first.step() == Step::Ran {}
        assert_eq!(kept.now_or_never(), Some(Ok(1)));
    }
}
