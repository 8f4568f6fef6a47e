//! Lists: what there is, as far as the caller may know of it.

use super::{permit::Missing, session::Session};
use crate::{
    contract::{
        policy::Action,
        record::{AsOf, Footprint, Found, ManifestSummary, Page, Query, Totals, Usage},
    },
    error::{Error, What},
    guard,
    model::{
        digest::Digest,
        name::{PackageRef, Scope},
    },
};

impl Session {
    /// Lists the packages of a scope that this principal may read, in the byte order of their OCI
    /// names.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for an anonymous caller who may read nothing,
    /// [`Error::HistoryForgotten`]; and where the index fails.
    pub async fn list_packages(
        &self,
        at: AsOf,
        scope: &Scope,
        page: Page<String>,
    ) -> Result<Vec<PackageRef>, Error> {
        if guard!(366, self.may_read(scope).await?, else true) {
            return Ok(self.inner().index().packages(at, scope, page).await?);
        }
        self.permit_any_list(scope).await?;
        let mut found = Vec::new();
        for granted in self.granted_scopes().await? {
            let Some(part) = narrower(scope, &granted) else {
                continue;
            };
            if guard!(367, self.may_read(part).await?, else true) {
                found.extend(
                    self.inner()
                        .index()
                        .packages(at, part, page.clone())
                        .await?,
                );
            }
        }
        found.sort_by_cached_key(PackageRef::oci_name);
        found.dedup();
        found.truncate(page.limit.get() as usize);
        Ok(found)
    }

    /// Refuses an anonymous caller; a known one sees what the grants show, which may be nothing.
    async fn permit_any_list(&self, scope: &Scope) -> Result<(), Error> {
        match guard!(320, self).permit_scope(Action::Read, scope).await {
            Err(Error::Unauthenticated) => Err(Error::Unauthenticated),
            Err(Error::NotFound { .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Lists the manifests of a package, by digest.
    ///
    /// # Errors
    /// [`Error::HistoryForgotten`]; refusals; and where the index fails.
    pub async fn list_manifests(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, Error> {
        let missing = Missing::new(What::Package, package);
        guard!(321, self)
            .permit(Action::Read, package, &missing)
            .await?;
        Ok(self.inner().index().manifests(at, package, page).await?)
    }

    /// Lists manifests that fit a query, by package and digest.
    ///
    /// # Errors
    /// [`Error::HistoryForgotten`]; refusals to read all of the query's scope; and where the index
    /// fails.
    pub async fn search(
        &self,
        at: AsOf,
        query: &Query,
        page: Page<Found>,
    ) -> Result<Vec<Found>, Error> {
        guard!(322, self)
            .permit_scope(Action::Read, &query.scope)
            .await?;
        Ok(self.inner().index().search(at, query, page).await?)
    }

    /// Returns what a scope is charged for.
    ///
    /// # Errors
    /// Refusals to read all of the scope; and where the index fails.
    pub async fn usage(&self, scope: &Scope) -> Result<Usage, Error> {
        guard!(323, self).permit_scope(Action::Read, scope).await?;
        Ok(self.inner().index().usage(scope).await?)
    }

    /// Counts what a scope holds; it may read all of it.
    ///
    /// # Errors
    /// As [`Session::usage`].
    pub async fn footprint(&self, scope: &Scope) -> Result<Footprint, Error> {
        guard!(324, self).permit_scope(Action::Read, scope).await?;
        Ok(self.inner().index().footprint(scope).await?)
    }

    /// Counts what the registry holds as a whole.
    ///
    /// # Errors
    /// Refusals to read all of it; and where the index fails.
    pub async fn totals(&self) -> Result<Totals, Error> {
        guard!(325, self)
            .permit_scope(Action::Read, &Scope::all())
            .await?;
        Ok(self.inner().index().totals().await?)
    }
}

/// Returns the part that two scopes share, if they share one.
fn narrower<'a>(one: &'a Scope, other: &'a Scope) -> Option<&'a Scope> {
    if one.holds_scope(other) {
        Some(other)
    } else if other.holds_scope(one) {
        Some(one)
    } else {
        None
    }
}
