//! One request and its answer: who asks, where it leads, and when it is asked again.

use std::{collections::HashMap, time::Duration};

use artifact_core::{OciName, guard};
use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use reqwest::{
    Method, Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    activity::{Activity, SizedBody},
    answer::{ANSWER_MAX, answer_error, location, read_bounded, silence, transport},
    challenge::{Challenge, challenges},
    credential::Credential,
    error::ClientError,
    options::ClientOptions,
    origin::Origin,
    token::{TokenRequest, TokenService, basic, bearer, read_answer},
};

/// How many redirects are followed.
const HOPS_MAX: usize = 5;

/// How much earlier than said a token is taken for expired.
const EXPIRY_MARGIN: Duration = Duration::from_secs(10);

/// The longest wait that a registry may ask for before a call is made again.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What is said to who needs credentials and has none.
const NO_CREDENTIALS: &str = "there are no credentials for it: log in with docker or podman, or set \
                              ARTIFACT_HOST, ARTIFACT_USERNAME and ARTIFACT_PASSWORD";

/// The registry that image names without a host mean, and its token service.
const HUB: (&str, &str) = ("https://registry-1.docker.io", "https://auth.docker.io");

/// What a request is for: which registry, which name at it, and what is to be done there.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Purpose {
    pub(super) origin: Origin,
    pub(super) name: Option<OciName>,
    /// The scopes of a token that allows it, in order.
    pub(super) scopes: Vec<String>,
}

/// A request that can be sent again.
pub(super) struct Ask<'a> {
    pub(super) purpose: &'a Purpose,
    /// What is asked, for messages: `push sha256:...`.
    pub(super) operation: &'a str,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Content<'a>,
}

/// The body of a request.
pub(super) enum Content<'a> {
    None,
    Bytes(Bytes),
    /// Made anew each time that the request is sent.
    Stream(&'a (dyn MakeBody + 'a)),
}

/// Makes a body that is streamed.
pub(super) trait MakeBody: Sync {
    fn make(&self, activity: Activity) -> BoxFuture<'_, Result<SizedBody, ClientError>>;
}

/// Sends requests.
#[derive(Debug)]
pub(super) struct Exchange {
    options: ClientOptions,
    http: reqwest::Client,
    /// For loopback, which no proxy can reach.
    direct: reqwest::Client,
    held: Mutex<HashMap<Purpose, Held>>,
}

/// What made a registry take a request.
#[derive(Clone, Debug)]
struct Held {
    header: HeaderValue,
    expires: Option<Instant>,
}

/// What was tried to make a registry take a request.
#[derive(Debug, Default)]
struct Tried {
    fresh: bool,
    /// There were no credentials for the registry.
    nobody: bool,
    /// The token service elsewhere that got no credentials although there are some.
    withheld: Option<Origin>,
}

