//! The change that gives packages to a new repository.

use artifact::{Conflict, Event, OciName, PackageRef, RepositoryName};

use super::{
    draft::Draft,
    rows::{Package, Place, TagRow},
    shared::Shared,
};

impl Draft<'_> {
    /// Moves the packages of the default repository that lie below this repository into it.
    pub fn adopt(&mut self, repository: &RepositoryName) -> Result<(), Conflict> {
        if repository.is_default() {
            return Ok(());
        }
        for (old, new) in self.adopted(repository) {
            self.adopt_package(&old, new)?;
        }
        Ok(())
    }

    /// Returns the packages that have content or uploads, or had tags, with their new names.
    fn adopted(&self, repository: &RepositoryName) -> Vec<(PackageRef, PackageRef)> {
        let known = self.state.packages.values().map(|package| &package.name);
        let uploads = self.state.uploads.values().map(|upload| &upload.package);
        let mut moves: Vec<_> = known
            .chain(uploads)
            .filter(|old| old.repository.is_default())
            .filter_map(|old| {
                let name: OciName = old.oci_name().parse().ok()?;
                Some((old.clone(), PackageRef::below(repository, &name)?))
            })
            .collect();
        moves.sort_by_key(|(old, _)| Place::of(old));
        moves.dedup();
        moves
    }

    fn adopt_package(&mut self, old: &PackageRef, new: PackageRef) -> Result<(), Conflict> {
        let comes = self.state.package(old).and_then(Package::content).is_some();
        let taken = self.state.package(&new).and_then(Package::content);
        if let Some(digest) = taken.filter(|_| comes) {
            let package = new;
            return Err(Conflict::InUse { digest, package });
        }
        let mut moved = false;
        for upload in self.state.uploads.values_mut() {
            if upload.package == *old {
                upload.package = new.clone();
                moved = true;
            }
        }
        if let Some(package) = self.state.packages.remove(&Place::of(old)) {
            moved |= package.content().is_some();
            self.adopt_content(old, &new, &package);
        }
        if moved {
            self.events.push(Event::Adopted { package: new });
        }
        Ok(())
    }

    fn adopt_content(&mut self, old: &PackageRef, new: &PackageRef, package: &Package) {
        let since = self.revision;
        if package.content().is_some() {
            self.state.peopled.insert(new.repository.clone());
        }
        for row in package.manifests.values() {
            if row.since < since {
                self.end_manifest(old, row.clone());
            }
        }
        for row in package.tags.values() {
            self.end_tag(old, row);
        }
        // The tags of the old name go on counting, should they be made anew.
        let left = &mut self.state.package_mut(old).tags;
        for (tag, row) in &package.tags {
            let digest = None;
            left.insert(
                tag.clone(),
                TagRow {
                    digest,
                    ..row.clone()
                },
            );
        }
        let target = self.state.package_mut(new);
        for (tag, row) in &package.tags {
            let mut row = row.clone();
            row.since = since;
            if let Some(there) = target.tags.get(tag) {
                if there.digest.is_some() {
                    continue;
                }
                row.generation = row.generation.max(there.generation);
            }
            target.tags.insert(tag.clone(), row);
        }
        for (digest, row) in &package.manifests {
            let mut row = Shared::clone(row);
            row.since = since;
            target.manifests.insert(*digest, row);
        }
        let links = package.links.iter();
        target
            .links
            .extend(links.map(|(digest, link)| (*digest, link.clone())));
    }
}
