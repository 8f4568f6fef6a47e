//! The machine: a disk, the rows of an index, a clock, and the processes that use them.

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use artifact_core::{
    Actor, BlobRecord, BootId, BoxError, Change, ChangeSet, Clock as _, Document as _, DocumentKey,
    Grant, Holder, Holders, Location, ManifestIndex as _, Mode, Page, Principal, Registry,
    RegistryParts, RepositorySettings, Scope, Seams, Spawn as _, StageSettings, User, UserRole,
};
use artifact_store::{FsBlobStore, FsOptions};
use artifact_testkit::seams::{FakeClock, SeededRng, Simulated};
use futures::FutureExt as _;
use parking_lot::Mutex;

use crate::{
    book::{self, Book},
    chance::Chance,
    client::{Client, Memory, Place},
    disk::{Disk, Faults, SimVfs, Survival},
    goods::{Goods, INLINE_MAX},
    index::{IndexFaults, Rows, SimIndex},
    oracle::{Ask, Oracle},
    trace::Trace,
};

/// Where the registry is.
pub(crate) const ROOT: &str = "/r";

/// The quota of the repository `team`, in bytes.
const QUOTA: u64 = 60_000;

/// Knows which processes live.
#[derive(Clone, Debug, Default)]
struct Living(Arc<Mutex<BTreeSet<String>>>);

impl Holders for Living {
    fn is_alive(&self, holder: &Holder) -> bool {
        self.0.lock().contains(holder.as_str())
    }
}

/// A process that has the registry open.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) number: u64,
    work: Simulated,
    index: SimIndex,
    pub(crate) place: Place,
    pub(crate) store: FsBlobStore,
    book: Arc<Book>,
}

impl Process {
    /// Says whether it must be started again, because a sync failed.
    pub(crate) fn is_sick(&self) -> bool {
        let disk = self.place.disk.lock();
        self.index.is_poisoned() || !self.book.is_sound() || disk.failed_sync(self.number).is_some()
    }
}

/// The machine: a disk, the rows of an index, a clock, and the processes that use them.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) chance: Chance,
    pub(crate) trace: Trace,
    pub(crate) goods: Arc<Goods>,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) clock: FakeClock,
    pub(crate) disk: Arc<Mutex<Disk>>,
    pub(crate) rows: Arc<Rows>,
    pub(crate) work: Simulated,
    pub(crate) processes: Vec<Process>,
    living: Living,
    seed: u64,
    started: u64,
    boots: u64,
    faults: (Faults, IndexFaults),
    /// Whether they are more than what must be borne, or were.
    was_faulty: bool,
}

impl Machine {
    /// Returns a machine with a new registry, and no process.
    pub(crate) fn new(seed: u64, trace: Trace) -> Self {
        let chance = Chance::new(seed, 4);
        let goods = Arc::new(Goods::new(seed));
        let clock = FakeClock::new();
        let oracle = Arc::new(Oracle::new(
            Arc::clone(&goods),
            QUOTA,
            clock.clone(),
            trace.clone(),
        ));
        let disk = Disk::new(seed, Path::new(ROOT), trace.clone());
        let rows = Rows::new(seed, Arc::clone(&oracle), clock.clone(), trace.clone());
        let faults = (draw_faults(&chance), draw_index_faults(&chance));
        let machine = Self {
            chance,
            trace,
            goods,
            oracle,
            clock,
            disk: Arc::new(Mutex::new(disk)),
            rows: Arc::new(rows),
            work: Simulated::new(seed),
            processes: Vec::new(),
            living: Living::default(),
            seed,
            started: 0,
            boots: 1,
            was_faulty: faults.0.is_faulty() || faults.1.is_faulty(),
            faults,
        };
        machine.oracle.set_faulty(machine.was_faulty);
        machine.set_up();
        machine
    }

