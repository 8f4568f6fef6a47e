//! The rules of answers: what may be said, given what was.

use artifact_core::{Committed, Digest, PackageRef, Revision, Tag};

use super::{
    answer::Answer,
    ask::{Ask, Asked},
    model::Model,
};
use crate::goods::{Goods, INLINE_MAX};

type Verdict = Result<(), String>;

/// Judges an answer, given what was between the question and it.
pub(crate) fn judge_answer(
    goods: &Goods,
    model: &Model,
    asked: &Asked,
    answer: &Answer,
) -> Verdict {
    let (first, last) = (asked.begun, model.head);
    if let (true, Ask::Push(_, digest) | Ask::Finish(_, digest)) = (asked.poisoned, &asked.ask)
        && goods.size(digest) > INLINE_MAX as u64
    {
        return Err(format!(
            "I21 after a failed sync nothing is acknowledged: {digest} was, in a process that had seen one"
        ));
    }
    if let Ask::Read(Some(_), _, digest) | Ask::Manifest(Some(_), _, digest) = &asked.ask
        && model.purged_between(first, last, digest).1
    {
        return Err(format!(
            "MI-8 what was purged is never read again: {digest} was, as it had been"
        ));
    }
    match (&asked.ask, answer) {
        (Ask::Purge(digest), _) => {
            let stays = model.was_stored(first, last, digest);
            if !stays || model.purged_between(first, last, digest).0 {
                return Ok(());
            }
            Err(format!(
                "I1 what is acknowledged is done: {digest} was to be purged, and is there"
            ))
        }
        (Ask::Lie(package, digest), _) => Err(format!(
            "I3 bytes are taken for their own digest alone: {package} took others for {digest}"
        )),
        (Ask::Push(package, digest) | Ask::Finish(package, digest), Answer::Blob(found, size)) => {
            if (found, *size) != (digest, goods.size(digest)) {
                return Err(format!(
                    "I3 what is acknowledged is what was sent: {found} of {size} bytes instead of {digest}"
                ));
            }
            must_have_been(model.link_between(first, last, package, digest), asked)
        }
        (Ask::Mount(package, digest, from), Answer::Blob(..)) => {
            must_have_been(has_blob(goods, model, first, last, from, digest), asked)?;
            must_have_been(model.link_between(first, last, package, digest), asked)
        }
        (Ask::Stat(package, digest), Answer::Blob(_, size)) => {
            if *size != goods.size(digest) {
                return Err(format!("I3 sizes are true: {digest} has not {size} bytes"));
            }
            must_have_been(has_blob(goods, model, first, last, package, digest), asked)
        }
        (Ask::Read(at, package, digest), Answer::Bytes(bytes, offset)) => {
            let whole = &goods.contents[digest];
            let end = *offset as usize + bytes.len();
            if whole.get(*offset as usize..end) != Some(bytes) {
                return Err(format!(
                    "I3 what is read is what was pushed: {} bytes from {offset} on of {digest} are others",
                    bytes.len()
                ));
            }
            match at {
                Some(at) if !model.names_at(goods, *at, package, digest) => Err(format!(
                    "MI-8 a package has what its manifests of then name: {package} had no {digest} at {at}"
                )),
                Some(_) => Ok(()),
                None => must_have_been(has_blob(goods, model, first, last, package, digest), asked),
            }
        }
        (Ask::Tag(at, package, tag), Answer::Tag(digest, generation, revision)) => {
            let got = (Some(*digest), *generation, *revision);
            let states = match at {
                Some(at) => vec![model.tag_at(*at, package, tag)],
                None => model.tag_between(first, last, package, tag),
            };
            if states.contains(&got) {
                return Ok(());
            }
            Err(format!(
                "I6 a tag is what the newest commit made of it: {tag} of {package} is answered as {got:?}, and was {states:?} from revision {first} to {last}"
            ))
        }
        (Ask::Manifest(at, package, digest), Answer::Manifest(found, bytes)) => {
            if found != digest || *bytes != *goods.contents[digest] {
                return Err(format!(
                    "I3 a manifest is served verbatim: {digest} came back as other bytes"
                ));
            }
            match at {
                Some(at) if !model.has_manifest_at(*at, package, digest) => Err(format!(
                    "MI-8 what was is what was: {package} had no {digest} at {at}"
                )),
                Some(_) => Ok(()),
                None => must_have_been(model.manifest_between(first, last, package, digest), asked),
            }
        }
        (Ask::Tags(at, package), Answer::Tags(tags)) => match still(*at, first, last) {
            Some(at) if model.tags_at(at, package) != *tags => Err(format!(
                "I6 a list of tags is complete and true: {package} at {at} has {:?}, and {tags:?} was answered",
                model.tags_at(at, package)
            )),
            _ => Ok(()),
        },
        (Ask::Referrers(at, package, subject), Answer::Digests(found)) => {
            match still(*at, first, last) {
                Some(at) if !is_complete(goods, model, asked, at, package, subject, found) => {
                    Err(format!(
                        "I4 a manifest and what refers to it are seen together: the referrers of {subject} in {package} at {at} \
                 are {:?}, and {found:?} was answered",
                        model.referrers_at(goods, at, package, subject)
                    ))
                }
                _ => Ok(()),
            }
        }
        (Ask::Trespass, _) => Err(String::from(
            "I15 an upload is its principal's alone: another one got at it",
        )),
        (_, Answer::Committed(committed)) => judge_committed(model, asked, committed),
        _ => Ok(()),
    }
}

