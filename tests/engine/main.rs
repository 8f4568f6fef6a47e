//! The engine, through the facade: what it promises, over each kind of storage.

mod support;

mod access;
mod artifacts;
mod blobs;
mod collection;
mod history;
