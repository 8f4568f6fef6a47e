//! Credentials: what the header `Authorization` offers. Pure.

use artifact_core::guard;
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, header::AUTHORIZATION};

use super::password::PASSWORD_MAX;

/// What a request says of who sends it.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum Credentials {
    /// A name and a password.
    Basic {
        /// The name, as it was given.
        user: String,
        /// The password.
        password: String,
    },
    /// A token.
    Bearer(String),
    /// Nothing, or an empty name: anybody.
    None,
    /// Something that cannot be meant.
    Unreadable,
}

impl Credentials {
    /// Reads the credentials of a request.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            let any = headers.contains_key(AUTHORIZATION);
            return if any { Self::Unreadable } else { Self::None };
        };
        let Some((scheme, rest)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
            return Self::Unreadable;
        };
        if scheme.eq_ignore_ascii_case("basic") {
            Self::basic(rest.trim()).unwrap_or(Self::Unreadable)
        } else if scheme.eq_ignore_ascii_case("bearer") {
            Self::Bearer(rest.trim().to_owned())
        } else {
            Self::Unreadable
        }
    }

    /// Returns the credentials of a name and a password; an empty name is anybody.
    pub fn named(user: &str, password: &str) -> Self {
        if user.is_empty() {
            return Self::None;
        }
        Self::Basic {
            user: user.to_owned(),
            password: password.to_owned(),
        }
    }

    /// Source: RFC 7617, section 2.
    fn basic(text: &str) -> Option<Self> {
        const TOLERANT: GeneralPurpose = GeneralPurpose::new(
            &alphabet::STANDARD,
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
        );
        if guard!(519) && text.len() > 4 * PASSWORD_MAX {
            return None;
        }
        let text = String::from_utf8(TOLERANT.decode(text).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Self::named(user, password))
    }
}

impl std::fmt::Debug for Credentials {
    /// Leaves the secrets out (I27).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(..)",
            Self::Bearer(_) => "Bearer(..)",
            Self::None => "None",
            Self::Unreadable => "Unreadable",
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&str]) -> Credentials {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        Credentials::of(&headers)
    }

    #[test]
    fn basic_and_bearer_are_read() {
        let ann = Credentials::named("ann", "a:b");
        for value in [
            "Basic YW5uOmE6Yg==",
            "basic YW5uOmE6Yg",
            "BASIC  YW5uOmE6Yg==",
        ] {
            assert_eq!(of(&[value]), ann, "{value}");
        }
        assert_eq!(
            of(&["Bearer abc.def"]),
            Credentials::Bearer("abc.def".into())
        );
        assert_eq!(of(&[]), Credentials::None);
    }

    #[test]
    fn an_empty_name_is_anybody() {
        assert_eq!(of(&["Basic Og=="]), Credentials::None);
        assert_eq!(of(&["Basic OnNlY3JldA=="]), Credentials::None);
    }

    #[test]
    fn what_cannot_be_meant_is_nobody() {
        for bad in [
            "Basic",
            "Basic ===",
            "Basic YW5u",
            "Basic /w==",
            "Digest x",
            "x",
            "",
        ] {
            assert_eq!(of(&[bad]), Credentials::Unreadable, "{bad}");
        }
        assert_eq!(of(&["Basic Og==", "Basic Og=="]), Credentials::Unreadable);
        let long = BASE64.encode(format!("ann:{}", "x".repeat(4 * PASSWORD_MAX)));
        let long = format!("Basic {long}");
        assert_eq!(of(&[&long]), Credentials::Unreadable);
    }

    /// I27: no secret in a debug line.
    #[test]
    fn i27_secrets_are_not_printed() {
        let printed = format!(
            "{:?}",
            (
                Credentials::named("ann", "canary"),
                Credentials::Bearer("canary".into())
            )
        );
        assert!(!printed.contains("canary"), "{printed}");
    }
}