    /// Makes what a registry has before anybody uses it.
    fn set_up(&self) {
        let vfs = SimVfs::new(Arc::clone(&self.disk), 0);
        FsBlobStore::create_layout(&vfs, Path::new(ROOT)).expect("a new disk does not fail");
        let vfs = Arc::new(vfs);
        let book = Book::open(vfs, &self.work, &self.clock, &self.goods, &self.oracle);
        drop(book.expect("a new disk does not fail"));
        let mut team = RepositorySettings::default();
        team.quota = Some(QUOTA);
        let mut kept = StageSettings::default();
        (kept.delete, kept.overwrite) = (false, false);
        team.stage = self
            .goods
            .keeper
            .as_ref()
            .map(|_| "kept".parse().expect("a name"));
        let everywhere = |role| Grant {
            role,
            scope: Scope::all(),
        };
        let user = |role| User::new(String::from("none"), vec![everywhere(role)]);
        let stage = team.stage.as_ref().map(|_| ("stage:kept", kept.to_body()));
        let documents = [
            (
                "repository:default",
                RepositorySettings::default().to_body(),
            ),
            ("repository:team", team.to_body()),
            ("user:user1", user(UserRole::Writer).to_body()),
            ("user:user2", user(UserRole::Writer).to_body()),
            ("user:user9", user(UserRole::Admin).to_body()),
            ("mode:", Mode::ReadWrite.to_body()),
        ];
        self.oracle.ask("set-up", Ask::Setup, self.clock.boot());
        let actor = Actor::new(Principal::System, Some("set-up".into()));
        let mut changes = ChangeSet::new(actor, self.clock.now());
        for (key, body) in stage.into_iter().chain(documents) {
            let key: DocumentKey = key.parse().expect("the key of a document");
            changes = changes.change(Change::PutDocument(key, body));
        }
        let index = SimIndex::open(&self.rows, &self.work, None);
        let work = async move { drop(index.apply(changes).await.expect("nothing fails yet")) };
        self.work.spawn(work.boxed());
        while self.work.step() == artifact_testkit::seams::Step::Ran {}
        self.disk.lock().kill(0);
    }

    /// Lets parts of the machine fail as the seed drew, or not.
    pub(crate) fn set_faulty(&self, faulty: bool) {
        let (disk, index) = if faulty {
            self.faults
        } else {
            Default::default()
        };
        self.disk.lock().faults = Faults {
            short: self.faults.0.short,
            ..disk
        };
        self.rows.set_faults(index);
    }

    /// Says that no part of the machine fails any more, for good.
    pub(crate) fn repair(&mut self) {
        let short = self.faults.0.short;
        self.faults = (
            Faults {
                short,
                ..Faults::default()
            },
            IndexFaults::default(),
        );
        self.set_faulty(false);
        self.disk.lock().spare();
    }

    /// Starts a process. Where the disk fails, it is tried again with a disk that does not (I24).
    pub(crate) fn start(&mut self) -> usize {
        self.started += 1;
        let number = self.started;
        let work = self.work.another();
        self.check_journal();
        let opened = self.open_files(number, &work).or_else(|_| {
            self.set_faulty(false);
            let opened = self.open_files(number, &work);
            self.set_faulty(true);
            opened
        });
        let (store, book) =
            opened.unwrap_or_else(|error| panic!("I24 a registry opens after any crash: {error}"));
        let book = Arc::new(book);
        let index = SimIndex::open(&self.rows, &work, Some(Arc::clone(&book)));
        let name = format!("process-{number}");
        self.living.0.lock().insert(name.clone());
        let seams = Seams {
            clock: Arc::new(self.clock.clone()),
            rng: Arc::new(SeededRng::new(self.seed ^ (number << 32) ^ 0xabcd)),
            spawn: Arc::new(work.clone()),
            holders: Arc::new(self.living.clone()),
        };
        let mut parts = RegistryParts::new(
            Arc::new(index.clone()),
            Arc::new(store.clone()),
            seams,
            Holder::new(name),
        );
        parts.limits.inline_max = INLINE_MAX;
        parts.limits.step = 20_000;
        let registry = Registry::new(parts);
        let place = Place {
            registry: registry.clone(),
            work: work.clone(),
            clock: self.clock.clone(),
            goods: Arc::clone(&self.goods),
            oracle: Arc::clone(&self.oracle),
            disk: Arc::clone(&self.disk),
            process: number,
        };
        let (oracle, is_sound) = (Arc::clone(&self.oracle), !self.is_faulty());
        let recover = async move {
            match registry.reclaim().await {
                Err(error) if is_sound => {
                    oracle.fail(format!("I24 a registry opens after any crash: {error:?}"))
                }
                _ => {}
            }
        };
        work.spawn(recover.boxed());
        self.trace.tell(|| format!("process {number} starts"));
        self.processes.push(Process {
            number,
            work,
            index,
            place,
            store,
            book,
        });
        self.processes.len() - 1
    }

