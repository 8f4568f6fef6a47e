//! `artifact fsck`

use std::path::PathBuf;

use artifact::{ErrorKind, Home, ScrubOptions, Scrubbed};
use artifact_store::home::Rebuilt;
use clap::Args;
use serde::Serialize;

use crate::{
    context::Context,
    desk::options,
    failure::{At as _, Failure},
    find,
    names::plural,
    open::{Opened, open, open_read_only},
    output::{Report, table},
    progress::Progress,
    size::bytes,
};

/// Check that everything is whole: the index, the journal, and each blob by its digest
///
/// What was hashed within the last 30 days and has not changed since is not hashed again, unless
/// --all says so. What is wrong is set apart, so that nobody is served it, and is whole again when it is
/// pushed again. What nobody knows of goes into the trash, which `artifact gc` empties. What is damaged
/// in the journal is written anew from the index.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact fsck                     in the registry that the other commands use
  artifact fsck /srv/registry --all
  artifact fsck --rebuild-index     the index is lost: make it anew from the journal
")]
pub(crate) struct FsckArgs {
    /// The registry's directory
    dir: Option<PathBuf>,
    /// Hash everything
    #[arg(long)]
    all: bool,
    /// Look, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Make the index anew from the journal first. Nobody else may have the registry open
    #[arg(long, conflicts_with = "dry_run")]
    rebuild_index: bool,
    /// Replace also an index that is whole and has more than the journal
    #[arg(long, requires = "rebuild_index")]
    force: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    path: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    rebuilt: Option<RebuiltDocument>,
    index: Vec<String>,
    journal: Vec<String>,
    #[serde(flatten)]
    scrubbed: Scrubbed,
    #[serde(skip)]
    dry_run: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RebuiltDocument {
    revision: u64,
    epoch: u64,
    entries: u64,
    damage: Vec<String>,
    torn: Option<TornDocument>,
    missing: Vec<String>,
    corrupt: Vec<String>,
    adopted: u64,
    freed: u64,
    replaced: PathBuf,
}

#[derive(Serialize)]
struct TornDocument {
    file: PathBuf,
    offset: u64,
}

impl From<Rebuilt> for RebuiltDocument {
    fn from(rebuilt: Rebuilt) -> Self {
        let texts =
            |digests: &[artifact::Digest]| digests.iter().map(ToString::to_string).collect();
        Self {
            revision: rebuilt.revision.get(),
            epoch: rebuilt.epoch.get(),
            entries: rebuilt.entries,
            torn: rebuilt
                .torn
                .clone()
                .map(|(file, offset)| TornDocument { file, offset }),
            missing: texts(&rebuilt.missing),
            corrupt: texts(&rebuilt.corrupt),
            adopted: rebuilt.adopted,
            freed: rebuilt.freed,
            damage: rebuilt.damage,
            replaced: rebuilt.replaced,
        }
    }
}

impl Report for RebuiltDocument {
    fn text(&self) -> String {
        let mut text = format!(
            "made the index anew up to revision {}, from {} entries of the journal; the other is {}\n",
            self.revision,
            self.entries,
            self.replaced.display()
        );
        for line in &self.damage {
            text.push_str(&format!("  damaged: {line}\n"));
        }
        if let Some(torn) = &self.torn {
            text.push_str(&format!(
                "  torn: {} was cut at byte {}\n",
                torn.file.display(),
                torn.offset
            ));
        }
        for digest in &self.missing {
            text.push_str(&format!("  missing: {digest}\n"));
        }
        for digest in &self.corrupt {
            text.push_str(&format!("  corrupt: {digest}\n"));
        }
        if self.adopted > 0 || self.freed > 0 {
            let line = format!(
                "  {} blob files taken in, {} freed\n",
                self.adopted, self.freed
            );
            text.push_str(&line);
        }
        text
    }
}

impl Report for Checked {
    fn text(&self) -> String {
        let mut text = self.rebuilt.as_ref().map(Report::text).unwrap_or_default();
        let s = &self.scrubbed;
        let word = |problems: &[String]| match problems {
            [] => "whole".to_owned(),
            _ => "damaged".to_owned(),
        };
        let leaked = plural(s.leaked, "file or slot", "files and slots");
        let leaked = format!("{leaked} ({}) that nothing names", bytes(s.leaked_bytes));
        let leaked = match (s.leaked, self.dry_run) {
            (0, _) => "nothing".to_owned(),
            (_, true) => leaked,
            (_, false) => format!("{leaked}: `artifact gc` frees what is in the trash now"),
        };
        let rows = [
            ["index".to_owned(), word(&self.index)],
            ["journal".to_owned(), word(&self.journal)],
            ["blobs".to_owned(), s.blobs.to_string()],
            ["manifests".to_owned(), s.manifests.to_string()],
            ["hashed".to_owned(), bytes(s.bytes)],
            ["corrupt".to_owned(), s.corrupt.len().to_string()],
            ["leaked".to_owned(), leaked],
        ];
        text.push_str(&table(&rows));
        for problem in self.index.iter().chain(&self.journal) {
            text.push_str(&format!("  {problem}\n"));
        }
        for digest in &s.corrupt {
            text.push_str(&format!("  {digest} is corrupt\n"));
        }
        for part in &s.unreadable {
            text.push_str(&format!("  {part}\n"));
        }
        text
    }
}

pub(crate) async fn run(context: &Context, args: FsckArgs) -> Result<(), Failure> {
    let rebuilt = if args.rebuild_index {
        let path = find::registry(context.directory(args.dir.clone()))?;
        let rebuilt = Home::rebuild_index(&path, options().at(path.display())?, args.force).await?;
        Some(RebuiltDocument::from(rebuilt))
    } else {
        None
    };
    let opened = if args.dry_run {
        open_read_only(context, args.dir).await?
    } else {
        open(context, args.dir).await?
    };
    let mut options = ScrubOptions::default();
    options.all = args.all;
    options.dry_run = args.dry_run;
    let home = opened.registry.home();
    let mut found = home.check().await.at(opened.path.display())?;
    if found.index.is_empty() && !found.journal.is_empty() && !args.dry_run {
        // What is there since the horizon, the index knows.
        home.mend_journal().await.at(opened.path.display())?;
        found = home.check().await.at(opened.path.display())?;
    }
    let scrubbed = scrub(context, &opened, options).await?;
    let dry_run = args.dry_run;
    let checked = Checked {
        path: opened.path,
        rebuilt,
        index: found.index,
        journal: found.journal,
        scrubbed,
        dry_run,
    };
    context.output.show(&checked)?;
    verdict(&checked)
}

async fn scrub(
    context: &Context,
    opened: &Opened,
    options: ScrubOptions,
) -> Result<Scrubbed, Failure> {
    let progress = Progress::items(context.output, "checking");
    let scrubbed = opened
        .session
        .scrub(options, |now| progress.set(now.checked))
        .await;
    progress.end();
    scrubbed.at(opened.path.display())
}

fn verdict(checked: &Checked) -> Result<(), Failure> {
    if !checked.index.is_empty() {
        return Err(Failure::new(ErrorKind::Corrupt, "the index is damaged")
            .at(checked.path.display())
            .remedy("stop all that have it open and run `artifact fsck --rebuild-index`"));
    }
    let corrupt = checked.scrubbed.corrupt.len();
    if corrupt > 0 {
        let what = format!(
            "{} corrupt, and not served any more",
            plural(corrupt, "blob or manifest is", "blobs or manifests are")
        );
        return Err(Failure::new(ErrorKind::Corrupt, what)
            .at(checked.path.display())
            .remedy("push them again, or copy them from another registry: then they are whole"));
    }
    if !checked.scrubbed.unreadable.is_empty() {
        let what = "a part of the store cannot be read: what nobody knows of stays there";
        return Err(Failure::new(ErrorKind::Corrupt, what)
            .at(checked.path.display())
            .remedy("run it again, for some of it can be mended; and look at the disk's health"));
    }
    if !checked.journal.is_empty() {
        return Err(Failure::new(ErrorKind::Corrupt, "the journal is damaged")
            .at(checked.path.display())
            .remedy("keep a snapshot: an index made anew from this journal would lack that"));
    }
    let lost = checked
        .rebuilt
        .as_ref()
        .map_or(0, |rebuilt| rebuilt.damage.len() + rebuilt.missing.len());
    if lost > 0 {
        return Err(
            Failure::new(ErrorKind::Corrupt, "the journal did not have all of it")
                .at(checked.path.display())
                .remedy("push what is missing again, or restore a snapshot"),
        );
    }
    Ok(())
}
