//! A change set that is being made.

use artifact_core::{Conflict, Digest, Event, PackageRef, Revision, Timestamp};

use super::state::{Package, PackageKey, State};

/// A copy of the state on which changes are made, and what is to be said of them.
#[derive(Debug)]
pub(crate) struct Edit {
    /// The state as the changes so far left it.
    pub(crate) state: State,
    /// The revision that is being made.
    pub(crate) revision: Revision,
    /// Its time.
    pub(crate) time: Timestamp,
    /// What happened so far.
    pub(crate) events: Vec<Event>,
}

impl Edit {
    /// Begins a change of `state` that was asked for at `time`.
    pub(crate) fn of(state: &State, time: Timestamp) -> Self {
        Self {
            revision: state.head.revision.next(),
            time: time.max(state.head.time.plus_millis(1)),
            state: state.clone(),
            events: Vec::new(),
        }
    }

    /// Returns the package, which is made where it is new.
    pub(crate) fn package(&mut self, package: &PackageRef) -> &mut Package {
        let key = PackageKey::from(package);
        self.state.packages.entry(key).or_default()
    }

    /// Says that a blob must be linked to the package.
    ///
    /// # Errors
    /// [`Conflict::NotLinked`].
    pub(crate) fn check_linked(
        &self,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<(), Conflict> {
        let content = self.state.package(package);
        if content.is_some_and(|content| content.links.contains_key(digest)) {
            return Ok(());
        }
        Err(Conflict::NotLinked {
            package: package.clone(),
            digest: *digest,
        })
    }

    /// Takes a link out, and says so.
    pub(crate) fn remove_link(&mut self, package: &PackageRef, digest: &Digest) {
        self.package(package).links.remove(digest);
        self.events.push(Event::BlobUnlinked {
            package: package.clone(),
            digest: *digest,
        });
    }
}
