//! Moves artifacts between the places that references name; `cp`, `push` and `pull` are its forms.

use std::{path::Path, time::Duration};

use artifact::{
    Annotations, Condition, Tag,
    directory::{PullOptions, Pulled, PushOptions, PushedDirectory},
    transfer::{Copied, CopyOptions, Place, Transfer},
};
use clap::Args;
use serde::Serialize;
use tokio::time::interval;

use crate::{
    condition::ConditionArgs,
    context::Context,
    desk::{Desk, Source, spawn},
    failure::{At as _, Failure},
    moment::Moment,
    output::Report,
    progress::Progress,
    reference::{Reference, latest},
    scratch::Scratch,
    size::bytes,
};

/// How often the bar is drawn anew.
const GLANCE: Duration = Duration::from_millis(100);

/// How an artifact is moved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Errand {
    pub(crate) moment: Option<Moment>,
    pub(crate) condition: Condition,
    pub(crate) referrers: bool,
    pub(crate) annotations: Annotations,
    pub(crate) link: bool,
    pub(crate) jobs: Option<usize>,
}

/// What all that move artifacts take.
#[derive(Args, Clone, Debug)]
pub(crate) struct TargetArgs {
    #[command(flatten)]
    condition: ConditionArgs,
    /// How many contents are moved at a time
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    jobs: Option<usize>,
}

impl From<TargetArgs> for Errand {
    fn from(args: TargetArgs) -> Self {
        Self {
            condition: args.condition.into(),
            jobs: args.jobs,
            ..Self::default()
        }
    }
}

/// What was moved.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Moved {
    from: String,
    to: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(flatten)]
    how: How,
}

#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum How {
    Copied {
        manifests: u64,
        sent: u64,
        sent_bytes: u64,
        mounted: u64,
        present: u64,
    },
    Pushed {
        entries: u64,
        files: u64,
        bytes: u64,
        manifests: u64,
        sent: u64,
        sent_bytes: u64,
        present: u64,
    },
    Pulled {
        entries: u64,
        files: u64,
        bytes: u64,
        hard_linked: u64,
        reflinked: u64,
        copied: u64,
    },
}

impl Report for Moved {
    fn text(&self) -> String {
        let mut text = format!("{} -> {}\n{}\n", self.from, self.to, self.digest);
        let line = match &self.how {
            How::Copied {
                sent,
                sent_bytes,
                mounted,
                present,
                ..
            } => format!(
                "{sent} blobs ({}) sent, {} were there",
                bytes(*sent_bytes),
                present + mounted
            ),
            How::Pushed {
                files,
                bytes: all,
                sent,
                sent_bytes,
                present,
                ..
            } => format!(
                "{files} files ({}): {sent} contents ({}) sent, {present} were there",
                bytes(*all),
                bytes(*sent_bytes)
            ),
            How::Pulled {
                files,
                bytes: all,
                hard_linked,
                reflinked,
                copied,
                ..
            } => format!(
                "{files} files ({}): {hard_linked} hard-linked, {reflinked} reflinked, {copied} copied",
                bytes(*all)
            ),
        };
        text.push_str(&line);
        text.push('\n');
        text
    }
}

/// Moves an artifact, and shows what was moved.
pub(crate) async fn carry(
    context: &Context,
    from: &Reference,
    to: &Reference,
    errand: Errand,
) -> Result<(), Failure> {
    check_target(to)?;
    let mut transfer = Transfer::new(spawn()?);
    if let Some(jobs) = errand.jobs {
        transfer = transfer.with_jobs(jobs);
    }
    let writes_here = matches!(to, Reference::Package(..));
    let courier = Courier {
        context,
        transfer,
        errand,
    };
    let mut desk = Desk::new(context, !writes_here);
    let moved = match (from, to) {
        (Reference::Directory(from), Reference::Directory(to)) => courier.mirror(from, to).await?,
        (Reference::Directory(path), _) => {
            let place = desk.target(to).await?;
            courier.push(path, to, &place).await?
        }
        (_, Reference::Directory(path)) => {
            let source = desk.source(from, courier.errand.moment).await?;
            courier.pull(&source, path).await?
        }
        _ => {
            let source = desk.source(from, courier.errand.moment).await?;
            let place = desk.target(to).await?;
            courier.copy(&source, to, &place).await?
        }
    };
    context.output.show(&moved)
}

