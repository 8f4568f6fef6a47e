//! What is known outside of the engine.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use artifact_core::{
    BootTime, Clock as _, Committed, Digest, Error, Event, ManifestIndex as _, PackageRef,
    Revision, Scope,
};
use artifact_store::MemoryIndex;
use artifact_testkit::seams::FakeClock;
use futures::FutureExt as _;
use parking_lot::Mutex;

use super::{
    answer::{Answer, Verdict, is_fault, verdict},
    ask::{Ask, Asked},
    model::Model,
    on_answer, on_commit, on_refusal,
};
use crate::{goods::Goods, tally::Tally, trace::Trace};

/// How long a blob that was acknowledged is kept at least, in milliseconds (24 h).
const LEASE: u64 = 24 * 60 * 60 * 1000;

/// What is known outside of the engine. The first rule that is broken ends the world.
#[derive(Debug)]
pub(crate) struct Oracle {
    goods: Arc<Goods>,
    quota: u64,
    clock: FakeClock,
    trace: Trace,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    model: Model,
    asked: BTreeMap<String, Asked>,
    /// All commits, as they were made.
    commits: Vec<Committed>,
    /// Until when blobs are kept that were pushed or mounted, and that no manifest has taken since.
    kept: BTreeMap<(PackageRef, Digest), BootTime>,
    faulty: bool,
    /// The blobs whose bytes the disk has changed (F10).
    rotten: BTreeSet<Digest>,
    /// The revisions that were acknowledged since the last power cut.
    acknowledged: Vec<Revision>,
    broken: Option<String>,
    tally: Tally,
}

impl Oracle {
    pub(crate) fn new(goods: Arc<Goods>, quota: u64, clock: FakeClock, trace: Trace) -> Self {
        Self {
            goods,
            quota,
            clock,
            trace,
            state: Mutex::default(),
        }
    }

    /// Says that something is not as it must be.
    pub(crate) fn fail(&self, what: String) {
        let mut state = self.state.lock();
        self.trace.tell(|| format!("BROKEN: {what}"));
        state.broken.get_or_insert(what);
    }

    fn check(&self, state: &mut State, verdict: Result<(), String>) {
        if let Err(what) = verdict {
            self.trace.tell(|| format!("BROKEN: {what}"));
            state.broken.get_or_insert(what);
        }
    }

    /// Returns what is broken first.
    pub(crate) fn broken(&self) -> Option<String> {
        self.state.lock().broken.clone()
    }

    /// Says whether parts of the machine may fail from now on.
    pub(crate) fn set_faulty(&self, faulty: bool) {
        self.state.lock().faulty = faulty;
    }

    /// Says that the disk has changed bytes of a blob.
    pub(crate) fn rots(&self, digest: Digest) {
        self.state.lock().rotten.insert(digest);
    }

    /// Returns the blobs whose bytes the disk has changed.
    pub(crate) fn rotten(&self) -> BTreeSet<Digest> {
        self.state.lock().rotten.clone()
    }

    /// Says that all blobs are whole again.
    pub(crate) fn is_mended(&self) {
        self.state.lock().rotten.clear();
    }

    /// Asks the model.
    pub(crate) fn model<T>(&self, question: impl FnOnce(&Model) -> T) -> T {
        question(&self.state.lock().model)
    }

    pub(crate) fn commits(&self) -> Vec<Committed> {
        self.state.lock().commits.clone()
    }

    pub(crate) fn tally(&self) -> Tally {
        self.state.lock().tally.clone()
    }

    /// Counts what happens.
    pub(crate) fn count(&self, what: &'static str) {
        self.state.lock().tally.happened(what, 1);
    }

    /// Takes note of what is asked in a request.
    pub(crate) fn ask(&self, request: &str, ask: Ask, boot: BootTime) {
        self.trace.tell(|| format!("{request} asks {ask:?}"));
        let mut state = self.state.lock();
        let begun = state.model.head;
        state.tally.asked(ask.name());
        let asked = Asked {
            ask,
            begun,
            boot,
            made: Vec::new(),
            answered: false,
            poisoned: false,
        };
        state.asked.insert(request.to_owned(), asked);
    }

    /// Takes note that a sync of the blob store had failed in the process that is asked.
    pub(crate) fn is_poisoned(&self, request: &str) {
        if let Some(asked) = self.state.lock().asked.get_mut(request) {
            asked.poisoned = true;
        }
    }

    /// Judges a commit at the moment when it is made.
    pub(crate) fn committed(&self, committed: &Committed, rows: &MemoryIndex, boot: &BootTime) {
        let mut state = self.state.lock();
        let verdict = self.judge_commit(&mut state, committed, rows, boot);
        self.check(&mut state, verdict);
        state.commits.push(committed.clone());
        state.tally.happened("revisions", 1);
    }

    fn judge_commit(
        &self,
        state: &mut State,
        committed: &Committed,
        rows: &MemoryIndex,
        boot: &BootTime,
    ) -> Result<(), String> {
        let request = committed.actor.request.clone().unwrap_or_default();
        let Some(asked) = state.asked.get_mut(&request) else {
            return Err(format!(
                "I4 nobody asked for revision {}: {:?}",
                committed.revision, committed.events
            ));
        };
        if asked.answered {
            return Err(format!(
                "I13 nothing comes of a request that was answered: {request} made revision {}",
                committed.revision
            ));
        }
        on_commit::judge_commit(&self.goods, &state.model, asked, committed)?;
        asked.made.push(committed.revision);
        let (ask, begun) = (asked.ask.clone(), asked.boot.clone());
        for event in &committed.events {
            Self::judge_lease(state, &ask, &begun, event, boot)?;
        }
        state.model.fold(&self.goods, committed)?;
        self.judge_rows(state, rows)
    }

