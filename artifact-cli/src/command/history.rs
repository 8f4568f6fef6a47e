//! `artifact history`

use artifact::{Committed, DocumentKey, Event, OciName, PackageRef, Revision, Session, Timestamp};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::{
    context::Context,
    failure::{At as _, Failure},
    feed::Feed,
    moment::Moment,
    open::open_to_read,
    output::{Report, printable},
};

/// Show what was changed, by whom, oldest first
///
/// Each line is a thing that happened, with the revision that --as-of takes. The newest 50 commits are
/// shown unless --after or --limit say otherwise. What became of single blobs is left out unless
/// --blobs asks for it: an artifact is published when all of its blobs are there.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact history
  artifact history --package team/app
  artifact history --after 41 --limit 1000 --json
  artifact history --after 2h
  artifact history --follow                      and what comes, a JSON document a line with --json
")]
pub(crate) struct HistoryArgs {
    /// Begin after this moment: a revision, a time, or how long ago
    #[arg(long, value_name = "MOMENT")]
    after: Option<Moment>,
    /// How many commits at most
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// Only what concerns this package
    #[arg(long, value_name = "NAME")]
    package: Option<OciName>,
    /// Show also which blobs were stored, came into packages and went
    #[arg(long)]
    blobs: bool,
    /// Go on with what is committed from now on, by any process
    #[arg(long, conflicts_with = "limit")]
    follow: bool,
}

/// A commit in a document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CommitDocument {
    revision: u64,
    time: String,
    principal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    events: Vec<Value>,
    #[serde(skip)]
    lines: Vec<String>,
}

#[derive(Serialize)]
struct History {
    commits: Vec<CommitDocument>,
}

impl Report for CommitDocument {
    fn text(&self) -> String {
        let line = |line: &String| {
            format!(
                "{}  {}  {}  {line}\n",
                self.revision, self.time, self.principal
            )
        };
        self.lines.iter().map(line).collect()
    }
}

impl Report for History {
    fn text(&self) -> String {
        self.commits.iter().map(Report::text).collect()
    }
}

impl CommitDocument {
    /// Returns the commit with those of its events that are asked for; `None` without any.
    fn new(commit: &Committed, filter: &Filter) -> Option<Self> {
        let events = commit.events.iter().filter(|event| filter.passes(event));
        let events: Vec<_> = events.collect();
        (!events.is_empty()).then(|| Self {
            revision: commit.revision.get(),
            time: commit.time.to_string(),
            principal: commit.actor.principal.to_string(),
            request: commit.actor.request.clone(),
            events: events.iter().map(|event| document(event)).collect(),
            lines: events.iter().map(|event| printable(&line(event))).collect(),
        })
    }
}

/// Which events are shown.
#[derive(Clone, Debug)]
struct Filter {
    package: Option<String>,
    blobs: bool,
}

impl Filter {
    fn passes(&self, event: &Event) -> bool {
        let is_of_blob = matches!(
            event,
            Event::BlobLinked { .. }
                | Event::BlobStored { .. }
                | Event::BlobUnlinked { .. }
                | Event::Collected { .. }
        );
        let concerns = |name: &String| package_of(event).is_some_and(|of| of.oci_name() == *name);
        (self.blobs || !is_of_blob) && self.package.as_ref().is_none_or(concerns)
    }
}

pub(crate) async fn run(context: &Context, args: HistoryArgs) -> Result<(), Failure> {
    let opened = open_to_read(context).await?;
    let session = &opened.session;
    let filter = &Filter {
        package: args.package.map(|name| name.to_string()),
        blobs: args.blobs,
    };
    let after = match args.after {
        None => None,
        Some(moment) => match opened.at(Some(moment)).await? {
            artifact::AsOf::Revision(revision) => Some(revision),
            artifact::AsOf::Now => Some(session.revision().await?.revision),
        },
    };
    let place = opened.path.display();
    let (commits, last) = read(session, after, args.limit, filter).await.at(place)?;
    if !args.follow {
        return context.output.show(&History { commits });
    }
    for commit in &commits {
        if !context.output.show_line(commit)? {
            return Ok(());
        }
    }
    let mut feed = session.feed(last).await?;
    loop {
        let commit = feed.wait().await?;
        let document = CommitDocument::new(&commit, filter);
        if let Some(document) = document
            && !context.output.show_line(&document)?
        {
            return Ok(());
        }
    }
}

/// How many commits are shown where nothing is said.
const USUAL: usize = 50;

/// Reads the commits after a revision: the first of them up to the limit; without a revision the
/// newest. Returns the revision that was read up to, too.
async fn read(
    session: &Session,
    after: Option<Revision>,
    limit: Option<usize>,
    filter: &Filter,
) -> Result<(Vec<CommitDocument>, Revision), Failure> {
    if let Some(after) = after {
        let limit = limit.unwrap_or(usize::MAX);
        return first(Feed::after(session, after), limit, filter).await;
    }
    let limit = limit.unwrap_or(USUAL);
    let mut span = limit.max(USUAL) as u64;
    loop {
        let (feed, whole) = newest_but(session, span).await?;
        let (mut commits, read) = first(feed, usize::MAX, filter).await?;
        if commits.len() >= limit || whole {
            commits.drain(..commits.len().saturating_sub(limit));
            return Ok((commits, read));
        }
        // What is asked for lies farther back: few steps find it, however far that is.
        span = span.saturating_mul(8);
    }
}

