//! Why a whole batch fails: an error that can be told to each of those who wait.

use artifact_core::{Epoch, IndexError};

use super::failure::{BACKEND, backend};

/// Why a whole batch fails.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// Another process is inside a commit.
    Busy,
    /// The index was closed.
    Closed,
    /// A stored row cannot be read.
    Corrupt { place: String },
    /// The backend failed.
    Failed {
        operation: &'static str,
        text: String,
    },
    /// No space is left.
    NoSpace {
        operation: &'static str,
        text: String,
    },
    /// A sync failed before.
    Poisoned,
    /// The index takes no writes.
    ReadOnly,
    /// The registry was rebuilt or restored since.
    StaleEpoch(Epoch),
}

impl Refusal {
    /// Returns the refusal that says what an error says.
    pub(super) fn of(error: &IndexError) -> Self {
        match error {
            IndexError::Busy => Self::Busy,
            IndexError::Corrupt { place } => Self::Corrupt {
                place: place.clone(),
            },
            IndexError::NoSpace { operation, .. } => Self::NoSpace {
                operation,
                text: reason(error),
            },
            IndexError::Poisoned { .. } => Self::Poisoned,
            IndexError::ReadOnly { .. } => Self::ReadOnly,
            IndexError::StaleEpoch { found } => Self::StaleEpoch(*found),
            IndexError::Backend { operation, .. } => Self::Failed {
                operation,
                text: reason(error),
            },
            other => Self::Failed {
                operation: "a transaction",
                text: other.to_string(),
            },
        }
    }

    /// Returns the error for one of those who wait.
    pub(super) fn error(&self) -> IndexError {
        match self.clone() {
            Self::Busy => IndexError::Busy,
            Self::Closed => backend("a write", "the index is closed"),
            Self::Corrupt { place } => IndexError::Corrupt { place },
            Self::Failed { operation, text } => backend(operation, text),
            Self::NoSpace { operation, text } => IndexError::NoSpace {
                backend: BACKEND,
                operation,
                source: text.into(),
            },
            Self::Poisoned => IndexError::Poisoned { backend: BACKEND },
            Self::ReadOnly => IndexError::ReadOnly { backend: BACKEND },
            Self::StaleEpoch(found) => IndexError::StaleEpoch { found },
        }
    }
}

/// Returns what an error's sources say; the error itself is made anew.
fn reason(error: &IndexError) -> String {
    let mut text = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
