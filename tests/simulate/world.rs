//! A world: a machine and its clients, from the first request to the last check, all of it drawn
//! from one seed.

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use artifact_core::{
    BlobRange, BlobStore as _, CollectOptions, Digest, Forget, Location, ManifestIndex as _, Mode,
    Page, Revision, ScrubOptions, Spawn as _, StoreError,
};
use artifact_testkit::seams::Step;
use futures::{FutureExt as _, TryStreamExt as _, future::BoxFuture};
use parking_lot::Mutex;

use crate::{
    client::{AUDITOR, Client, Memory},
    machine::{Machine, ROOT},
    tally::Tally,
    trace::Trace,
};

/// After so many steps a world is said not to end.
const STEPS: u64 = 400_000;

/// What came of a world.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The rule that was broken, in words.
    pub(crate) broken: Option<String>,
    /// How often what happened.
    pub(crate) tally: Tally,
}

/// Runs the world of a seed.
pub(crate) fn run(seed: u64, trace: &Trace) -> Outcome {
    let mut world = World::new(seed, trace.clone());
    world.live();
    let mut tally = world.machine.oracle.tally();
    tally.add(&world.machine.disk.lock().tally);
    tally.happened("steps", world.steps);
    Outcome {
        broken: world.machine.oracle.broken(),
        tally,
    }
}

struct World {
    machine: Machine,
    memories: Vec<Arc<Memory>>,
    seed: u64,
    steps: u64,
    /// An event happens once in so many steps.
    pace: u64,
    /// How many processes run at once.
    crowd: usize,
    /// Whether bytes change on the disk while nobody has the registry open.
    rots: bool,
}

impl World {
    fn new(seed: u64, trace: Trace) -> Self {
        let machine = Machine::new(seed, trace);
        let chance = &machine.chance;
        let clients = 1 + chance.below(3);
        let budget = 10 + chance.below(25) as u32;
        let memories = (0..clients).map(|n| Memory::new(seed, n, budget / clients as u32 + 1));
        Self {
            memories: memories.collect(),
            pace: *chance.pick(&[60, 150, 400]),
            rots: chance.one_in(6),
            crowd: 1 + usize::from(chance.one_in(3)),
            machine,
            seed,
            steps: 0,
        }
    }

    fn is_over(&self) -> bool {
        self.machine.oracle.broken().is_some()
    }

    fn live(&mut self) {
        self.machine.set_faulty(true);
        while !self.is_over() && !self.memories.iter().all(|memory| memory.is_done()) {
            self.crowd_in();
            self.let_pass();
        }
        if self.is_over() {
            return;
        }
        // Half of all worlds end with a crash, after which nothing may be missing.
        match self.machine.chance.below(4) {
            0 => self.machine.cut_power(&self.memories.clone()),
            1 if !self.machine.processes.is_empty() => self.machine.kill(0),
            _ => {}
        }
        self.machine.repair();
        self.restart_sick();
        if self.machine.processes.is_empty() {
            self.machine.start();
        }
        self.rest();
        // What failed before has been told by now.
        self.machine.oracle.set_faulty(false);
        self.check_all();
        self.mend();
        self.check_leaks();
    }

    /// Starts what processes are missing, and lets each client that has something to ask go on in one.
    fn crowd_in(&mut self) {
        let machine = &mut self.machine;
        if self.rots && machine.processes.is_empty() && machine.chance.one_in(2) {
            machine.rot();
        }
        while machine.processes.len() < self.crowd {
            let which = machine.start();
            for (number, memory) in self.memories.iter().enumerate() {
                let home = number % self.crowd;
                if home == which && !memory.is_done() {
                    machine.let_ask(which, memory);
                }
            }
        }
    }

    /// Lets the world go on until a process dies or nothing is left to do.
    fn let_pass(&mut self) {
        while !self.is_over() {
            let died = self.machine.disk.lock().died();
            if let Some(number) = died {
                if let Some(which) = self
                    .machine
                    .processes
                    .iter()
                    .position(|p| p.number == number)
                {
                    self.kill(which);
                }
                return;
            }
            if self.machine.chance.one_in(self.pace) && self.happen() {
                return;
            }
            let sick = self
                .machine
                .processes
                .iter()
                .position(crate::machine::Process::is_sick);
            if let Some(which) = sick
                && self.machine.chance.one_in(40)
            {
                self.kill(which);
                return;
            }
            if !self.step() {
                if let Some(which) = sick {
                    self.kill(which);
                }
                return;
            }
        }
    }

    /// Kills a process, and with it who talks to it; all others start anew with the next.
    fn kill(&mut self, which: usize) {
        // Who is at which process goes by their order.
        while self.machine.processes.len() > which + 1 {
            let last = self.machine.processes.len() - 1;
            self.machine.kill(last);
        }
        self.machine.kill(which);
    }

