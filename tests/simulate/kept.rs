//! Seeds that once broke a rule. They are run first, for ever.

/// A seed, and what it found.
pub const KEPT: &[(u64, &str)] = &[];
