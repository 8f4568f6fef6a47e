//! Chance: what a seed draws.

use artifact_testkit::seams::SeededRng;

/// Draws from a seed.
#[derive(Debug)]
pub(crate) struct Chance(SeededRng);

impl Chance {
    /// Returns the chance of a seed, for one purpose among several.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self(SeededRng::new(
            SeededRng::new(seed ^ (purpose << 40)).next(),
        ))
    }

    /// Returns a number below `end`, or 0.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.0.next() % end.max(1)
    }

    /// Returns an index into `length` things.
    pub(crate) fn index(&self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// Says yes once in `times`; never where that is 0.
    pub(crate) fn one_in(&self, times: u64) -> bool {
        times > 0 && self.below(times) == 0
    }

    /// Returns one of them.
    pub(crate) fn pick<'a, T>(&self, all: &'a [T]) -> &'a T {
        &all[self.index(all.len())]
    }
}
