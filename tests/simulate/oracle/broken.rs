//! Rules that hardly any world comes near, broken here by hand: the oracle tells of each.

use artifact_core::{
    Actor, BootId, BootTime, Committed, Condition, Digest, Event, Generation, PackageRef,
    Principal, Timestamp,
};

use super::{
    answer::Answer,
    ask::{Ask, Asked},
    model::Model,
    on_answer::judge_answer,
    on_commit::judge_commit,
};
use crate::goods::Goods;

/// A world in which the last package keeps what was once put there, and whatever was stored may be purged.
struct Place {
    goods: Goods,
    model: Model,
}

impl Place {
    fn new() -> Self {
        let mut goods = Goods::new(1);
        goods.keeper = goods.packages.last().map(|last| last.repository.clone());
        Self {
            goods,
            model: Model::default(),
        }
    }

    fn keeper(&self) -> PackageRef {
        self.goods.packages[2].clone()
    }

    fn commit(&self, events: Vec<Event>) -> Committed {
        let revision = self.model.head.next();
        let time = Timestamp::from_millis(i64::try_from(revision.get()).unwrap());
        let actor = Actor::new(Principal::System, None);
        Committed::new(revision, time, actor, events)
    }

    fn fold(&mut self, events: Vec<Event>) -> Result<(), String> {
        let committed = self.commit(events);
        self.model.fold(&self.goods, &committed)
    }

    /// Puts a manifest with all that it names into a package, under the first tag.
    fn push(&mut self, package: &PackageRef, number: usize) -> Digest {
        let manifest = &self.goods.manifests[number];
        let digest = manifest.digest();
        let references = manifest.references();
        let blobs = references.iter().map(|reference| &reference.descriptor);
        let mut events: Vec<_> = blobs
            .flat_map(|blob| {
                let stored = Event::BlobStored {
                    digest: blob.digest,
                    size: blob.size,
                    key: None,
                };
                [stored, linked(package, blob.digest)]
            })
            .collect();
        events.push(Event::ManifestPut {
            package: package.clone(),
            digest,
            media_type: manifest.media_type().clone(),
            size: manifest.size(),
            published_at: None,
        });
        events.push(self.moves(package, digest));
        self.fold(events).unwrap();
        digest
    }

    /// The first tag of a package moves on.
    fn moves(&self, package: &PackageRef, digest: Digest) -> Event {
        let tag = self.goods.tags[0].clone();
        let (previous, generation, _) = self.model.tag_at(self.model.head, package, &tag);
        Event::TagPut {
            package: package.clone(),
            tag,
            digest,
            previous,
            generation: generation.next(),
        }
    }

    /// What is asked now.
    fn asked(&self, ask: Ask) -> Asked {
        Asked {
            ask,
            begun: self.model.head,
            boot: BootTime::new(BootId::new("one"), 0),
            made: Vec::new(),
            answered: false,
            poisoned: false,
        }
    }

    fn judge(&self, ask: Ask, events: Vec<Event>) -> Result<(), String> {
        judge_commit(
            &self.goods,
            &self.model,
            &self.asked(ask),
            &self.commit(events),
        )
    }
}

fn linked(package: &PackageRef, digest: Digest) -> Event {
    Event::BlobLinked {
        package: package.clone(),
        digest,
    }
}

fn assert_told(verdict: Result<(), String>, rule: &str) {
    let told = verdict.expect_err(rule);
    assert!(told.starts_with(rule), "{told}");
}

/// I7: a coordinate that was released is not moved.
#[test]
fn i7_an_overwrite_is_told_of() {
    let mut place = Place::new();
    for (package, breaks) in [
        (place.keeper(), true),
        (place.goods.packages[0].clone(), false),
    ] {
        place.push(&package, 0);
        let second = place.goods.manifests[1].digest();
        let tag = place.goods.tags[0].clone();
        let ask = Ask::PutTag(package.clone(), tag, second, Condition::Any);
        let verdict = place.judge(ask, vec![place.moves(&package, second)]);
        if breaks {
            assert_told(verdict, "I7 a released coordinate");
        } else {
            verdict.unwrap();
        }
    }
}

/// I7: a coordinate that was released is not deleted, and neither is what it stands for.
#[test]
fn i7_a_deletion_is_told_of() {
    let mut place = Place::new();
    let package = place.keeper();
    let digest = place.push(&package, 0);
    let tag = place.goods.tags[0].clone();
    let deleted = Event::TagDeleted {
        package: package.clone(),
        tag: tag.clone(),
        digest,
        generation: Generation::NONE.next().next(),
    };
    let ask = Ask::DeleteTag(package.clone(), tag, Condition::Any);
    assert_told(place.judge(ask, vec![deleted]), "I7 a released coordinate");
    let deleted = Event::ManifestDeleted {
        package: package.clone(),
        digest,
    };
    let ask = Ask::DeleteManifest(package, digest);
    assert_told(place.judge(ask, vec![deleted]), "I7 a released coordinate");
}

/// MI-8: what was purged is not read as of before it; what was stored anew is.
#[test]
fn mi_8_a_read_of_what_was_purged_is_told_of() {
    let mut place = Place::new();
    let package = place.goods.packages[0].clone();
    let digest = place.push(&package, 0);
    let (blob, then) = (place.goods.blobs[2].digest, place.model.head);
    place.fold(leaving(&place, &package, digest)).unwrap();
    let bytes = place.goods.contents[&blob].to_vec();
    let read = |place: &Place| {
        let ask = Ask::Read(Some(then), package.clone(), blob);
        let answer = Answer::Bytes(bytes.clone(), 0);
        judge_answer(&place.goods, &place.model, &place.asked(ask), &answer)
    };
    read(&place).unwrap();
    place.fold(vec![Event::Purged { digest: blob }]).unwrap();
    assert_told(read(&place), "MI-8 what was purged is never read again");
    place.push(&package, 0);
    read(&place).unwrap();
}

/// I2: what a package has is not purged; what none has is.
#[test]
fn i2_a_purge_of_what_is_linked_is_told_of() {
    let mut place = Place::new();
    let package = place.goods.packages[0].clone();
    place.push(&package, 0);
    let digest = place.goods.blobs[2].digest;
    let purged = place.fold(vec![Event::Purged { digest }]);
    assert_told(purged, "I2 what a package has is not purged");
}

/// A manifest, its tag and its blobs leave a package.
fn leaving(place: &Place, package: &PackageRef, digest: Digest) -> Vec<Event> {
    let tag = place.goods.tags[0].clone();
    let (_, generation, _) = place.model.tag_at(place.model.head, package, &tag);
    let gone = |digest| Event::BlobUnlinked {
        package: package.clone(),
        digest,
    };
    let references = place.goods.manifest(&digest).unwrap().references();
    let mut events: Vec<_> = references
        .iter()
        .map(|reference| gone(reference.descriptor.digest))
        .collect();
    events.push(Event::TagDeleted {
        package: package.clone(),
        tag,
        digest,
        generation: generation.next(),
    });
    events.push(Event::ManifestDeleted {
        package: package.clone(),
        digest,
    });
    events
}