/// Reads on until there are so many commits, or no more.
async fn first(
    mut feed: Feed<'_>,
    limit: usize,
    filter: &Filter,
) -> Result<(Vec<CommitDocument>, Revision), Failure> {
    let mut commits = Vec::new();
    if limit == 0 {
        return Ok((commits, feed.position()));
    }
    while let Some(page) = feed.next_page().await? {
        for commit in page {
            commits.extend(CommitDocument::new(&commit, filter));
            if commits.len() >= limit {
                return Ok((commits, commit.revision));
            }
        }
    }
    Ok((commits, feed.position()))
}

/// Begins so many revisions before the newest, or with the oldest that is kept; says whether that is
/// all there is.
async fn newest_but(session: &Session, count: u64) -> Result<(Feed<'_>, bool), Failure> {
    let head = session.revision().await?.revision.get();
    let oldest = Feed::from_oldest(session).await?;
    let wanted = Revision::new(head.saturating_sub(count));
    Ok(if wanted > oldest.position() {
        (Feed::after(session, wanted), false)
    } else {
        (oldest, true)
    })
}

fn package_of(event: &Event) -> Option<&PackageRef> {
    match event {
        Event::Adopted { package }
        | Event::BlobLinked { package, .. }
        | Event::BlobUnlinked { package, .. }
        | Event::ManifestDeleted { package, .. }
        | Event::ManifestPut { package, .. }
        | Event::Pinned { package, .. }
        | Event::TagDeleted { package, .. }
        | Event::TagPut { package, .. }
        | Event::Unpinned { package, .. } => Some(package),
        _ => None,
    }
}

fn line(event: &Event) -> String {
    match event {
        Event::Adopted { package } => format!("adopted {package} into {}", package.repository),
        Event::BlobLinked { package, digest } => format!("blob {digest} into {package}"),
        Event::BlobStored { digest, size, .. } => format!("stored {digest}, {size} bytes"),
        Event::BlobUnlinked { package, digest } => format!("blob {digest} out of {package}"),
        Event::Collected { digest, size } => format!("collected {digest}, {size} bytes"),
        Event::DocumentDeleted { key, .. } => format!("removed {key}"),
        Event::DocumentPut {
            key, generation, ..
        } => format!("set {key}, generation {generation}"),
        Event::Forgotten {
            repository,
            horizon,
        } => {
            format!("forgot the history of {repository} before {horizon}")
        }
        Event::ManifestDeleted { package, digest } => format!("deleted {package}@{digest}"),
        Event::ManifestPut {
            package, digest, ..
        } => format!("published {package}@{digest}"),
        Event::Pinned {
            package,
            digest,
            name,
        } => format!("pinned {digest} of {package} as {name}"),
        Event::Purged { digest } => format!("purged {digest}"),
        Event::TagDeleted {
            package,
            tag,
            digest,
            ..
        } => format!("untagged {package}:{tag} from {digest}"),
        Event::TagPut {
            package,
            tag,
            digest,
            previous: None,
            ..
        } => format!("tagged {package}:{tag} {digest}"),
        Event::TagPut {
            package,
            tag,
            digest,
            previous: Some(previous),
            ..
        } => {
            format!("moved {package}:{tag} from {previous} to {digest}")
        }
        Event::Unpinned {
            package,
            digest,
            name,
        } => format!("unpinned {digest} of {package} as {name}"),
        other => format!("{other:?}"),
    }
}

/// Returns an event as a document; hashes of passwords are left out (I27).
fn document(event: &Event) -> Value {
    let mut value = serde_json::to_value(event).unwrap_or(Value::Null);
    let Some(map) = value.as_object_mut() else {
        return value;
    };
    if let Event::DocumentPut { key, body, .. } = event {
        let mut body: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        if let (DocumentKey::User(_), Some(user)) = (key, body.as_object_mut()) {
            user.remove("password");
        }
        map.insert("body".to_owned(), body);
    }
    if let Event::ManifestPut { published_at, .. } = event {
        let time = published_at.as_ref().map(Timestamp::to_string);
        map.insert(
            "publishedAt".to_owned(),
            time.map_or(Value::Null, Value::String),
        );
    }
    value
}

#[cfg(test)]
mod tests {
    use artifact::{Actor, Document as _, Generation, Principal, User};

    use super::*;

    fn commit(event: Event) -> Committed {
        let actor = Actor::new(Principal::Embedder, None);
        Committed::new(
            Revision::new(7),
            Timestamp::from_millis(0),
            actor,
            vec![event],
        )
    }

    fn all(package: Option<&str>) -> Filter {
        Filter {
            package: package.map(str::to_owned),
            blobs: true,
        }
    }

    /// I27: the history shows that a user was made, and no hash of a password.
    #[test]
    fn i27_no_hash_is_shown() {
        let user = User::new("$argon2id$secret".into(), vec![]);
        let event = Event::DocumentPut {
            key: "user:ann".parse().unwrap(),
            generation: Generation::new(1),
            body: user.to_body(),
        };
        let document = CommitDocument::new(&commit(event), &all(None)).unwrap();
        let shown = format!(
            "{}{}",
            serde_json::to_string(&document).unwrap(),
            document.text()
        );
        assert!(
            shown.contains("user:ann") && !shown.contains("secret"),
            "{shown}"
        );
    }

    #[test]
    fn a_package_is_picked() {
        let package = PackageRef::in_default(&"team/app".parse().unwrap());
        let tag = "v1".parse().unwrap();
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let digest = digest.parse().unwrap();
        let event = Event::TagDeleted {
            package,
            tag,
            digest,
            generation: Generation::new(2),
        };
        assert!(CommitDocument::new(&commit(event.clone()), &all(Some("team/app"))).is_some());
        assert!(CommitDocument::new(&commit(event), &all(Some("team"))).is_none());
    }
}
