//! Tokens: what a bearer may do for five minutes, under a key of the registry.
//!
//! A token is its payload and a MAC of it. It names no algorithm, no key and no issuer, so there is
//! nothing in it that a verifier could be talked into (A23).

use std::{fmt, time::Duration};

use artifact_core::{Generation, Timestamp, UserName, guard};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::scope::{Scope, Scopes};

/// How long a token is good for.
pub const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// How far in the future a token may have been given out: another machine's clock.
const SKEW_MILLIS: i64 = 60_000;

/// The longest token that is looked at, in bytes.
const TOKEN_MAX: usize = 24 << 10;

/// What the MAC is of, before the payload: no other use of the key can be taken for a token.
const CONTEXT: &[u8] = b"artifact token 1\n";

/// The key under which a registry gives out tokens.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// Returns the key made of these random bytes, which the registry keeps.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn mac(&self, payload: &str) -> Hmac<Sha256> {
        let mut mac = keyed(&self.0);
        mac.update(CONTEXT);
        mac.update(payload.as_bytes());
        mac
    }
}

/// Returns a MAC under a key.
pub(crate) fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

impl fmt::Debug for TokenKey {
    /// Leaves the key out (I27).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

/// What a token says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Token {
    /// The user to whom it was given, with the generation of the record then; `None` for one that
    /// was given to nobody in particular.
    pub(super) user: Option<(UserName, Generation)>,
    /// When it was given out.
    pub(super) issued_at: Timestamp,
    /// What it lets its bearer do.
    pub(super) scopes: Scopes,
}

#[derive(Deserialize, Serialize)]
struct Payload {
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    user: Option<(UserName, Generation)>,
    #[serde(rename = "i")]
    issued_at: Timestamp,
    #[serde(rename = "s", default)]
    scopes: Vec<String>,
}

impl Token {
    /// Returns the token that lets its bearer do this.
    pub(super) const fn new(
        user: Option<(UserName, Generation)>,
        issued_at: Timestamp,
        scopes: Scopes,
    ) -> Self {
        Self {
            user,
            issued_at,
            scopes,
        }
    }

    /// Returns the token as it is given out.
    pub(super) fn seal(&self, key: &TokenKey) -> String {
        let payload = Payload {
            user: self.user.clone(),
            issued_at: self.issued_at,
            scopes: self.scopes.iter().map(Scope::to_string).collect(),
        };
        let payload = serde_json::to_vec(&payload).expect("texts and numbers are JSON");
        let mut text = URL_SAFE_NO_PAD.encode(payload);
        let mac = key.mac(&text).finalize().into_bytes();
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(mac, &mut text);
        text
    }

    /// Reads a token that was given out under this key and is still good.
    ///
    /// # Errors
    /// [`TokenError`]. Whatever is wrong with a forged one, it is [`TokenError::Forged`].
    pub(super) fn open(text: &str, key: &TokenKey, now: Timestamp) -> Result<Self, TokenError> {
        if guard!(527) && text.len() > TOKEN_MAX {
            return Err(TokenError::Forged);
        }
        let (payload, mac) = text.split_once('.').ok_or(TokenError::Forged)?;
        let mac = URL_SAFE_NO_PAD
            .decode(mac)
            .map_err(|_| TokenError::Forged)?;
        // Compares in constant time.
        let fits = key.mac(payload).verify_slice(&mac);
        guard!(391, fits).map_err(|_| TokenError::Forged)?;
        let payload = URL_SAFE_NO_PAD
            .decode(payload)
            .map_err(|_| TokenError::Forged)?;
        let payload: Payload = serde_json::from_slice(&payload).map_err(|_| TokenError::Forged)?;
        let age = now
            .as_millis()
            .saturating_sub(payload.issued_at.as_millis());
        let life = i64::try_from(TOKEN_LIFE.as_millis()).unwrap_or(i64::MAX);
        if guard!(392) && age >= life {
            return Err(TokenError::Expired);
        }
        if guard!(393) && age < -SKEW_MILLIS {
            return Err(TokenError::Expired);
        }
        Ok(Self {
            user: payload.user,
            issued_at: payload.issued_at,
            scopes: Scopes::parse(payload.scopes.iter().map(String::as_str)),
        })
    }
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It was good once, or will be.
    #[error("the token has expired: ask for another")]
    Expired,
    /// It was not given out by this registry.
    #[error("the token was not given out here")]
    Forged,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_267_200_000);

    fn token() -> (Token, TokenKey) {
        let scopes = Scopes::parse(["repository:a:pull,push", "registry:catalog:*"].into_iter());
        let user = Some(("ann".parse().unwrap(), Generation::new(3)));
        (Token::new(user, NOW, scopes), TokenKey::new([7; 32]))
    }

    #[test]
    fn a_token_reads_back_until_it_expires() {
        let (token, key) = token();
        let text = token.seal(&key);
        assert_eq!(Token::open(&text, &key, NOW), Ok(token.clone()));
        assert_eq!(
            Token::open(&text, &key, NOW.plus_millis(299_999)),
            Ok(token)
        );
        assert_eq!(
            Token::open(&text, &key, NOW.plus_millis(300_000)),
            Err(TokenError::Expired)
        );
        assert_eq!(
            Token::open(&text, &key, NOW.plus_millis(-60_001)),
            Err(TokenError::Expired)
        );
    }

    /// A23, A25: nothing but a token of this key opens, and nothing else is read of what does not.
    #[test]
    fn a23_a_forged_token_is_refused() {
        let (token, key) = token();
        let text = token.seal(&key);
        let other = token.seal(&TokenKey::new([8; 32]));
        let (payload, mac) = text.split_once('.').unwrap();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        // One that is good, but for its length.
        let long = format!(r#"{{"i":0,"x":"{}"}}"#, "x".repeat(TOKEN_MAX));
        let mut sealed = URL_SAFE_NO_PAD.encode(long);
        let seal = key.mac(&sealed).finalize().into_bytes();
        sealed.push('.');
        URL_SAFE_NO_PAD.encode_string(seal, &mut sealed);
        for forged in [
            sealed,
            String::new(),
            ".".to_owned(),
            payload.to_owned(),
            format!("{payload}."),
            format!(".{mac}"),
            format!("{payload}.{mac}."),
            format!("{payload}.{}", &mac[1..]),
            format!("x{payload}.{mac}"),
            format!("{none}.{payload}.{mac}"),
            other,
            ".".repeat(1_000_000),
            "a".repeat(1 << 20),
        ] {
            let short = forged.get(..40).unwrap_or(&forged).to_owned();
            assert_eq!(
                Token::open(&forged, &key, NOW),
                Err(TokenError::Forged),
                "{short}"
            );
        }
    }

    /// I27: a key prints nothing of itself.
    #[test]
    fn i27_a_key_prints_nothing() {
        assert_eq!(format!("{:?}", TokenKey::new([7; 32])), "TokenKey(..)");
    }
}
