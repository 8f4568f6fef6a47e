//! The index in memory: the model that the others are compared with.
//!
//! It is written to be obviously right, and keeps every row it ever had: a change set is made on a
//! copy of the whole state, and a question is answered by walking it.

mod apply;
mod blobs;
mod edit;
mod history;
pub(crate) mod index;
mod manifests;
mod note;
mod packages;
mod read;
mod state;
