//! Guards: the syncs, locks and checks that promises rest on, each with a number.
//!
//! `make prove` leaves them out, one at a time, and shows which test notices. Only a build with
//! `--cfg prove` can do that: in any other a marker is what it stands around, and nothing else.
//!
//! | marker | guard left out |
//! | --- | --- |
//! | `if guard!(1) { .. }`, `guard!(1) && ..` | the block is passed over, the condition is false |
//! | `guard!(1, expression)` | the `Guarded` value that lets pass; most are not even evaluated |
//! | `guard!(1, expression, else other)` | the other |
//!
//! What a user would lose by each, and which test notices, says `tests/prove/guards.txt`.

/// Marks a guard; see [`guard`](crate::guard).
#[cfg(not(prove))]
#[doc(hidden)]
#[macro_export]
macro_rules! guard {
    ($number:literal) => {
        $crate::guard::STANDS
    };
    ($number:literal, $checked:expr) => {
        $checked
    };
    ($number:literal, $checked:expr, else $unchecked:expr) => {
        $checked
    };
}

/// Marks a guard; see [`guard`](crate::guard).
#[cfg(prove)]
#[doc(hidden)]
#[macro_export]
macro_rules! guard {
    ($number:literal) => {
        $crate::guard::stands($number)
    };
    ($number:literal, $checked:expr) => {
        if $crate::guard::stands($number) {
            $checked
        } else {
            $crate::guard::Guarded::left_out(|| $checked)
        }
    };
    ($number:literal, $checked:expr, else $unchecked:expr) => {
        if $crate::guard::stands($number) {
            $checked
        } else {
            $unchecked
        }
    };
}

/// No guard is left out.
#[cfg(not(prove))]
pub const STANDS: bool = true;

/// Says whether a guard is not left out. Child processes leave out the same.
#[cfg(prove)]
pub fn stands(number: u16) -> bool {
    static LEFT_OUT: std::sync::OnceLock<Option<u16>> = std::sync::OnceLock::new();
    let left_out = LEFT_OUT.get_or_init(|| std::env::var(WITHOUT).ok().map(|said| read(&said)));
    *left_out != Some(number)
}

/// The environment's variable that names the guard to leave out.
#[cfg(prove)]
const WITHOUT: &str = "ARTIFACT_PROVE_WITHOUT";

/// Reads which guard to leave out; what is no number would prove nothing, and say nothing.
#[cfg(any(prove, test))]
fn read(said: &str) -> u16 {
    said.parse()
        .unwrap_or_else(|_| panic!("ARTIFACT_PROVE_WITHOUT is no number: {said}"))
}

/// What lets pass where its guard is left out.
#[cfg(any(prove, test))]
pub trait Guarded {
    /// Returns it, of what was to be evaluated.
    fn left_out(checked: impl FnOnce() -> Self) -> Self;
}

#[cfg(any(prove, test))]
impl Guarded for () {
    fn left_out(_checked: impl FnOnce() -> Self) -> Self {}
}

/// The condition holds, or the lock is taken.
#[cfg(any(prove, test))]
impl Guarded for bool {
    fn left_out(_checked: impl FnOnce() -> Self) -> Self {
        true
    }
}

#[cfg(any(prove, test))]
impl<T: Guarded, E> Guarded for Result<T, E> {
    fn left_out(_checked: impl FnOnce() -> Self) -> Self {
        Ok(T::left_out(|| unreachable!("nothing within is evaluated")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_lets_pass_unasked() {
        fn unasked<T>() -> T {
            panic!("it is left out");
        }
        <()>::left_out(unasked);
        assert!(bool::left_out(unasked));
        assert_eq!(Result::<bool, String>::left_out(unasked), Ok(true));
        assert_eq!(Result::<(), String>::left_out(unasked), Ok(()));
    }

    /// Whatever is left out, this number never is: nobody may use it for a guard.
    #[test]
    fn a_guard_stands_unless_it_is_the_one() {
        let called = |passed: bool| guard!(0, passed);
        assert!(guard!(0) && called(true) && !called(false));
    }

    #[test]
    fn a_guard_is_named_by_a_number() {
        assert_eq!(read("17"), 17);
        std::panic::catch_unwind(|| read("all")).unwrap_err();
    }
}
