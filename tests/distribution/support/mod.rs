//! What the tests share.

pub(crate) mod client;
pub(crate) mod goods;
pub(crate) mod house;
pub(crate) mod raw;
pub(crate) mod server;
pub(crate) mod team;

pub(crate) use client::{Client, Reply};
pub(crate) use goods::{Image, digest, image, noise, sha512};
pub(crate) use server::{Setup, TestServer, server};
