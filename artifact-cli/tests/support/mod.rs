//! What the tests stand on: a bench in a directory of its own, servers, and a relay that stalls.

pub(crate) mod bench;
pub(crate) mod image;
pub(crate) mod relay;
pub(crate) mod run;
pub(crate) mod server;
pub(crate) mod tree;