    /// Takes a step; `false` when there is none to take.
    fn step(&mut self) -> bool {
        self.steps += 1;
        if self.steps > STEPS {
            self.machine.oracle.fail(format!(
                "I24 everything ends: after {STEPS} steps it still goes on"
            ));
            return false;
        }
        match self.machine.work.step() {
            Step::Ran => true,
            Step::Idle => false,
            Step::Panicked(message) => {
                self.machine
                    .oracle
                    .fail(format!("nothing panics: {message}"));
                false
            }
        }
    }

    /// Lets something happen; says whether a process died of it.
    fn happen(&mut self) -> bool {
        let which = self.machine.chance.index(self.machine.processes.len());
        match self.machine.chance.below(10) {
            0 | 1 => {
                self.kill(which);
                true
            }
            2 | 3 => {
                let calls = 1 + self.machine.chance.below(40);
                let number = self.machine.processes[which].number;
                self.machine.disk.lock().doom(number, calls);
                false
            }
            4 => {
                self.machine.cut_power(&self.memories);
                true
            }
            _ => {
                self.machine.move_clock();
                false
            }
        }
    }

    fn restart_sick(&mut self) {
        for which in (0..self.machine.processes.len()).rev() {
            if self.machine.processes[which].is_sick() {
                self.machine.kill(which);
            }
        }
    }

    /// Lets all that is under way end.
    fn rest(&mut self) {
        while !self.is_over() && self.step() {}
    }

