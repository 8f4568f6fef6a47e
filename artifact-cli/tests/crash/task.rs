//! A thing that a user has the program do: wholly or not at all.

use crate::support::{bench::Bench, run::Run};

/// How far a task is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// Nothing of it is to be seen.
    Before,
    /// It is done.
    After,
}

/// What a command does, and how one sees whether it is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) name: &'static str,
    /// Puts into the registry what the task needs; returns the command.
    pub(crate) prepare: fn(&Bench) -> Vec<String>,
    /// Looks how far it is.
    ///
    /// # Panics
    ///
    /// Where it is done in part.
    pub(crate) state: fn(&Bench) -> State,
    /// The exit codes by which the command says that there is nothing left to do.
    pub(crate) done: &'static [i32],
}

impl Task {
    /// Says whether a run of it that failed failed because it is done already.
    pub(crate) fn is_said_to_be_done(&self, run: &Run) -> bool {
        self.done.contains(&run.code)
    }
}

/// Returns the words of a command.
pub(crate) fn words(command: &str) -> Vec<String> {
    command.split(' ').map(str::to_owned).collect()
}
