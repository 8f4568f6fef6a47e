//! The rules of commits: what may come of what was asked.

use artifact_core::{Committed, Condition, Digest, Event, PackageRef, Role, Tag};

use super::{
    ask::{Ask, Asked, holds},
    model::{Model, names},
};
use crate::goods::Goods;

type Verdict = Result<(), String>;

/// Judges a commit by what was asked, on the state before it.
pub(crate) fn judge_commit(
    goods: &Goods,
    before: &Model,
    asked: &Asked,
    committed: &Committed,
) -> Verdict {
    let events = &committed.events;
    let fits = |event: &Event| may_come(goods, before, &asked.ask, event);
    if let Some(event) = events.iter().find(|event| !fits(event)) {
        return Err(format!(
            "I4 a commit does what was asked and nothing else: {event:?} came of {:?}",
            asked.ask
        ));
    }
    if let Some(event) = events.iter().find(|event| breaks_promise(goods, event)) {
        return Err(format!(
            "I7 a released coordinate stands for one thing for ever: {event:?} came of {:?}",
            asked.ask
        ));
    }
    let repeats = matches!(asked.ask, Ask::Collect | Ask::Setup);
    if !repeats && !asked.made.is_empty() {
        return Err(format!(
            "I13 what is asked once is done once: {:?} made {:?} before",
            asked.ask, asked.made
        ));
    }
    let operates = matches!(
        asked.ask,
        Ask::Collect | Ask::Purge(_) | Ask::Setup | Ask::SetMode
    );
    if !operates && before.is_read_only() {
        return Err(format!(
            "I12 the mode is judged again in the commit: {:?} was made although it is read-only",
            asked.ask
        ));
    }
    let at = before.head;
    match &asked.ask {
        Ask::PutManifest(package, digest, tags, condition) => {
            let is_put = has_manifest_put(events, package, digest);
            if !is_put && !before.has_manifest_at(at, package, digest) {
                return Err(format!(
                    "I4 a manifest and its tags come together: {digest} did not come"
                ));
            }
            tags.iter()
                .try_for_each(|tag| judge_tag(before, package, tag, *digest, condition, events))
        }
        Ask::PutTag(package, tag, digest, condition) => {
            judge_tag(before, package, tag, *digest, condition, events)
        }
        Ask::DeleteTag(package, tag, condition) => {
            let (was, generation, _) = before.tag_at(at, package, tag);
            if was.is_none() || !holds(condition, was, generation) {
                return Err(format!(
                    "I6 conditions are judged at the commit: {tag} was {was:?} at {generation}, deleted on {condition:?}"
                ));
            }
            Ok(())
        }
        Ask::DeleteManifest(package, digest) => {
            let by = before.manifests_at(at, package).into_iter().find(|by| {
                let references = goods
                    .manifest(by)
                    .map(|m| m.references())
                    .unwrap_or_default();
                references
                    .iter()
                    .any(|r| r.role == Role::Child && r.descriptor.digest == *digest)
            });
            match by {
                Some(by) => Err(format!(
                    "I2 what an index names is not deleted: {digest} went, and {by} names it"
                )),
                None => Ok(()),
            }
        }
        Ask::DeleteBlob(package, digest) if before.names_at(goods, at, package, digest) => Err(
            format!("I2 what a manifest names is not deleted: {digest} left {package}"),
        ),
        Ask::Bring {
            from,
            at: as_of,
            digest,
            to,
            tag,
            condition,
        } => {
            let Some(tag) = tag else {
                return Ok(());
            };
            let brought = events.iter().find_map(|event| match event {
                Event::TagPut {
                    tag: put, digest, ..
                } if put == tag => Some(*digest),
                _ => None,
            });
            let Some(brought) = brought else {
                return Ok(());
            };
            let was = as_of.map(|as_of| before.tag_at(as_of, from, tag).0);
            let expected = digest.or(was.flatten());
            if expected.is_some_and(|expected| expected != brought) {
                return Err(format!(
                    "MI-8 what was is brought back: {tag} was {expected:?}, and is {brought} now"
                ));
            }
            judge_tag(before, to, tag, brought, condition, events)
        }
        _ => Ok(()),
    }
}

