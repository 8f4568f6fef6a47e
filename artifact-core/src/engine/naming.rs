//! Names: in which repository a name lies, and that each package is found under its own.

use std::num::NonZeroU32;

use super::{registry::Inner, session::Session};
use crate::{
    contract::{
        change::Expectation,
        record::{AsOf, Page},
    },
    error::{Error, What},
    guard,
    model::{
        document::DocumentKey,
        name::{OciName, PackageRef, RepositoryName, Scope},
    },
};

/// Returns the repositories that a name may lie in, the longest first, up to the one of that very name; the
/// default one is not among them.
fn candidates(name: &str) -> impl Iterator<Item = RepositoryName> {
    let cuts = name.rmatch_indices('/').map(|(cut, _)| cut);
    let prefixes = std::iter::once(name.len())
        .chain(cuts)
        .map(|end| name.get(..end).unwrap_or_default());
    prefixes
        .filter_map(|prefix| prefix.parse::<RepositoryName>().ok())
        .filter(|repository| !repository.is_default())
}

impl Session {
    /// Returns the package that a name means: in the longest configured repository that is a prefix
    /// of it in whole path components, else in the default one.
    ///
    /// As of the past, the repositories of then count.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a name that is a repository's own, which names no package.
    pub async fn resolve(&self, at: AsOf, name: &OciName) -> Result<PackageRef, Error> {
        for repository in candidates(name.as_str()) {
            if self.repository_exists(at, &repository).await? {
                return PackageRef::below(&repository, name)
                    .ok_or_else(|| Error::not_found(What::Package, name));
            }
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

    /// Refuses a new repository to which packages would lose their names: that of its own name, those below it
    /// in a repository around it, and, unless they are to be adopted, those below it in the default one.
    pub(crate) async fn hides_nothing(
        &self,
        name: &RepositoryName,
        adopt: bool,
    ) -> Result<(), Error> {
        let around = candidates(name.as_str()).filter(|other| other != name);
        let default = RepositoryName::default_repository();
        for repository in around.chain([default]) {
            if !self.repository_exists(AsOf::Now, &repository).await? {
                continue;
            }
            if guard!(623) {
                self.is_no_package(&repository, name).await?;
            }
            if guard!(383)
                && !(adopt && repository.is_default())
                && let Some(package) = self.package_below(&repository, name).await?
            {
                return Err(lies_below(&package, name));
            }
        }
        Ok(())
    }

    /// Refuses where a package of the repository has the name.
    async fn is_no_package(
        &self,
        repository: &RepositoryName,
        name: &RepositoryName,
    ) -> Result<(), Error> {
        let named = name.as_str().parse::<OciName>().ok();
        let Some(package) = named.and_then(|named| PackageRef::below(repository, &named)) else {
            return Ok(());
        };
        let index = self.inner().index();
        let page = Page::first(NonZeroU32::MIN);
        if index.manifests(AsOf::Now, &package, page).await?.is_empty() {
            return Ok(());
        }
        Err(Error::Blocked {
            what: format!(
                "there is a package {package}, which would not be found any more: copy it to another name and \
                 delete it, or take another name"
            ),
        })
    }

    /// Returns a package of the repository that lies below a name.
    pub(crate) async fn package_below(
        &self,
        repository: &RepositoryName,
        name: &RepositoryName,
    ) -> Result<Option<PackageRef>, Error> {
        const PAGE: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);
        let below = format!("{name}/");
        let scope = Scope::from(repository);
        let mut after = below.clone();
        loop {
            let page = Page::after(after, PAGE);
            let found = self
                .inner()
                .index()
                .packages(AsOf::Now, &scope, page)
                .await?;
            let Some(last) = found.last() else {
                return Ok(None);
            };
            after = last.oci_name();
            let ends = !after.starts_with(&below);
            // Those of other repositories in the scope are found as before.
            let own = found
                .into_iter()
                .take_while(|package| package.oci_name().starts_with(&below))
                .find(|package| package.repository == *repository);
            if own.is_some() || ends {
                return Ok(own);
            }
        }
    }
}

fn lies_below(package: &PackageRef, name: &RepositoryName) -> Error {
    let remedy = if package.repository.is_default() {
        "adopt what is there"
    } else {
        "copy it to another name and delete it"
    };
    Error::Blocked {
        what: format!(
            "package {package} lies below {name} already: {remedy}, or take another name"
        ),
    }
}

impl Inner {
    /// Returns what keeps a package found under its name: that none of the repositories is there in which the
    /// name would lie sooner.
    ///
    /// # Errors
    /// [`Error::Blocked`] where one is there.
    pub(crate) async fn unclaimed(&self, package: &PackageRef) -> Result<Vec<Expectation>, Error> {
        let name = package.oci_name();
        let mut absent = Vec::new();
        for repository in candidates(&name) {
            if repository == package.repository {
                break;
            }
            match self.absent_at(&repository).await? {
                Some(generation) => absent.push(Expectation::Document(
                    DocumentKey::Repository(repository),
                    generation,
                )),
                None if guard!(624) => {
                    return Err(Error::Blocked {
                        what: format!(
                            "{name} lies in repository {repository} now, and not in {}: look the name up again",
                            package.repository
                        ),
                    });
                }
                None => {}
            }
        }
        Ok(absent)
    }
}
