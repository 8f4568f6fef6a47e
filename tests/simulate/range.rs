//! Many seeds, on all cores that the process may use; how far it is, and what was covered.

use std::{
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{outcome, tally::Tally, trace::Trace};

/// So many worlds that break a rule are enough to look at.
const ENOUGH: usize = 3;

/// How often one is told how far it is.
const TELL: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct Progress {
    seeds: Range<u64>,
    /// The seed that is run next.
    next: u64,
    done: u64,
    broken: Vec<(u64, String)>,
    tally: Tally,
    begun: Instant,
    told: Instant,
}

impl Progress {
    /// Returns a seed to run, unless there is none or enough is broken.
    fn take(&mut self) -> Option<u64> {
        if self.next >= self.seeds.end || self.broken.len() >= ENOUGH {
            return None;
        }
        self.next += 1;
        Some(self.next - 1)
    }

    fn line(&self) -> String {
        let took = self.begun.elapsed().as_secs_f64();
        format!(
            "seeds {:?}: {} of {} worlds, {} of them broke a rule, {took:.0} s, {:.0} worlds a second",
            self.seeds,
            self.done,
            self.seeds.end.saturating_sub(self.seeds.start),
            self.broken.len(),
            self.done as f64 / took.max(0.001),
        )
    }
}

/// Runs the worlds of seeds, and returns which broke which rule, in their order.
pub(crate) fn run(seeds: Range<u64>) -> Vec<(u64, String)> {
    let now = Instant::now();
    let progress = Mutex::new(Progress {
        next: seeds.start,
        seeds,
        done: 0,
        broken: Vec::new(),
        tally: Tally::default(),
        begun: now,
        told: now,
    });
    let work = || {
        loop {
            let Some(seed) = progress.lock().take() else {
                return;
            };
            let outcome = outcome(seed, &Trace::default());
            let mut progress = progress.lock();
            progress.done += 1;
            progress.tally.add(&outcome.tally);
            if let Some(what) = outcome.broken {
                println!("seed {seed} breaks a rule: {what}");
                progress.broken.push((seed, what));
            }
            if progress.told.elapsed() > TELL {
                progress.told = Instant::now();
                println!("{}", progress.line());
            }
        }
    };
    let workers = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    let mut progress = progress.into_inner();
    println!("{}\n{}", progress.line(), progress.tally);
    progress.broken.sort();
    progress.broken
}
