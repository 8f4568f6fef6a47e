//! The durable index: SQLite.

mod apply;
mod batch;
mod check;
mod codec;
mod committer;
mod connection;
mod failure;
pub(crate) mod index;
mod job;
mod journaling;
pub(crate) mod ladder;
pub(crate) mod maintenance;
pub(crate) mod migrate;
mod note;
pub(crate) mod options;
mod read;
mod readers;
mod refusal;
mod replay;
mod schema;
mod state;
mod statement;
mod terms;
mod writer;
