//! What a client knows of packages that only it writes.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{Answer, Ask, Outcome, What};

/// What may be true of something; more than one thing where a call's end is unknown.
type May<T> = BTreeSet<T>;

/// What must be there.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Package and tag, and which images it may point at.
    tags: BTreeMap<(String, String), May<Option<usize>>>,
    /// Package and image, and whether it is there.
    images: BTreeMap<(String, usize), May<bool>>,
    /// What tags pointed at: package, tag, revision, image.
    past: Vec<(String, String, u64, usize)>,
}

/// How many past readings are remembered.
const PAST: usize = 30;

impl Model {
    fn tag(&mut self, package: &str, tag: &str) -> &mut May<Option<usize>> {
        let key = (package.to_owned(), tag.to_owned());
        self.tags.entry(key).or_insert_with(|| May::from([None]))
    }

    fn image(&mut self, package: &str, image: usize) -> &mut May<bool> {
        let key = (package.to_owned(), image);
        self.images.entry(key).or_insert_with(|| May::from([false]))
    }

    /// Returns the images that are surely in a package.
    pub(crate) fn images_in(&self, package: &str) -> Vec<usize> {
        let there = May::from([true]);
        let of = self.images.iter().filter(|((of, _), _)| of == package);
        of.filter(|(_, may)| **may == there)
            .map(|((_, image), _)| *image)
            .collect()
    }

    /// Returns all that can be read of what is known.
    pub(crate) fn readings(&self) -> Vec<Ask> {
        let tags = self.tags.keys().map(|(package, tag)| Ask::Read {
            package: package.clone(),
            what: What::Tag(tag.clone()),
        });
        let images = self.images.keys().map(|(package, image)| Ask::Read {
            package: package.clone(),
            what: What::Image(*image),
        });
        let past = self.past.iter().map(|(package, tag, then, _)| Ask::Read {
            package: package.clone(),
            what: What::Then(tag.clone(), *then),
        });
        // The past first: what is read now is remembered, and makes older readings be forgotten.
        past.chain(tags).chain(images).collect()
    }

    /// Returns a reading of the past, if there is one.
    pub(crate) fn past(&self, choice: usize) -> Option<Ask> {
        let (package, tag, then, _) = self.past.get(choice % self.past.len().max(1))?;
        Some(Ask::Read {
            package: package.clone(),
            what: What::Then(tag.clone(), *then),
        })
    }

    /// Takes what came of a call; says what cannot be, where it cannot.
    pub(crate) fn learn(&mut self, ask: &Ask, outcome: &Outcome) -> Result<(), String> {
        let wrong = || Err(format!("{outcome:?} cannot be"));
        let told = match outcome {
            Outcome::Unknown => None,
            Outcome::Told(answer) => Some(answer),
        };
        if matches!(told, Some(Answer::Failed(_) | Answer::Broken(_))) {
            return wrong();
        }
        match ask {
            Ask::Collect | Ask::Mount { .. } => Ok(()),
            Ask::Push {
                package,
                tag,
                image,
            }
            | Ask::Tag {
                package,
                tag,
                image,
            } => {
                if told == Some(&Answer::Absent) {
                    return wrong();
                }
                let sure = told.is_some();
                set(self.tag(package, tag), Some(*image), sure);
                // To tag what is there makes nothing be there.
                if matches!(ask, Ask::Push { .. }) {
                    set(self.image(package, *image), true, sure);
                }
                Ok(())
            }
            Ask::Untag { package, tag } => {
                let may = self.tag(package, tag);
                let can = match told {
                    Some(Answer::Absent) => may.contains(&None),
                    _ => may.iter().any(Option::is_some),
                };
                let sure = told.is_some();
                set(may, None, sure);
                if sure && !can {
                    return wrong();
                }
                Ok(())
            }
            Ask::Delete { package, image } => self.learn_delete(package, *image, told),
            Ask::Read { package, what } => {
                let Some(told) = told else { return Ok(()) };
                if self.learn_read(package, what, told) {
                    return Ok(());
                }
                wrong()
            }
        }
    }

    fn learn_delete(
        &mut self,
        package: &str,
        image: usize,
        told: Option<&Answer>,
    ) -> Result<(), String> {
        let may = self.image(package, image);
        if told.is_some_and(|told| !may.contains(&(*told == Answer::Done))) {
            return Err(format!("{told:?} cannot be"));
        }
        set(may, false, told.is_some());
        let of = self.tags.iter_mut().filter(|((of, _), _)| of == package);
        for (_, may) in of {
            if may.contains(&Some(image)) {
                may.insert(None);
                if told.is_some() {
                    may.remove(&Some(image));
                }
            }
        }
        Ok(())
    }

    /// Says whether a reading can be, and remembers it.
    fn learn_read(&mut self, package: &str, what: &What, told: &Answer) -> bool {
        let found = match told {
            Answer::Found(image, _) => Some(*image),
            _ => None,
        };
        match what {
            What::Image(image) => {
                let may = self.image(package, *image);
                let can = may.contains(&found.is_some()) && found.is_none_or(|it| it == *image);
                *may = May::from([found.is_some()]);
                can
            }
            What::Tag(tag) => {
                let may = self.tag(package, tag);
                let can = may.contains(&found);
                *may = May::from([found]);
                if let Answer::Found(image, Some(revision)) = told
                    && package.starts_with("kept/")
                {
                    self.past
                        .push((package.to_owned(), tag.clone(), *revision, *image));
                    if self.past.len() > PAST {
                        self.past.remove(0);
                    }
                }
                can
            }
            What::Then(tag, then) => self.past.iter().any(|(of, name, at, image)| {
                (of, name, at) == (&package.to_owned(), tag, then) && Some(*image) == found
            }),
        }
    }
}

fn set<T: Ord>(may: &mut May<T>, value: T, sure: bool) {
    if sure {
        may.clear();
    }
    may.insert(value);
}
