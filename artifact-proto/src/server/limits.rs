//! What the server bounds, and by how much (I23).

use std::time::Duration;

/// The limits of a server.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ServerLimits {
    /// How many connections there may be. When there are as many, the one that has been idle for
    /// longest makes room for a new one; if none is idle, the new one is turned away.
    pub connections: usize,
    /// How long agreeing on TLS may take.
    pub handshake: Duration,
    /// How long the first request may be waited for, and how long each head may take to arrive.
    pub head: Duration,
    /// How long a connection is kept after its last answer.
    pub idle: Duration,
    /// How many bytes a second a client must send of its body, or take of an answer, averaged over
    /// [`Self::window`]. Time in which the server is the one that is waited for does not count.
    pub rate: u64,
    /// See [`Self::rate`].
    pub window: Duration,
    /// How long what is under way may take to end when the server stops.
    pub drain: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(15),
            idle: Duration::from_secs(75),
            rate: 2 << 10,
            window: Duration::from_secs(30),
            drain: Duration::from_secs(30),
        }
    }
}

impl ServerLimits {
    /// Returns how many bytes a window must have, at least.
    pub(super) fn least(&self) -> u64 {
        self.rate.saturating_mul(self.window.as_secs())
    }
}
