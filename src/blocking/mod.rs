//! The blocking face: the same calls, polled on the caller's thread.
//!
//! There is one implementation, and it is asynchronous. A blocking call polls it where it was made,
//! which costs a few nanoseconds, and needs no runtime. Only side work of a transfer goes to the
//! registry's threads.

mod session;
mod stream;
mod wait;

pub use self::{
    session::{Feed, Session},
    stream::{BlobReader, Upload},
    wait::wait,
};
