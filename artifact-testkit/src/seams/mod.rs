//! Seams for tests: a clock that is moved by hand, chance from a seed, and work: on the test's own
//! runtime, or one step at a time in an order that a seed draws.

mod clock;
mod rng;
mod simulated;
mod spawn;

pub use clock::FakeClock;
pub use rng::SeededRng;
pub use simulated::{Simulated, Step};
pub use spawn::TokioSpawn;
