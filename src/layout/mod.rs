//! OCI image layouts: artifacts in a plain directory that other programs read and write, too.
//!
//! Source: OCI image specification, image-layout.md.

pub(crate) mod document;
pub(crate) mod error;
pub(crate) mod files;
#[expect(
    clippy::module_inception,
    reason = "the thing has the name of its room"
)]
pub(crate) mod layout;

pub use error::LayoutError;
pub use layout::{LayoutBlob, LayoutEntry, OciLayout};