impl Exchange {
    /// Returns the exchange of a client with these options.
    ///
    /// # Errors
    /// [`ClientError::Invalid`] when a certificate cannot be read.
    pub(super) fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let invalid = |what: &str| ClientError::Invalid {
            what: what.to_owned(),
        };
        let mut builders = [
            reqwest::Client::builder(),
            reqwest::Client::builder().no_proxy(),
        ];
        for pem in &options.certificates {
            let found = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|_| invalid("a trusted certificate is not PEM"))?;
            if found.is_empty() {
                return Err(invalid("a file of trusted certificates holds none"));
            }
            for certificate in found {
                builders = builders.map(|b| b.tls_certs_merge([certificate.clone()]));
            }
        }
        let [http, direct] = builders.map(|builder| {
            builder
                // Followed here, where it is known who may see the credentials.
                .redirect(Policy::none())
                .referer(false)
                .connect_timeout(options.connect_timeout)
                .user_agent(concat!("artifact/", env!("CARGO_PKG_VERSION")))
                .build()
        });
        let broken = |_| invalid("the HTTP client cannot be set up: are certificates installed?");
        let (http, direct) = (http.map_err(broken)?, direct.map_err(broken)?);
        Ok(Self {
            options,
            http,
            direct,
            held: Mutex::default(),
        })
    }

    pub(super) const fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// Sends a request, and says who asks when the registry wants to know.
    ///
    /// A request whose body is no stream is sent again where that may help. The answer has any
    /// status but 401.
    ///
    /// # Errors
    /// [`ClientError`] when there is no answer, or the registry does not take the caller.
    pub(super) async fn send(&self, ask: &Ask<'_>) -> Result<Response, ClientError> {
        let mut failures = 0;
        loop {
            let outcome = self.authenticated(ask).await;
            if failures >= self.options.retries || matches!(ask.body, Content::Stream(_)) {
                return outcome;
            }
            let wait = match &outcome {
                Ok(response) if is_transient(response.status()) => retry_after(response),
                Err(error) if may_be_repeated(error) => None,
                _ => return outcome,
            };
            sleep(wait.unwrap_or(Duration::from_millis(200 << failures.min(6)))).await;
            failures += 1;
        }
    }

    async fn authenticated(&self, ask: &Ask<'_>) -> Result<Response, ClientError> {
        let mut tried = Tried::default();
        loop {
            let header = self.held(ask.purpose);
            let response = self.follow(ask, header.as_ref()).await?;
            if response.status() != StatusCode::UNAUTHORIZED {
                return Ok(response);
            }
            let challenges = challenges(response.headers());
            if tried.fresh {
                return Err(self.refused(ask, &challenges, tried, response).await);
            }
            tried = self.answer(ask, &challenges).await?;
        }
    }

    fn held(&self, purpose: &Purpose) -> Option<HeaderValue> {
        let mut held = self.held.lock();
        let over = |held: &Held| held.expires.is_some_and(|end| Instant::now() >= end);
        if held.get(purpose).is_some_and(over) {
            held.remove(purpose);
        }
        held.get(purpose).map(|held| held.header.clone())
    }

    /// Gets what answers the challenges, for the next try.
    async fn answer(&self, ask: &Ask<'_>, challenges: &[Challenge]) -> Result<Tried, ClientError> {
        let Purpose {
            origin,
            name,
            scopes,
        } = ask.purpose;
        let credential = self.options.credentials.find(origin, name.as_ref()).await?;
        let mut tried = Tried {
            fresh: true,
            nobody: credential.is_none(),
            withheld: None,
        };
        let held = match (challenges.first(), credential) {
            (Some(_), Some(Credential::Bearer(token))) => bearer(&token).map(|header| Held {
                header,
                expires: None,
            }),
            (
                Some(Challenge::Bearer {
                    realm,
                    service,
                    scope,
                    ..
                }),
                mut credential,
            ) => {
                let service =
                    TokenService::new(origin, realm, service.clone(), scope.as_deref(), scopes)?;
                if credential.is_some() && !self.trusts(origin, &service.origin) {
                    credential = None;
                    tried.withheld = Some(service.origin.clone());
                }
                Some(
                    self.fetch_token(origin, &service, credential.as_ref(), &tried)
                        .await?,
                )
            }
            (Some(Challenge::Basic), Some(credential)) => basic(&credential).map(|header| Held {
                header,
                expires: None,
            }),
            (Some(Challenge::Basic), None) | (None, _) => None,
        };
        let missing = || ClientError::Unauthenticated {
            origin: origin.to_string(),
            what: match challenges.first() {
                Some(_) => NO_CREDENTIALS.to_owned(),
                None => "it does not say how to prove it".to_owned(),
            },
        };
        let held = held.ok_or_else(missing)?;
        self.held.lock().insert(ask.purpose.clone(), held);
        Ok(tried)
    }

    /// Says whether a token service may see the credentials of a registry (A65).
    fn trusts(&self, registry: &Origin, realm: &Origin) -> bool {
        registry == realm
            || self.options.trusted_realms.contains(realm)
            || (registry.to_string(), realm.to_string()) == (HUB.0.to_owned(), HUB.1.to_owned())
    }

    async fn fetch_token(
        &self,
        registry: &Origin,
        service: &TokenService,
        credential: Option<&Credential>,
        tried: &Tried,
    ) -> Result<Held, ClientError> {
        let request = service.request(credential);
        let answer = self.ask_token_service(registry, service, request).await?;
        let status = answer.status();
        if !status.is_success() {
            if let (Some(realm), 400..=403) = (&tried.withheld, status.as_u16()) {
                return Err(untrusted(registry, realm));
            }
            if matches!(status.as_u16(), 400 | 401 | 403) {
                return Err(ClientError::Unauthenticated {
                    origin: registry.to_string(),
                    what: match credential {
                        Some(_) => "its token service does not take the credentials".to_owned(),
                        None => "it gives nothing to nobody in particular: log in".to_owned(),
                    },
                });
            }
            return Err(answer_error(&service.origin, "give a token", answer).await);
        }
        let body = read_bounded(
            &service.origin,
            answer,
            ANSWER_MAX,
            self.options.idle_timeout,
        );
        let (header, life) = read_answer(&body.await?).ok_or_else(|| ClientError::Protocol {
            origin: service.origin.to_string(),
            what: "its token service answers without a token".to_owned(),
        })?;
        let expires = Instant::now().checked_add(life.saturating_sub(EXPIRY_MARGIN));
        Ok(Held { header, expires })
    }

    async fn ask_token_service(
        &self,
        registry: &Origin,
        service: &TokenService,
        request: TokenRequest,
    ) -> Result<Response, ClientError> {
        let operation = format!("give a token for {registry}");
        let sent = self.client_of(&service.origin).execute(request.into_http());
        let patience = guard!(545, self.options.idle_timeout, else Duration::MAX);
        match timeout(patience, sent).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(transport(&service.origin, &operation, error)),
            Err(_) => Err(self.silence(&service.origin, &operation)),
        }
    }

    /// Returns the error of a request that was refused although what there is was sent.
    async fn refused(
        &self,
        ask: &Ask<'_>,
        challenges: &[Challenge],
        tried: Tried,
        response: Response,
    ) -> ClientError {
        self.held.lock().remove(ask.purpose);
        let origin = &ask.purpose.origin;
        if let Some(realm) = &tried.withheld {
            return untrusted(origin, realm);
        }
        let narrow = challenges.iter().any(|challenge| {
            matches!(challenge, Challenge::Bearer { error: Some(error), .. } if error == "insufficient_scope")
        });
        if narrow && tried.nobody {
            return ClientError::Unauthenticated {
                origin: origin.to_string(),
                what: NO_CREDENTIALS.to_owned(),
            };
        }
        if narrow {
            return ClientError::Answer {
                origin: origin.to_string(),
                operation: ask.operation.to_owned(),
                status: StatusCode::UNAUTHORIZED.as_u16(),
                code: Some("DENIED".to_owned()),
                message: Some("the credentials do not reach so far".to_owned()),
            };
        }
        answer_error(origin, ask.operation, response).await
    }

    /// Sends the request where it leads. Credentials go to the registry's own origin alone (A65).
    async fn follow(
        &self,
        ask: &Ask<'_>,
        header: Option<&HeaderValue>,
    ) -> Result<Response, ClientError> {
        let origin = &ask.purpose.origin;
        let mut url = ask.url.clone();
        for _ in 0..=guard!(543, HOPS_MAX, else usize::MAX - 1) {
            let own = guard!(389, Origin::of(&url).as_ref() == Some(origin));
            let response = self
                .send_once(ask, url.clone(), header.filter(|_| own))
                .await?;
            let readable = matches!(ask.method, Method::GET | Method::HEAD);
            if !(response.status().is_redirection() && readable)
                || response.status() == StatusCode::NOT_MODIFIED
            {
                return Ok(response);
            }
            url = location(origin, &url, response.headers())?;
        }
        Err(ClientError::Protocol {
            origin: origin.to_string(),
            what: format!("it redirects more than {HOPS_MAX} times"),
        })
    }

    async fn send_once(
        &self,
        ask: &Ask<'_>,
        url: Url,
        header: Option<&HeaderValue>,
    ) -> Result<Response, ClientError> {
        let purpose = &ask.purpose.origin;
        let origin = Origin::of(&url).unwrap_or_else(|| purpose.clone());
        let activity = Activity::starting();
        let mut request = reqwest::Request::new(ask.method.clone(), url);
        *request.headers_mut() = ask.headers.clone();
        if let Some(header) = header {
            request.headers_mut().insert(AUTHORIZATION, header.clone());
        }
        match &ask.body {
            Content::None if matches!(ask.method, Method::GET | Method::HEAD | Method::DELETE) => {}
            Content::None => {
                request
                    .headers_mut()
                    .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            Content::Bytes(bytes) => *request.body_mut() = Some(bytes.clone().into()),
            Content::Stream(make) => {
                let body = make.make(activity.clone()).await?;
                *request.body_mut() = Some(reqwest::Body::wrap(body));
            }
        }
        let client = self.client_of(&origin);
        tokio::select! {
            sent = client.execute(request) => {
                sent.map_err(|error| if activity.source_failed() {
                    ClientError::Source { origin: purpose.to_string(), source: error.into() }
                } else {
                    transport(&origin, ask.operation, error)
                })
            }
            () = activity.idle_for(self.options.idle_timeout) => {
                Err(self.silence(&origin, ask.operation))
            }
        }
    }

    fn client_of(&self, origin: &Origin) -> &reqwest::Client {
        if origin.is_loopback() {
            &self.direct
        } else {
            &self.http
        }
    }

    fn silence(&self, origin: &Origin, operation: &str) -> ClientError {
        silence(origin, operation, self.options.idle_timeout)
    }
}