    fn is_faulty(&self) -> bool {
        self.faults.0.is_faulty() || self.faults.1.is_faulty()
    }

    /// Opens what a process has of the disk.
    fn open_files(&self, number: u64, work: &Simulated) -> Result<(FsBlobStore, Book), BoxError> {
        let vfs = Arc::new(SimVfs::new(Arc::clone(&self.disk), number));
        let rng = Arc::new(SeededRng::new(self.seed ^ (number << 32) ^ 0x1234));
        let mut options = FsOptions::new(ROOT, vfs.clone(), Arc::new(work.clone()), rng);
        // Small enough to be full now and then.
        options.segment_size = 2 << 20;
        let store = FsBlobStore::open(options)?;
        let book = Book::open(vfs, work, &self.clock, &self.goods, &self.oracle)?;
        Ok((store, book))
    }

    /// The journal holds the first commits, as they were made; all that were acknowledged since the
    /// last power cut, where the disk has no faults.
    fn check_journal(&self) {
        let faults = self.disk.lock().faults;
        self.set_faulty(false);
        let vfs = Arc::new(SimVfs::new(Arc::clone(&self.disk), 0));
        let commits = self.oracle.commits();
        let acknowledged = self.oracle.acknowledged();
        match book::check(vfs, &self.goods, &commits) {
            Ok(found) => {
                let missing = acknowledged
                    .iter()
                    .find(|revision| !found.whole.contains(&revision.get()));
                if let Some(missing) = missing.filter(|_| !self.was_faulty) {
                    self.oracle.fail(format!(
                        "I18 the journal has what was acknowledged since the power was cut last: not {missing}, \
                         but {:?}, with {:?}",
                        found.whole, found.damage
                    ));
                }
            }
            Err(what) => self.oracle.fail(what),
        }
        self.disk.lock().kill(0);
        self.disk.lock().faults = faults;
        self.set_faulty(true);
    }

    /// Mends the journal, as a collection does, after which it lacks nothing (I18).
    pub(crate) fn mend_journal(&self) {
        let Some(process) = self.processes.first() else {
            return;
        };
        let vfs = || Arc::new(SimVfs::new(Arc::clone(&self.disk), process.number));
        let commits = self.oracle.commits();
        if let Err(error) = process.book.mend(vfs(), &commits) {
            self.oracle.fail(format!(
                "I18 a damaged journal is mended from the index: {error:?}"
            ));
        }
        match book::check(vfs(), &self.goods, &commits) {
            Ok(found) if found.whole.len() == commits.len() && found.damage.is_empty() => {}
            other => self.oracle.fail(format!(
                "I18 the journal tells all {} commits in the end: {other:?}",
                commits.len()
            )),
        }
    }

    /// Kills a process where it stands.
    pub(crate) fn kill(&mut self, which: usize) {
        let process = self.processes.swap_remove(which);
        self.trace
            .tell(|| format!("process {} is killed", process.number));
        self.oracle.count("kills");
        self.living
            .0
            .lock()
            .remove(&format!("process-{}", process.number));
        self.disk.lock().kill(process.number);
        process.work.kill();
    }

    /// Cuts the power: every process dies, and the disk and the index keep what they must.
    pub(crate) fn cut_power(&mut self, memories: &[Arc<Memory>]) {
        while !self.processes.is_empty() {
            self.kill(0);
        }
        let survival = *self.chance.pick(&[
            Survival::Nothing,
            Survival::Some,
            Survival::Some,
            Survival::All,
        ]);
        self.trace.tell(|| {
            format!("the power is cut, and the disk keeps {survival:?} of what was not synced")
        });
        self.oracle.count("power cuts");
        self.disk.lock().cut_power(survival);
        self.rows.cut_power();
        self.boots += 1;
        self.clock
            .reboot(BootId::new(format!("boot-{}", self.boots)));
        self.oracle.rebooted(&self.clock.boot());
        for memory in memories {
            memory.doubt_uploads();
        }
    }

