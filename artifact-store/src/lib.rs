//! Blob stores and indexes of artifact, and the directory that holds a registry.
#![deny(unsafe_code)]

pub mod sys;
