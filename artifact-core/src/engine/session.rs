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
    error::Error,
    model::{
        document::{DocumentKind, User},
        id::Generation,
        name::UserName,
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
}
