//! Moves artifacts between the places that references name; `cp`, `push` and `pull` are its forms.

use std::{fs, path::Path, time::Duration};

use artifact::{
    Annotations, Condition, ErrorKind, SpawnExt as _, Tag,
    directory::{PullOptions, Pulled, PushOptions, PushedDirectory, lies_in},
    transfer::{Copied, CopyOptions, Place, Transfer, TransferError},
};
use clap::Args;
use serde::Serialize;
use tokio::time::interval;

use crate::{
    condition::{ConditionArgs, check, judge},
    context::Context,
    desk::{Desk, Source, only_here, spawn},
    failure::{At as _, Failure},
    moment::Moment,
    names::plural,
    output::Report,
    progress::Progress,
    reference::{Reference, latest},
    scratch::Scratch,
    signal::Stop,
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
            // Between packages of one registry names are given, and that is all.
            How::Copied { manifests: 0, .. } => "nothing was to be sent".to_owned(),
            How::Copied {
                sent,
                sent_bytes,
                mounted,
                present,
                ..
            } => format!(
                "{} ({}) sent, {}",
                plural(*sent, "blob", "blobs"),
                bytes(*sent_bytes),
                were_there(present + mounted)
            ),
            How::Pushed {
                files,
                bytes: all,
                sent,
                sent_bytes,
                present,
                ..
            } => format!(
                "{} ({}): {} ({}) sent, {}",
                plural(*files, "file", "files"),
                bytes(*all),
                plural(*sent, "content", "contents"),
                bytes(*sent_bytes),
                were_there(*present)
            ),
            How::Pulled {
                files,
                bytes: all,
                hard_linked,
                reflinked,
                copied,
                ..
            } => format!(
                "{} ({}): {hard_linked} hard-linked, {reflinked} reflinked, {copied} copied",
                plural(*files, "file", "files"),
                bytes(*all)
            ),
        };
        text.push_str(&line);
        text.push('\n');
        text
    }
}

fn were_there(count: u64) -> String {
    format!("{count} {} there", if count == 1 { "was" } else { "were" })
}

/// Moves an artifact, and shows what was moved.
///
/// Who is asked to end meanwhile leaves nothing half done behind: what was begun is dropped first.
pub(crate) async fn carry(
    context: &Context,
    from: &Reference,
    to: &Reference,
    errand: Errand,
) -> Result<(), Failure> {
    check_target(to)?;
    errand.check(from, to)?;
    let mut stop = Stop::prepare().at("the signals of this process")?;
    let moved = tokio::select! {
        moved = move_it(context, from, to, errand) => moved?,
        signal = stop.asked() => {
            // What the dropped work left to be removed was handed to the threads before this.
            let _after = spawn()?.run_blocking(|| ()).await;
            return Err(Failure::interrupted(signal).at(format!("{from} -> {to}")));
        }
    };
    context.output.show(&moved)
}

async fn move_it(
    context: &Context,
    from: &Reference,
    to: &Reference,
    errand: Errand,
) -> Result<Moved, Failure> {
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
    match (from, to) {
        (Reference::Directory(from), Reference::Directory(to)) => courier.mirror(from, to).await,
        (Reference::Directory(path), _) => {
            let place = desk.target(to).await?;
            courier.push(path, to, &place).await
        }
        (_, Reference::Directory(path)) => {
            let source = desk.source(from, courier.errand.moment).await?;
            source.manifest().await?;
            make_parents(path)?;
            courier.pull(&source, path).await
        }
        _ => {
            let source = desk.source(from, courier.errand.moment).await?;
            // What is not there is told of its own place, and before the other is touched.
            source.manifest().await?;
            let place = desk.target(to).await?;
            courier.copy(&source, to, &place).await
        }
    }
}

/// Makes the directories above a path, as a layout at that path would get them.
fn make_parents(path: &Path) -> Result<(), Failure> {
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    fs::create_dir_all(parent).map_err(|error| {
        Failure::from(error)
            .says("the directory to pull into cannot be made")
            .at(parent.display())
    })
}

