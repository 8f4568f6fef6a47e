//! Settings: repositories, namespaces, stages, users, mode.

use super::{
    commit::{TRIES, contended},
    permit::Permit,
    session::Session,
    settings::{no_repository, parse},
};
use crate::{
    contract::{
        change::{Change, Committed, Expectation},
        index_error::{Conflict, IndexError},
        policy::Action,
        record::{AsOf, Page},
    },
    error::{Error, What},
    guard,
    model::{
        document::{
            Document, DocumentKey, DocumentKind, Mode, NamespaceSettings, RepositorySettings,
            StageSettings, User,
        },
        id::Generation,
        name::{RepositoryName, Scope, StageName, UserName},
    },
};

/// A record of settings, as it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Setting<T> {
    /// What is set.
    pub value: T,
    /// The generation of the record.
    pub generation: Generation,
}

impl Session {
    /// Lists the repositories that this principal may read, by name; fewer than a page holds are all
    /// that are left.
    ///
    /// # Errors
    /// [`Error::HistoryForgotten`]; and where the index fails.
    pub async fn repositories(
        &self,
        at: AsOf,
        page: Page<String>,
    ) -> Result<Vec<(RepositoryName, Setting<RepositorySettings>)>, Error> {
        let limit = page.limit;
        let mut after = page.after;
        let mut repositories = Vec::new();
        // What may not be read takes no place in a page, or its length would tell of it (I11).
        while repositories.len() < limit.get() as usize {
            let page = Page { after, limit };
            let kind = DocumentKind::Repository;
            let records = self.inner().index().documents(at, kind, page).await?;
            let Some(last) = records.last() else { break };
            after = Some(last.key.name().to_owned());
            for record in records {
                let DocumentKey::Repository(name) = &record.key else {
                    continue;
                };
                if !guard!(365, self.may_read(&name.into()).await?, else true) {
                    continue;
                }
                let (name, generation) = (name.clone(), record.generation);
                let Some(value) = parse(&record)? else {
                    continue;
                };
                repositories.push((name, Setting { value, generation }));
            }
        }
        repositories.truncate(limit.get() as usize);
        Ok(repositories)
    }

    /// Returns the settings of a repository.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::HistoryForgotten`]; and where the index fails.
    pub async fn repository(
        &self,
        at: AsOf,
        name: &RepositoryName,
    ) -> Result<Setting<RepositorySettings>, Error> {
        guard!(330, self)
            .permit_repository(Action::Read, name)
            .await?;
        let key = DocumentKey::Repository(name.clone());
        self.setting(at, &key)
            .await?
            .ok_or_else(|| no_repository(name))
    }

