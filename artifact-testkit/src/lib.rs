//! Conformance suites for backends of artifact.
#![forbid(unsafe_code)]

pub mod seams;
