//! artifact-testkit
