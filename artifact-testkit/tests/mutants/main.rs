//! The suites against backends that each break one clause: they tell of that clause and of no other, by one of
//! its own cases at the least; and without the mutation all cases pass.

/// Makes a test that each mutant is told of by its clause alone, and one that each clause has a mutant.
macro_rules! mutants {
    ($clauses:ident; $($test:ident: $clause:literal, $mutation:ident;)*) => {
        $(
            #[test]
            fn $test() {
                let mutation = Mutation::$mutation;
                check($clause, &mutation, &failing_on(mutation));
            }
        )*

        #[test]
        fn each_clause_has_a_mutant() {
            for clause in $clauses {
                assert!([$($clause),*].contains(&clause.number), "{}", clause.number);
            }
        }
    };
}

mod index;
mod index_mutant;
mod local;
mod store;
mod store_mutant;

use std::panic::{AssertUnwindSafe, catch_unwind};

use artifact_testkit::Broken;

/// A case, and the clause that it found broken.
type Found = (&'static str, Option<&'static str>);

/// Runs cases, and returns those that fail.
fn failing(cases: impl Iterator<Item = (&'static str, Box<dyn FnOnce()>)>) -> Vec<Found> {
    let mut failing = Vec::new();
    for (name, case) in cases {
        if let Err(why) = catch_unwind(AssertUnwindSafe(case)) {
            let broken = why.downcast_ref::<Broken>();
            failing.push((name, broken.map(|broken| broken.clause.number)));
        }
    }
    failing
}

/// Checks that what failed tells of a clause alone.
#[track_caller]
fn check(clause: &str, mutation: &dyn std::fmt::Debug, failing: &[Found]) {
    let others: Vec<&Found> = failing
        .iter()
        .filter(|(_, told)| *told != Some(clause))
        .collect();
    assert!(
        others.is_empty(),
        "{mutation:?} breaks {clause}, and these tell of another: {others:?}"
    );
    let prefix = format!("{}_", clause.to_lowercase().replace('-', "_"));
    assert!(
        failing.iter().any(|(case, _)| case.starts_with(&prefix)),
        "{mutation:?} breaks {clause}, and no case of it fails, but {failing:?}"
    );
}
