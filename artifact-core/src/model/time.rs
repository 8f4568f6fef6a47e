//! Times, and what they may decide: expiry and freshness, never safety (I17).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A point in wall time, in milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Returns the time that is `milliseconds` after the Unix epoch.
    pub const fn from_millis(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Returns the milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns the time `milliseconds` later.
    #[must_use]
    pub const fn plus_millis(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}

impl fmt::Display for Timestamp {
    /// Writes RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Parses RFC 3339.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let time: jiff::Timestamp = text.parse().map_err(|_| TimestampError)?;
        Ok(Self(time.as_millisecond()))
    }
}

/// The text is not a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a time: write it as 2026-11-21T13:00:00Z")]
#[non_exhaustive]
pub struct TimestampError;

/// One boot of a machine; readings of the boot clock compare only within it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct BootId(String);

impl BootId {
    /// Returns the boot with this name (on Linux, `/proc/sys/kernel/random/boot_id`).
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A reading of a clock that counts through sleep and that nobody sets (`CLOCK_BOOTTIME`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BootTime {
    /// The boot that the reading belongs to.
    pub boot: BootId,
    /// Milliseconds since that boot.
    pub millis: u64,
}

impl BootTime {
    /// Returns the reading `millis` milliseconds after `boot` began.
    pub const fn new(boot: BootId, millis: u64) -> Self {
        Self { boot, millis }
    }
}

/// What keeps a blob that no manifest names yet, for a length of time.
///
/// All processes of one boot share its deadline. A collector that meets a lease of another boot
/// rewrites it at full length: too long is possible, too short is not.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Lease {
    /// Its length in milliseconds, counted from when it was taken or last rewritten.
    pub length: u64,
    /// When it ends.
    pub deadline: BootTime,
}

impl Lease {
    /// Returns a lease of `length` milliseconds that begins `now`.
    pub fn starting(now: &BootTime, length: u64) -> Self {
        let deadline = BootTime::new(now.boot.clone(), now.millis.saturating_add(length));
        Self { length, deadline }
    }

    /// Returns the milliseconds that are left `now`, or `None` when it is of another boot and
    /// nobody can say.
    pub fn left(&self, now: &BootTime) -> Option<u64> {
        (self.deadline.boot == now.boot).then(|| self.deadline.millis.saturating_sub(now.millis))
    }

    /// Returns what holds from now on where this lease is given to what has another: the one that ends later, and
    /// this one where they are of two boots and nobody can say.
    #[must_use]
    pub fn or_later(self, held: Option<&Self>) -> Self {
        let (own, boot) = (self.deadline.millis, &self.deadline.boot);
        let later = held.filter(|held| held.deadline.boot == *boot && held.deadline.millis > own);
        later.cloned().unwrap_or(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back() {
        let time = Timestamp::from_millis(1_795_267_200_123);
        assert_eq!(time.to_string(), "2026-11-21T13:20:00.123Z");
        assert_eq!(time.to_string().parse(), Ok(time));
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn of_two_leases_the_later_holds_unless_nobody_can_say() {
        let lease =
            |boot: &str, millis| Lease::starting(&BootTime::new(BootId::new(boot), millis), 500);
        let given = lease("a", 1_000);
        for (held, holds) in [
            (None, &given),
            (Some(lease("a", 900)), &given),
            (Some(lease("a", 1_100)), &lease("a", 1_100)),
            (Some(lease("b", 1_100)), &given),
        ] {
            assert_eq!(given.clone().or_later(held.as_ref()), *holds);
        }
    }

    /// I17: a lease of another boot says nothing, rather than that it is over.
    #[test]
    fn i17_a_lease_of_another_boot_is_not_over() {
        let now = BootTime::new(BootId::new("a"), 1_000);
        let lease = Lease::starting(&now, 500);
        assert_eq!(
            lease.left(&BootTime::new(BootId::new("a"), 1_400)),
            Some(100)
        );
        assert_eq!(lease.left(&BootTime::new(BootId::new("a"), 1_600)), Some(0));
        assert_eq!(lease.left(&BootTime::new(BootId::new("b"), 0)), None);
    }
}
