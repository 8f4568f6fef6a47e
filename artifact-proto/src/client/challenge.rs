//! What a registry says when it wants to know who asks.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// A challenge that can be answered.
///
/// Source: RFC 9110, section 11.6.1; RFC 7617; the token authentication of the Docker registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Challenge {
    /// A name and a password, with the request itself.
    Basic,
    /// A token of this service.
    Bearer {
        /// The URL of the token service.
        realm: String,
        /// What the token is for.
        service: Option<String>,
        /// What the token must allow.
        scope: Option<String>,
        /// What was wrong with the token that was sent.
        error: Option<String>,
    },
}

/// Returns the challenges of an answer, Bearer before Basic: a token tells less than a password.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter();
    let mut found: Vec<_> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(parse)
        .collect();
    found.sort_by_key(|challenge| *challenge == Challenge::Basic);
    found
}

/// Parses one header line, which may hold several challenges.
fn parse(line: &str) -> Vec<Challenge> {
    let mut rest = line;
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((token, after)) = token(rest) else {
            break;
        };
        let value = after.trim_start().strip_prefix('=');
        match (value, found.last_mut()) {
            // `name=value` belongs to the scheme before it.
            (Some(value), Some((_, parameters))) => {
                let Some((value, after)) = parameter_value(value.trim_start()) else {
                    break;
                };
                parameters.push((token.to_ascii_lowercase(), value));
                rest = after;
            }
            (Some(_), None) => break,
            (None, _) => {
                found.push((token.to_ascii_lowercase(), Vec::new()));
                rest = after;
            }
        }
    }
    found
        .into_iter()
        .filter_map(|(scheme, parameters)| challenge(&scheme, &parameters))
        .collect()
}

fn challenge(scheme: &str, parameters: &[(String, String)]) -> Option<Challenge> {
    let take = |name: &str| {
        parameters
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: take("realm")?,
            service: take("service"),
            scope: take("scope"),
            error: take("error"),
        }),
        _ => None,
    }
}

/// Splits a token off, as RFC 9110, section 5.6.2, defines it.
fn token(text: &str) -> Option<(&str, &str)> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(value, rest)| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, quoted.get(at + 1..).unwrap_or_default())),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.into(),
            service: Some("s".into()),
            scope: scope.map(Into::into),
            error: None,
        }
    }

    #[test]
    fn the_forms_that_registries_send_are_read() {
        assert_eq!(
            parse(
                r#"Bearer realm="https://a.example/token",service="s",scope="repository:a/b:pull,push""#
            ),
            [bearer(
                "https://a.example/token",
                Some("repository:a/b:pull,push")
            )]
        );
        assert_eq!(parse(r#"Basic realm="registry""#), [Challenge::Basic]);
        assert_eq!(parse("basic"), [Challenge::Basic]);
        assert_eq!(
            parse(r#"Basic realm="x, y=\"z\"", BEARER realm=r , Service = "s""#),
            [Challenge::Basic, bearer("r", None)]
        );
    }

    #[test]
    fn a_token_is_preferred() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "Basic realm=x".parse().unwrap());
        headers.append(
            WWW_AUTHENTICATE,
            r#"Bearer realm="r",service="s""#.parse().unwrap(),
        );
        assert_eq!(challenges(&headers), [bearer("r", None), Challenge::Basic]);
    }

    #[test]
    fn what_cannot_be_read_is_no_challenge() {
        for bad in [
            "",
            "=",
            "a=b",
            "Bearer",
            r#"Bearer realm="open"#,
            "Negotiate abc==",
            "Digest realm=x",
            "é",
        ] {
            assert_eq!(parse(bad), [], "{bad:?}");
        }
        // One that is cut off does not hide the one before.
        assert_eq!(
            parse(r#"Basic realm="a", Bearer realm="b"#),
            [Challenge::Basic]
        );
    }
}
