//! The versions of the tables: a step from each to the next.
//!
//! A step stays as it is for ever: directories of its version are out there, and a new index is made by all
//! steps, too. Who changes the tables adds one.

use rusqlite::{Connection, Result as SqlResult};

use super::schema;

/// Changes the tables of one version to those of the next, and what is in them.
pub(crate) type Step = fn(&Connection) -> SqlResult<()>;

/// The steps that a program knows, from the first version of the tables on. So their number says up to which
/// version it knows the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ladder {
    steps: &'static [Step],
}

/// The steps of this program.
const STEPS: &[Step] = &[];

impl Ladder {
    /// The steps of this program.
    pub(crate) const SHIPPED: Self = Self::of(STEPS);

    /// Returns a ladder of steps.
    pub(crate) const fn of(steps: &'static [Step]) -> Self {
        Self { steps }
    }

    /// Returns the version to which it leads.
    pub(crate) const fn top(self) -> u32 {
        // There never are so many that it would not fit.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a version is a step, and each is written by hand"
        )]
        let steps = self.steps.len() as u32;
        schema::VERSION + steps
    }

    /// Takes the steps that lead on from a version. The caller has begun a transaction.
    pub(super) fn climb(self, conn: &Connection, from: u32) -> SqlResult<()> {
        let taken = from.saturating_sub(schema::VERSION) as usize;
        for step in self.steps.iter().skip(taken) {
            step(conn)?;
        }
        conn.pragma_update(None, "user_version", self.top())
    }
}
