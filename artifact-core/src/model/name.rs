//! Names: parsed once, into types that cannot hold a wrong one.

use crate::guard;
use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The longest name that is taken, in bytes, with its slashes.
pub const NAME_MAX: usize = 255;

/// The repository that `init` makes, to which every name belongs that fits no other.
pub const DEFAULT_REPOSITORY: &str = "default";

/// Says whether `text` is a path of the grammar that OCI gives a repository's name.
///
/// Source: OCI distribution specification 1.1, "Pulling manifests".
fn is_path(text: &str) -> bool {
    guard!(557, text.len() <= NAME_MAX) && text.split('/').all(is_component)
}

/// Says whether `text` is `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(text: &str) -> bool {
    let bytes = text.as_bytes();
    if !bytes.first().is_some_and(is_alphanumeric) || !bytes.last().is_some_and(is_alphanumeric) {
        return false;
    }
    bytes
        .split(is_alphanumeric)
        .filter(|separator| !separator.is_empty())
        .all(|separator| {
            matches!(separator, b"." | b"_" | b"__") || separator.iter().all(|b| *b == b'-')
        })
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape that `slice::split` asks for"
)]
const fn is_alphanumeric(byte: &u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9')
}

fn is_tag(text: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let rest = |byte: u8| first(byte) || matches!(byte, b'.' | b'-');
    text.len() <= 128 && text.bytes().next().is_some_and(first) && text.bytes().all(rest)
}

fn is_user(text: &str) -> bool {
    let first = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let rest = |byte: u8| first(byte) || matches!(byte, b'.' | b'_' | b'-' | b'@' | b'+');
    text.len() <= 128 && text.bytes().next().is_some_and(first) && text.bytes().all(rest)
}

/// Defines a name: a `String` that passed a check, and nothing that gets around it.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:expr, $what:literal, $form:literal) => {
        $(#[$doc])*
        #[derive(Clone, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                text.to_owned().try_into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if check(&text) { Ok(Self(text)) } else { Err(NameError { what: $what, form: $form }) }
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

name! {
    /// A name as an OCI client writes it, before it is known which repository it belongs to.
    OciName, is_path, "a name",
    "lower-case letters and digits, parted by '.', '_', '__', '-' or '/', at most 255 characters"
}

name! {
    /// The name of a repository: a path.
    RepositoryName, is_path, "a repository's name",
    "lower-case letters and digits, parted by '.', '_', '__', '-' or '/', at most 255 characters"
}

name! {
    /// The name of a package in its repository: an image, a project, a crate, a model.
    PackageName, is_path, "a package's name",
    "lower-case letters and digits, parted by '.', '_', '__', '-' or '/', at most 255 characters"
}

name! {
    /// A name for an artifact inside a package.
    ///
    /// Source: OCI distribution specification 1.1, "Pulling manifests".
    Tag, is_tag, "a tag",
    "at most 128 letters, digits, '_', '.' and '-', the first no '.' or '-'"
}

name! {
    /// The name of a user.
    UserName, is_user, "a user's name",
    "at most 128 lower-case letters, digits, '.', '_', '-', '@' and '+', the first a letter or digit"
}

name! {
    /// The name of a stage: a set of settings that repositories share.
    StageName, is_component, "a stage's name", "lower-case letters and digits, parted by '.', '_' or '-'"
}

impl RepositoryName {
    /// Returns the repository that `init` makes.
    pub fn default_repository() -> Self {
        Self(DEFAULT_REPOSITORY.to_owned())
    }

    /// Says whether this is the repository that `init` makes.
    pub fn is_default(&self) -> bool {
        self.0 == DEFAULT_REPOSITORY
    }
}

/// A package in its repository.
///
/// "Repository" in the OCI specification means this.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the two parts are all there is to it"
)]
pub struct PackageRef {
    /// The repository.
    pub repository: RepositoryName,
    /// The package in it.
    pub package: PackageName,
}

impl PackageRef {
    /// Returns the package in the repository.
    pub const fn new(repository: RepositoryName, package: PackageName) -> Self {
        Self {
            repository,
            package,
        }
    }

    /// Returns the package that an OCI name means where only the default repository is configured.
    pub fn in_default(name: &OciName) -> Self {
        Self::new(
            RepositoryName::default_repository(),
            PackageName(name.0.clone()),
        )
    }

