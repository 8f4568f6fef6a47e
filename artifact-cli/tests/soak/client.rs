//! A client: it chooses, asks through its door, and compares what it is told with what must be.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    ask::{Answer, Ask, Outcome, What},
    goods::{IMAGES, Random, STOCK},
    http::Http,
    linked::Linked,
    model::Model,
    program::Program,
    setup::Setup,
};

/// The package that all clients write.
const SHARED: &str = "brief/shared";
/// How often a reading of the shared package is tried before it is said to be broken: what it names
/// may be deleted while it is read.
const TRIES: usize = 25;
/// One in so many calls has its process killed under it.
const KILLS: usize = 15;
/// One in so many calls has the server killed under it, and under the others that use it.
const SERVER_KILLS: usize = 60;

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Calls that were answered.
    pub(crate) answered: u64,
    /// Calls whose door was killed under them.
    pub(crate) unknown: u64,
    /// Command lines and linked programs that were killed.
    pub(crate) kills: u64,
    /// Servers that were killed.
    pub(crate) restarts: u64,
    /// Collections.
    pub(crate) collections: u64,
    /// The most memory that a process had, in bytes.
    pub(crate) memory: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.unknown += other.unknown;
        self.kills += other.kills;
        self.collections += other.collections;
        self.memory = self.memory.max(other.memory);
    }
}

/// The way into the registry.
#[derive(Debug)]
enum Door {
    Http(Http),
    Linked(Option<Linked>),
    Program(Program),
}

/// A client.
#[derive(Debug)]
pub(crate) struct Client {
    number: usize,
    setup: Arc<Setup>,
    door: Door,
    random: Random,
    model: Model,
    pub(crate) tally: Tally,
    /// What it did last, for whoever reads why it failed.
    recent: Vec<String>,
}

impl Client {
    pub(crate) fn new(number: usize, seed: u64, setup: &Arc<Setup>) -> Self {
        let door = match number {
            0..3 => Door::Http(Http::new(setup)),
            3..6 => Door::Linked(None),
            _ => Door::Program(Program::new(setup)),
        };
        Self {
            number,
            setup: Arc::clone(setup),
            door,
            random: Random::new(seed * 100 + number as u64 + 1),
            model: Model::default(),
            tally: Tally::default(),
            recent: Vec::new(),
        }
    }

    /// Makes calls as long as any are left.
    pub(crate) fn run(&mut self, left: &AtomicU64) {
        let take = || {
            let less = |n: u64| n.checked_sub(1);
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
                .is_ok()
        };
        while take() {
            if self.random.one_in(8) {
                self.share();
                continue;
            }
            let ask = self.choose();
            let outcome = self.ask(&ask);
            self.learn(&ask, &outcome);
        }
    }

    /// Reads all that it knows of, through a door that is opened anew.
    pub(crate) fn check(&mut self) {
        self.door = Door::Linked(None);
        for ask in self.model.readings() {
            let outcome = self.ask_without_kill(&ask);
            self.learn(&ask, &outcome);
        }
    }

    fn learn(&mut self, ask: &Ask, outcome: &Outcome) {
        self.recent.push(format!("{ask:?} -> {outcome:?}"));
        if self.recent.len() > 20 {
            self.recent.remove(0);
        }
        if let Err(why) = self.model.learn(ask, outcome) {
            let recent = self.recent.join("\n  ");
            panic!("client {}: {why}\n  {recent}", self.number);
        }
    }

    fn own(&mut self) -> String {
        let repository = ["brief", "kept"][self.random.below(2)];
        let package = ["a", "b"][self.random.below(2)];
        format!("{repository}/{}/{package}", self.number)
    }

    fn tag(&mut self) -> String {
        format!("t{}", self.random.below(4))
    }