    /// Runs a future to its end; what it leaves undone is stuck.
    fn wait<T: Send + 'static>(&mut self, what: &str, future: BoxFuture<'static, T>) -> Option<T> {
        let slot = Arc::new(Mutex::new(None));
        let fill = Arc::clone(&slot);
        let work = async move { *fill.lock() = Some(future.await) };
        self.machine.processes[0].place.work.spawn(work.boxed());
        self.rest();
        let value = slot.lock().take();
        if value.is_none() && !self.is_over() {
            self.machine
                .oracle
                .fail(format!("everything ends: {what} waits for ever"));
        }
        value
    }

    fn auditor(&self) -> Client {
        Client {
            memory: Memory::new(self.seed, AUDITOR, 0),
            place: self.machine.processes[0].place.clone(),
        }
    }

    /// Everything that the model has is there, whole, and nothing else (I1 to I6, I18, I22).
    fn check_all(&mut self) {
        let auditor = self.auditor();
        let commits = self.machine.oracle.commits();
        let rotten = self.machine.oracle.rotten();
        let chance = crate::chance::Chance::new(self.seed, 5);
        let check = async move {
            let (goods, oracle) = (
                Arc::clone(&auditor.place.goods),
                Arc::clone(&auditor.place.oracle),
            );
            let limit = NonZeroU32::new(100_000).expect("not zero");
            match auditor.session().history(Revision::ZERO, limit).await {
                Ok(told) if told == commits => {}
                other => oracle.fail(format!(
                    "I18 the feed tells all that was committed: {other:?} instead of {commits:?}"
                )),
            }
            let past = Revision::new(chance.below(oracle.head().get() + 1));
            for package in &goods.packages {
                for at in [None, Some(past)] {
                    auditor.list_tags(at, package).await;
                    auditor
                        .list_referrers(at, package, &goods.manifests[0].digest())
                        .await;
                    for tag in &goods.tags {
                        auditor.look_at_tag(at, package, tag).await;
                    }
                    for manifest in &goods.manifests {
                        auditor
                            .look_at_manifest(at, package, &manifest.digest())
                            .await;
                    }
                    for blob in &goods.blobs {
                        auditor
                            .read_range(at, package, &blob.digest, BlobRange::All)
                            .await;
                    }
                }
            }
            let mut options = ScrubOptions::default();
            options.all = true;
            if let Some(found) = auditor.scrub_with(options).await
                && found.corrupt.iter().any(|digest| !rotten.contains(digest))
            {
                oracle.fail(format!(
                    "I3 what was acknowledged is intact: the scrub finds {:?} corrupt",
                    found.corrupt
                ));
            }
        };
        self.wait("the last look at everything", check.boxed());
    }

    /// Whoever pushes the bytes of a rotten blob mends it, for all who have it (I22).
    fn mend(&mut self) {
        let rotten = self.machine.oracle.rotten();
        if rotten.is_empty() || self.is_over() {
            return;
        }
        let auditor = self.auditor();
        let mend = async move {
            let goods = Arc::clone(&auditor.place.goods);
            auditor.set_mode_to(Mode::ReadWrite).await;
            for digest in &rotten {
                if let Some(blob) = goods.blobs.iter().find(|blob| blob.digest == *digest) {
                    auditor.push(&goods.packages[0], blob).await;
                }
            }
            auditor.place.oracle.is_mended();
            for package in &goods.packages {
                for digest in &rotten {
                    auditor
                        .read_range(None, package, digest, BlobRange::All)
                        .await;
                }
            }
        };
        self.wait("the mending of rotten blobs", mend.boxed());
    }

    /// In the end nothing is kept that nobody wants (I9, I14, I23).
    fn check_leaks(&mut self) {
        for round in 0..4 {
            if self.is_over() {
                return;
            }
            self.machine.pass(Duration::from_secs(26 * 60 * 60));
            let auditor = self.auditor();
            let collect = async move {
                if round == 0 {
                    auditor.set_mode_to(Mode::ReadWrite).await;
                }
                let before = auditor.place.oracle.head();
                let options = CollectOptions::default().forgetting(Forget {
                    repository: None,
                    before,
                });
                auditor.collect_with(&options.allowing_mass_delete()).await;
                if round < 2 {
                    auditor.scrub_with(ScrubOptions::default()).await;
                }
            };
            self.wait("a collection", collect.boxed());
        }
        if self.is_over() {
            return;
        }
        let rows = self.machine.rows.now();
        let page = || NonZeroU32::new(10_000).expect("not zero");
        let found = async move {
            let rows_left = rows.blob_rows(Page::first(page())).await;
            (rows.totals().await, rows_left)
        };
        let (totals, blobs) = found.now_or_never().expect("the model does not wait");
        let (totals, blobs) = (totals.expect("totals"), blobs.expect("rows"));
        if totals.trash > 0 || totals.uploads > 0 || totals.quarantined > 0 {
            self.fail(format!("I9 what nobody wants is reclaimed: {totals:?}"));
        }
        // Who commits once more fills in what is missing at the end.
        let auditor = self.auditor();
        let commit = async move {
            auditor.set_mode_to(Mode::ReadOnly("at last".into())).await;
            auditor.set_mode_to(Mode::ReadWrite).await;
        };
        self.wait("the last commit", commit.boxed());
        self.machine.mend_journal();
        let known: BTreeSet<Digest> = blobs.iter().map(|blob| blob.digest).collect();
        let told = self.machine.oracle.model(|model| model.rows().clone());
        if known != told {
            self.fail(format!(
                "I18 the feed tells which blobs there are: {known:?} and {told:?}"
            ));
        }
        let oracle = Arc::clone(&self.machine.oracle);
        let goods = Arc::clone(&self.machine.goods);
        for blob in &blobs {
            if oracle
                .model(|model| model.wants(&goods, &blob.digest))
                .is_none()
            {
                self.fail(format!(
                    "I9 what nobody wants is reclaimed: {} is still there",
                    blob.digest
                ));
            }
        }
        let keys = blobs.iter().filter_map(|blob| match &blob.location {
            Location::Key(key) => Some((key.to_string(), blob.size)),
            Location::Inline(_) => None,
        });
        let keys: BTreeSet<(String, u64)> = keys.collect();
        let store = self.machine.processes[0].store.clone();
        let list = async move {
            let entries: Result<Vec<_>, StoreError> = store.list().try_collect().await;
            entries
        };
        let listed = self.wait("a walk through the store", list.boxed());
        let listed = listed.and_then(Result::ok).unwrap_or_default();
        let listed: BTreeSet<(String, u64)> = listed
            .into_iter()
            .map(|entry| (entry.key.to_string(), entry.size))
            .collect();
        if listed != keys {
            self.fail(format!(
                "I9 the store holds what the index knows: {listed:?} instead of {keys:?}"
            ));
        }
        self.check_files(&keys);
    }

    /// The disk has a file for each blob that has one, and no other, and nobody has one open.
    fn check_files(&mut self, keys: &BTreeSet<(String, u64)>) {
        let disk = self.machine.disk.lock();
        let mut files = BTreeSet::new();
        let root = Path::new(ROOT);
        let shards = (0..=u8::MAX).map(|shard| PathBuf::from(format!("blobs/{shard:02x}")));
        for directory in shards.chain([PathBuf::from("staging")]) {
            for (name, _) in disk.list(&root.join(&directory)).unwrap_or_default() {
                files.insert(directory.join(name).to_string_lossy().into_owned());
            }
        }
        let open: usize = self
            .machine
            .processes
            .iter()
            .map(|p| disk.open_files(p.number))
            .sum();
        let processes = self.machine.processes.len();
        drop(disk);
        let own = keys.iter().filter(|(key, _)| key.starts_with("blobs/"));
        if files.len() < own.count() || files.iter().any(|file| file.starts_with("staging/")) {
            self.fail(format!(
                "I9 a file for each blob, and nothing staged: {files:?} for {keys:?}"
            ));
        }
        // The segment that a process appends to, and the journal, stay open.
        if open > 2 * processes {
            self.fail(format!(
                "I23 files are closed: {open} are open in {processes} processes"
            ));
        }
    }

    fn fail(&self, what: String) {
        self.machine.oracle.fail(what);
    }
}
