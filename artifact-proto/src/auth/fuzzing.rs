//! Parsers of what comes from outside that are nobody's interface, for tests that feed them noise.

use artifact_core::Timestamp;

use super::{
    scope::Scopes,
    token::{Token, TokenKey},
};

/// Returns a token that is good at that time.
pub fn seal_token(key: &TokenKey, now: Timestamp, scopes: Scopes) -> String {
    let token = Token {
        user: None,
        issued_at: now,
        scopes,
    };
    token.seal(key)
}

/// Says whether a text is a token that is good at that time.
pub fn is_token(text: &str, key: &TokenKey, now: Timestamp) -> bool {
    Token::open(text, key, now).is_ok()
}
