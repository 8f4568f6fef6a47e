//! What the tests share.

pub mod client;
pub mod goods;
pub mod server;

pub use client::{Client, Reply};
pub use goods::{Image, digest, image, noise, sha512};
pub use server::{Setup, TestServer, server};