    /// Makes a repository. Packages of the default repository that lie below its name are moved into
    /// it with `adopt`, and stand against it without. A package of its very name, and packages of another
    /// repository that lie below it, stand against it always: their names would lead elsewhere.
    ///
    /// # Errors
    /// [`Error::Blocked`] when it is there already, or packages stand against it; refusals; and
    /// where the index fails.
    pub async fn create_repository(
        &self,
        name: &RepositoryName,
        settings: &RepositorySettings,
        adopt: bool,
    ) -> Result<Committed, Error> {
        let key = DocumentKey::Repository(name.clone());
        for _ in 0..TRIES {
            let permit = guard!(331, self)
                .permit_repository(Action::Administer, name)
                .await?;
            let now: super::cache::Read<RepositorySettings> =
                self.inner().read_document(&key).await?;
            if guard!(382) && now.value.is_some() {
                return Err(Error::Blocked {
                    what: format!("repository {name} is there already"),
                });
            }
            self.hides_nothing(name, adopt).await?;
            let put = Change::PutDocument(key.clone(), settings.to_body());
            let expected = Expectation::Document(key.clone(), now.generation);
            let mut changes = permit.bind(self.change_set()).change(put);
            changes = guard!(384, changes.expect(expected), else changes);
            // Also what came since it was looked: it would not be found under its name any more.
            if guard!(625) {
                changes = changes.change(Change::Adopt(name.clone()));
            }
            match self.inner().index().apply(changes).await {
                Ok(committed) => return Ok(committed),
                Err(IndexError::Conflict(Conflict::Document { .. })) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended(format!("repository {name}")))
    }

    /// Changes the settings of a repository; with a generation, only if they are still at it.
    ///
    /// # Errors
    /// [`Error::Precondition`], [`Error::NotFound`]; refusals; and where the index fails.
    pub async fn set_repository(
        &self,
        name: &RepositoryName,
        settings: &RepositorySettings,
        at: Option<Generation>,
    ) -> Result<Committed, Error> {
        let current = self.repository(AsOf::Now, name).await?;
        let at = at.unwrap_or(current.generation);
        let permit = guard!(332, self)
            .permit_repository(Action::Administer, name)
            .await?;
        let key = DocumentKey::Repository(name.clone());
        self.put_document(permit, key, settings.to_body(), Some(at))
            .await
    }

    /// Removes a repository that holds no package any more. The default one stays.
    ///
    /// # Errors
    /// [`Error::Blocked`] when it holds packages, [`Error::NotFound`], [`Error::Unsupported`]
    /// for the default one; refusals; and where the index fails.
    pub async fn remove_repository(&self, name: &RepositoryName) -> Result<Committed, Error> {
        let permit = guard!(333, self)
            .permit_repository(Action::Administer, name)
            .await?;
        if guard!(385) && name.is_default() {
            return Err(Error::Unsupported {
                what: "the default repository cannot go".into(),
            });
        }
        let current = self.repository(AsOf::Now, name).await?;
        if guard!(386) {
            self.holds_nothing(name).await?;
        }
        let key = DocumentKey::Repository(name.clone());
        let removed = self
            .delete_document(permit, key.clone(), current.generation)
            .await?;
        // What was pushed since it was looked would not be found any more; from now on nothing is pushed there.
        if guard!(627)
            && let Err(error) = self.holds_nothing(name).await
        {
            let back = Change::PutDocument(key, current.value.to_body());
            let changes = self.change_set().change(back);
            self.inner().index().apply(changes).await?;
            return Err(error);
        }
        Ok(removed)
    }

    async fn holds_nothing(&self, name: &RepositoryName) -> Result<(), Error> {
        match self.package_below(name, name).await? {
            None => Ok(()),
            Some(package) => Err(Error::Blocked {
                what: format!("repository {name} still holds {package}: delete that first"),
            }),
        }
    }

    /// Returns the settings of a namespace; the default ones where nothing is set.
    ///
    /// # Errors
    /// Refusals; and where the index fails.
    pub async fn namespace(
        &self,
        at: AsOf,
        scope: &Scope,
    ) -> Result<Setting<NamespaceSettings>, Error> {
        guard!(334, self).permit_scope(Action::Read, scope).await?;
        let setting = self
            .setting(at, &DocumentKey::Namespace(scope.clone()))
            .await?;
        Ok(setting.unwrap_or(Setting {
            value: NamespaceSettings::default(),
            generation: Generation::NONE,
        }))
    }

    /// Changes the settings of a namespace.
    ///
    /// # Errors
    /// Refusals; and where the index fails.
    pub async fn set_namespace(
        &self,
        scope: &Scope,
        settings: &NamespaceSettings,
    ) -> Result<Committed, Error> {
        let permit = guard!(335, self)
            .permit_scope(Action::Administer, scope)
            .await?;
        let key = DocumentKey::Namespace(scope.clone());
        self.put_document(permit, key, settings.to_body(), None)
            .await
    }

    /// Returns the settings of a stage; the default ones where nothing is set.
    ///
    /// # Errors
    /// Refusals; and where the index fails.
    pub async fn stage(&self, at: AsOf, name: &StageName) -> Result<Setting<StageSettings>, Error> {
        guard!(336, self)
            .permit_scope(Action::Read, &Scope::all())
            .await?;
        let setting = self.setting(at, &DocumentKey::Stage(name.clone())).await?;
        Ok(setting.unwrap_or(Setting {
            value: StageSettings::default(),
            generation: Generation::NONE,
        }))
    }

    /// Changes the settings of a stage.
    ///
    /// # Errors
    /// Refusals; and where the index fails.
    pub async fn set_stage(
        &self,
        name: &StageName,
        settings: &StageSettings,
    ) -> Result<Committed, Error> {
        let permit = guard!(337, self)
            .permit_scope(Action::Operate, &Scope::all())
            .await?;
        self.put_document(
            permit,
            DocumentKey::Stage(name.clone()),
            settings.to_body(),
            None,
        )
        .await
    }

    /// Lists the users, by name.
    ///
    /// # Errors
    /// [`Error::HistoryForgotten`]; refusals; and where the index fails.
    pub async fn users(
        &self,
        at: AsOf,
        page: Page<String>,
    ) -> Result<Vec<(UserName, User)>, Error> {
        guard!(338, self)
            .permit_scope(Action::Operate, &Scope::all())
            .await?;
        let records = self
            .inner()
            .index()
            .documents(at, DocumentKind::User, page)
            .await?;
        let mut users = Vec::new();
        for record in records {
            let DocumentKey::User(name) = &record.key else {
                continue;
            };
            users.extend(parse(&record)?.map(|user| (name.clone(), user)));
        }
        Ok(users)
    }

    /// Makes or changes a user.
    ///
    /// # Errors
    /// Refusals; and where the index fails.
    pub async fn put_user(&self, name: &UserName, user: &User) -> Result<Committed, Error> {
        let permit = guard!(339, self)
            .permit_scope(Action::Operate, &Scope::all())
            .await?;
        self.put_document(
            permit,
            DocumentKey::User(name.clone()),
            user.to_body(),
            None,
        )
        .await
    }

    /// Removes a user.
    ///
    /// # Errors
    /// [`Error::NotFound`]; refusals; and where the index fails.
    pub async fn remove_user(&self, name: &UserName) -> Result<Committed, Error> {
        let permit = guard!(340, self)
            .permit_scope(Action::Operate, &Scope::all())
            .await?;
        let key = DocumentKey::User(name.clone());
        let user: Option<Setting<User>> = self.setting(AsOf::Now, &key).await?;
        let user = user.ok_or_else(|| Error::not_found(What::Document, &key))?;
        self.delete_document(permit, key, user.generation).await
    }

    /// Returns the mode of the registry.
    ///
    /// # Errors
    /// [`Error::HistoryForgotten`]; and where the index fails.
    pub async fn mode(&self, at: AsOf) -> Result<Mode, Error> {
        if at == AsOf::Now {
            return Ok(self.inner().mode().await?.value.clone().unwrap_or_default());
        }
        let then = self.setting::<Mode>(at, &DocumentKey::Mode).await?;
        Ok(then.map(|setting| setting.value).unwrap_or_default())
    }

    /// Sets the mode of the registry.
    ///
    /// # Errors
    /// Refusals; and where the index fails.
    pub async fn set_mode(&self, mode: &Mode) -> Result<Committed, Error> {
        let permit = guard!(341, self)
            .permit_scope(Action::Operate, &Scope::all())
            .await?;
        self.put_document(permit, DocumentKey::Mode, mode.to_body(), None)
            .await
    }

    async fn setting<T: Document>(
        &self,
        at: AsOf,
        key: &DocumentKey,
    ) -> Result<Option<Setting<T>>, Error> {
        let Some(record) = self.inner().index().document(at, key).await? else {
            return Ok(None);
        };
        let generation = record.generation;
        Ok(parse(&record)?.map(|value| Setting { value, generation }))
    }

    async fn put_document(
        &self,
        permit: Permit,
        key: DocumentKey,
        body: String,
        at: Option<Generation>,
    ) -> Result<Committed, Error> {
        let put = Change::PutDocument(key.clone(), body);
        let mut changes = permit.bind(self.change_set()).change(put);
        let at = at.filter(|_| guard!(387));
        changes
            .expectations
            .extend(at.map(|at| Expectation::Document(key, at)));
        Ok(self.inner().index().apply(changes).await?)
    }

    async fn delete_document(
        &self,
        permit: Permit,
        key: DocumentKey,
        at: Generation,
    ) -> Result<Committed, Error> {
        let expected = Expectation::Document(key.clone(), at);
        let delete = Change::DeleteDocument(key);
        let changes = permit.bind(self.change_set()).change(delete);
        let changes = guard!(368, changes.expect(expected), else changes);
        Ok(self.inner().index().apply(changes).await?)
    }
}
