//! The door: who a request comes from, and what one who is not let in is told.

use std::sync::Arc;

use artifact_core::{
    Action, AnonymousAccess, AsOf, Error, OciName, PackageRef, Principal, Registry, RequestContext,
    Session, Target, UserName, guard,
};
use http::{HeaderMap, HeaderValue};

use super::{
    credentials::Credentials,
    password::Passwords,
    scope::{Actions, Scope, Scopes},
    token::{Token, TokenError, TokenKey},
};
use crate::metrics::{Login, Metrics};

/// What tokens and challenges call this service.
pub(crate) const SERVICE: &str = "artifact";

/// How a door is to be kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DoorOptions {
    /// What those may do who do not say who they are.
    pub anonymous: AnonymousAccess,
    /// Under which URL clients find this server, where requests do not say it themselves: behind a
    /// proxy that writes another `Host`. Without a slash at the end.
    pub base_url: Option<String>,
}

impl DoorOptions {
    /// Returns the options for this anonymous access.
    pub const fn new(anonymous: AnonymousAccess) -> Self {
        Self {
            anonymous,
            base_url: None,
        }
    }

    /// Sets the URL under which clients find this server.
    #[must_use]
    pub fn at(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = Some(base_url.into());
        self
    }
}

/// Lets callers in.
#[derive(Debug)]
pub struct Door {
    registry: Registry,
    options: DoorOptions,
    key: TokenKey,
    passwords: Passwords,
    metrics: Arc<Metrics>,
}

/// Who was let in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Caller {
    /// Who it is.
    pub principal: Principal,
    /// What the token allows that it came with, where it came with one.
    pub token: Option<Scopes>,
}

