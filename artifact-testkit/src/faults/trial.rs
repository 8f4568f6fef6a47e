//! The engine over backends that fail: what it acknowledged holds, and what it did not is no half.

use std::{any::Any, fmt, sync::Arc, time::Duration};

use artifact_core::{
    BlobStore, Holder, Holders, ManifestIndex, Principal, Registry, RegistryParts,
    RepositorySettings, RequestContext, Seams, Session,
};
use futures::TryStreamExt as _;

use super::{
    index::FaultIndex,
    model::Model,
    plan::{Fault, Faults, at_each_call},
    script::{SCRIPT, Step, perform, read},
    store::FaultStore,
};
use crate::{
    harness::{focus::Focus, run::run},
    seams::{FakeClock, SeededRng, TokioSpawn},
};

/// Longer than anything lasts: leases, suspended uploads, the time in the trash.
const LONG: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// A store and an index that belong together, and are empty.
pub struct Backends {
    store: Arc<dyn BlobStore>,
    index: Arc<dyn ManifestIndex>,
    keeps: Option<Box<dyn Any + Send>>,
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backends")
            .field("store", &self.store)
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl Backends {
    /// Returns the pair.
    pub fn new(store: impl BlobStore, index: impl ManifestIndex) -> Self {
        Self {
            store: Arc::new(store),
            index: Arc::new(index),
            keeps: None,
        }
    }

    /// Keeps something as long as the pair: the directory that they are in.
    #[must_use]
    pub fn keeping(mut self, thing: impl Any + Send) -> Self {
        self.keeps = Some(Box::new(thing));
        self
    }
}

/// One process at a time lives: the one with this name.
#[derive(Debug)]
struct OnlyLiving(Holder);

impl Holders for OnlyLiving {
    fn is_alive(&self, holder: &Holder) -> bool {
        *holder == self.0
    }
}

/// Returns a process that has the backends open.
fn process(
    name: &str,
    store: Arc<dyn BlobStore>,
    index: Arc<dyn ManifestIndex>,
    clock: &Arc<FakeClock>,
) -> Session {
    let holder = Holder::new(name);
    let seams = Seams {
        clock: Arc::<FakeClock>::clone(clock),
        rng: Arc::new(SeededRng::new(name.len() as u64)),
        spawn: Arc::new(TokioSpawn::current()),
        holders: Arc::new(OnlyLiving(holder.clone())),
    };
    let registry = Registry::new(RegistryParts::new(index, store, seams, holder));
    registry.session(Principal::Embedder, RequestContext::default())
}

/// Runs the script with a fault at each `step`th call of backends that `make` makes anew for each run.
///
/// # Panics
/// When something that was acknowledged is not there, when what was not is there by half, when the same
/// calls do not succeed without the fault, or when something stays that nothing wants.
pub fn run_trial(subject: &str, fault: Fault, step: u64, make: impl AsyncFn() -> Backends) {
    at_each_call(fault, step, |faults| {
        run(subject, "fault", &Focus::of("fault"), trial(&make, &faults));
    });
}

#[expect(
    clippy::future_not_send,
    reason = "it runs where it was made, and what makes backends need not be sent"
)]
async fn trial(make: &impl AsyncFn() -> Backends, faults: &Faults) {
    let Backends {
        store,
        index,
        keeps,
    } = make().await;
    let clock = Arc::new(FakeClock::new());
    let sound = |name: &str| process(name, Arc::clone(&store), Arc::clone(&index), &clock);
    let default = "default".parse().expect("it is a name");
    sound("maker")
        .create_repository(&default, &RepositorySettings::default(), false)
        .await
        .expect("without a fault");

    let mut model = Model::default();
    let failing = process(
        "failing",
        Arc::new(FaultStore::new(Arc::clone(&store), faults.clone())),
        Arc::new(FaultIndex::new(Arc::clone(&index), faults.clone())),
        &clock,
    );
    for step in SCRIPT {
        let outcome = perform(&failing, step).await;
        assert!(
            outcome.is_ok() || faults.struck(),
            "{step:?} fails without a fault: {outcome:?}"
        );
        model.learn(step, outcome.is_ok());
    }
    drop(failing);

    let next = sound("the next");
    check(&next, &model).await;
    for step in SCRIPT {
        let outcome = perform(&next, step).await;
        // A step that began where another state was may find nothing to do.
        assert!(
            outcome.is_ok(),
            "{step:?} fails when it is made again: {outcome:?}"
        );
        model.learn(step, true);
    }
    check(&next, &model).await;
    empty(&next, &model, &store, &clock).await;
    drop(keeps);
}

/// Checks that each tag points where it may, and that all it points at is whole (I1, I2, I3).
async fn check(session: &Session, model: &Model) {
    for tag in model.tags() {
        let found = read(session, tag).await;
        let may = found.as_ref().is_ok_and(|found| model.may(tag, *found));
        assert!(may, "I1, I2 the tag {tag} is at {found:?}: {model:?}");
    }
}

/// Deletes everything, and checks that nothing stays (I9).
async fn empty(session: &Session, model: &Model, store: &Arc<dyn BlobStore>, clock: &FakeClock) {
    for image in model.images() {
        let deleted = perform(session, &Step::Delete(image)).await;
        deleted.expect("what is there can be deleted");
    }
    // Leases end, uploads that nobody goes on with are given up, what lingers is freed, and what nobody
    // knew of is found.
    for step in [
        Step::Collect,
        Step::Scrub,
        Step::Collect,
        Step::Scrub,
        Step::Collect,
    ] {
        clock.advance(LONG);
        let done = perform(session, &step).await;
        done.expect("without a fault");
    }
    let left: Vec<_> = store.list().try_collect().await.expect("a list");
    assert!(left.is_empty(), "I9 nothing wants {left:?}");
    let totals = session.totals().await.expect("totals");
    let rest = (totals.blobs, totals.trash, totals.uploads);
    assert_eq!(
        rest,
        (0, 0, 0),
        "I9 blobs, trash and uploads that nothing wants"
    );
}