/// Says whether a list of referrers has all, but what was purged since.
fn is_complete(
    goods: &Goods,
    model: &Model,
    asked: &Asked,
    at: Revision,
    package: &PackageRef,
    subject: &Digest,
    found: &[Digest],
) -> bool {
    let mut left = found.iter().peekable();
    let told = model.referrers_at(goods, at, package, subject);
    let missing = told
        .iter()
        .filter(|digest| left.next_if_eq(digest).is_none());
    let purged = |digest: &Digest| model.purged_between(asked.begun, model.head, digest).0;
    missing.copied().collect::<Vec<_>>().iter().all(purged) && left.next().is_none()
}

/// Returns the revision that a list is of, where it can only be one.
fn still(at: Option<Revision>, first: Revision, last: Revision) -> Option<Revision> {
    at.or((first == last).then_some(first))
}

/// Says whether a package had a blob at one of the revisions, and whether at all of them.
fn has_blob(
    goods: &Goods,
    model: &Model,
    first: Revision,
    last: Revision,
    package: &PackageRef,
    digest: &Digest,
) -> (bool, bool) {
    let (ever, always) = model.link_between(first, last, package, digest);
    let named = |at: Revision| model.names_at(goods, at, package, digest);
    (ever || named(first) || named(last), always)
}

fn must_have_been((ever, _): (bool, bool), asked: &Asked) -> Verdict {
    if ever {
        return Ok(());
    }
    Err(format!(
        "I1 what is acknowledged is there: {:?} succeeded, and no commit since revision {} shows it",
        asked.ask, asked.begun
    ))
}

/// Judges an acknowledged commit: it is in the feed, or it was so already.
fn judge_committed(model: &Model, asked: &Asked, committed: &Committed) -> Verdict {
    if !committed.events.is_empty() {
        if asked.made.contains(&committed.revision) {
            return Ok(());
        }
        return Err(format!(
            "I1 what is acknowledged is committed: {:?} was told revision {}, and made {:?}",
            asked.ask, committed.revision, asked.made
        ));
    }
    let (first, last) = (asked.begun, model.head);
    let pointed = |package: &PackageRef, tag: &Tag, digest: &Digest| {
        let states = model.tag_between(first, last, package, tag);
        states.iter().any(|(was, ..)| *was == Some(*digest))
    };
    let was_so = match &asked.ask {
        Ask::PutTag(package, tag, digest, _) => pointed(package, tag, digest),
        Ask::PutManifest(package, digest, tags, _) => {
            model.manifest_between(first, last, package, digest).0
                && tags.iter().all(|tag| pointed(package, tag, digest))
        }
        Ask::Bring { .. } | Ask::SetMode | Ask::Setup => true,
        _ => false,
    };
    if was_so {
        return Ok(());
    }
    Err(format!(
        "I1 what is acknowledged is there: {:?} changed nothing, and was not so before",
        asked.ask
    ))
}
