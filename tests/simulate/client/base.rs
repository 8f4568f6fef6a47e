//! A client at a process: what it draws, and how it asks.

use std::{num::NonZeroU32, sync::Arc};

use artifact_core::{
    AsOf, Clock as _, Condition, Digest, Error, PackageRef, Page, Registry, RequestContext,
    Revision, Session, Tag,
};
use artifact_testkit::seams::{FakeClock, Simulated};
use parking_lot::Mutex;

use super::memory::Memory;
use crate::{
    disk::Disk,
    goods::{Blob, Goods},
    oracle::{Answer, Ask, Oracle},
};

/// Where a client is: the process that it talks to, and who watches.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) registry: Registry,
    pub(crate) work: Simulated,
    pub(crate) clock: FakeClock,
    pub(crate) goods: Arc<Goods>,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) disk: Arc<Mutex<Disk>>,
    /// The number of the process.
    pub(crate) process: u64,
}

/// A client at a place.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) memory: Arc<Memory>,
    pub(crate) place: Place,
}

impl Client {
    pub(super) fn package(&self) -> &PackageRef {
        let packages = &self.place.goods.packages;
        if self.memory.chance.one_in(2) {
            &packages[0]
        } else {
            self.memory.chance.pick(packages)
        }
    }

    pub(super) fn blob(&self) -> &Blob {
        self.memory.chance.pick(&self.place.goods.blobs)
    }

    pub(super) fn tag(&self) -> &Tag {
        let tags = &self.place.goods.tags;
        if self.memory.chance.one_in(2) {
            &tags[0]
        } else {
            self.memory.chance.pick(tags)
        }
    }

    pub(super) fn manifest(&self) -> Digest {
        self.memory
            .chance
            .pick(&self.place.goods.manifests)
            .digest()
    }

    /// Draws a manifest, mostly one that the package has.
    pub(super) fn manifest_of(&self, package: &PackageRef) -> Digest {
        let there = self
            .place
            .oracle
            .model(|model| model.manifests_at(model.head, package));
        if there.is_empty() || self.memory.chance.one_in(4) {
            return self.manifest();
        }
        *self.memory.chance.pick(&there)
    }

    /// Draws a blob, mostly one that the package has.
    pub(super) fn blob_of(&self, package: &PackageRef) -> Blob {
        let blobs = &self.place.goods.blobs;
        let is_there = |blob: &&Blob| {
            let model = &self.place.oracle;
            model.model(|model| model.has_link_at(model.head, package, &blob.digest))
        };
        let there: Vec<&Blob> = blobs.iter().filter(is_there).collect();
        if there.is_empty() || self.memory.chance.one_in(4) {
            return self.blob().clone();
        }
        (*self.memory.chance.pick(&there)).clone()
    }

    /// Draws a revision to read as of, or the present.
    pub(super) fn at(&self) -> Option<Revision> {
        let head = self.place.oracle.head().get();
        self.memory
            .chance
            .one_in(3)
            .then(|| Revision::new(self.memory.chance.below(head + 1)))
    }

    /// Draws a condition, mostly one that held a moment ago.
    pub(super) fn condition(&self, package: &PackageRef, tag: &Tag) -> Condition {
        let head = self.place.oracle.head();
        let (digest, generation, _) = self
            .place
            .oracle
            .model(|model| model.tag_at(head, package, tag));
        match (self.memory.chance.below(10), digest) {
            (0, _) | (1..=4, None) => Condition::Absent,
            (1..=4, Some(_)) => Condition::Generations(vec![generation]),
            (5, Some(digest)) => Condition::Digests(vec![digest]),
            (6, _) => Condition::Exists,
            _ => Condition::Any,
        }
    }

    /// Begins a request.
    pub(super) fn ask(&self, ask: Ask) -> (String, Session) {
        let number = {
            let mut asked = self.memory.asked.lock();
            *asked += 1;
            *asked
        };
        let request = format!("c{}-{number}", self.memory.number);
        self.place
            .oracle
            .ask(&request, ask, self.place.clock.boot());
        if self.is_poisoned() {
            self.place.oracle.is_poisoned(&request);
        }
        let context = RequestContext::with_request(request.clone());
        let session = self
            .place
            .registry
            .session(self.memory.principal.clone(), context);
        (request, session)
    }

    /// Says whether a sync of the blob store has failed in this process.
    fn is_poisoned(&self) -> bool {
        let disk = self.place.disk.lock();
        let failed = disk.failed_sync(self.place.process);
        failed.is_some_and(|path| !path.starts_with("/r/journal"))
    }

    /// Takes the answer to the oracle.
    pub(super) fn tell<T>(
        &self,
        request: &str,
        outcome: Result<T, Error>,
        answer: impl FnOnce(&T) -> Answer,
    ) -> Option<T> {
        // A process that died in the middle of this step answers nobody.
        if !self.place.disk.lock().is_alive(self.place.process) {
            return None;
        }
        match outcome {
            Ok(value) => {
                let answer = answer(&value);
                self.place.oracle.answered(request, Ok(&answer));
                Some(value)
            }
            Err(error) => {
                self.place.oracle.answered(request, Err(&error));
                None
            }
        }
    }

    /// Returns a session that the oracle expects nothing of.
    pub(crate) fn session(&self) -> Session {
        self.ask(Ask::Scrub).1
    }
}

pub(crate) fn as_of(at: Option<Revision>) -> AsOf {
    at.map_or(AsOf::Now, AsOf::Revision)
}

pub(crate) fn all<K>() -> Page<K> {
    Page::first(NonZeroU32::new(1_000).unwrap())
}
