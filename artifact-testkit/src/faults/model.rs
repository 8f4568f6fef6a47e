//! What must be there after calls that may have failed.

use std::collections::{BTreeMap, BTreeSet};

use super::script::{IMAGES, Step};

/// Where each tag may point: to one of these images, or nowhere.
#[derive(Debug, Default)]
pub(super) struct Model {
    tags: BTreeMap<&'static str, BTreeSet<Option<usize>>>,
}

impl Model {
    /// Takes what a step did, or may have done where it failed.
    pub(super) fn learn(&mut self, step: &Step, done: bool) {
        match step {
            Step::Push(tag, image) | Step::Tag(tag, image) => self.set(tag, Some(*image), done),
            Step::Untag(tag) => self.set(tag, None, done),
            Step::Delete(image) => {
                for may in self.tags.values_mut() {
                    if may.contains(&Some(*image)) {
                        may.insert(None);
                        if done {
                            may.remove(&Some(*image));
                        }
                    }
                }
            }
            Step::Read(_) | Step::Collect | Step::Scrub => {}
        }
    }

    fn set(&mut self, tag: &'static str, image: Option<usize>, done: bool) {
        let may = self.tags.entry(tag).or_insert_with(|| [None].into());
        if done {
            may.clear();
        }
        may.insert(image);
    }

    /// Says whether a tag may point there.
    pub(super) fn may(&self, tag: &str, image: Option<usize>) -> bool {
        let nowhere = BTreeSet::from([None]);
        self.tags.get(tag).unwrap_or(&nowhere).contains(&image)
    }

    /// Returns the tags that were ever spoken of.
    pub(super) fn tags(&self) -> impl Iterator<Item = &'static str> {
        self.tags.keys().copied()
    }

    /// Returns the images that a tag points at, where that is known of all tags.
    pub(super) fn images(&self) -> BTreeSet<usize> {
        let all = self.tags.values().flatten().flatten().copied();
        all.filter(|image| *image < IMAGES).collect()
    }
}
