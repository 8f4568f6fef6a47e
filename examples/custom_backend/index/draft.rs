//! The change set that is being made.

use artifact::{Actor, Committed, Digest, Event, Head, PackageRef, Revision, Timestamp};

use super::{
    rows::{Ended, ManifestRow, TagRow},
    shared::Shared,
    state::State,
};

/// A copy of the newest state with the changes that were made so far.
#[derive(Debug)]
pub struct Draft<'a> {
    pub state: &'a mut State,
    /// The revision that it will be, if it changes anything.
    pub revision: Revision,
    pub time: Timestamp,
    pub events: Vec<Event>,
}

impl<'a> Draft<'a> {
    pub fn new(state: &'a mut State, time: Timestamp) -> Self {
        let revision = state.head.revision.next();
        Self {
            time: time.max(state.head.time.plus_millis(1)),
            state,
            revision,
            events: Vec::new(),
        }
    }

    /// Takes a link out of a package, and looks at its blob again.
    pub fn unlink(&mut self, package: &PackageRef, digest: Digest) {
        let links = &mut self.state.package_mut(package).links;
        if links.remove(&digest).is_some() {
            self.state.review.insert(digest);
            self.events.push(Event::BlobUnlinked {
                package: package.clone(),
                digest,
            });
        }
    }

    /// Takes a link out of a package where nothing keeps it.
    pub fn unlink_loose(&mut self, package: &PackageRef, digest: Digest) {
        let found = self.state.package(package);
        if found.is_some_and(|package| package.is_loose(&digest)) {
            self.unlink(package, digest);
        }
    }

    /// Remembers a tag that was in a package until now; not one that only this change set saw.
    pub fn end_tag(&mut self, package: &PackageRef, row: &TagRow) {
        if row.digest.is_some() && row.since < self.revision {
            self.end(package, None);
        }
    }

    /// Remembers a manifest that was in a package until now; not one that only this change set saw.
    pub fn end_manifest(&mut self, package: &PackageRef, row: Shared<ManifestRow>) {
        self.state.review.extend(&row.named);
        if row.since < self.revision {
            self.end(package, Some(row));
        } else {
            self.state.drop_manifest(&row.summary.descriptor.digest);
        }
    }

    fn end(&mut self, package: &PackageRef, manifest: Option<Shared<ManifestRow>>) {
        self.state.ended.push(Ended {
            repository: package.repository.clone(),
            until: self.revision,
            manifest,
        });
    }

    /// Ends the change set: with a revision, if it changed anything.
    pub fn finish(self, actor: Actor) -> Committed {
        let state = self.state;
        if self.events.is_empty() {
            let Head { revision, time, .. } = state.head;
            return Committed::new(revision, time, actor, self.events);
        }
        let committed = Committed::new(self.revision, self.time, actor, self.events);
        state.head = Head::new(self.revision, self.time);
        state.times.push(self.time);
        state.feed.insert(self.revision, committed.clone().into());
        state.history.insert(self.revision, state.packages.clone());
        committed
    }
}
