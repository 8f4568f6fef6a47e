//! Where no call is known that hides what is typed, nothing is asked for.

use std::io;

/// Cannot be made here.
#[derive(Debug)]
pub(crate) struct Silence(());

impl Silence {
    pub(crate) fn begin() -> io::Result<Self> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "what is typed could not be hidden: give the password with --password-stdin",
        ))
    }
}
