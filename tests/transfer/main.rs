//! Moving artifacts between directories, layouts and packages.
#![cfg(test)]

mod copies;
mod directories;
#[cfg(feature = "remote")]
mod remote;
mod support;
