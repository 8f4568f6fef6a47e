//! Who asks.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::name::UserName;

/// What those may do who do not say who they are. Who does say it may do no less.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a door must decide on each of them"
)]
pub enum AnonymousAccess {
    /// Nothing.
    #[default]
    None,
    /// Read everything.
    Read,
    /// Read, write and delete everything, but administer nothing.
    Write,
}

/// Who asks; there is no call without one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Principal {
    /// Somebody who did not say who, and what such a one may do at this door.
    Anonymous(AnonymousAccess),
    /// The program that the library is linked into, or its user at the command line: whoever may
    /// read and write the directory may do everything.
    Embedder,
    /// The registry itself: collection, scrub, recovery.
    System,
    /// A user who proved to be one.
    User(UserName),
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous(_) => f.write_str("anonymous"),
            Self::Embedder => f.write_str("embedder"),
            Self::System => f.write_str("system"),
            Self::User(name) => write!(f, "user {name}"),
        }
    }
}