/// Why somebody was not let in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAdmitted {
    /// Too many passwords are being checked.
    #[error("too many passwords are being checked: try again")]
    Crowded,
    /// The registry failed.
    #[error("the registry failed")]
    Failed(#[source] Error),
    /// The token is not good, or not any more.
    #[error("the token is not good")]
    Token(#[source] TokenError),
    /// Nobody has this name and this password, or the header cannot be read.
    #[error("nobody has this name and this password")]
    Unknown,
}

impl From<Error> for NotAdmitted {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Door {
    /// Returns a door to a registry, which gives out tokens under `key`.
    pub fn new(
        registry: Registry,
        options: DoorOptions,
        key: TokenKey,
        metrics: Arc<Metrics>,
    ) -> Self {
        let parts = registry.parts();
        let (clock, spawn) = (Arc::clone(&parts.clock), Arc::clone(&parts.spawn));
        let passwords = Passwords::new(clock, spawn, &*parts.rng);
        Self {
            registry,
            options,
            key,
            passwords,
            metrics,
        }
    }

    /// Returns the registry behind it.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Finds out who sends a request.
    ///
    /// # Errors
    /// [`NotAdmitted`]; it does not tell a user that is not there from a wrong password.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<Caller, NotAdmitted> {
        match Credentials::of(headers) {
            Credentials::Bearer(text) => self.bearer(&text).await,
            credentials => {
                let user = self.user(&credentials).await?;
                Ok(Caller {
                    principal: self.principal(user.map(|(name, _)| name)),
                    token: None,
                })
            }
        }
    }

    /// Finds out which user credentials are of; `None` for those of anybody.
    pub(crate) async fn user(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<(UserName, artifact_core::Generation)>, NotAdmitted> {
        let (user, password) = match credentials {
            Credentials::None => return Ok(None),
            Credentials::Basic { user, password } => (user, password),
            Credentials::Bearer(_) | Credentials::Unreadable => return Err(NotAdmitted::Unknown),
        };
        let name: Option<UserName> = user.parse().ok();
        let record = match &name {
            Some(name) => self.registry.user(name).await?,
            None => None,
        };
        let known = record
            .as_ref()
            .map(|(user, generation)| (user.password.as_str(), *generation));
        let right = self
            .passwords
            .check(user, password, known)
            .await
            .map_err(|_| {
                self.metrics.login(Login::Crowded);
                NotAdmitted::Crowded
            })?;
        let found = name
            .zip(record)
            .map(|(name, (_, generation))| (name, generation));
        let found = found.filter(|_| guard!(395, right));
        self.metrics.login(if found.is_some() {
            Login::Accepted
        } else {
            Login::Refused
        });
        found.map(Some).ok_or(NotAdmitted::Unknown)
    }

    async fn bearer(&self, text: &str) -> Result<Caller, NotAdmitted> {
        let now = self.registry.parts().clock.now();
        let token = Token::open(text, &self.key, now).map_err(NotAdmitted::Token)?;
        let name = match token.user {
            None => None,
            Some((name, generation)) => {
                // Whoever changed since is asked again: the password may be another.
                let current = self.registry.user(&name).await?;
                if guard!(394) && current.is_none_or(|(_, current)| current != generation) {
                    return Err(NotAdmitted::Token(TokenError::Expired));
                }
                Some(name)
            }
        };
        Ok(Caller {
            principal: self.principal(name),
            token: Some(token.scopes),
        })
    }

    /// Returns the principal that a user is; who is none may do what the door says now.
    pub(crate) fn principal(&self, user: Option<UserName>) -> Principal {
        user.map_or(
            Principal::Anonymous(self.options.anonymous),
            Principal::User,
        )
    }

    /// Returns the session of a principal that came through this door.
    pub(crate) fn session(&self, principal: Principal, mut context: RequestContext) -> Session {
        context.open = self.options.anonymous;
        self.registry.session(principal, context)
    }

    /// Says whether callers are sent to ask for tokens: where some things are open to anybody, a
    /// client would otherwise never say who it is.
    ///
    /// # Errors
    /// Where the index fails.
    pub async fn uses_tokens(&self) -> Result<bool, Error> {
        Ok(self.options.anonymous != AnonymousAccess::None && self.registry.has_users().await?)
    }

    /// Says whether nobody gets in without saying who it is.
    pub fn is_closed(&self) -> bool {
        self.options.anonymous == AnonymousAccess::None
    }

    /// Returns the header `WWW-Authenticate` for a caller that is not let in.
    ///
    /// # Errors
    /// Where the index fails.
    pub async fn challenge(
        &self,
        origin: Option<&str>,
        bearer: bool,
        scope: Option<&Scope>,
        error: Option<&str>,
    ) -> Result<HeaderValue, Error> {
        let origin = self.options.base_url.as_deref().or(origin);
        let tokens = bearer || self.uses_tokens().await?;
        Ok(match origin.filter(|_| tokens) {
            Some(origin) => bearer_challenge(origin, scope, error),
            None => HeaderValue::from_static("Basic realm=\"artifact\", charset=\"UTF-8\""),
        })
    }

    /// Gives out a token for as much of what is asked for as the principal may do.
    ///
    /// # Errors
    /// Where the index fails.
    pub(crate) async fn grant(
        &self,
        user: Option<(UserName, artifact_core::Generation)>,
        asked: &Scopes,
        context: RequestContext,
    ) -> Result<Token, Error> {
        let principal = self.principal(user.as_ref().map(|(name, _)| name.clone()));
        let session = self.session(principal, context);
        let mut scopes = Scopes::default();
        for scope in asked.iter() {
            if let Some(scope) = self.cut(&session, scope).await? {
                scopes.add(scope);
            }
        }
        Ok(Token::new(user, self.registry.parts().clock.now(), scopes))
    }

    /// Returns a token as it is given out.
    pub(crate) fn seal(&self, token: &Token) -> String {
        self.metrics.token();
        token.seal(&self.key)
    }

    async fn cut(&self, session: &Session, scope: &Scope) -> Result<Option<Scope>, Error> {
        let (name, asked) = match scope {
            // The list itself shows no more than may be read.
            Scope::Catalog => {
                return Ok(
                    (session.principal() != &Principal::Anonymous(AnonymousAccess::None))
                        .then_some(Scope::Catalog),
                );
            }
            Scope::Package(name, asked) => (name, *asked),
        };
        let Some(package) = resolve(session, name).await? else {
            return Ok(None);
        };
        let mut allowed = Actions::NONE;
        for action in asked.each() {
            let target = Target::Package(&package, None);
            if guard!(398, session.may(needed(action), target).await?, else true) {
                allowed = allowed.with(action);
            }
        }
        Ok((!allowed.is_empty()).then(|| Scope::Package(name.clone(), allowed)))
    }
}

/// Returns the package that a name means; `None` for one that means none.
pub(crate) async fn resolve(
    session: &Session,
    name: &OciName,
) -> Result<Option<PackageRef>, Error> {
    match session.resolve(AsOf::Now, name).await {
        Ok(package) => Ok(Some(package)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn needed(action: Actions) -> Action {
    if action == Actions::PULL {
        Action::Read
    } else if action == Actions::PUSH {
        Action::Create
    } else {
        Action::Delete
    }
}

fn bearer_challenge(origin: &str, scope: Option<&Scope>, error: Option<&str>) -> HeaderValue {
    let scope = scope
        .map(|scope| format!(",scope=\"{scope}\""))
        .unwrap_or_default();
    let error = error
        .map(|error| format!(",error=\"{error}\""))
        .unwrap_or_default();
    let text = format!("Bearer realm=\"{origin}/token\",service=\"{SERVICE}\"{scope}{error}");
    // An origin is an authority, and scopes are names: neither has what a header may not hold.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
}
