//! Seams for tests: a clock that is moved by hand, chance from a seed, and work on the test's own
//! runtime.

mod clock;
mod rng;
mod spawn;

pub use clock::FakeClock;
pub use rng::SeededRng;
pub use spawn::TokioSpawn;
