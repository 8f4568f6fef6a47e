//! What happened, told only where somebody listens.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use parking_lot::Mutex;

/// What happened in a world, in order. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    events: Option<Arc<Mutex<Events>>>,
}

#[derive(Debug, Default)]
struct Events {
    lines: Vec<String>,
    hash: u64,
}

impl Trace {
    /// Returns a trace that keeps what it is told.
    pub(crate) fn listening() -> Self {
        Self {
            events: Some(Arc::default()),
        }
    }

    /// Takes down an event, where somebody listens.
    pub(crate) fn tell(&self, event: impl FnOnce() -> String) {
        if let Some(events) = &self.events {
            let mut events = events.lock();
            let line = event();
            let mut hasher = DefaultHasher::new();
            (events.hash, &line).hash(&mut hasher);
            events.hash = hasher.finish();
            events.lines.push(line);
        }
    }

    /// Returns the last events, at most so many.
    pub(crate) fn last(&self, count: usize) -> Vec<String> {
        let Some(events) = &self.events else {
            return Vec::new();
        };
        let events = events.lock();
        let from = events.lines.len().saturating_sub(count);
        events.lines[from..].to_vec()
    }

    /// Returns the hash of all events, and how many they were.
    pub(crate) fn hash(&self) -> (u64, usize) {
        let events = self.events.as_ref().map(|events| events.lock());
        events.map_or((0, 0), |events| (events.hash, events.lines.len()))
    }
}