impl Errand {
    /// Refuses what would be passed over in silence.
    fn check(&self, from: &Reference, to: &Reference) -> Result<(), Failure> {
        let refuse = |what: &str, at: &Reference, remedy: &str| {
            Err(Failure::usage(what).at(at).remedy(remedy))
        };
        only_here(from, self.moment)?;
        if let Reference::Directory(path) = from
            && !path.exists()
        {
            let failure = Failure::new(ErrorKind::NotFound, "there is no such file or directory");
            return Err(failure.at(from).remedy("name one that is there"));
        }
        check_outside(from, to)?;
        let to_files = matches!(to, Reference::Directory(_));
        if self.link && !to_files {
            return refuse(
                "files are hard-linked into a directory of files alone",
                to,
                "leave --link out",
            );
        }
        if to_files && self.condition != Condition::Any {
            return refuse(
                "a directory of files has no tag that a condition could hold of",
                to,
                "leave the condition out: a directory that is there is never replaced",
            );
        }
        if self.referrers && (to_files || matches!(from, Reference::Directory(_))) {
            return refuse(
                "nothing refers to a directory of files",
                if to_files { to } else { from },
                "leave --referrers out",
            );
        }
        Ok(())
    }
}

/// Refuses to copy a directory into itself before anything is made there.
fn check_outside(from: &Reference, to: &Reference) -> Result<(), Failure> {
    let (Reference::Directory(path), Reference::Directory(place) | Reference::Layout(place, _)) =
        (from, to)
    else {
        return Ok(());
    };
    let (path, place) = (path.clone(), place.clone());
    if !lies_in(&place, &path).at(from)? || path.is_file() {
        return Ok(());
    }
    // What is there already is told of as that.
    if matches!(to, Reference::Directory(_)) && place.exists() {
        return Ok(());
    }
    Err(Failure::from(TransferError::Inside { path, place }).at(to))
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
        self.check_tag(place, tag.as_ref(), to).await?;
        let wanted = source.wanted();
        let copying = self
            .transfer
            .copy(&source.place, &wanted, place, tag.as_ref(), &options);
        let copied = self.watched("copying", copying).await;
        let copied = copied.at(format!("{} -> {to}", source.spot()));
        let copied: Copied = self.judged(copied, place, tag.as_ref()).await?;
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
        self.check_tag(place, tag.as_ref(), to).await?;
        let options = PushOptions::default()
            .on(self.errand.condition.clone())
            .annotated(self.errand.annotations.clone());
        let pushing = self
            .transfer
            .push_directory(path, place, tag.as_ref(), &options);
        let pushed = self.watched("pushing", pushing).await.at(to);
        let pushed: PushedDirectory = self.judged(pushed, place, tag.as_ref()).await?;
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
        let to = Reference::Directory(path.to_owned());
        let pulled: Pulled = match self.watched("pulling", pulling).await {
            Err(error @ (TransferError::Exists { .. } | TransferError::File { .. })) => {
                return Err(Failure::from(error).at(to));
            }
            pulled => pulled.at(source.spot())?,
        };
        let how = How::Pulled {
            entries: pulled.entries,
            files: pulled.files,
            bytes: pulled.bytes,
            hard_linked: pulled.hard_linked,
            reflinked: pulled.reflinked,
            copied: pulled.copied,
        };
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

    /// Looks at the tag before anything is sent.
    async fn check_tag(
        &self,
        place: &Place,
        tag: Option<&Tag>,
        to: &Reference,
    ) -> Result<(), Failure> {
        let condition = &self.errand.condition;
        match tag {
            Some(tag) => check(place, tag, condition).await,
            None if *condition == Condition::Any => Ok(()),
            None => Err(
                Failure::usage("there is no tag that the condition could hold of")
                    .at(to)
                    .remedy("name one, as NAME:TAG, or leave the condition out"),
            ),
        }
    }

    /// Says what the tag is where the condition on it did not hold.
    async fn judged<T>(
        &self,
        done: Result<T, Failure>,
        place: &Place,
        tag: Option<&Tag>,
    ) -> Result<T, Failure> {
        match (done, tag) {
            (Err(failure), Some(tag)) if failure.is_conflict() => {
                Err(judge(failure, place, tag, &self.errand.condition).await)
            }
            (done, _) => done,
        }
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
    let to = match &tag {
        Some(tag) if own_tag(to).is_none() => format!("{to}:{tag}"),
        _ => to.to_string(),
    };
    Moved {
        from: from.to_owned(),
        to,
        digest,
        tag: tag.map(|tag| tag.to_string()),
        how,
    }
}
