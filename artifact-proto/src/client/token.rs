//! Tokens: what a registry's token service gives for credentials.
//!
//! Source: the token authentication of the Docker registry: a token for an unauthenticated caller,
//! for a name and a password (GET), and for an identity token (POST, OAuth 2).

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;

use super::{
    credential::{Credential, Secret},
    error::ClientError,
    origin::Origin,
};

/// How long a token holds of which nothing is said.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);

/// The name by which this program is known to token services.
const CLIENT_ID: &str = "artifact";

/// A request to a token service.
#[derive(Debug)]
pub(super) struct TokenRequest {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) form: Option<String>,
}

/// Where a token service is, and what the token must be for.
#[derive(Debug)]
pub(super) struct TokenService {
    pub(super) url: Url,
    pub(super) origin: Origin,
    pub(super) service: Option<String>,
    pub(super) scopes: Vec<String>,
}

impl TokenService {
    /// Reads a challenge of a registry, which asks for `asked` where `wanted` is to be done.
    ///
    /// # Errors
    /// [`ClientError::Protocol`] when the service is at no address that may be asked.
    pub(super) fn new(
        registry: &Origin,
        realm: &str,
        service: Option<String>,
        asked: Option<&str>,
        wanted: &[String],
    ) -> Result<Self, ClientError> {
        let wrong = |what: &str| ClientError::Protocol {
            origin: registry.to_string(),
            what: format!("its token service is at {:?}, {what}", shorten(realm)),
        };
        let url: Url = realm.parse().map_err(|_| wrong("which is no URL"))?;
        let origin = Origin::of(&url).ok_or_else(|| wrong("which is not HTTP"))?;
        if registry.is_tls() && !origin.is_tls() {
            return Err(wrong("which is not encrypted as the registry is"));
        }
        if origin.is_loopback() && !registry.is_loopback() {
            return Err(wrong("which is this machine and not the registry's"));
        }
        let mut scopes = wanted.to_vec();
        scopes.extend(
            asked
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned),
        );
        scopes.sort();
        scopes.dedup();
        Ok(Self {
            url,
            origin,
            service,
            scopes,
        })
    }

    /// Returns the request for a token, with these credentials or as nobody.
    pub(super) fn request(&self, credential: Option<&Credential>) -> TokenRequest {
        let mut url = self.url.clone();
        if let Some(Credential::Identity(token)) = credential {
            let scopes = self.scopes.join(" ");
            let service = self.service.as_deref().unwrap_or_default();
            let form = [
                ("grant_type", "refresh_token"),
                ("client_id", CLIENT_ID),
                ("service", service),
                ("scope", &scopes),
                ("refresh_token", token.expose()),
            ];
            let form = form.map(|(key, value)| {
                format!("{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
            });
            let form = Some(form.join("&"));
            return TokenRequest {
                method: Method::POST,
                url,
                authorization: None,
                form,
            };
        }
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(self.service.iter().map(|service| ("service", service)));
            query.extend_pairs(self.scopes.iter().map(|scope| ("scope", scope)));
            query.append_pair("client_id", CLIENT_ID);
        }
        let authorization = credential.and_then(basic);
        TokenRequest {
            method: Method::GET,
            url,
            authorization,
            form: None,
        }
    }
}

impl TokenRequest {
    /// Makes it a request of the HTTP client.
    pub(super) fn into_http(self) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method, self.url);
        if let Some(value) = self.authorization {
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        if let Some(form) = self.form {
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert(CONTENT_TYPE, kind);
            *request.body_mut() = Some(form.into());
        }
        request
    }
}

/// Returns the header of a name and a password, or `None` for what is none.
pub(super) fn basic(credential: &Credential) -> Option<HeaderValue> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let Credential::Basic { user, password } = credential else {
        return None;
    };
    let encoded = STANDARD.encode(format!("{user}:{}", password.expose()));
    sensitive(&format!("Basic {encoded}"))
}

/// Returns the header of a token, or `None` when it has characters that a header cannot hold.
pub(super) fn bearer(token: &Secret) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {}", token.expose()))
}

fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What a token service answers.
#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// Reads the answer of a token service: the header that carries the token, and how long it holds.
pub(super) fn read_answer(body: &[u8]) -> Option<(HeaderValue, Duration)> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let given = |token: Option<String>| token.filter(|token| !token.is_empty());
    let token = given(answer.token).or_else(|| given(answer.access_token))?;
    // Source: the specification of the token: clients take less than a minute for a minute.
    let life = answer
        .expires_in
        .map_or(DEFAULT_LIFE, Duration::from_secs)
        .max(DEFAULT_LIFE);
    Some((bearer(&Secret::new(token))?, life))
}

fn shorten(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(registry: &str, realm: &str) -> Result<TokenService, ClientError> {
        let registry = registry.parse().unwrap();
        let wanted = ["repository:a:pull".to_owned()];
        TokenService::new(
            &registry,
            realm,
            Some("s".into()),
            Some("repository:a:pull x"),
            &wanted,
        )
    }

    #[test]
    fn each_kind_of_credential_has_its_request() {
        let service = service("a.example", "https://a.example/t?x=1").unwrap();
        let nobody = service.request(None);
        assert_eq!(
            nobody.url.as_str(),
            "https://a.example/t?x=1&service=s&scope=repository%3Aa%3Apull&scope=x&client_id=artifact"
        );
        assert!(nobody.authorization.is_none());
        let user = Credential::Basic {
            user: "u".into(),
            password: Secret::new("p"),
        };
        let user = service.request(Some(&user));
        assert_eq!(user.authorization.unwrap(), "Basic dTpw");
        let identity = service.request(Some(&Credential::Identity(Secret::new("a b&c"))));
        assert_eq!(identity.method, Method::POST);
        assert_eq!(identity.url.as_str(), "https://a.example/t?x=1");
        assert!(identity.form.unwrap().ends_with("&refresh_token=a%20b%26c"));
    }

    #[test]
    fn an_answer_gives_a_header_and_a_life() {
        let (header, life) = read_answer(br#"{"token":"t","expires_in":300}"#).unwrap();
        assert_eq!(
            (header.to_str().unwrap(), life.as_secs()),
            ("Bearer t", 300)
        );
        assert!(header.is_sensitive());
        let (header, life) = read_answer(br#"{"token":"","access_token":"u"}"#).unwrap();
        assert_eq!((header.to_str().unwrap(), life.as_secs()), ("Bearer u", 60));
        for bad in [&b""[..], b"{}", br#"{"token":""}"#, br#"{"token":"a\nb"}"#] {
            assert!(
                read_answer(bad).is_none(),
                "{}",
                String::from_utf8_lossy(bad)
            );
        }
    }

    /// A64, A65: a registry cannot send us where it likes.
    #[test]
    fn a65_a_token_service_is_where_it_may_be() {
        for (registry, realm) in [
            ("a.example", "http://a.example/t"),
            ("a.example", "https://127.0.0.1/t"),
            ("a.example", "https://[::1]/t"),
            ("a.example", "https://localhost/t"),
            ("a.example", "file:///etc/passwd"),
            ("a.example", "/t"),
            ("a.example", ""),
        ] {
            assert!(service(registry, realm).is_err(), "{registry} {realm}");
        }
        assert!(service("127.0.0.1:5000", "http://127.0.0.1:5001/t").is_ok());
    }
}
