//! The macro that makes a test of each case.

/// Makes a module of tests, one for each case, that an index keeps its contract.
///
/// The index comes from one of
/// * `async { … }`: makes the index of a case;
/// * `reopen: …`: a closure that is called once a case, and gives a closure that opens the index of
///   that case each time it is called, with what it kept;
/// * `place: …`: an [`IndexPlace`](crate::index::IndexPlace).
///
/// After it stands what the index lacks, if anything: `lacks: [reopen]`. Cases that need such a power
/// are reported as not run, and a test fails if the list is not exact.
///
/// [The crate's page](crate) has an example.
#[macro_export]
macro_rules! manifest_index_conformance {
    ($name:ident, reopen: $opener:expr $(, lacks: [$($lack:ident),* $(,)?])? $(,)?) => {
        $crate::manifest_index_conformance!(
            $name, place: $crate::index::reopening(($opener)()) $(, lacks: [$($lack),*])?
        );
    };
    ($name:ident, place: $place:expr $(, lacks: [$($lack:ident),* $(,)?])? $(,)?) => {
        #[doc(hidden)]
        pub(crate) fn $name() -> ::std::boxed::Box<dyn $crate::index::IndexPlace> {
            ::std::boxed::Box::new($place)
        }

        mod $name {
            const LACKS: &[&str] = &[$($(stringify!($lack)),*)?];

            fn run(
                case: &'static str,
                body: impl AsyncFnOnce(&mut $crate::index::IndexKit),
            ) {
                $crate::index::run_case(stringify!($name), case, super::$name(), LACKS, body);
            }

            #[test]
            fn it_lacks_what_is_declared() {
                $crate::index::run_lacks(stringify!($name), super::$name(), LACKS);
            }

            $crate::__manifest_index_cases!($crate::__manifest_index_tests);
        }
    };
    ($name:ident, $make:expr $(, lacks: [$($lack:ident),* $(,)?])? $(,)?) => {
        $crate::manifest_index_conformance!(
            $name, place: $crate::index::once($make) $(, lacks: [$($lack),*])?
        );
    };
}

/// Makes the tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __manifest_index_tests {
    ($($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                run(stringify!($case), $crate::index::cases::$case);
            }
        )*
    };
}

/// Hands the names of all cases to a macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __manifest_index_cases {
    ($($then:tt)*) => {
        $($then)*! {
            mi_1_a_change_that_cannot_be_made_undoes_its_set
            mi_1_a_room_that_is_exceeded_undoes_its_set
            mi_1_what_was_applied_survives_reopening
            mi_1_a_dropped_apply_is_made_whole
            mi_2_one_of_many_wins_a_tag
            mi_2_no_update_is_lost
            mi_2_sets_beside_a_failing_one_are_made
            mi_2_changes_build_on_those_before_them
            mi_2_expectations_are_judged_before_the_changes
            mi_3_a_tag_needs_its_manifest
            mi_3_a_manifest_takes_its_tags_along
            mi_3_a_race_leaves_no_dangling_tag
            mi_4_what_is_named_must_be_in_the_package
            mi_4_a_child_is_a_manifest_or_a_blob
            mi_4_what_may_be_absent_may_be
            mi_4_what_is_named_stays
            mi_4_links_go_with_their_last_manifest
            mi_4_a_link_needs_a_row
            mi_4_a_race_leaves_no_dangling_manifest
            mi_5_reads_see_what_was_acknowledged
            mi_5_other_tasks_see_it_too
            mi_6_tags_are_paged
            mi_6_manifests_and_referrers_are_paged
            mi_6_packages_are_paged_by_their_oci_names
            mi_6_documents_are_paged
            mi_6_rows_are_paged
            mi_6_uploads_and_trash_are_paged
            mi_6_a_search_is_paged
            mi_6_past_lists_are_paged
            mi_7_a_key_goes_from_upload_to_row_to_trash
            mi_7_the_second_key_of_a_digest_is_trash
            mi_7_an_upload_that_ends_leaves_its_key_in_the_trash
            mi_7_an_upload_that_moves_leaves_its_key_in_the_trash
            mi_7_a_quarantined_row_takes_the_new_key
            mi_7_a_key_in_use_is_not_trashed
            mi_7_a_key_that_is_taken_is_refused
            mi_8_a_past_read_does_not_change
            mi_8_below_the_horizon_it_is_forgotten
            mi_8_above_the_newest_it_is_not_made_yet
            mi_8_purged_content_says_so
            mi_8_a_past_blob_is_one_that_a_manifest_named
            mi_8_documents_outlive_the_horizon
            mi_9_the_feed_tells_all_changes
            mi_9_the_feed_is_paged
            mi_9_the_feed_is_kept_from_the_lowest_horizon
            mi_9_adoption_is_told
            mi_9_adoption_moves_all_that_is_there
            mi_9_adoption_needs_a_free_name
            mi_10_tags_count_every_change
            mi_10_documents_count_every_change
            mi_10_expectations_are_exact
            mi_10_adopted_tags_go_on_counting
            mi_11_revisions_have_no_gaps
            mi_11_times_rise_though_the_clock_goes_back
            mi_11_what_changes_nothing_makes_no_revision
            mi_11_a_time_finds_its_revision
            mi_12_a_digest_is_charged_once
            mi_12_what_goes_is_not_charged
            mi_12_rooms_hold
            mi_12_what_does_not_raise_is_not_refused
            mi_12_reservations_count
            mi_12_rooms_hold_in_a_race
            mi_12_totals_are_exact
            mi_12_footprints_are_exact
            mi_13_bookkeeping_makes_no_revision
            mi_13_uploads_have_versions
            mi_13_an_upload_is_expected_exactly
            mi_13_claims_are_exclusive
            mi_13_a_claim_of_another_boot_lives_on
            mi_13_leases_are_renewed_and_end
            mi_13_leases_of_another_boot_are_listed
            mi_13_a_quarantine_lasts_until_the_bytes_are_right
            mi_13_the_trash_remembers_when_it_was_seen
            mi_14_what_is_linked_is_not_collected
            mi_14_what_history_names_is_not_collected
            mi_14_what_is_forgotten_is_collected
            mi_14_what_is_leased_or_pinned_is_not_collected
            mi_14_the_unwanted_are_listed
            mi_14_a_race_of_link_and_collection_loses_nothing
            mi_15_a_change_set_that_is_refused_changes_nothing
            mi_15_bookkeeping_that_is_refused_changes_nothing
            mi_15_a_horizon_that_is_not_made_yet_is_refused
        }
    };
}
