//! The outgoing client against registries that are as registries are: slow, broken, and not always
//! honest.
#![cfg(test)]

mod auth;
mod lists;
mod registry;
mod transfer;
