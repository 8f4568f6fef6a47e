//! The rules of refusals: what may be refused, given what was.

use std::collections::BTreeSet;

use artifact_core::{Digest, Error, PackageRef, Revision, Tag};

use super::{
    ask::{Ask, Asked, holds},
    model::{Model, names},
};
use crate::goods::Goods;

type Verdict = Result<(), String>;

/// Returns the revision that a read is as of.
const fn at_of(ask: &Ask) -> Option<Revision> {
    match ask {
        Ask::Read(at, ..)
        | Ask::Tag(at, ..)
        | Ask::Manifest(at, ..)
        | Ask::Tags(at, ..)
        | Ask::Referrers(at, ..) => *at,
        _ => None,
    }
}

/// Says whether what is asked would overwrite or delete where that never happens (I7).
fn is_promised(goods: &Goods, model: &Model, first: Revision, ask: &Ask) -> bool {
    let stands = |package: &PackageRef, tag: &Tag| {
        let states = model.tag_between(first, model.head, package, tag);
        states.iter().any(|(was, ..)| was.is_some())
    };
    match ask {
        Ask::DeleteTag(package, ..)
        | Ask::DeleteManifest(package, _)
        | Ask::DeleteBlob(package, _) => goods.keeps(package),
        Ask::PutManifest(package, _, tags, _) => {
            goods.keeps(package) && tags.iter().any(|tag| stands(package, tag))
        }
        Ask::PutTag(package, tag, ..) => goods.keeps(package) && stands(package, tag),
        Ask::Bring { to, tag, .. } => {
            goods.keeps(to) && tag.as_ref().is_some_and(|tag| stands(to, tag))
        }
        _ => false,
    }
}

/// Judges a refusal, given what was between the question and it, and what had rotted.
pub(crate) fn judge_refusal(
    goods: &Goods,
    model: &Model,
    rotten: &BTreeSet<Digest>,
    asked: &Asked,
    error: &Error,
    is_late: bool,
) -> Verdict {
    let (first, last) = (asked.begun, model.head);
    let unjust = |why: &str| {
        Err(format!(
            "{why}: {:?} was refused with \"{error}\"",
            asked.ask
        ))
    };
    match (&asked.ask, error) {
        (_, Error::Corrupt { digest }) if rotten.contains(digest) => Ok(()),
        (_, Error::Corrupt { .. }) => unjust("I3 what was stored right reads right"),
        (Ask::Lie(..), Error::DigestMismatch { .. }) => Ok(()),
        (
            Ask::Read(Some(_), ..) | Ask::Manifest(Some(_), ..) | Ask::Bring { .. },
            Error::Purged { digest },
        ) if model.purged_between(first, last, digest).0 => Ok(()),
        (Ask::Purge(digest), Error::Blocked { .. } | Error::Precondition { .. })
            if !model.anybody_had(first, last, digest) =>
        {
            unjust("what nobody has may be purged")
        }
        (ask, Error::Denied { .. }) if is_promised(goods, model, asked.begun, ask) => Ok(()),
        (_, Error::DigestMismatch { .. } | Error::Size { .. } | Error::Purged { .. }) => {
            unjust("I3 what was sent right is taken")
        }
        (_, Error::Quota { .. }) => Ok(()),
        (_, Error::ReadOnly { .. }) if model.was_read_only(first, last) => Ok(()),
        (_, Error::ReadOnly { .. }) => unjust("only the read-only mode refuses writes"),
        (
            _,
            Error::Denied { .. }
            | Error::Unauthenticated
            | Error::Invalid { .. }
            | Error::Manifest(_),
        ) => unjust("I12 who may do it is let do it"),
        (
            Ask::Read(Some(_), package, _)
            | Ask::Tag(Some(_), package, _)
            | Ask::Manifest(Some(_), package, _)
            | Ask::Tags(Some(_), package)
            | Ask::Referrers(Some(_), package, _),
            Error::HistoryForgotten { oldest },
        ) => {
            let horizon = model.horizon(package);
            let asked_at = at_of(&asked.ask).unwrap_or(last);
            let just = *oldest <= horizon && asked_at < horizon;
            if just {
                Ok(())
            } else {
                unjust("MI-8 what is kept can be read")
            }
        }
        (Ask::Bring { at: Some(_), .. }, Error::HistoryForgotten { .. }) => Ok(()),
        (_, Error::HistoryForgotten { .. }) => unjust("the present is never forgotten"),
        (Ask::Read(at, package, digest), Error::NotFound { .. }) => match at {
            Some(at) if model.names_at(goods, *at, package, digest) => {
                unjust("I2 what a kept manifest names is readable")
            }
            None if model.link_between(first, last, package, digest).1 => {
                unjust("I1 what is linked is readable")
            }
            _ => Ok(()),
        },
        (Ask::Stat(package, digest), Error::NotFound { .. })
            if model.link_between(first, last, package, digest).1 =>
        {
            unjust("I1 what is linked is there")
        }
        (Ask::Manifest(at, package, digest), Error::NotFound { .. }) => {
            let there = at.map_or(
                model.manifest_between(first, last, package, digest).1,
                |at| model.has_manifest_at(at, package, digest),
            );
            if there {
                unjust("I1 a manifest is readable until it is deleted")
            } else {
                Ok(())
            }
        }
        (Ask::Tag(at, package, tag), Error::NotFound { .. }) => {
            let there = match at {
                Some(at) => model.tag_at(*at, package, tag).0.is_some(),
                None => model
                    .tag_between(first, last, package, tag)
                    .iter()
                    .all(|(was, ..)| was.is_some()),
            };
            if there {
                unjust("I6 a tag is there until it is deleted")
            } else {
                Ok(())
            }
        }
        (Ask::Push(..) | Ask::Lie(..), _) if !is_late => {
            unjust("I1 an upload that lives is let go on")
        }
        (Ask::PutManifest(package, digest, ..), Error::BlobUnknown { digest: missing }) => {
            let there = model.link_between(first, last, package, missing).1;
            let names = names(goods, digest, missing);
            if there || !names {
                unjust("I2 what was acknowledged can be named")
            } else {
                Ok(())
            }
        }
        (
            Ask::PutTag(package, tag, _, condition) | Ask::DeleteTag(package, tag, condition),
            Error::Precondition { .. },
        ) => {
            let states = model.tag_between(first, last, package, tag);
            let just = states
                .iter()
                .any(|(was, generation, _)| !holds(condition, *was, *generation));
            if just {
                Ok(())
            } else {
                unjust("I6 a condition that holds is no hindrance")
            }
        }
        _ => Ok(()),
    }
}
