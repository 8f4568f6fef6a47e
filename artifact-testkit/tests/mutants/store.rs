//! Blob stores that each break one clause.

use std::sync::{Arc, atomic::Ordering};

use artifact_core::BlobStore;
use artifact_testkit::{STORE_CLAUSES, store::StorePlace};
use async_trait::async_trait;

use crate::{
    failing, prefix,
    store_mutant::{Mutant, Mutation},
};

type Case = fn(Box<dyn StorePlace>);

macro_rules! table {
    ($($case:ident)*) => {
        &[$((stringify!($case), |place| {
            let case = artifact_testkit::store::cases::$case;
            artifact_testkit::store::run_case("mutant", stringify!($case), place, &[], case);
        })),*]
    };
}

const CASES: &[(&str, Case)] = artifact_testkit::__blob_store_cases!(table);

/// A store in memory that can be opened again, and told to fail.
struct Place {
    store: Mutant,
    mutation: Mutation,
}

impl Place {
    fn new(mutation: Mutation) -> Self {
        let store = Mutant::new(mutation);
        Self { store, mutation }
    }
}

#[async_trait]
impl StorePlace for Place {
    async fn open(&mut self) -> Arc<dyn BlobStore> {
        if self.mutation == Mutation::ForgetsWhenClosed {
            self.store = Mutant::new(self.mutation);
        }
        self.store.poisoned.store(false, Ordering::SeqCst);
        Arc::new(self.store.clone())
    }

    fn can_reopen(&self) -> bool {
        true
    }

    fn fail_next_sync(&mut self) -> bool {
        self.store.sync_fails.store(true, Ordering::SeqCst);
        true
    }
}

/// Returns the cases of a clause that fail on a mutant.
fn failing_of(clause: &str, mutation: Mutation) -> Vec<&'static str> {
    let prefix = prefix(clause);
    let cases = CASES.iter().filter(|(name, _)| name.starts_with(&prefix));
    failing(cases.map(|(name, case)| {
        let place = Box::new(Place::new(mutation));
        let run: Box<dyn FnOnce()> = Box::new(move || case(place));
        (*name, run)
    }))
}

fn check(clause: &str, mutation: Mutation, expected: &[&str]) {
    assert_eq!(
        failing_of(clause, mutation),
        expected,
        "{mutation:?} breaks {clause}"
    );
}

#[test]
fn without_a_mutation_every_clause_holds() {
    for clause in STORE_CLAUSES {
        check(clause.number, Mutation::None, &[]);
    }
}

#[test]
fn bs_1_what_is_aborted_appears() {
    let expected = ["bs_1_abort_publishes_nothing"];
    check("BS-1", Mutation::PublishesAborted, &expected);
}

#[test]
fn bs_1_any_length_is_taken() {
    let expected = ["bs_1_a_wrong_length_publishes_nothing"];
    check("BS-1", Mutation::TakesAnyLength, &expected);
}

#[test]
fn bs_2_a_stamp_changes() {
    check(
        "BS-2",
        Mutation::RestlessStamps,
        &["bs_2_bytes_and_stamp_stay"],
    );
}

#[test]
fn bs_3_to_delete_what_is_absent_fails() {
    let expected = [
        "bs_3_what_is_absent_is_deleted",
        "bs_3_two_deleters_both_succeed",
    ];
    check("BS-3", Mutation::MindsAbsence, &expected);
}

#[test]
fn bs_4_nothing_survives() {
    let expected = [
        "bs_4_a_commit_survives_reopening",
        "bs_4_a_suspension_survives_reopening",
    ];
    check("BS-4", Mutation::ForgetsWhenClosed, &expected);
}

#[test]
fn bs_5_a_dropped_writer_commits() {
    let failing = failing_of("BS-5", Mutation::CommitsWhenDropped);
    assert!(
        failing.contains(&"bs_5_a_dropped_writer_is_no_blob"),
        "{failing:?}"
    );
}

#[test]
fn bs_6_a_key_comes_back() {
    let expected = [
        "bs_6_the_same_bytes_get_another_key",
        "bs_6_a_deleted_key_does_not_come_back",
        "bs_6_keys_do_not_come_back_after_reopening",
    ];
    check("BS-6", Mutation::ReusesKeys, &expected);
}

#[test]
fn bs_7_a_range_is_short() {
    check("BS-7", Mutation::ShortRanges, &["bs_7_ranges_are_exact"]);
}

#[test]
fn bs_8_an_upload_goes_on_too_early() {
    let failing = failing_of("BS-8", Mutation::ResumesEarly);
    assert!(
        failing.contains(&"bs_8_an_upload_goes_on_at_its_offset"),
        "{failing:?}"
    );
}

#[test]
fn bs_9_nothing_is_held() {
    let expected = [
        "bs_9_a_live_writer_holds_its_upload",
        "bs_9_who_ended_holds_nothing",
    ];
    check("BS-9", Mutation::HoldsNothing, &expected);
}

#[test]
fn bs_10_it_goes_on_after_a_failed_sync() {
    let expected = ["bs_10_nothing_is_acknowledged_after_a_failed_sync"];
    check("BS-10", Mutation::GoesOnAfterFailure, &expected);
}

#[test]
fn lb_1_the_file_begins_elsewhere() {
    let expected = [
        "lb_1_the_file_has_the_bytes",
        "lb_1_the_bytes_stay_while_the_file_is_open",
    ];
    check("LB-1", Mutation::ShiftedFiles, &expected);
}

#[test]
fn lb_2_a_file_is_replaced() {
    check(
        "LB-2",
        Mutation::ReplacesFiles,
        &["lb_2_nothing_is_replaced"],
    );
}

#[test]
fn lb_2_a_file_stays_half() {
    let failing = failing_of("LB-2", Mutation::HalfFiles);
    assert!(
        failing.contains(&"lb_2_each_way_makes_the_whole_file"),
        "{failing:?}"
    );
}
