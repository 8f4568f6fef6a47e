//! Credentials, and who knows them.

use std::{collections::BTreeMap, fmt};

use futures::{FutureExt as _, future::BoxFuture};

use super::{error::ClientError, origin::Origin};
use artifact_core::OciName;

/// A text that is printed nowhere (I27).
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// Returns the secret with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text; whoever asks must not print it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What proves who asks.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the exchange must know how to send each of them"
)]
pub enum Credential {
    /// A name and a password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token that the registry itself takes.
    Bearer(Secret),
    /// A token that the token service exchanges for one that the registry takes.
    Identity(Secret),
}

/// Knows the credentials for registries.
pub trait Credentials: fmt::Debug + Send + Sync + 'static {
    /// Returns the credentials for what is called `name` at the registry, or for the registry as a
    /// whole; `None` when there are none.
    ///
    /// # Errors
    /// [`ClientError::Credentials`] when they cannot be read.
    fn find<'a>(
        &'a self,
        origin: &'a Origin,
        name: Option<&'a OciName>,
    ) -> BoxFuture<'a, Result<Option<Credential>, ClientError>>;
}

/// Credentials that are given for certain origins, and none for any other.
#[derive(Clone, Debug, Default)]
pub struct FixedCredentials(BTreeMap<Origin, Credential>);

impl FixedCredentials {
    /// Returns no credentials at all: every call is anonymous.
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds the credentials for an origin.
    #[must_use]
    pub fn with(mut self, origin: Origin, credential: Credential) -> Self {
        self.0.insert(origin, credential);
        self
    }
}

impl Credentials for FixedCredentials {
    fn find<'a>(
        &'a self,
        origin: &'a Origin,
        _: Option<&'a OciName>,
    ) -> BoxFuture<'a, Result<Option<Credential>, ClientError>> {
        async { Ok(self.0.get(origin).cloned()) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I27: no debug line shows a password.
    #[test]
    fn i27_a_secret_is_not_printed() {
        let credential = Credential::Basic {
            user: "ann".into(),
            password: Secret::new("hunter2"),
        };
        assert!(!format!("{credential:?}").contains("hunter2"));
    }
}