/// Says whether something is overwritten or deleted where that never happens.
fn breaks_promise(goods: &Goods, event: &Event) -> bool {
    match event {
        Event::TagPut {
            package, previous, ..
        } => previous.is_some() && goods.keeps(package),
        Event::TagDeleted { package, .. } | Event::ManifestDeleted { package, .. } => {
            goods.keeps(package)
        }
        _ => false,
    }
}

fn has_manifest_put(events: &[Event], package: &PackageRef, digest: &Digest) -> bool {
    let is_put = |event: &Event| matches!(event, Event::ManifestPut { package: to, digest: put, .. } if to == package && put == digest);
    events.iter().any(is_put)
}

fn judge_tag(
    before: &Model,
    package: &PackageRef,
    tag: &Tag,
    to: Digest,
    condition: &Condition,
    events: &[Event],
) -> Verdict {
    let (was, generation, _) = before.tag_at(before.head, package, tag);
    if !holds(condition, was, generation) {
        return Err(format!(
            "I6 conditions are judged at the commit: {tag} of {package} was {was:?} at generation {generation} when it \
             was moved on the condition {condition:?}"
        ));
    }
    let moves = events
        .iter()
        .any(|event| matches!(event, Event::TagPut { tag: put, .. } if put == tag));
    if !moves && was != Some(to) {
        return Err(format!(
            "I4 a manifest and its tags come together: {tag} of {package} still is {was:?}, not {to}"
        ));
    }
    Ok(())
}

/// Says whether an event may come of what was asked.
fn may_come(goods: &Goods, before: &Model, ask: &Ask, event: &Event) -> bool {
    match (ask, event) {
        (
            Ask::Push(_, digest) | Ask::Finish(_, digest),
            Event::BlobStored { digest: stored, .. },
        ) => stored == digest,
        (
            Ask::Push(package, digest)
            | Ask::Finish(package, digest)
            | Ask::Mount(package, digest, _),
            Event::BlobLinked {
                package: to,
                digest: linked,
            },
        ) => (to, linked) == (package, digest),
        (
            Ask::PutManifest(package, digest, ..),
            Event::ManifestPut {
                package: to,
                digest: put,
                ..
            },
        ) => (to, put) == (package, digest),
        (
            Ask::PutManifest(package, digest, tags, _),
            Event::TagPut {
                package: to,
                tag,
                digest: put,
                ..
            },
        ) => (to, put) == (package, digest) && tags.contains(tag),
        (
            Ask::PutTag(package, tag, digest, _),
            Event::TagPut {
                package: to,
                tag: moved,
                digest: put,
                ..
            },
        ) => (to, moved, put) == (package, tag, digest),
        (
            Ask::DeleteTag(package, tag, _),
            Event::TagDeleted {
                package: of,
                tag: deleted,
                ..
            },
        ) => (of, deleted) == (package, tag),
        (
            Ask::DeleteManifest(package, digest),
            Event::ManifestDeleted {
                package: of,
                digest: deleted,
            },
        ) => (of, deleted) == (package, digest),
        (
            Ask::DeleteManifest(package, digest),
            Event::TagDeleted {
                package: of,
                digest: pointed,
                ..
            },
        ) => (of, pointed) == (package, digest),
        (
            Ask::DeleteManifest(package, digest),
            Event::BlobUnlinked {
                package: of,
                digest: unlinked,
            },
        ) => {
            let others = before.manifests_at(before.head, package);
            let mut others = others.iter().filter(|other| *other != digest);
            of == package
                && names(goods, digest, unlinked)
                && !others.any(|other| names(goods, other, unlinked))
        }
        (
            Ask::DeleteBlob(package, digest),
            Event::BlobUnlinked {
                package: of,
                digest: unlinked,
            },
        ) => (of, unlinked) == (package, digest),
        (
            Ask::Bring { to, .. },
            Event::BlobLinked { package, .. } | Event::ManifestPut { package, .. },
        ) => package == to,
        (
            Ask::Bring { to, tag, .. },
            Event::TagPut {
                package,
                tag: moved,
                ..
            },
        ) => package == to && tag.as_ref() == Some(moved),
        (Ask::Purge(digest), Event::Purged { digest: purged }) => digest == purged,
        (Ask::Collect, Event::Forgotten { .. } | Event::Collected { .. }) => true,
        (Ask::Collect, Event::BlobUnlinked { package, digest }) => {
            !before.names_at(goods, before.head, package, digest)
        }
        (Ask::SetMode | Ask::Setup, Event::DocumentPut { .. }) => true,
        _ => false,
    }
}