    /// Chooses a call on packages of its own.
    fn choose(&mut self) -> Ask {
        let (package, tag) = (self.own(), self.tag());
        let image = self.random.below(IMAGES);
        let there = self.model.images_in(&package);
        let known = (!there.is_empty()).then(|| there[self.random.below(there.len())]);
        let is_http = matches!(self.door, Door::Http(_));
        match (self.random.below(100), known) {
            (0..25, _) => Ask::Push {
                package,
                tag,
                image,
            },
            (25..35, Some(image)) => Ask::Tag {
                package,
                tag,
                image,
            },
            (35..43, _) => Ask::Untag { package, tag },
            (43..53, Some(image)) => Ask::Delete { package, image },
            (53..58, Some(image)) if !matches!(self.door, Door::Program(_)) => {
                let from = self.own();
                let content = STOCK[image].contents[self.random.below(3)];
                Ask::Mount {
                    package,
                    from,
                    content,
                }
            }
            (58..62, _) => Ask::Collect,
            (62..70, _) if !is_http => {
                let choice = self.random.below(1000);
                self.model.past(choice).unwrap_or(Ask::Collect)
            }
            (70..80, Some(image)) => Ask::Read {
                package,
                what: What::Image(image),
            },
            _ => Ask::Read {
                package,
                what: What::Tag(tag),
            },
        }
    }

    /// Does something with the package that all write: nothing is known of it, but that what is there is
    /// whole.
    fn share(&mut self) {
        let (package, tag) = (SHARED.to_owned(), self.tag());
        let image = self.random.below(6);
        let ask = match self.random.below(6) {
            0 | 1 => Ask::Push {
                package,
                tag,
                image,
            },
            2 => Ask::Untag { package, tag },
            3 => Ask::Delete { package, image },
            _ => Ask::Read {
                package,
                what: What::Tag(tag),
            },
        };
        for _ in 0..TRIES {
            match self.ask(&ask) {
                Outcome::Told(Answer::Broken(_) | Answer::Failed(_)) => {}
                _ => return,
            }
        }
        let said = self.ask(&ask);
        panic!(
            "client {}: {ask:?} came to {said:?} {TRIES} times",
            self.number
        );
    }

    fn ask(&mut self, ask: &Ask) -> Outcome {
        if matches!(ask, Ask::Collect) {
            self.tally.collections += 1;
        }
        let chances = match self.door {
            Door::Http(_) => SERVER_KILLS,
            Door::Linked(_) | Door::Program(_) => KILLS,
        };
        let patience = self.random.one_in(chances).then(|| {
            let micros = self.random.below(12_000) as u64;
            Duration::from_micros(micros)
        });
        let outcome = match &mut self.door {
            Door::Http(http) => {
                let server = &self.setup.server;
                let Some(patience) = patience else {
                    let outcome = http.ask(ask);
                    return self.count(outcome);
                };
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        std::thread::sleep(patience);
                        server.kill();
                    });
                    http.ask(ask)
                })
            }
            Door::Linked(linked) => {
                let open = linked.get_or_insert_with(|| Linked::start(&self.setup.registry));
                self.tally.memory = self.tally.memory.max(open.memory());
                let outcome = open.ask(ask, patience);
                if patience.is_some() {
                    // One that answered in time is killed, too: nothing waits for it.
                    *linked = None;
                    self.tally.kills += 1;
                }
                outcome
            }
            Door::Program(program) => {
                let outcome = program.ask(ask, patience);
                self.tally.kills += u64::from(outcome == Outcome::Unknown);
                outcome
            }
        };
        self.count(outcome)
    }

    fn ask_without_kill(&mut self, ask: &Ask) -> Outcome {
        let Door::Linked(linked) = &mut self.door else {
            return Outcome::Unknown;
        };
        let open = linked.get_or_insert_with(|| Linked::start(&self.setup.registry));
        open.ask(ask, None)
    }

    fn count(&mut self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Told(_) => self.tally.answered += 1,
            Outcome::Unknown => self.tally.unknown += 1,
        }
        outcome
    }
}
