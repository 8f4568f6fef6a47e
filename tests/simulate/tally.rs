//! How often what happened: by that one sees what a run has covered.

use std::{collections::BTreeMap, fmt};

type Counts = BTreeMap<&'static str, u64>;

/// How often what happened, and what was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    happened: Counts,
    asked: Counts,
}

impl Tally {
    /// Counts what happened.
    pub(crate) fn happened(&mut self, what: &'static str, times: u64) {
        *self.happened.entry(what).or_default() += times;
    }

    /// Counts what was asked.
    pub(crate) fn asked(&mut self, what: &'static str) {
        *self.asked.entry(what).or_default() += 1;
    }

    /// Adds those of another world.
    pub(crate) fn add(&mut self, other: &Self) {
        for (to, from) in [
            (&mut self.happened, &other.happened),
            (&mut self.asked, &other.asked),
        ] {
            for (what, times) in from {
                *to.entry(what).or_default() += times;
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &Counts| {
            let parts = counts.iter().map(|(what, times)| format!("{times} {what}"));
            parts.collect::<Vec<_>>().join(", ")
        };
        writeln!(f, "  happened: {}", list(&self.happened))?;
        write!(f, "  asked: {}", list(&self.asked))
    }
}