    /// Changes a bit of a blob that the index has in the store (F10). Nobody has the registry open:
    /// who had hashed the blob would believe in it for a while.
    pub(crate) fn rot(&self) {
        let page = Page::first(NonZeroU32::new(1_000).expect("not zero"));
        let rows = self.rows.now();
        let rows = rows
            .blob_rows(page)
            .now_or_never()
            .expect("the model does not wait");
        let stored = rows.expect("the model does not fail").into_iter();
        let stored: Vec<(BlobRecord, String)> = stored
            .filter_map(|row| match &row.location {
                Location::Key(key) => Some((row.clone(), key.to_string())),
                Location::Inline(_) => None,
            })
            .collect();
        if stored.is_empty() {
            return;
        }
        let (row, key) = self.chance.pick(&stored);
        let mut disk = self.disk.lock();
        let (path, offset) = whereabouts(key, |path| disk.look_up(path).is_some());
        let at = offset + self.chance.below(row.size);
        self.trace
            .tell(|| format!("{} rots at {at} of {}", row.digest, path.display()));
        self.oracle.rots(row.digest);
        self.oracle.count("rotten blobs");
        disk.rot(&path, at);
    }

    /// Lets a client go on in a process.
    pub(crate) fn let_ask(&self, which: usize, memory: &Arc<Memory>) {
        let process = &self.processes[which];
        let client = Client {
            memory: Arc::clone(memory),
            place: process.place.clone(),
        };
        process.work.spawn(client.run().boxed());
    }

    /// Moves the clock: on by a little or a lot, or the wall's by years either way (F12).
    pub(crate) fn move_clock(&self) {
        match self.chance.below(8) {
            0 => {
                let years = self.chance.below(21) as i64 - 10;
                let wall = self
                    .clock
                    .now()
                    .plus_millis(years * 365 * 24 * 60 * 60 * 1000);
                self.trace
                    .tell(|| format!("the wall clock jumps to {wall}"));
                self.clock.set_wall(wall);
            }
            1 | 2 => self.pass(Duration::from_secs(60 * (1 + self.chance.below(120)))),
            3 => self.pass(Duration::from_secs(60 * 60 * (20 + self.chance.below(30)))),
            _ => self.pass(Duration::from_millis(self.chance.below(20_000))),
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        self.trace.tell(|| format!("{time:?} pass"));
        self.clock.advance(time);
    }
}

impl IndexFaults {
    fn is_faulty(&self) -> bool {
        self.refuse + self.lose + self.sync + self.read > 0
    }
}

/// Returns the file that a key's bytes are in, and where in it they begin.
fn whereabouts(key: &str, is_there: impl Fn(&Path) -> bool) -> (PathBuf, u64) {
    let root = Path::new(ROOT);
    let slot = key
        .strip_prefix("segments/")
        .and_then(|rest| rest.split_once('/'));
    let Some((segment, slot)) = slot else {
        return (root.join(key), 0);
    };
    // A blob that outgrew its slot.
    let spilled = root.join(format!("blobs/{}/{segment}.{slot}", &segment[..2]));
    if is_there(&spilled) {
        return (spilled, 0);
    }
    let start = slot.split('-').nth(1);
    let start = start.and_then(|start| u64::from_str_radix(start, 16).ok());
    let path = root.join("segments").join(segment);
    (path, start.unwrap_or_default() * 4096)
}

fn draw_faults(chance: &Chance) -> Faults {
    let mut faults = Faults {
        short: *chance.pick(&[0, 2, 6]),
        write_back: *chance.pick(&[0, 10, 40]),
        ..Faults::default()
    };
    match chance.below(10) {
        0 => faults.sync = 15,
        1 => faults.write = 30,
        2 => faults.read = 30,
        3 => faults.other = 40,
        4 => faults.space = Some(140 + chance.index(200)),
        5 => {
            faults.sync = 40;
            faults.write = 100;
            faults.read = 100;
            faults.other = 100;
        }
        _ => {}
    }
    faults
}

fn draw_index_faults(chance: &Chance) -> IndexFaults {
    match chance.below(8) {
        0 => IndexFaults {
            refuse: 20,
            ..IndexFaults::default()
        },
        1 => IndexFaults {
            lose: 12,
            ..IndexFaults::default()
        },
        2 => IndexFaults {
            sync: 25,
            ..IndexFaults::default()
        },
        3 => IndexFaults {
            read: 150,
            refuse: 50,
            lose: 50,
            sync: 0,
        },
        _ => IndexFaults::default(),
    }
}
