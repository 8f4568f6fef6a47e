//! What was done to the program, counted.

use std::time::Duration;

/// The faults of one test. Printed when the test ends well; `scripts/crash` sums the lines up.
#[derive(Debug)]
pub(crate) struct Tally {
    what: String,
    pub(crate) kills: u64,
    pub(crate) cuts: u64,
    pub(crate) errors: u64,
    /// The longest that the first command after a fault took.
    pub(crate) worst: Duration,
}

impl Tally {
    pub(crate) fn of(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            kills: 0,
            cuts: 0,
            errors: 0,
            worst: Duration::ZERO,
        }
    }

    /// Takes note of how long a recovery took.
    pub(crate) fn recovered(&mut self, after: Duration) {
        self.worst = self.worst.max(after);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            println!(
                "tally: kills {} cuts {} errors {} worst-ms {} of {}",
                self.kills,
                self.cuts,
                self.errors,
                self.worst.as_millis(),
                self.what
            );
        }
    }
}
