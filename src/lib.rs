//! artifact, the embeddable artifact repository.
#![forbid(unsafe_code)]

pub mod blocking;
mod seams;

pub use artifact_core::*;
pub use artifact_store::{MemoryBlobStore, MemoryIndex};

pub use seams::{clock::SystemClock, threads::Threads, tokio::Tokio};
