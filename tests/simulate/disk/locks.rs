//! Locks of a file, by the opening that has them.

use std::{collections::BTreeMap, ops::Range};

use artifact_store::sys::lock::Hold;

/// Locks of a file, by the opening that has them.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    whole: BTreeMap<u64, Hold>,
    ranges: Vec<(u64, Range<u64>, Hold)>,
}

fn excludes(one: Hold, other: Hold) -> bool {
    one == Hold::Exclusive || other == Hold::Exclusive
}

impl Locks {
    /// As `flock` does: a change of what one has gives it up first.
    pub(crate) fn lock(&mut self, opening: u64, hold: Hold) -> bool {
        self.whole.remove(&opening);
        let free = self.whole.values().all(|held| !excludes(*held, hold));
        if free {
            self.whole.insert(opening, hold);
        }
        free
    }

    pub(crate) fn lock_range(&mut self, opening: u64, range: Range<u64>, hold: Hold) -> bool {
        let meets = |other: &Range<u64>| other.start < range.end && range.start < other.end;
        let free = self
            .ranges
            .iter()
            .all(|(by, other, held)| *by == opening || !meets(other) || !excludes(*held, hold));
        if free {
            self.unlock_range(opening, range.clone());
            self.ranges.push((opening, range, hold));
        }
        free
    }

    pub(crate) fn unlock_range(&mut self, opening: u64, range: Range<u64>) {
        let mut left = Vec::new();
        for (by, other, hold) in std::mem::take(&mut self.ranges) {
            if by != opening {
                left.push((by, other, hold));
                continue;
            }
            let before = other.start..other.end.min(range.start);
            let after = other.start.max(range.end)..other.end;
            for part in [before, after] {
                if part.start < part.end {
                    left.push((by, part, hold));
                }
            }
        }
        self.ranges = left;
    }

    /// Ends all that an opening has.
    pub(crate) fn close(&mut self, opening: u64) {
        self.whole.remove(&opening);
        self.ranges.retain(|(by, _, _)| *by != opening);
    }
}
