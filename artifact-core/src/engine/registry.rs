//! The registry: one handle on everything.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use super::{cache::SettingsCache, limits::Limits, pipe::Slot, trust::Trust};
use crate::{
    contract::{
        blob_store::BlobStore,
        index::ManifestIndex,
        observer::Observer,
        policy::PolicyEngine,
        seams::{Clock, Holders, Rng, Spawn},
    },
    model::id::{Holder, UploadId},
    roles::RolePolicy,
};

/// What a registry is made of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegistryParts {
    /// Keeps names and history.
    pub index: Arc<dyn ManifestIndex>,
    /// Keeps bytes.
    pub store: Arc<dyn BlobStore>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes what nobody can guess.
    pub rng: Arc<dyn Rng>,
    /// Runs work.
    pub spawn: Arc<dyn Spawn>,
    /// Knows which processes live.
    pub holders: Arc<dyn Holders>,
    /// Decides who may do what.
    pub policy: Arc<dyn PolicyEngine>,
    /// Are told of every access.
    pub observers: Vec<Arc<dyn Observer>>,
    /// This process.
    pub holder: Holder,
    /// What is bounded, and by how much.
    pub limits: Limits,
}

/// The seams of a [`RegistryParts`].
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a registry cannot do without any of them"
)]
pub struct Seams {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes what nobody can guess.
    pub rng: Arc<dyn Rng>,
    /// Runs work.
    pub spawn: Arc<dyn Spawn>,
    /// Knows which processes live.
    pub holders: Arc<dyn Holders>,
}

impl RegistryParts {
    /// Returns the parts of a registry with the policy of roles, no observers and the usual limits.
    pub fn new(
        index: Arc<dyn ManifestIndex>,
        store: Arc<dyn BlobStore>,
        seams: Seams,
        holder: Holder,
    ) -> Self {
        let Seams {
            clock,
            rng,
            spawn,
            holders,
        } = seams;
        Self {
            index,
            store,
            clock,
            rng,
            spawn,
            holders,
            policy: Arc::new(RolePolicy),
            observers: Vec::new(),
            holder,
            limits: Limits::default(),
        }
    }
}

/// A registry: the whole store behind one handle. To clone it costs nothing.
///
/// All that a caller may do with it goes through a [`Session`](super::session::Session).
#[derive(Clone)]
pub struct Registry {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) parts: RegistryParts,
    pub(crate) settings: Mutex<SettingsCache>,
    pub(crate) trust: Mutex<Trust>,
    /// The uploads that this process is writing, so that a newer request can end an older one.
    pub(crate) writing: Mutex<HashMap<UploadId, Weak<Slot>>>,
}

impl Registry {
    /// Returns the registry of these parts.
    ///
    /// Over an index that is new there is no repository yet, not even the default one:
    /// [`Session::create_repository`](super::session::Session::create_repository) makes it.
    pub fn new(parts: RegistryParts) -> Self {
        let inner = Inner {
            parts,
            settings: Mutex::default(),
            trust: Mutex::default(),
            writing: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Returns what the registry is made of.
    pub fn parts(&self) -> &RegistryParts {
        &self.inner.parts
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("index", &self.inner.parts.index)
            .field("store", &self.inner.parts.store)
            .finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn index(&self) -> &dyn ManifestIndex {
        &*self.parts.index
    }

    pub(crate) fn store(&self) -> &dyn BlobStore {
        &*self.parts.store
    }

    pub(crate) fn random_upload_id(&self) -> UploadId {
        let mut bytes = [0; 16];
        self.parts.rng.fill(&mut bytes);
        UploadId::from_random(bytes)
    }
}
