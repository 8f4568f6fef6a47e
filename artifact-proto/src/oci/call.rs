//! Calls: one request on its way through a handler.

use std::sync::Arc;

use artifact_core::{
    Action, AsOf, Error, OciName, PackageRef, Principal, Session, Target, What, guard,
};
use http::{HeaderMap, StatusCode, header::CONTENT_LENGTH, request::Parts};

use super::{
    code::{Code, Noun},
    error::Refusal,
    query::{Query, QueryError},
    receive::Receiving,
};
use crate::{
    arrival::Arrival,
    auth::{Caller, Door},
    memory::{DocumentMemory, Exhausted, Reserved},
    pool::TransferPool,
};

/// What all calls of a service share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) door: Arc<Door>,
    pub(crate) pool: TransferPool,
    pub(crate) memory: DocumentMemory,
    pub(crate) receiving: Receiving,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) session: Session,
    pub(crate) caller: Caller,
    pub(crate) arrival: Arrival,
    pub(crate) parts: Parts,
}

/// Why a call has no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The registry refused or failed, on this noun.
    Core(Error, Noun),
    /// The request cannot be meant.
    Refused(Refusal),
    /// The token does not have the scope that it takes, and its bearer could.
    Scope,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self::Refused(Refusal::from(&error))
    }
}

impl From<Exhausted> for Failure {
    fn from(_: Exhausted) -> Self {
        let words = "too many documents are being read and written: try again";
        let refusal = Refusal::later(StatusCode::SERVICE_UNAVAILABLE, words, 1);
        Self::Refused(Refusal {
            code: Code::TooManyRequests,
            ..refusal
        })
    }
}

/// Returns what makes a failure of the noun from an error.
pub(crate) fn about(noun: Noun) -> impl Fn(Error) -> Failure + Copy {
    move |error| Failure::Core(error, noun)
}

impl Call {
    pub(crate) const fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    pub(crate) fn query(&self) -> Result<Query, Failure> {
        Ok(Query::parse(self.parts.uri.query())?)
    }

    /// Returns the length of the body, where it is announced.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.headers()
            .get(CONTENT_LENGTH)?
            .to_str()
            .ok()?
            .parse()
            .ok()
    }

    pub(crate) async fn reserve(&self, bytes: usize) -> Result<Reserved, Failure> {
        Ok(self.shared.memory.reserve(bytes).await?)
    }

    /// Returns the package that a name means, to do this to it.
    ///
    /// A name that is a configured repository's own means none, and says so to those alone who may
    /// know of that repository: anybody else is answered as for any other name (I11). So whatever of a
    /// request can be refused without the registry is looked at before this is asked.
    pub(crate) async fn package(
        &self,
        name: &OciName,
        action: Action,
        noun: Noun,
    ) -> Result<PackageRef, Failure> {
        let error = match self.session.resolve(AsOf::Now, name).await {
            Ok(package) => return Ok(package),
            Err(error @ Error::NotFound { .. }) => error,
            Err(error) => return Err(Failure::Core(error, noun)),
        };
        let repository = name
            .as_str()
            .parse()
            .map_err(|_| Failure::Core(not_found(name), noun))?;
        let target = Target::Repository(&repository);
        let may = self
            .session
            .may(action, target)
            .await
            .map_err(about(noun))?;
        let anonymous = matches!(self.session.principal(), Principal::Anonymous(_));
        Err(match (guard!(604, may), anonymous) {
            (true, _) => Failure::Refused(Refusal::new(
                StatusCode::NOT_FOUND,
                Code::NameUnknown,
                format!("{name} is a repository: packages have longer names, such as {name}/app"),
            )),
            (false, true) => Failure::Core(Error::Unauthenticated, noun),
            (false, false) => Failure::Core(error, noun),
        })
    }
}

fn not_found(name: &OciName) -> Error {
    Error::not_found(What::Package, name)
}
