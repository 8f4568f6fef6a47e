//! Signals that ask the program to end.

use std::io;

/// Waits for whoever asks the program to end.
#[derive(Debug)]
pub(crate) struct Stop {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stop {
    /// Takes the signals: from now on they do not end the process by themselves.
    pub(crate) fn prepare() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for SIGTERM or SIGINT, and returns the signal's number.
    pub(crate) async fn asked(&mut self) -> u8 {
        tokio::select! {
            _ = self.terminate.recv() => 15,
            _ = self.interrupt.recv() => 2,
        }
    }
}

#[cfg(not(unix))]
impl Stop {
    #[expect(clippy::unnecessary_wraps, reason = "its twin can fail")]
    pub(crate) fn prepare() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for Ctrl-C, and returns the number that POSIX gives it.
    pub(crate) async fn asked(&mut self) -> u8 {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        2
    }
}
