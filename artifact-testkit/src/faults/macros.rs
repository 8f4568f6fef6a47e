//! The macro that makes a test of each fault.

/// Makes a module of tests, one for each kind of [`Fault`](crate::faults::Fault): the engine over a store
/// and an index survives it at each of their calls.
///
/// The closure makes [`Backends`](crate::faults::Backends) that are empty, once a run. With `every: n`
/// only each nth call is struck, for backends that take their time.
///
/// [The module](crate::faults) has an example.
#[macro_export]
macro_rules! fault_trials {
    ($name:ident, every: $step:expr, $make:expr $(,)?) => {
        mod $name {
            #[allow(unused_imports, reason = "the closure is written for the place of the macro")]
            use super::*;

            fn run(fault: $crate::faults::Fault) {
                $crate::faults::run_trial(stringify!($name), fault, $step, $make);
            }

            #[test]
            fn f2_an_error_at_each_call_is_survived() {
                run($crate::faults::Fault::Error);
            }

            #[test]
            fn f19_a_lost_answer_at_each_call_is_survived() {
                run($crate::faults::Fault::Lost);
            }

            #[test]
            fn f8_a_full_disk_at_each_call_is_survived() {
                run($crate::faults::Fault::NoSpace);
            }

            #[test]
            fn f2_a_delay_at_each_call_is_survived() {
                run($crate::faults::Fault::Delay);
            }

            #[test]
            fn f9_a_short_read_at_each_piece_is_noticed() {
                run($crate::faults::Fault::ShortRead);
            }

            #[test]
            fn f1_an_end_at_each_call_is_survived() {
                run($crate::faults::Fault::Stop);
            }
        }
    };
    ($name:ident, $make:expr $(,)?) => {
        $crate::fault_trials!($name, every: 1, $make);
    };
}
