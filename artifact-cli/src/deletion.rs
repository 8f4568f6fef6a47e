//! What was deleted, and when.

use artifact::{AsOf, ErrorKind, Event, ManifestRef, PackageRef, Revision, Session};

use crate::{failure::Failure, feed::Feed};

/// Finds the last state in which it was there before it was deleted.
pub(crate) async fn before_deletion(
    session: &Session,
    package: &PackageRef,
    wanted: &ManifestRef,
) -> Result<AsOf, Failure> {
    let mut feed = Feed::from_oldest(session).await?;
    let mut last = None;
    while let Some(commits) = feed.next_page().await? {
        for commit in commits {
            if commit
                .events
                .iter()
                .any(|event| deletes(event, package, wanted))
            {
                last = Some(commit.revision);
            }
        }
    }
    let before =
        |revision: Revision| AsOf::Revision(Revision::new(revision.get().saturating_sub(1)));
    last.map(before).ok_or_else(|| {
        Failure::new(
            ErrorKind::NotFound,
            "it was not deleted in the history that is kept",
        )
        .remedy("`artifact history` shows what was; --as-of names a moment")
    })
}

fn deletes(event: &Event, of: &PackageRef, wanted: &ManifestRef) -> bool {
    match (event, wanted) {
        (Event::TagDeleted { package, tag, .. }, ManifestRef::Tag(wanted)) => {
            package == of && tag == wanted
        }
        (Event::ManifestDeleted { package, digest }, ManifestRef::Digest(wanted)) => {
            package == of && digest == wanted
        }
        _ => false,
    }
}