fn untrusted(registry: &Origin, realm: &Origin) -> ClientError {
    ClientError::UntrustedRealm {
        origin: registry.to_string(),
        realm: realm.to_string(),
    }
}

fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

fn may_be_repeated(error: &ClientError) -> bool {
    match error {
        // Nobody is there: that is said at once, and not after a while.
        ClientError::Transport { source, .. } => !source
            .downcast_ref::<reqwest::Error>()
            .is_some_and(reqwest::Error::is_connect),
        _ => error.is_transient(),
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let wait = Duration::from_secs(value.parse().ok()?);
    Some(guard!(544, wait.min(WAIT_MAX), else wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I23: no registry has a client wait for longer than a minute before it asks again.
    #[test]
    fn i23_a_wait_that_is_asked_for_is_bounded() {
        let wait = |told: &str| {
            let answer = hyper::Response::builder().header(RETRY_AFTER, told);
            retry_after(&Response::from(answer.body("").unwrap()))
        };
        assert_eq!(wait("2"), Some(Duration::from_secs(2)));
        assert_eq!(wait("60"), Some(WAIT_MAX));
        assert_eq!(wait("61"), Some(WAIT_MAX));
        assert_eq!(wait(&u64::MAX.to_string()), Some(WAIT_MAX));
        assert_eq!(wait("soon"), None);
    }
}
