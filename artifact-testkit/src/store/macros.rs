//! The macro that makes a test of each case.

/// Makes a module of tests, one for each case, that a blob store keeps its contract.
///
/// The store comes from one of
/// * `async { … }`: makes the store of a case;
/// * `reopen: …`: a closure that is called once a case, and gives a closure that opens the store of
///   that case each time it is called, with what it kept;
/// * `place: …`: a [`StorePlace`](crate::store::StorePlace), which can also make a sync fail.
///
/// After it stands what the store lacks, if anything: `lacks: [local, reopen, failing_sync]`. Cases
/// that need such a power are reported as not run, and a test fails if the list is not exact.
///
/// [The crate's page](crate) has an example.
#[macro_export]
macro_rules! blob_store_conformance {
    ($name:ident, reopen: $opener:expr $(, lacks: [$($lack:ident),* $(,)?])? $(,)?) => {
        $crate::blob_store_conformance!(
            $name, place: $crate::store::reopening(($opener)()) $(, lacks: [$($lack),*])?
        );
    };
    ($name:ident, place: $place:expr $(, lacks: [$($lack:ident),* $(,)?])? $(,)?) => {
        #[doc(hidden)]
        pub(crate) fn $name() -> ::std::boxed::Box<dyn $crate::store::StorePlace> {
            ::std::boxed::Box::new($place)
        }

        mod $name {
            const LACKS: &[&str] = &[$($(stringify!($lack)),*)?];

            fn run(
                case: &'static str,
                body: impl AsyncFnOnce(&mut $crate::store::StoreKit),
            ) {
                $crate::store::run_case(stringify!($name), case, super::$name(), LACKS, body);
            }

            #[test]
            fn it_lacks_what_is_declared() {
                $crate::store::run_lacks(stringify!($name), super::$name(), LACKS);
            }

            $crate::__blob_store_cases!($crate::__blob_store_tests);
        }
    };
    ($name:ident, $make:expr $(, lacks: [$($lack:ident),* $(,)?])? $(,)?) => {
        $crate::blob_store_conformance!(
            $name, place: $crate::store::once($make) $(, lacks: [$($lack),*])?
        );
    };
}

/// Makes the tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __blob_store_tests {
    ($($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                run(stringify!($case), $crate::store::cases::$case);
            }
        )*
    };
}

/// Hands the names of all cases to a macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __blob_store_cases {
    ($($then:tt)*) => {
        $($then)*! {
            bs_1_nothing_is_visible_before_commit
            bs_1_a_reader_beside_the_commit_finds_nothing_or_all
            bs_1_a_wrong_length_publishes_nothing
            bs_1_abort_publishes_nothing
            bs_1_many_writers_publish_their_own
            bs_2_bytes_and_stamp_stay
            bs_2_a_stamp_is_short_plain_text
            bs_3_what_is_absent_is_deleted
            bs_3_delete_removes_the_blob
            bs_3_delete_removes_what_is_staged
            bs_3_two_deleters_both_succeed
            bs_3_what_was_deleted_stays_so_after_reopening
            bs_4_a_commit_survives_reopening
            bs_4_a_suspension_survives_reopening
            bs_4_nothing_is_acknowledged_without_its_sync
            bs_5_a_dropped_writer_is_no_blob
            bs_5_what_is_aborted_is_gone
            bs_5_what_is_suspended_is_listed
            bs_5_a_dropped_write_is_no_blob
            bs_5_a_dropped_suspension_is_no_blob
            bs_5_a_dropped_commit_is_nothing_or_all
            bs_5_a_dropped_begin_leaves_nothing_that_stays
            bs_6_the_same_bytes_get_another_key
            bs_6_a_deleted_key_does_not_come_back
            bs_6_keys_do_not_come_back_after_reopening
            bs_6_a_key_holds_no_digest
            bs_7_all_sizes_read_back
            bs_7_a_wrong_hint_does_no_harm
            bs_7_ranges_are_exact
            bs_7_ranges_beyond_the_end_are_refused
            bs_7_what_is_absent_is_none
            bs_7_many_readers_read_at_once
            bs_7_a_reader_beside_a_deleter_is_not_cheated
            bs_7_read_back_gives_all_that_was_written
            bs_8_an_upload_goes_on_at_its_offset
            bs_8_an_upload_goes_on_many_times
            bs_8_what_came_after_is_dropped
            bs_8_what_is_gone_is_none
            bs_8_what_was_left_stays_until_it_is_deleted
            bs_8_fewer_bytes_than_said_are_none
            bs_8_a_resumed_upload_reads_back
            bs_9_a_live_writer_holds_its_upload
            bs_9_one_of_two_resumes_wins
            bs_9_who_ended_holds_nothing
            bs_9_other_uploads_are_not_held
            bs_10_nothing_is_acknowledged_after_a_failed_sync
            bs_10_reads_go_on_and_reopening_mends
            lb_1_the_file_has_the_bytes
            lb_1_the_bytes_stay_while_the_file_is_open
            lb_2_each_way_makes_the_whole_file
            lb_2_nothing_is_replaced
            lb_2_what_is_absent_makes_no_file
            lb_2_a_copy_is_a_file_of_its_own
        }
    };
}
