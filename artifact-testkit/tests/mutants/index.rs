//! Indexes that each break one clause.

use std::sync::Arc;

use artifact_core::{ManifestIndex, RegistryId};
use artifact_store::MemoryIndex;
use artifact_testkit::{
    compare::check_same,
    index::{IndexPlace, once},
};

use crate::{
    failing,
    index_mutant::{Mutant, Mutation},
    prefix,
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

fn failing_on(mutation: Mutation) -> Vec<&'static str> {
    failing(CASES.iter().map(|(name, case)| {
        let place = Box::new(once(async move { Mutant::new(mutation) }));
        let run: Box<dyn FnOnce()> = Box::new(move || case(place));
        (*name, run)
    }))
}

#[test]
fn without_a_mutation_every_clause_holds() {
    assert_eq!(failing_on(Mutation::None), [""; 0]);
}

/// Makes a test that a mutant fails a case of the clause that it breaks.
macro_rules! mutants {
    ($($test:ident: $clause:literal, $mutation:ident;)*) => {
        $(
            #[test]
            fn $test() {
                let failing = failing_on(Mutation::$mutation);
                let prefix = prefix($clause);
                let of_clause = failing.iter().filter(|case| case.starts_with(&prefix));
                assert!(of_clause.count() > 0, "no case of {} fails, but {failing:?}", $clause);
            }
        )*
    };
}

mutants! {
    mi_1_a_set_is_made_in_part: "MI-1", MadeInPart;
    mi_2_expectations_are_ignored: "MI-2", ExpectsNothing;
    mi_3_a_tag_outlives_its_manifest: "MI-3", GhostTags;
    mi_4_a_named_blob_is_not_linked: "MI-4", LosesNamedLinks;
    mi_5_an_upload_is_seen_late: "MI-5", HidesUploads;
    mi_6_a_page_skips_one: "MI-6", SkipsInPages;
    mi_7_a_key_is_in_two_places: "MI-7", ForgetsTrash;
    mi_8_the_past_is_the_present: "MI-8", PastIsNow;
    mi_9_the_feed_drops_an_event: "MI-9", DropsEvents;
    mi_10_a_deletion_does_not_count: "MI-10", CountsByOneMore;
    mi_11_a_time_finds_another_revision: "MI-11", WrongTimes;
    mi_12_reservations_are_free: "MI-12", FreeReservations;
    mi_13_a_release_does_nothing: "MI-13", KeepsClaims;
    mi_14_the_wanted_are_listed: "MI-14", WantsNothing;
    mi_15_a_refusal_leaves_a_trace: "MI-15", RefusalsLeaveTraces;
}

/// The comparison finds a mutant, too, and shrinks the run that shows it.
#[test]
fn the_comparison_finds_a_mutant() {
    let found = std::panic::catch_unwind(|| {
        check_same(64, async || {
            let model = MemoryIndex::new(RegistryId::from_random([7; 16]));
            let mutant: Arc<dyn ManifestIndex> = Arc::new(Mutant::new(Mutation::CountsByOneMore));
            (Arc::new(model) as _, mutant)
        });
    });
    let told = *found.unwrap_err().downcast::<String>().unwrap();
    assert!(told.contains("minimal failing input"), "{told}");
}
