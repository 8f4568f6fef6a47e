//! Directories of files, pushed and pulled as one artifact each.

pub(crate) mod file;
pub(crate) mod list;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod remains;
pub(crate) mod tree;
pub(crate) mod walk;

pub use pull::{PullOptions, Pulled};
pub use push::{PushOptions, PushedDirectory};
pub use walk::lies_in;
