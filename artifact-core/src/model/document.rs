//! Documents: the records that say how a registry is to behave. Change sets write them, so they have
//! a history like all else.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::name::{RepositoryName, Scope, StageName, UserName};

/// Names a document.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum DocumentKey {
    /// Whether the registry takes writes: a [`Mode`].
    Mode,
    /// Settings of all repositories below a path: [`NamespaceSettings`].
    Namespace(Scope),
    /// A repository: [`RepositorySettings`]. It exists while its document does.
    Repository(RepositoryName),
    /// A stage: [`StageSettings`].
    Stage(StageName),
    /// A user: a [`User`].
    User(UserName),
}

/// The kinds of documents, for listing them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum DocumentKind {
    /// The mode.
    Mode,
    /// Namespaces.
    Namespace,
    /// Repositories.
    Repository,
    /// Stages.
    Stage,
    /// Users.
    User,
}

impl DocumentKind {
    /// Returns the word that begins the text of its keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mode => "mode",
            Self::Namespace => "namespace",
            Self::Repository => "repository",
            Self::Stage => "stage",
            Self::User => "user",
        }
    }
}

impl DocumentKey {
    /// Returns the kind of the document.
    pub const fn kind(&self) -> DocumentKind {
        match self {
            Self::Mode => DocumentKind::Mode,
            Self::Namespace(_) => DocumentKind::Namespace,
            Self::Repository(_) => DocumentKind::Repository,
            Self::Stage(_) => DocumentKind::Stage,
            Self::User(_) => DocumentKind::User,
        }
    }

    /// Returns its name among those of its kind; empty where the kind has but one, and for the
    /// namespace that is the whole registry.
    pub fn name(&self) -> &str {
        match self {
            Self::Mode => "",
            Self::Namespace(scope) => scope.as_str(),
            Self::Repository(name) => name.as_str(),
            Self::Stage(name) => name.as_str(),
            Self::User(name) => name.as_str(),
        }
    }
}

impl fmt::Display for DocumentKey {
    /// Writes `kind:name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind().name(), self.name())
    }
}

impl FromStr for DocumentKey {
    type Err = DocumentKeyError;

    fn from_str(text: &str) -> Result<Self, DocumentKeyError> {
        let (kind, name) = text.split_once(':').ok_or(DocumentKeyError)?;
        let key = match kind {
            "mode" if name.is_empty() => Some(Self::Mode),
            "namespace" => name.parse().ok().map(Self::Namespace),
            "repository" => name.parse().ok().map(Self::Repository),
            "stage" => name.parse().ok().map(Self::Stage),
            "user" => name.parse().ok().map(Self::User),
            _ => None,
        };
        key.ok_or(DocumentKeyError)
    }
}

impl TryFrom<String> for DocumentKey {
    type Error = DocumentKeyError;

    fn try_from(text: String) -> Result<Self, DocumentKeyError> {
        text.parse()
    }
}

impl From<DocumentKey> for String {
    fn from(key: DocumentKey) -> Self {
        key.to_string()
    }
}

/// The text names no document.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a document is named kind:name, such as repository:team/models")]
#[non_exhaustive]
pub struct DocumentKeyError;

/// What is kept under a [`DocumentKey`]: canonical JSON, at most 64 KiB.
///
/// Unknown fields are refused, so that nothing is believed to be set which is not (I32).
pub trait Document: DeserializeOwned + Serialize {
    /// Returns the document as it is stored.
    fn to_body(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| String::from("null"))
    }

    /// Reads a stored document.
    ///
    /// # Errors
    /// The parser's, when this program does not know a field or value of it.
    fn from_body(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }
}

/// What a repository is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// It keeps what is pushed to it.
    #[default]
    Hosted,
}

/// Which client protocol a repository speaks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Format {
    /// OCI distribution.
    #[default]
    Oci,
}

