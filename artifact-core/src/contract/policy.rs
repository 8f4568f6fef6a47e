//! The contract of what decides who may do what.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::principal::{AnonymousAccess, Principal};
use crate::model::{
    document::{StageSettings, User},
    name::{PackageRef, RepositoryName, Scope, Tag},
};

/// Decides.
///
/// # Contract
/// * PE-1 Pure: the same request and facts give the same decision, now, in a dry run and in a
///   replay. No clock, no chance, no reads.
/// * PE-2 Closed: what it does not know it denies.
/// * PE-3 It gives a reason for each decision, in words for the caller.
pub trait PolicyEngine: fmt::Debug + Send + Sync + 'static {
    /// Decides one request on the facts.
    fn decide(&self, request: &Request<'_>, facts: &Facts<'_>) -> Decision;
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Action {
    /// Change the settings of a repository or namespace, or move its horizon.
    Administer,
    /// Put what is not there yet: upload, link, a manifest, a new tag; also
    /// what was there before.
    Create,
    /// Delete a tag, a manifest or a blob's link.
    Delete,
    /// Work on the registry as a whole: users, mode, purge, collect, scrub, its revisions.
    Operate,
    /// Move a tag that is there.
    Overwrite,
    /// Read anything of a package, or see that it exists.
    Read,
}

/// What it is to be done to.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an engine must decide on each of them"
)]
pub enum Target<'a> {
    /// A package; the tag where one is made, moved or deleted.
    Package(&'a PackageRef, Option<&'a Tag>),
    /// A repository.
    Repository(&'a RepositoryName),
    /// All repositories of a scope; the whole registry is one.
    Scope(&'a Scope),
}

/// Who wants to do what to what.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the engine builds it, and every part matters"
)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// What is to be done.
    pub action: Action,
    /// To what.
    pub target: Target<'a>,
}

/// What a decision may rest on; recorded facts, and nothing else.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the engine builds it, and every part matters"
)]
pub struct Facts<'a> {
    /// The user who asks, if it is one and exists.
    pub user: Option<&'a User>,
    /// The settings of the stage of the repository, where the target lies in one.
    pub stage: Option<&'a StageSettings>,
    /// What is open to everybody at the door through which the request came, whoever asks.
    pub open: AnonymousAccess,
}

/// Allowed or not, and why.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Decision {
    /// Whether it is allowed.
    pub effect: Effect,
    /// Why, in words for the caller: lower case, no full stop.
    pub reasons: Vec<String>,
}

impl Decision {
    /// Returns the decision to allow.
    pub fn allow(reason: impl Into<String>) -> Self {
        Self {
            effect: Effect::Allow,
            reasons: vec![reason.into()],
        }
    }

    /// Returns the decision to deny.
    pub fn deny(reason: impl Into<String>) -> Self {
        Self {
            effect: Effect::Deny,
            reasons: vec![reason.into()],
        }
    }
}

/// What is decided.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Effect {
    /// It may be done.
    Allow,
    /// It may not.
    Deny,
}
