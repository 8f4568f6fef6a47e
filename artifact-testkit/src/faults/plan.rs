//! Which fault strikes, and at which call.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// How many times a delayed call lets others go first.
const DELAY: usize = 50;
/// More calls than any run makes that ends.
const MOST: u64 = 100_000;

/// What goes wrong at a call.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// It is not done, and fails.
    Error,
    /// It is done, and its answer is lost (F19).
    Lost,
    /// It finds no room (F8); a read fails.
    NoSpace,
    /// It is done after others that began later.
    Delay,
    /// The bytes that are read end early, without a word (F9).
    ShortRead,
    /// It is not done, nor is anything after it: the backend is gone.
    Stop,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Error,
        Self::Lost,
        Self::NoSpace,
        Self::Delay,
        Self::ShortRead,
        Self::Stop,
    ];
}

/// A fault that waits for its call. Those who share it count their calls together.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    plan: Option<(u64, Fault)>,
    calls: Arc<AtomicU64>,
}

/// What a call does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Strike {
    Nothing,
    /// It fails before it is done.
    Before,
    /// It fails before it is done, for want of room.
    NoSpace,
    /// It is done, and fails.
    After,
    /// What it reads ends here.
    End,
}

impl Faults {
    /// Returns none: the calls are counted, and none fails.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns a fault at the `n`th call, counted from one.
    pub fn at(n: u64, fault: Fault) -> Self {
        Self {
            plan: Some((n, fault)),
            ..Self::default()
        }
    }

    /// Returns how many calls there were to which the fault can happen.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Says whether it has struck.
    pub fn struck(&self) -> bool {
        self.plan.is_some_and(|(n, _)| self.calls() >= n)
    }

    /// Counts a call, waits where it is delayed, and returns what happens to it.
    pub(super) async fn strike(&self) -> Strike {
        match self.count(false) {
            Some(Fault::Error | Fault::Stop) => Strike::Before,
            Some(Fault::NoSpace) => Strike::NoSpace,
            Some(Fault::Lost) => Strike::After,
            Some(Fault::Delay) => {
                for _ in 0..DELAY {
                    tokio::task::yield_now().await;
                }
                Strike::Nothing
            }
            Some(Fault::ShortRead) | None => Strike::Nothing,
        }
    }

    /// Counts a piece of what is read: of bytes, or of a list.
    pub(super) fn strike_piece(&self, bytes: bool) -> Strike {
        match self.count(bytes) {
            Some(Fault::Error | Fault::Stop | Fault::NoSpace | Fault::Lost) => Strike::Before,
            Some(Fault::ShortRead) => Strike::End,
            Some(Fault::Delay) | None => Strike::Nothing,
        }
    }

    fn count(&self, bytes: bool) -> Option<Fault> {
        let (n, fault) = self.plan.unwrap_or((u64::MAX, Fault::Error));
        if fault == Fault::ShortRead && !bytes {
            return None;
        }
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        (number == n || (number > n && fault == Fault::Stop)).then_some(fault)
    }
}

/// Tells which call was struck when the run over it fails.
struct Told {
    n: u64,
    fault: Fault,
}

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the fault was {:?} at call {}", self.fault, self.n);
        }
    }
}

/// Runs something with a fault at call 1, then at call 1 + `step`, and so on until a run makes so few
/// calls that the fault has not struck; returns how many runs it struck.
///
/// # Panics
/// Where `run` does, after the call was told; and where the first call of the first run has not struck.
///
/// ```
/// use std::sync::Arc;
/// use artifact_core::{BlobStore, UploadHint, UploadId};
/// use artifact_store::MemoryBlobStore;
/// use artifact_testkit::{faults::{Fault, FaultStore, at_each_call}, seams::SeededRng};
///
/// let runtime = tokio::runtime::Runtime::new()?;
/// let struck = at_each_call(Fault::Error, 1, |faults| {
///     let rng = Arc::new(SeededRng::new(1));
///     let store = FaultStore::new(Arc::new(MemoryBlobStore::new(rng)), faults.clone());
///     let id = UploadId::from_random([1; 16]);
///     let begun = runtime.block_on(store.begin(&id, UploadHint::default()));
///     assert_eq!(begun.is_err(), faults.struck());
/// });
/// assert_eq!(struck, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn at_each_call(fault: Fault, step: u64, mut run: impl FnMut(Faults)) -> u64 {
    let mut struck = 0;
    loop {
        let n = 1 + struck * step.max(1);
        assert!(n < MOST, "a run made {MOST} calls");
        let told = Told { n, fault };
        let faults = Faults::at(n, fault);
        run(faults.clone());
        drop(told);
        if !faults.struck() {
            assert!(
                struck > 0,
                "what is run makes no call that {fault:?} can strike"
            );
            return struck;
        }
        struck += 1;
    }
}
