//! Names of things in the words of the command line and of its documents.

use artifact::{AnonymousAccess, PackageRef, Scope, UserRole};
use clap::ValueEnum;
use serde::Serialize;

/// A package in a document.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PackageDocument {
    /// The name that clients write.
    pub(crate) name: String,
    pub(crate) repository: String,
}

impl From<&PackageRef> for PackageDocument {
    fn from(package: &PackageRef) -> Self {
        Self {
            name: package.oci_name(),
            repository: package.repository.to_string(),
        }
    }
}

/// What a user may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum RoleName {
    /// Read
    Reader,
    /// Read, and publish what is not there yet: no overwrite, no delete
    Creator,
    /// Read, publish, overwrite and delete
    Writer,
    /// All of it, and change settings; for the whole registry also users, mode and purge
    Admin,
}

impl From<RoleName> for UserRole {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Reader => Self::Reader,
            RoleName::Creator => Self::Creator,
            RoleName::Writer => Self::Writer,
            RoleName::Admin => Self::Admin,
        }
    }
}

/// What those may do who do not say who they are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum AnonymousName {
    /// Nothing
    #[default]
    None,
    /// Read everything
    Read,
    /// Read, write and delete everything, but administer nothing
    Write,
}

impl From<AnonymousName> for AnonymousAccess {
    fn from(access: AnonymousName) -> Self {
        match access {
            AnonymousName::None => Self::None,
            AnonymousName::Read => Self::Read,
            AnonymousName::Write => Self::Write,
        }
    }
}

/// Reads a namespace, a repository's name, or `/` for the whole registry.
pub(crate) fn scope(text: &str) -> Result<Scope, String> {
    if text == "/" {
        return Ok(Scope::all());
    }
    if text.is_empty() {
        return Err(
            "a scope is a namespace or a repository, or / for the whole registry".to_owned(),
        );
    }
    text.parse().map_err(|error| format!("{text:?}: {error}"))
}

/// Shows a scope as [`scope`] reads it.
pub(crate) fn show_scope(scope: &Scope) -> String {
    match scope.as_str() {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}

/// Returns a number with the word for so many.
pub(crate) fn plural(count: impl TryInto<u64>, one: &str, several: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", if count == 1 { one } else { several })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_back() {
        for text in ["/", "team", "team/models"] {
            assert_eq!(show_scope(&scope(text).unwrap()), text);
        }
        for bad in ["", "Team", "a/", "//"] {
            assert!(scope(bad).is_err(), "{bad}");
        }
    }
}
