//! A terminal that does not show what is typed (POSIX: `tcsetattr`).

use std::io;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// As long as it lives, what is typed is not shown.
#[derive(Debug)]
pub(crate) struct Silence {
    before: Termios,
}

impl Silence {
    pub(crate) fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self { before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that is gone needs no mending.
        let restored = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        let _ = restored;
    }
}
