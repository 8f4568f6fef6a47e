//! Permission: decided before anything is done, and expected again when it is committed (I12).

use std::sync::Arc;

use super::{
    cache::{Effective, Read},
    session::Session,
    settings::no_repository,
};
use crate::{
    contract::{
        change::{ChangeSet, Expectation},
        observer::Access,
        policy::{Action, Effect, Facts, Request, Target},
        principal::Principal,
    },
    error::{Error, What},
    guard,
    model::{
        document::{DocumentKey, Mode, StageSettings, User},
        name::{PackageRef, RepositoryName, Scope},
    },
};

/// That something may be done, and what this rests on.
///
/// It carries the generations of what it was decided on; a change set that it is put into expects
/// them, so that a decision on roles or settings that have changed since is made again.
#[derive(Clone, Debug)]
pub(crate) struct Permit {
    read: Vec<Expectation>,
    effective: Option<Arc<Effective>>,
}

impl Permit {
    /// Adds what the permit rests on, and the quotas that bound the change.
    pub(crate) fn bind(&self, mut changes: ChangeSet) -> ChangeSet {
        if guard!(370) {
            changes.expectations.extend(self.read.iter().cloned());
        }
        if let Some(effective) = &self.effective {
            if guard!(371) {
                changes.expectations.extend(effective.read.iter().cloned());
            }
            if guard!(372) {
                changes.rooms.extend(effective.rooms.iter().cloned());
            }
        }
        changes
    }

    /// Returns the settings of the stage of the repository.
    pub(crate) fn stage(&self) -> StageSettings {
        self.effective
            .as_ref()
            .map(|effective| effective.stage.clone())
            .unwrap_or_default()
    }

    /// Returns what holds for the repository.
    pub(crate) fn rooms(&self) -> Vec<crate::contract::change::Room> {
        self.effective
            .as_ref()
            .map(|effective| effective.rooms.clone())
            .unwrap_or_default()
    }
}

/// What is missing when a caller may not know of it.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    what: What,
    name: String,
}

impl Missing {
    pub(crate) fn new(what: What, name: impl std::fmt::Display) -> Self {
        Self {
            what,
            name: name.to_string(),
        }
    }

    pub(crate) fn error(&self) -> Error {
        Error::NotFound {
            what: self.what,
            name: self.name.clone(),
        }
    }
}

impl Session {
    /// Permits something to be done to a package, or refuses it as it must be refused.
    ///
    /// # Errors
    /// What `missing` stands for, [`Error::Denied`] and [`Error::Unauthenticated`], by the rules for
    /// refusals; [`Error::ReadOnly`] for a write in that mode; [`Error::Blocked`] for what would be put into a
    /// package whose name lies in another repository by now.
    pub(crate) async fn permit(
        &self,
        action: Action,
        package: &PackageRef,
        missing: &Missing,
    ) -> Result<Permit, Error> {
        let effective = self.inner().effective(&package.repository).await?;
        let target = Target::Package(package, None);
        let mut permit = self.decide(action, target, effective, missing).await?;
        // A repository that is not there holds nothing that could be read.
        if guard!(362) && permit.effective.is_none() {
            return Err(if action == Action::Read {
                missing.error()
            } else {
                no_repository(&package.repository)
            });
        }
        if matches!(action, Action::Create | Action::Overwrite) {
            let unclaimed = self.inner().unclaimed(package).await?;
            permit.read.extend(guard!(626, unclaimed, else Vec::new()));
        }
        Ok(permit)
    }

    /// Refuses what this principal may not do to a package, and does nothing else.
    ///
    /// It is for a door that must answer before it reads a body.
    ///
    /// # Errors
    /// Refusals, [`Error::ReadOnly`] for a write in that mode, and where the index fails.
    pub async fn check(&self, action: Action, package: &PackageRef) -> Result<(), Error> {
        let missing = Missing::new(What::Package, package);
        guard!(345, self)
            .permit(action, package, &missing)
            .await
            .map(drop)
    }

    /// Permits something to be done to a repository as such.
    pub(crate) async fn permit_repository(
        &self,
        action: Action,
        name: &RepositoryName,
    ) -> Result<Permit, Error> {
        let effective = self.inner().effective(name).await?;
        let missing = Missing::new(What::Repository, name);
        self.decide(action, Target::Repository(name), effective, &missing)
            .await
    }

    /// Permits something to be done to all repositories of a scope.
    pub(crate) async fn permit_scope(
        &self,
        action: Action,
        scope: &Scope,
    ) -> Result<Permit, Error> {
        let all = scope.as_str().is_empty();
        let missing = Missing::new(What::Repository, if all { "/" } else { scope.as_str() });
        self.decide(action, Target::Scope(scope), None, &missing)
            .await
    }

