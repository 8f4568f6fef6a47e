//! The engine, through the facade: what it promises, over each kind of storage.

mod disk;
mod memory;
mod support;
