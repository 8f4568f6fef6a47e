//! Moving artifacts: between packages of a registry, OCI layouts, and other registries.

pub(crate) mod bytes;
pub(crate) mod copy;
pub(crate) mod error;
pub(crate) mod local;
pub(crate) mod meter;
pub(crate) mod place;
#[cfg(feature = "remote")]
pub(crate) mod remote;

pub use copy::{Copied, CopyOptions, Transfer};
pub use error::TransferError;
pub use local::LocalPackage;
pub use meter::{Meter, Progress};
pub use place::Place;
