//! Moving artifacts between directories, layouts and packages.

mod copies;
mod directories;
#[cfg(feature = "remote")]
mod remote;
mod support;
