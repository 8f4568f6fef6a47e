//! Moving artifacts between directories, layouts and packages.

mod copies;
mod directories;
mod support;
