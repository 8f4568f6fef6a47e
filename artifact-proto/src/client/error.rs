//! How the outgoing client fails.

use artifact_core::{BoxError, Digest, ErrorKind, ManifestError};

/// How a call to another registry fails. No variant holds a credential (I27).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The registry answered with an error.
    #[error("{origin} refused to {operation}: {status}{}", detail(.code.as_deref(), .message.as_deref()))]
    Answer {
        /// The registry.
        origin: String,
        /// What was asked of it.
        operation: String,
        /// The HTTP status.
        status: u16,
        /// The first error's code in the body of the answer, if it had one.
        code: Option<String>,
        /// The first error's message, shortened and without control characters.
        message: Option<String>,
    },
    /// The credentials for a registry cannot be read.
    #[error("the credentials for {origin} cannot be read: {what}")]
    Credentials {
        /// The registry.
        origin: String,
        /// Where they were looked for, and what is wrong there.
        what: String,
        /// The cause.
        #[source]
        source: Option<BoxError>,
    },
    /// The bytes that came are not those that were asked for.
    #[error("{origin} sent bytes with the digest {actual} for {expected}")]
    DigestMismatch {
        /// The registry.
        origin: String,
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// What was given cannot be meant.
    #[error("{what}")]
    Invalid {
        /// What is wrong, and what would be right.
        what: String,
    },
    /// The manifest that came cannot be taken.
    #[error("the manifest that {origin} sent cannot be taken")]
    Manifest {
        /// The registry.
        origin: String,
        /// What is wrong with it.
        #[source]
        source: ManifestError,
    },
    /// It is not there, or not to be seen.
    #[error("{what} is not at {origin}")]
    NotFound {
        /// The registry.
        origin: String,
        /// What.
        what: String,
    },
    /// The registry does not keep to the protocol.
    #[error("{origin} does not keep to the protocol: {what}")]
    Protocol {
        /// The registry.
        origin: String,
        /// What it did.
        what: String,
    },
    /// The bytes to be sent cannot be read, or are not those that were announced.
    #[error("the bytes to be sent to {origin} cannot be read")]
    Source {
        /// The registry.
        origin: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// Nothing moved for too long.
    #[error("{origin} was silent for {seconds} seconds while asked to {operation}")]
    Timeout {
        /// The registry.
        origin: String,
        /// What was asked of it.
        operation: String,
        /// How long.
        seconds: u64,
    },
    /// The connection failed.
    #[error("{origin} cannot be asked to {operation}")]
    Transport {
        /// The registry.
        origin: String,
        /// What was asked of it.
        operation: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The registry wants to know who asks.
    #[error("{origin} wants to know who asks: {what}")]
    Unauthenticated {
        /// The registry.
        origin: String,
        /// What is missing.
        what: String,
    },
    /// The registry's token service is elsewhere, and is not trusted with the credentials.
    #[error(
        "{origin} wants its credentials sent to {realm}, another place: they were not sent; \
         trust {realm} for it if that is right"
    )]
    UntrustedRealm {
        /// The registry.
        origin: String,
        /// The origin of its token service.
        realm: String,
    },
}

fn detail(code: Option<&str>, message: Option<&str>) -> String {
    let parts = [code, message].into_iter().flatten();
    parts.fold(String::new(), |text, part| text + " " + part)
}

impl ClientError {
    /// Returns what kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Answer { status, code, .. } => answer_kind(*status, code.as_deref()),
            Self::Credentials { .. } | Self::Source { .. } => ErrorKind::Io,
            Self::DigestMismatch { .. } => ErrorKind::DigestMismatch,
            Self::Invalid { .. } | Self::Manifest { .. } => ErrorKind::InvalidArgument,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Protocol { .. } => ErrorKind::Backend,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::Transport { .. } => ErrorKind::Unavailable,
            Self::Unauthenticated { .. } | Self::UntrustedRealm { .. } => {
                ErrorKind::Unauthenticated
            }
        }
    }

    /// Says whether the same call may succeed when it is made again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Answer { status, .. } => {
                matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
            }
            Self::Timeout { .. } | Self::Transport { .. } => true,
            _ => false,
        }
    }
}

/// Source: OCI distribution specification 1.1, "Error Codes".
fn answer_kind(status: u16, code: Option<&str>) -> ErrorKind {
    match (status, code) {
        (_, Some("DIGEST_INVALID")) => ErrorKind::DigestMismatch,
        // A token that does not reach so far is answered like a missing one, and is a refusal.
        (403, _) | (401, Some("DENIED")) => ErrorKind::Denied,
        (401, _) => ErrorKind::Unauthenticated,
        (404, _) => ErrorKind::NotFound,
        (405, _) => ErrorKind::Unsupported,
        (409 | 412, _) => ErrorKind::Conflict,
        (413, _) => ErrorKind::TooLarge,
        (416, _) => ErrorKind::Range,
        (400 | 415 | 422, _) => ErrorKind::InvalidArgument,
        (507, _) => ErrorKind::NoSpace,
        (408 | 425 | 429 | 502..=504, _) => ErrorKind::Unavailable,
        _ => ErrorKind::Backend,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_prints_what_it_said() {
        let mut error = ClientError::Answer {
            origin: "https://a.example".into(),
            operation: "push x".into(),
            status: 403,
            code: Some("DENIED".into()),
            message: Some("no".into()),
        };
        assert_eq!(
            error.to_string(),
            "https://a.example refused to push x: 403 DENIED no"
        );
        assert_eq!(error.kind(), ErrorKind::Denied);
        if let ClientError::Answer { code, message, .. } = &mut error {
            *code = None;
            *message = None;
        }
        assert_eq!(
            error.to_string(),
            "https://a.example refused to push x: 403"
        );
    }
}
