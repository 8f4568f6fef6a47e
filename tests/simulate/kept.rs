//! Seeds that once broke a rule. They are run first, for ever.
//!
//! A change of what a world draws makes another world of each seed: whoever makes one looks for seeds
//! that find the same again, by taking the mend away for a moment.

/// A seed, and what it found.
pub(crate) const KEPT: &[(u64, &str)] = &[
    (
        411_122,
        "the slot that an upload was suspended in was punched when it was committed elsewhere, and a power cut took \
         away the record of its new key: it went on from zeros",
    ),
    (
        925,
        "what an upload held in the index was given up before the store had it, so who hung up lost it",
    ),
    (
        2449,
        "a fault that was told late, when no part of the machine failed any more, was taken for a failure",
    ),
    (
        146_764,
        "a mount that began before a push of the same blob, and ended after it, shortened the lease of what the push \
         had acknowledged",
    ),
    (
        62_765,
        "a change set that was made before a power cut, if at all, was judged by the clock of after it",
    ),
];
