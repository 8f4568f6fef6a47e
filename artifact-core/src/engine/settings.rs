//! Settings as they hold for one repository, and users, both cached exactly.

use std::sync::Arc;

use super::{
    cache::{CACHED, Effective, Read},
    registry::Inner,
};
use crate::{
    contract::{
        change::{Expectation, Room},
        index_error::IndexError,
        record::{AsOf, DocumentRecord},
    },
    error::{Error, What},
    model::{
        document::{
            Document, DocumentKey, Mode, NamespaceSettings, RepositorySettings, StageSettings, User,
        },
        id::Generation,
        name::{RepositoryName, Scope, UserName},
    },
};

impl Inner {
    /// Returns the mode of the registry.
    pub(crate) async fn mode(&self) -> Result<Arc<Read<Mode>>, Error> {
        let revision = self.index().head().await?.revision;
        if let Some(mode) = self
            .settings
            .lock()
            .at(revision)
            .and_then(|cache| cache.mode.clone())
        {
            return Ok(mode);
        }
        let mode = Arc::new(self.read_document(&DocumentKey::Mode).await?);
        if let Some(cache) = self.settings.lock().at(revision) {
            cache.mode = Some(Arc::clone(&mode));
        }
        Ok(mode)
    }

    /// Returns a user, if there is one.
    pub(crate) async fn user(&self, name: &UserName) -> Result<Arc<Read<User>>, Error> {
        let revision = self.index().head().await?.revision;
        let cached = self
            .settings
            .lock()
            .at(revision)
            .and_then(|c| c.users.get(name).cloned());
        if let Some(user) = cached {
            return Ok(user);
        }
        let user = Arc::new(self.read_document(&DocumentKey::User(name.clone())).await?);
        if let Some(cache) = self.settings.lock().at(revision)
            && cache.users.len() < CACHED
        {
            cache.users.insert(name.clone(), Arc::clone(&user));
        }
        Ok(user)
    }

    /// Returns what holds for a repository now, or `None` if there is no such repository.
    pub(crate) async fn effective(
        &self,
        name: &RepositoryName,
    ) -> Result<Option<Arc<Effective>>, Error> {
        Ok(self.look(name).await?.ok())
    }

    /// Returns the generation of the record of a repository that is not there, or `None` if it is.
    pub(crate) async fn absent_at(
        &self,
        name: &RepositoryName,
    ) -> Result<Option<Generation>, Error> {
        Ok(self.look(name).await?.err())
    }

    /// Returns what holds for a repository now, or the generation at which it is absent.
    async fn look(
        &self,
        name: &RepositoryName,
    ) -> Result<Result<Arc<Effective>, Generation>, Error> {
        let revision = self.index().head().await?.revision;
        if let Some(cache) = self.settings.lock().at(revision) {
            if let Some(found) = cache.repositories.get(name) {
                return Ok(Ok(Arc::clone(found)));
            }
            if let Some(generation) = cache.absent.get(name) {
                return Ok(Err(*generation));
            }
        }
        let found = self.read_effective(name).await?.map(Arc::new);
        if let Some(cache) = self.settings.lock().at(revision) {
            match &found {
                Ok(found) if cache.repositories.len() < CACHED => {
                    cache.repositories.insert(name.clone(), Arc::clone(found));
                }
                Err(generation) if cache.absent.len() < CACHED => {
                    cache.absent.insert(name.clone(), *generation);
                }
                _ => {}
            }
        }
        Ok(found)
    }

    async fn read_effective(
        &self,
        name: &RepositoryName,
    ) -> Result<Result<Effective, Generation>, Error> {
        let key = DocumentKey::Repository(name.clone());
        let repository: Read<RepositorySettings> = self.read_document(&key).await?;
        let read = vec![Expectation::Document(key, repository.generation)];
        match repository.value {
            Some(settings) => Ok(Ok(self.effective_of(name, settings, read).await?)),
            None => Ok(Err(repository.generation)),
        }
    }

    /// Returns what holds for a repository with these settings; `read` is what they were read from.
    pub(crate) async fn effective_of(
        &self,
        name: &RepositoryName,
        settings: RepositorySettings,
        mut read: Vec<Expectation>,
    ) -> Result<Effective, Error> {
        let mut stage = None;
        let mut rooms = Vec::new();
        for scope in Scope::above(name) {
            let key = DocumentKey::Namespace(scope.clone());
            let namespace: Read<NamespaceSettings> = self.read_document(&key).await?;
            read.push(Expectation::Document(key, namespace.generation));
            let Some(settings) = namespace.value else {
                continue;
            };
            stage = settings.stage.or(stage);
            rooms.extend(settings.quota.map(|limit| Room { scope, limit }));
        }
        rooms.extend(settings.quota.map(|limit| Room {
            scope: name.into(),
            limit,
        }));
        let stage = match settings.stage.or(stage) {
            None => StageSettings::default(),
            Some(stage) => {
                let key = DocumentKey::Stage(stage);
                let stage: Read<StageSettings> = self.read_document(&key).await?;
                read.push(Expectation::Document(key, stage.generation));
                stage.value.unwrap_or_default()
            }
        };
        Ok(Effective { stage, rooms, read })
    }

    /// Reads a document as it is now.
    pub(crate) async fn read_document<T: Document>(
        &self,
        key: &DocumentKey,
    ) -> Result<Read<T>, Error> {
        match self.index().document(AsOf::Now, key).await? {
            None => Ok(Read {
                generation: Generation::NONE,
                value: None,
            }),
            Some(record) => Ok(Read {
                generation: record.generation,
                value: parse(&record)?,
            }),
        }
    }
}

/// Reads the body of a document; a deleted one has none.
///
/// # Errors
/// [`IndexError::Corrupt`] when this program does not understand it: it may have been written by a
/// newer one, and half of a setting must not be believed (I32).
pub(crate) fn parse<T: Document>(record: &DocumentRecord) -> Result<Option<T>, Error> {
    let Some(body) = &record.body else {
        return Ok(None);
    };
    T::from_body(body)
        .map(Some)
        .map_err(|source| Error::Invalid {
            what: format!(
                "the record {} is of a newer program, or damaged",
                record.key
            ),
            source: Some(source.into()),
        })
}

/// Returns the error for a repository that is not there.
pub(crate) fn no_repository(name: &RepositoryName) -> Error {
    Error::not_found(What::Repository, name)
}

/// Says whether a change set failed because settings changed after they were read.
pub(crate) fn is_stale(error: &IndexError) -> bool {
    matches!(
        error,
        IndexError::Conflict(crate::contract::index_error::Conflict::Document { .. })
    )
}