/// The digest is what comes of it, and nothing to choose.
fn check_target(to: &Reference) -> Result<(), Failure> {
    if to.version().is_some_and(|version| version.digest.is_some()) {
        let remedy = "name the place by NAME[:TAG]";
        return Err(
            Failure::usage("the digest of what is written is not chosen")
                .at(to)
                .remedy(remedy),
        );
    }
    Ok(())
}

#[derive(Debug)]
struct Courier<'a> {
    context: &'a Context,
    transfer: Transfer,
    errand: Errand,
}

impl Courier<'_> {
    async fn copy(&self, source: &Source, to: &Reference, place: &Place) -> Result<Moved, Failure> {
        let tag = own_tag(to).or_else(|| source.tag());
        let mut options = CopyOptions::default().on(self.errand.condition.clone());
        if self.errand.referrers {
            options = options.with_referrers();
        }
        let wanted = source.wanted();
        let copying = self
            .transfer
            .copy(&source.place, &wanted, place, tag.as_ref(), &options);
        let copied: Copied = self.watched("copying", copying).await.at(to)?;
        let how = How::Copied {
            manifests: copied.manifests,
            sent: copied.sent,
            sent_bytes: copied.sent_bytes,
            mounted: copied.mounted,
            present: copied.present,
        };
        Ok(moved(
            &source.shown,
            to,
            copied.digest.to_string(),
            tag,
            how,
        ))
    }

    async fn push(&self, path: &Path, to: &Reference, place: &Place) -> Result<Moved, Failure> {
        let tag = own_tag(to).or_else(|| Some(latest()));
        let options = PushOptions::default()
            .on(self.errand.condition.clone())
            .annotated(self.errand.annotations.clone());
        let pushing = self
            .transfer
            .push_directory(path, place, tag.as_ref(), &options);
        let pushed: PushedDirectory = self.watched("pushing", pushing).await.at(to)?;
        let how = How::Pushed {
            entries: pushed.entries,
            files: pushed.files,
            bytes: pushed.bytes,
            manifests: pushed.manifests,
            sent: pushed.sent,
            sent_bytes: pushed.sent_bytes,
            present: pushed.present,
        };
        let from = format!("dir:{}", path.display());
        Ok(moved(&from, to, pushed.digest.to_string(), tag, how))
    }

    async fn pull(&self, source: &Source, path: &Path) -> Result<Moved, Failure> {
        let wanted = source.wanted();
        let plain = PullOptions::default();
        let options = if self.errand.link {
            plain.linked()
        } else {
            plain
        };
        let pulling = self
            .transfer
            .pull_directory(&source.place, &wanted, path, &options);
        let pulled: Pulled = self.watched("pulling", pulling).await.at(&source.shown)?;
        let how = How::Pulled {
            entries: pulled.entries,
            files: pulled.files,
            bytes: pulled.bytes,
            hard_linked: pulled.hard_linked,
            reflinked: pulled.reflinked,
            copied: pulled.copied,
        };
        let to = Reference::Directory(path.to_owned());
        Ok(moved(
            &source.shown,
            &to,
            pulled.digest.to_string(),
            None,
            how,
        ))
    }

    /// Copies a directory by way of an artifact beside it, so that what arrives is what was hashed.
    async fn mirror(&self, from: &Path, to: &Path) -> Result<Moved, Failure> {
        let scratch = Scratch::beside(to)?;
        let layout = Reference::layout(scratch.path());
        let mut desk = Desk::new(self.context, true);
        let place = desk.target(&layout).await?;
        self.push(from, &layout, &place).await?;
        let source = desk.source(&layout, None).await?;
        let mut moved = self.pull(&source, to).await?;
        moved.from = Reference::Directory(from.to_owned()).to_string();
        Ok(moved)
    }

    /// Shows how far the transfer is, as long as it is under way.
    async fn watched<T>(&self, what: &'static str, work: impl Future<Output = T>) -> T {
        let progress = Progress::bytes(self.context.output, what);
        let mut ticks = interval(GLANCE);
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => {
                    progress.end();
                    return done;
                }
                _ = ticks.tick() => {
                    let now = self.transfer.meter().progress();
                    progress.expect(now.bytes_total);
                    progress.set(now.bytes);
                }
            }
        }
    }
}

fn own_tag(to: &Reference) -> Option<Tag> {
    to.version().and_then(|version| version.tag.clone())
}

fn moved(from: &str, to: &Reference, digest: String, tag: Option<Tag>, how: How) -> Moved {
    Moved {
        from: from.to_owned(),
        to: to.to_string(),
        digest,
        tag: tag.map(|tag| tag.to_string()),
        how,
    }
}
