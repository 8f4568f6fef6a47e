//! The contract of what is told of every read, write and refusal.

use std::fmt;

use super::{
    policy::{Action, Target},
    principal::Principal,
};
use crate::model::error_kind::ErrorKind;

/// Told of every access, bounded and without waiting: metrics, audit and usage hang here.
///
/// # Contract
/// * OB-1: it neither blocks nor fails; it drops what it cannot take.
/// * OB-2: it keeps nothing that it is lent.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// Takes note of an access.
    fn observe(&self, access: &Access<'_>);
}

/// An access that was made or refused.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Access<'a> {
    /// Who asked.
    pub principal: &'a Principal,
    /// The id of the request.
    pub request: Option<&'a str>,
    /// What was asked for.
    pub action: Action,
    /// Of what.
    pub target: Target<'a>,
    /// How it ended.
    pub outcome: Result<(), ErrorKind>,
}

impl<'a> Access<'a> {
    /// Returns the account of an access.
    pub const fn new(
        principal: &'a Principal,
        request: Option<&'a str>,
        action: Action,
        target: Target<'a>,
        outcome: Result<(), ErrorKind>,
    ) -> Self {
        Self {
            principal,
            request,
            action,
            target,
            outcome,
        }
    }
}
