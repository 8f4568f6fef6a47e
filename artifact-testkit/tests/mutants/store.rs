//! Blob stores that each break one clause.

use std::sync::{Arc, atomic::Ordering};

use artifact_core::BlobStore;
use artifact_testkit::{STORE_CLAUSES, store::StorePlace};
use async_trait::async_trait;

use crate::{
    Found, check, failing,
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
    opened: bool,
}

impl Place {
    fn new(mutation: Mutation) -> Self {
        let store = Mutant::new(mutation);
        let opened = false;
        Self { store, opened }
    }
}

#[async_trait]
impl StorePlace for Place {
    async fn open(&mut self) -> Arc<dyn BlobStore> {
        if std::mem::replace(&mut self.opened, true) {
            self.store.reopen().await;
        }
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

fn failing_on(mutation: Mutation) -> Vec<Found> {
    failing(CASES.iter().map(|(name, case)| {
        let place = Box::new(Place::new(mutation));
        let run: Box<dyn FnOnce()> = Box::new(move || case(place));
        (*name, run)
    }))
}

#[test]
fn without_a_mutation_every_clause_holds() {
    assert_eq!(failing_on(Mutation::None), []);
}

mutants! {
    STORE_CLAUSES;
    bs_1_what_is_aborted_appears: "BS-1", PublishesAborted;
    bs_1_any_length_is_taken: "BS-1", TakesAnyLength;
    bs_2_a_stamp_changes: "BS-2", RestlessStamps;
    bs_3_to_delete_what_is_absent_fails: "BS-3", MindsAbsence;
    bs_3_what_was_deleted_comes_back: "BS-3", ForgetsDeletions;
    bs_4_a_commit_is_not_synced: "BS-4", CommitsUnsynced;
    bs_4_a_suspension_is_not_synced: "BS-4", SuspendsUnsynced;
    bs_4_a_suspension_does_not_survive: "BS-4", ForgetsSuspensions;
    bs_4_a_large_blob_does_not_survive: "BS-4", ForgetsLargeBlobs;
    bs_5_a_dropped_writer_commits: "BS-5", CommitsWhenDropped;
    bs_5_what_is_aborted_stays: "BS-5", KeepsAborted;
    bs_5_what_is_suspended_is_not_found: "BS-5", HidesSuspended;
    bs_6_a_key_comes_back: "BS-6", ReusesKeys;
    bs_7_a_range_is_short: "BS-7", ShortRanges;
    bs_8_an_upload_goes_on_with_less: "BS-8", ResumesWithLess;
    bs_9_nothing_is_held: "BS-9", HoldsNothing;
    bs_10_it_goes_on_after_a_failed_sync: "BS-10", GoesOnAfterFailure;
    lb_1_the_file_begins_elsewhere: "LB-1", ShiftedFiles;
    lb_2_a_file_is_replaced: "LB-2", ReplacesFiles;
    lb_2_a_file_stays_half: "LB-2", HalfFiles;
}
