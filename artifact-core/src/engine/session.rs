//! Sessions: who asks, and in which request.

use std::sync::Arc;

use super::registry::{Inner, Registry};
#[cfg(prove)]
use crate::contract::policy::Decision;
use crate::contract::record::Page;
use crate::{
    contract::{
        change::{Actor, ChangeSet},
        principal::{AnonymousAccess, Principal},
        record::AsOf,
    },
    error::{Error, What},
    model::{
        document::{DocumentKey, DocumentKind, User},
        id::Generation,
        name::{OciName, PackageRef, RepositoryName, UserName},
    },
};

/// In which request something is asked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RequestContext {
    /// The id of the request, as the answer carries it.
    pub request: Option<String>,
    /// The address that it came from.
    pub address: Option<String>,
    /// The W3C trace parent.
    pub trace_parent: Option<String>,
    /// What is open to everybody at the door that it came through.
    pub open: AnonymousAccess,
}

impl RequestContext {
    /// Returns the context of the request with this id.
    pub fn with_request(request: impl Into<String>) -> Self {
        Self {
            request: Some(request.into()),
            ..Self::default()
        }
    }
}

/// Somebody's way into a registry: a principal and a request. To clone it costs little.
///
/// Every method decides first whether this principal may do this. What a caller may not know of is
/// answered like what is not there.
#[derive(Clone, Debug)]
pub struct Session {
    registry: Registry,
    principal: Principal,
    context: Arc<RequestContext>,
    /// Whether everything is permitted, for what is proved with a permit left out.
    #[cfg(prove)]
    unasked: bool,
}

/// A session that asks nobody.
#[cfg(prove)]
impl crate::guard::Guarded for &Session {
    fn left_out(checked: impl FnOnce() -> Self) -> Self {
        let mut session = checked().clone();
        session.unasked = true;
        // It is borrowed for as long as its caller likes; only tests come here.
        Box::leak(Box::new(session))
    }
}

impl Registry {
    /// Returns a session of the principal.
    pub fn session(&self, principal: Principal, context: RequestContext) -> Session {
        Session {
            registry: self.clone(),
            principal,
            context: Arc::new(context),
            #[cfg(prove)]
            unasked: false,
        }
    }

    /// Says whether there is any user.
    ///
    /// # Errors
    /// [`Error::Index`] where the index fails.
    pub async fn has_users(&self) -> Result<bool, Error> {
        let page = Page::first(std::num::NonZeroU32::MIN);
        let users = self
            .inner
            .index()
            .documents(AsOf::Now, DocumentKind::User, page)
            .await?;
        Ok(!users.is_empty())
    }

    /// Returns a user and its generation; for doors that check passwords.
    ///
    /// # Errors
    /// [`Error::Index`] where the index fails.
    pub async fn user(&self, name: &UserName) -> Result<Option<(User, Generation)>, Error> {
        let read = self.inner.user(name).await?;
        Ok(read.value.clone().map(|user| (user, read.generation)))
    }
}

impl Session {
    /// Returns the registry.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns who asks.
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Returns in which request.
    pub fn context(&self) -> &RequestContext {
        &self.context
    }

    /// Returns a decision as it is where the permit is left out.
    #[cfg(prove)]
    pub(crate) fn let_pass(&self, decision: Decision) -> Decision {
        if self.unasked {
            return Decision::allow("its guard is left out");
        }
        decision
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.registry.inner
    }

    /// Returns a change set of this session that changes nothing yet.
    pub(crate) fn change_set(&self) -> ChangeSet {
        let actor = Actor::new(self.principal.clone(), self.context.request.clone());
        ChangeSet::new(actor, self.inner().parts.clock.now())
    }

    /// Returns the package that a name means: in the longest configured repository that is a prefix
    /// of it in whole path components, else in the default one.
    ///
    /// As of the past, the repositories of then count.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a name that is a repository's own, which names no package.
    pub async fn resolve(&self, at: AsOf, name: &OciName) -> Result<PackageRef, Error> {
        let cuts = name.as_str().match_indices('/').map(|(cut, _)| cut);
        let mut ends: Vec<usize> = cuts.chain([name.as_str().len()]).collect();
        ends.reverse();
        for end in ends {
            let prefix = name.as_str().get(..end).unwrap_or_default();
            let Ok(repository) = prefix.parse::<RepositoryName>() else {
                continue;
            };
            if repository.is_default() || !self.repository_exists(at, &repository).await? {
                continue;
            }
            return PackageRef::below(&repository, name)
                .ok_or_else(|| Error::not_found(What::Package, name));
        }
        Ok(PackageRef::in_default(name))
    }

    async fn repository_exists(&self, at: AsOf, name: &RepositoryName) -> Result<bool, Error> {
        if at == AsOf::Now {
            return Ok(self.inner().effective(name).await?.is_some());
        }
        let key = DocumentKey::Repository(name.clone());
        let record = self.inner().index().document(at, &key).await?;
        Ok(record.is_some_and(|record| record.body.is_some()))
    }
}
