//! Clients: who draws what to ask, asks it, and takes the answer to the oracle.

mod base;
mod changes;
mod looks;
mod memory;
mod pushes;
mod turn;
mod upkeep;
mod uploads;

pub(crate) use base::{Client, Place};
pub(crate) use memory::{AUDITOR, Memory};
