//! artifact-proto