    /// An acknowledged blob stays for the length of its lease, unless a manifest takes it (I1, I8, I17).
    fn judge_lease(
        state: &mut State,
        ask: &Ask,
        begun: &BootTime,
        event: &Event,
        boot: &BootTime,
    ) -> Result<(), String> {
        match event {
            Event::BlobLinked { package, digest } => {
                if matches!(ask, Ask::Push(..) | Ask::Finish(..) | Ask::Mount(..)) {
                    // A lease of another boot starts anew where a collector meets it.
                    let since = if begun.boot == boot.boot { begun } else { boot };
                    let until = BootTime::new(since.boot.clone(), since.millis + LEASE);
                    state.kept.insert((package.clone(), *digest), until);
                }
                Ok(())
            }
            Event::BlobUnlinked { package, digest } => {
                let kept = state.kept.remove(&(package.clone(), *digest));
                match kept {
                    Some(until)
                        if !matches!(ask, Ask::DeleteBlob(..))
                            && (until.boot != boot.boot || until.millis > boot.millis) =>
                    {
                        Err(format!(
                            "I8 an acknowledged blob is kept for its lease: {digest} left {package} at {boot:?}, and was to stay until {until:?}"
                        ))
                    }
                    _ => Ok(()),
                }
            }
            Event::ManifestPut { package, .. } => {
                // Its leases end; which they are does not matter enough to be told apart.
                state.kept.retain(|(of, _), _| of != package);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The index charges what the commits tell, and no more than is allowed (I14).
    fn judge_rows(&self, state: &State, rows: &MemoryIndex) -> Result<(), String> {
        let scope = Scope::from(&self.goods.packages[2].repository);
        let usage = rows
            .usage(&scope)
            .now_or_never()
            .and_then(Result::ok)
            .unwrap_or_default();
        let charged = state
            .model
            .charged(&self.goods, &self.goods.packages[2].repository);
        if usage.charged != charged {
            return Err(format!(
                "I14 usage is exact: {scope} is charged {} bytes for {charged}",
                usage.charged
            ));
        }
        if usage.total() > self.quota {
            return Err(format!(
                "I14 no more than the quota of {} bytes is charged and reserved: {usage:?}",
                self.quota
            ));
        }
        Ok(())
    }

    /// Judges an answer. Nothing may come of the request from now on.
    pub(crate) fn answered(&self, request: &str, outcome: Result<&Answer, &Error>) {
        self.trace.tell(|| match outcome {
            Ok(Answer::Bytes(bytes, offset)) => {
                format!("{request} reads {} bytes from {offset} on", bytes.len())
            }
            Ok(answer) => format!("{request} is answered {answer:?}"),
            Err(error) => format!("{request} fails: {error:?}"),
        });
        let mut state = self.state.lock();
        let Some(mut asked) = state.asked.get(request).cloned() else {
            return;
        };
        let verdict = match outcome {
            Ok(answer) => {
                asked.answered = true;
                state.acknowledged.extend(&asked.made);
                on_answer::judge_answer(&self.goods, &state.model, &asked, answer)
            }
            Err(error) => self.judge_error(&state, &mut asked, error),
        };
        let name = match outcome {
            Ok(_) => "answers",
            Err(_) if asked.answered => "refusals",
            Err(_) => "failures",
        };
        state.tally.happened(name, 1);
        state.asked.insert(request.to_owned(), asked);
        self.check(&mut state, verdict);
    }

    fn judge_error(&self, state: &State, asked: &mut Asked, error: &Error) -> Result<(), String> {
        if is_fault(error) && !state.faulty {
            return Err(format!(
                "what does not fail does not fail: {:?} failed with {error:?}, and no fault was injected",
                asked.ask
            ));
        }
        if verdict(error) == Verdict::Unknown {
            return Ok(());
        }
        asked.answered = true;
        if !asked.made.is_empty() && !matches!(asked.ask, Ask::Collect) {
            return Err(format!(
                "I4 what is refused changed nothing: {:?} was refused with \"{error}\" and made {:?}",
                asked.ask, asked.made
            ));
        }
        let is_late = asked.is_late(&self.clock.boot());
        on_refusal::judge_refusal(
            &self.goods,
            &state.model,
            &state.rotten,
            asked,
            error,
            is_late,
        )
    }

    /// Returns the revisions that were acknowledged since the last power cut.
    pub(crate) fn acknowledged(&self) -> Vec<Revision> {
        self.state.lock().acknowledged.clone()
    }

    /// Says that a new boot began: leases start anew, at full length.
    pub(crate) fn rebooted(&self, boot: &BootTime) {
        let mut state = self.state.lock();
        state.acknowledged.clear();
        let until = BootTime::new(boot.boot.clone(), boot.millis + LEASE);
        for kept in state.kept.values_mut() {
            *kept = until.clone();
        }
    }

    /// Returns the newest revision.
    pub(crate) fn head(&self) -> Revision {
        self.state.lock().model.head
    }
}
