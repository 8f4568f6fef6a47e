//! Runs the cases of an index.

use super::{kit::IndexKit, place::IndexPlace};
use crate::harness::{focus::Focus, lacks::Lacks, run::run};

macro_rules! names {
    ($($case:ident)*) => { &[$(stringify!($case)),*] };
}

/// The names of all cases.
pub const CASES: &[&str] = crate::__manifest_index_cases!(names);

/// Runs a case on the index of a place, and checks that its feed tells what it holds after it.
///
/// # Panics
/// When the index breaks the clause of the case, or one that each case checks beside it: then with
/// [`Broken`](crate::Broken), after the clause was printed in words.
pub fn run_case(
    subject: &'static str,
    case: &'static str,
    place: Box<dyn IndexPlace>,
    declared: &'static [&'static str],
    body: impl AsyncFnOnce(&mut IndexKit),
) {
    let focus = Focus::of(case);
    run(subject, case, &focus, async {
        let lacks = Lacks { subject, declared };
        let mut kit = IndexKit::open(place, lacks, case, focus.clone()).await;
        body(&mut kit).await;
        kit.check_feed().await;
    });
}

/// Checks that an index lacks exactly the powers that were declared.
///
/// # Panics
/// When it lacks others.
pub fn run_lacks(
    subject: &'static str,
    place: Box<dyn IndexPlace>,
    declared: &'static [&'static str],
) {
    let case = "it_lacks_what_is_declared";
    let focus = Focus::of(case);
    run(subject, case, &focus, async {
        let lacks = Lacks { subject, declared };
        let kit = IndexKit::open(place, lacks, case, focus.clone()).await;
        lacks.check(kit.lacking());
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::clause::{INDEX_CLAUSES, clause_of};

    #[test]
    fn each_clause_has_a_case_and_each_case_a_clause() {
        for clause in INDEX_CLAUSES {
            let has_case = |case: &&str| clause_of(case) == Some(clause);
            assert!(CASES.iter().any(has_case), "{} has no case", clause.number);
        }
        for case in CASES {
            assert!(clause_of(case).is_some(), "{case} is of no clause");
        }
    }
}