    /// Returns the package that an OCI name means if `repository` is the one it belongs to, or
    /// `None` when the name is not below that repository.
    ///
    /// The default repository's packages are written without its name, so that no package has two
    /// names; a name equal to a repository's means no package.
    pub fn below(repository: &RepositoryName, name: &OciName) -> Option<Self> {
        if repository.is_default() {
            return Some(Self::in_default(name));
        }
        let rest = name
            .as_str()
            .strip_prefix(repository.as_str())?
            .strip_prefix('/')?;
        Some(Self::new(repository.clone(), PackageName(rest.to_owned())))
    }

    /// Returns the name that an OCI client writes for it.
    pub fn oci_name(&self) -> String {
        if self.repository.is_default() {
            self.package.0.clone()
        } else {
            format!("{}/{}", self.repository, self.package)
        }
    }
}

impl fmt::Display for PackageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.oci_name())
    }
}

/// The repositories whose name is, or lies below, a path; the empty one holds them all.
///
/// Settings, roles and quota are given for a scope: a namespace or one repository.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

impl Scope {
    /// Returns the scope of the whole registry.
    pub const fn all() -> Self {
        Self(String::new())
    }

    /// Returns the path, empty for the whole registry.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether the scope holds the repository.
    pub fn holds(&self, repository: &RepositoryName) -> bool {
        self.holds_path(repository.as_str())
    }

    /// Says whether the scope holds all of the other.
    pub fn holds_scope(&self, other: &Self) -> bool {
        self.holds_path(&other.0)
    }

    /// Returns the scopes that hold the repository, the whole registry first, the repository last.
    pub fn above(repository: &RepositoryName) -> Vec<Self> {
        let path = repository.as_str();
        let cuts = path.match_indices('/').map(|(at, _)| at);
        std::iter::once(0)
            .chain(cuts)
            .chain([path.len()])
            .map(|end| Self(path[..end].to_owned()))
            .collect()
    }

    fn holds_path(&self, path: &str) -> bool {
        self.0.is_empty()
            || path
                .strip_prefix(&self.0)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "the whole registry"
        } else {
            &self.0
        })
    }
}

impl From<&RepositoryName> for Scope {
    fn from(name: &RepositoryName) -> Self {
        Self(name.0.clone())
    }
}

impl FromStr for Scope {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for Scope {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        if text.is_empty() || is_path(&text) {
            return Ok(Self(text));
        }
        let form = "empty for the whole registry, or written as a repository's name";
        Err(NameError {
            what: "a namespace",
            form,
        })
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

/// The text is not a name of its kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what} is {form}")]
#[non_exhaustive]
pub struct NameError {
    what: &'static str,
    form: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A8, A47, A51: a name holds no traversal, no escape and no control character.
    #[test]
    fn a47_only_the_grammar_is_a_name() {
        for good in ["a", "library/ubuntu", "a.b_c__d-e---f/0", &"a".repeat(255)] {
            assert!(good.parse::<OciName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            ".",
            "..",
            "a/../b",
            "A",
            "a_",
            "_a",
            "a..b",
            "a___b",
            "a._b",
            "a-.b",
            "a\n",
            "a b",
            "a%2fb",
            "é",
            &"a".repeat(256),
        ] {
            assert!(bad.parse::<OciName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tags_follow_the_grammar() {
        for good in ["latest", "_x", "V1.0-rc.1", &"t".repeat(128)] {
            assert!(good.parse::<Tag>().is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "a/b", "a:b", "a\r", &"t".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_belongs_to_the_repository_above_it() {
        let name: OciName = "team/models/bert".parse().unwrap();
        let team: RepositoryName = "team/models".parse().unwrap();
        let package = PackageRef::below(&team, &name).unwrap();
        assert_eq!(package.package.as_str(), "bert");
        assert_eq!(package.oci_name(), "team/models/bert");
        let near: RepositoryName = "team/mod".parse().unwrap();
        assert_eq!(PackageRef::below(&near, &name), None);
        assert_eq!(
            PackageRef::below(&team, &"team/models".parse().unwrap()),
            None
        );
        assert_eq!(PackageRef::in_default(&name).oci_name(), "team/models/bert");
    }

    #[test]
    fn scopes_hold_whole_components() {
        let scope: Scope = "team".parse().unwrap();
        assert!(scope.holds(&"team/models".parse().unwrap()));
        assert!(scope.holds(&"team".parse().unwrap()));
        assert!(!scope.holds(&"teams".parse().unwrap()));
        assert!(Scope::all().holds_scope(&scope));
        let above = Scope::above(&"team/models".parse().unwrap());
        assert_eq!(
            above.iter().map(Scope::as_str).collect::<Vec<_>>(),
            ["", "team", "team/models"]
        );
    }
}
