//! What runs a case: the words of its clause, a runtime, and what a backend lacks.

pub(crate) mod clause;
pub(crate) mod focus;
pub(crate) mod lacks;
pub(crate) mod polls;
pub(crate) mod run;
pub(crate) mod temp;
