//! How much of what could be tried is tried.

/// What of the calls 1, 2, 3 … of a command is tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Share {
    /// Every one, until the command ends before it.
    All,
    /// That one.
    One(u64),
    /// Some, from the first to the last.
    Some,
}

impl Share {
    /// Returns what the environment asks for.
    pub(crate) fn wanted() -> Self {
        if let Ok(at) = std::env::var("CRASH_AT") {
            return Self::One(at.parse().expect("CRASH_AT is a number"));
        }
        match std::env::var("CRASH").as_deref() {
            Ok("all") => Self::All,
            Ok("some") | Err(_) => Self::Some,
            Ok(other) => panic!("CRASH={other}: it is `all` or `some`"),
        }
    }

    /// Returns which calls are tried of `count`, where as many as `some` are a sample.
    pub(crate) fn of(self, count: u64, some: u64) -> Vec<u64> {
        match self {
            // Threads do not make the same calls each time: past the count until none is met.
            Self::All => (1..)
                .take(usize::try_from(count * 2 + 20).unwrap())
                .collect(),
            Self::One(at) => vec![at],
            Self::Some => {
                let last = count.max(1) - 1;
                let steps = some.min(count).max(2) - 1;
                let mut chosen: Vec<_> = (0..=steps).map(|step| 1 + last * step / steps).collect();
                chosen.dedup();
                chosen
            }
        }
    }
}
