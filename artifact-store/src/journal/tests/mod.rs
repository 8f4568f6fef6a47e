//! The journal as a whole, on a real directory.

mod log;
mod rewrite;
