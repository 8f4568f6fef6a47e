//! Indexes that each break one clause.

use std::sync::Arc;

use artifact_core::{ManifestIndex, RegistryId};
use artifact_store::MemoryIndex;
use artifact_testkit::{
    INDEX_CLAUSES,
    compare::check_same,
    index::{IndexPlace, once},
};

use crate::{
    Found, check, failing,
    index_mutant::{Mutant, Mutation},
};

type Case = fn(Box<dyn IndexPlace>);

macro_rules! table {
    ($($case:ident)*) => {
        &[$((stringify!($case), |place| {
            let case = artifact_testkit::index::cases::$case;
            artifact_testkit::index::run_case("mutant", stringify!($case), place, &["reopen"], case);
        })),*]
    };
}

const CASES: &[(&str, Case)] = artifact_testkit::__manifest_index_cases!(table);

fn failing_on(mutation: Mutation) -> Vec<Found> {
    failing(CASES.iter().map(|(name, case)| {
        let place = Box::new(once(async move { Mutant::new(mutation) }));
        let run: Box<dyn FnOnce()> = Box::new(move || case(place));
        (*name, run)
    }))
}

#[test]
fn without_a_mutation_every_clause_holds() {
    assert_eq!(failing_on(Mutation::None), []);
}

mutants! {
    INDEX_CLAUSES;
    mi_1_a_set_is_made_in_part: "MI-1", MadeInPart;
    mi_2_others_go_first: "MI-2", JudgesEarly;
    mi_3_a_tag_of_nothing_is_taken: "MI-3", DanglingTags;
    mi_4_a_manifest_of_nothing_is_taken: "MI-4", DanglingManifests;
    mi_5_others_read_the_past: "MI-5", LagsBehind;
    mi_6_a_page_begins_with_the_last_item: "MI-6", RepeatsInPages;
    mi_6_a_page_skips_one: "MI-6", SkipsInPages;
    mi_7_a_key_is_in_two_places: "MI-7", ForgetsTrash;
    mi_8_the_past_is_the_present: "MI-8", FindsThePresent;
    mi_9_the_feed_is_forgotten_early: "MI-9", ForgetsFeed;
    mi_9_the_feed_repeats_a_revision: "MI-9", RepeatsInFeed;
    mi_9_the_feed_drops_an_event: "MI-9", DropsEvents;
    mi_10_a_deletion_does_not_count: "MI-10", UncountedDeletions;
    mi_11_a_time_finds_another_revision: "MI-11", WrongTimes;
    mi_12_reservations_are_free: "MI-12", FreeReservations;
    mi_13_a_release_does_nothing: "MI-13", KeepsClaims;
    mi_14_what_history_wants_is_listed: "MI-14", ListsHistory;
    mi_15_a_refusal_leaves_a_trace: "MI-15", RefusalsLeaveTraces;
}

/// The comparison finds a mutant, too, and shrinks the run that shows it.
#[test]
fn the_comparison_finds_a_mutant() {
    let found = std::panic::catch_unwind(|| {
        check_same(64, async || {
            let model = MemoryIndex::new(RegistryId::from_random([7; 16]));
            let mutant: Arc<dyn ManifestIndex> =
                Arc::new(Mutant::new(Mutation::UncountedDeletions));
            (Arc::new(model) as _, mutant)
        });
    });
    let told = *found.unwrap_err().downcast::<String>().unwrap();
    assert!(told.contains("minimal failing input"), "{told}");
}
