//! The suites against backends that each break one clause: a case of that clause must fail, and
//! without the mutation all cases of it must pass.

mod index;
mod index_mutant;
mod local;
mod store;
mod store_mutant;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs cases, and returns the names of those that fail.
fn failing(cases: impl Iterator<Item = (&'static str, Box<dyn FnOnce()>)>) -> Vec<&'static str> {
    let mut failing = Vec::new();
    for (name, case) in cases {
        if catch_unwind(AssertUnwindSafe(case)).is_err() {
            failing.push(name);
        }
    }
    failing
}

/// Returns how the names of the cases of a clause begin: `bs_1_` for `BS-1`.
fn prefix(clause: &str) -> String {
    format!("{}_", clause.to_lowercase().replace('-', "_"))
}
