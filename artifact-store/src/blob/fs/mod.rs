//! Blobs in a directory of a local file system.
//!
//! A key says where its bytes are (`place`). Own files are written by `file_writer` and published by
//! `staged`; slots are written by `slot_writer` into a `segment`, and made durable in `group`s. What
//! is in a segment stands in its `table`; `recover` ends what dead processes left half done.

mod append;
mod error;
mod file_writer;
mod files;
mod frame;
mod group;
mod layout;
mod live;
mod local;
mod open_slot;
mod origin;
mod paths;
mod place;
mod read;
mod recover;
mod segment;
mod segments;
mod shared;
mod slot_bytes;
mod slot_lock;
mod slot_writer;
mod slots;
mod staged;
pub(crate) mod store;
mod table;
mod walk;