/// The settings of a repository.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RepositorySettings {
    /// What it is.
    #[serde(default)]
    pub kind: Kind,
    /// Which protocol it speaks.
    #[serde(default)]
    pub format: Format,
    /// Its stage; the one of the nearest namespace that has one, else [`StageSettings::default`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageName>,
    /// How many bytes its packages may link, each distinct digest counted once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<u64>,
    /// What it is for, in the words of whoever made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Document for RepositorySettings {}

/// The settings of all repositories below a path.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NamespaceSettings {
    /// The stage of repositories that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageName>,
    /// How many bytes its repositories may be charged together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<u64>,
}

impl Document for NamespaceSettings {}

/// A set of settings that repositories share.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct StageSettings {
    /// How long what was is kept readable, in milliseconds (`history.keep`).
    pub history_keep: u64,
    /// Whether tags, manifests and blobs may be deleted.
    pub delete: bool,
    /// Whether a tag that exists may be moved.
    pub overwrite: bool,
    /// Whether each read is hashed, whatever its stamp says.
    pub verify_always: bool,
}

impl Default for StageSettings {
    fn default() -> Self {
        let week = 7 * 24 * 60 * 60 * 1000;
        Self {
            history_keep: week,
            delete: true,
            overwrite: true,
            verify_always: false,
        }
    }
}

impl Document for StageSettings {}

/// What a user may do somewhere.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum UserRole {
    /// Read.
    Reader,
    /// Read, and publish what is not there yet: no overwrite, no delete.
    Creator,
    /// Read, publish, overwrite and delete.
    Writer,
    /// All of it, and change settings; for the whole registry also users, mode and purge.
    Admin,
}

impl fmt::Display for UserRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reader => "reader",
            Self::Creator => "creator",
            Self::Writer => "writer",
            Self::Admin => "admin",
        })
    }
}

/// A role, and where it holds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a role and its place are all there is to it"
)]
pub struct Grant {
    /// The role.
    pub role: UserRole,
    /// The repositories for which it holds.
    pub scope: Scope,
}

/// Somebody who may say who they are.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct User {
    /// The hash of the password, as a PHC string.
    pub password: String,
    /// What the user may do.
    pub grants: Vec<Grant>,
}

impl User {
    /// Returns the user with this password hash and these grants.
    pub const fn new(password: String, grants: Vec<Grant>) -> Self {
        Self { password, grants }
    }
}

impl fmt::Debug for User {
    /// Leaves the password's hash out (I27).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}

impl Document for User {}

/// Whether a registry takes writes.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Mode {
    /// It does.
    #[default]
    ReadWrite,
    /// It does not, for this reason.
    ReadOnly(String),
}

impl Document for Mode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back() {
        for text in [
            "mode:",
            "namespace:",
            "namespace:a/b",
            "repository:a/b",
            "stage:dev",
            "user:x@y",
        ] {
            assert_eq!(text.parse::<DocumentKey>().unwrap().to_string(), text);
        }
        for bad in ["", "mode:x", "repository:", "user:", "stage:a/b", "x:y"] {
            assert!(bad.parse::<DocumentKey>().is_err(), "{bad}");
        }
    }

    /// I32: an unknown setting is an error, not a silence.
    #[test]
    fn i32_an_unknown_setting_is_refused() {
        assert!(RepositorySettings::from_body(r#"{"quotta":1}"#).is_err());
        assert!(StageSettings::from_body(r#"{"histori_keep":1}"#).is_err());
        assert!(RepositorySettings::from_body(r#"{"kind":"virtual"}"#).is_err());
        let settings = RepositorySettings {
            quota: Some(5),
            ..RepositorySettings::default()
        };
        assert_eq!(
            RepositorySettings::from_body(&settings.to_body()).unwrap(),
            settings
        );
    }

    /// I27: no hash of a password in a debug line.
    #[test]
    fn i27_a_user_prints_without_the_password() {
        let user = User::new("$argon2id$secret".into(), vec![]);
        assert!(!format!("{user:?}").contains("secret"));
    }
}