    async fn decide(
        &self,
        action: Action,
        target: Target<'_>,
        effective: Option<Arc<Effective>>,
        missing: &Missing,
    ) -> Result<Permit, Error> {
        let user = self.asking_user().await?;
        let facts = Facts {
            user: user.as_ref().and_then(|user| user.value.as_ref()),
            stage: effective.as_ref().map(|effective| &effective.stage),
            open: self.context().open,
        };
        let request = Request {
            principal: self.principal(),
            action,
            target,
        };
        let decision = self.inner().parts.policy.decide(&request, &facts);
        #[cfg(prove)]
        let decision = self.let_pass(decision);
        let outcome = match decision.effect {
            Effect::Allow => guard!(363, self.check_mode(action).await, else Ok(Vec::new())),
            Effect::Deny => {
                let request = Request {
                    action: Action::Read,
                    ..request
                };
                let reads = self.inner().parts.policy.decide(&request, &facts).effect;
                Err(self.refusal(action, reads, &decision.reasons, missing))
            }
        };
        self.observe(
            action,
            target,
            outcome.as_ref().map(|_| ()).map_err(Error::kind),
        );
        let mut read = outcome?;
        if guard!(373) {
            read.extend(self.asking_user_expectation(user.as_deref()));
        }
        Ok(Permit { read, effective })
    }

    /// Returns the refusal that tells a caller no more than the caller may know.
    fn refusal(
        &self,
        action: Action,
        reads: Effect,
        reasons: &[String],
        missing: &Missing,
    ) -> Error {
        if matches!(self.principal(), Principal::Anonymous(_)) {
            Error::Unauthenticated
        } else if action == Action::Read || guard!(364) && reads == Effect::Deny {
            missing.error()
        } else {
            Error::Denied {
                reason: reasons.join("; "),
            }
        }
    }

    /// Refuses writes in read-only mode. Operating the registry goes on: it ends that mode.
    async fn check_mode(&self, action: Action) -> Result<Vec<Expectation>, Error> {
        if matches!(action, Action::Read | Action::Operate) {
            return Ok(Vec::new());
        }
        let mode = self.inner().mode().await?;
        if let Some(Mode::ReadOnly(reason)) = &mode.value {
            return Err(Error::ReadOnly {
                reason: reason.clone(),
            });
        }
        let unmoved = Expectation::Document(DocumentKey::Mode, mode.generation);
        Ok(Some(unmoved).filter(|_| guard!(374)).into_iter().collect())
    }

    async fn asking_user(&self) -> Result<Option<Arc<Read<User>>>, Error> {
        match self.principal() {
            Principal::User(name) => Ok(Some(self.inner().user(name).await?)),
            _ => Ok(None),
        }
    }

    fn asking_user_expectation(&self, user: Option<&Read<User>>) -> Option<Expectation> {
        match (self.principal(), user) {
            (Principal::User(name), Some(user)) => Some(Expectation::Document(
                DocumentKey::User(name.clone()),
                user.generation,
            )),
            _ => None,
        }
    }

    /// Says whether a read of all of a scope is allowed, without telling anybody.
    pub(crate) async fn may_read(&self, scope: &Scope) -> Result<bool, Error> {
        self.may(Action::Read, Target::Scope(scope)).await
    }

    /// Says whether something would be allowed, without doing it or telling anybody.
    ///
    /// It is for a door that must say what its caller may ask for; nothing is permitted by it.
    ///
    /// # Errors
    /// [`Error::Index`] where the index fails.
    pub async fn may(&self, action: Action, target: Target<'_>) -> Result<bool, Error> {
        let user = self.asking_user().await?;
        let facts = Facts {
            user: user.as_ref().and_then(|user| user.value.as_ref()),
            stage: None,
            open: self.context().open,
        };
        let request = Request {
            principal: self.principal(),
            action,
            target,
        };
        Ok(self.inner().parts.policy.decide(&request, &facts).effect == Effect::Allow)
    }

    /// Returns the scopes for which the asking user was granted anything.
    pub(crate) async fn granted_scopes(&self) -> Result<Vec<Scope>, Error> {
        let user = self.asking_user().await?;
        let grants = user
            .and_then(|user| user.value.clone())
            .map(|user| user.grants);
        let mut scopes: Vec<Scope> = grants
            .unwrap_or_default()
            .into_iter()
            .map(|grant| grant.scope)
            .collect();
        scopes.sort();
        // What lies below another granted scope is listed with it.
        let all = scopes.clone();
        scopes.retain(|scope| {
            !all.iter()
                .any(|other| other != scope && other.holds_scope(scope))
        });
        scopes.dedup();
        Ok(scopes)
    }

    fn observe(
        &self,
        action: Action,
        target: Target<'_>,
        outcome: Result<(), crate::model::error_kind::ErrorKind>,
    ) {
        let access = Access::new(
            self.principal(),
            self.context().request.as_deref(),
            action,
            target,
            outcome,
        );
        for observer in &self.inner().parts.observers {
            observer.observe(&access);
        }
    }
}
