//! The seams of a program: real time, real chance, real threads.

pub(crate) mod clock;
pub(crate) mod threads;
pub(crate) mod tokio;
