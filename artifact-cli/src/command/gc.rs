//! `artifact gc`

use artifact::{AsOf, CollectOptions, Collected, ErrorKind, Forget, RepositoryName};
use clap::Args;
use serde::Serialize;

use crate::{
    context::Context,
    failure::{At as _, Failure},
    moment::Moment,
    open::{Opened, open},
    output::{Report, table},
    size::bytes,
};

/// Free what nothing wants any more
///
/// What a manifest of the kept history names is wanted, and what was pushed lately. A server
/// collects by itself. It runs beside pushes, and takes nothing that anybody wants.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact gc --dry-run              what would go
  artifact gc
  artifact gc --forget 2d            forget what was before two days ago, and free it
  artifact gc --forget 120 --repository team/models
")]
pub(crate) struct GcArgs {
    /// Count what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Forget the history before this moment first: a revision, a time, or how long ago. What was
    /// deleted before it cannot come back
    #[arg(long, value_name = "MOMENT")]
    forget: Option<Moment>,
    /// Forget the history of this repository alone
    #[arg(long, value_name = "NAME", requires = "forget")]
    repository: Option<RepositoryName>,
    /// Go on even where over 1,000 blobs and over half of all bytes would go
    #[arg(long)]
    allow_mass_delete: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    dry_run: bool,
    #[serde(flatten)]
    collected: Collected,
}

impl Report for Done {
    fn text(&self) -> String {
        let c = &self.collected;
        let verb = if self.dry_run { "would be " } else { "" };
        let wait = if self.dry_run {
            "in the trash: they go as soon as nobody can be reading them"
        } else {
            "wait, for somebody may still read them"
        };
        let rows = [
            (
                c.forgotten,
                String::new(),
                "repositories whose history was cut".to_owned(),
            ),
            (
                c.pruned,
                String::new(),
                format!("past records {verb}forgotten"),
            ),
            (
                c.uploads,
                String::new(),
                format!("abandoned uploads {verb}ended"),
            ),
            (
                c.unlinked,
                String::new(),
                format!("pushed blobs that nothing named {verb}let go"),
            ),
            (
                c.blobs,
                bytes(c.blob_bytes),
                format!("blobs that nothing wants {verb}removed"),
            ),
            (
                c.freed,
                bytes(c.freed_bytes),
                format!("files and slots {verb}freed"),
            ),
            (c.waiting, bytes(c.waiting_bytes), wait.to_owned()),
        ];
        let shown = rows.into_iter().filter(|(count, _, _)| *count > 0);
        let shown: Vec<_> = shown
            .map(|(count, size, what)| [count.to_string(), size, what])
            .collect();
        if shown.is_empty() {
            return "nothing is to be collected\n".to_owned();
        }
        table(&shown)
    }
}

pub(crate) async fn run(context: &Context, args: GcArgs) -> Result<(), Failure> {
    if args.dry_run && args.forget.is_some() {
        let what =
            "a dry run counts what nothing wants now, and not what is wanted until it is forgotten";
        return Err(Failure::usage(what).remedy("leave --dry-run or --forget out"));
    }
    let opened = open(context, None).await?;
    if let Some(name) = &args.repository {
        opened
            .session
            .repository(AsOf::Now, name)
            .await
            .at(opened.path.display())?;
    }
    let mut options = CollectOptions::default();
    options.dry_run = args.dry_run;
    options.allow_mass_delete = args.allow_mass_delete;
    if let Some(moment) = args.forget {
        let before = match opened.at(Some(moment)).await? {
            AsOf::Revision(revision) => revision,
            AsOf::Now => opened.session.revision().await?.revision,
        };
        options.forget = Some(Forget {
            repository: args.repository,
            before,
        });
    }
    let mut collected = collect(&opened, &options).await?;
    if collected.busy {
        // The claim of a collector that died was released by this, and is free now.
        collected = collect(&opened, &options).await?;
    }
    if collected.busy {
        return Err(Failure::new(
            ErrorKind::Busy,
            "another process is collecting; nothing was done here",
        )
        .at(opened.path.display())
        .remedy("wait until it is done"));
    }
    context.output.show(&Done {
        dry_run: args.dry_run,
        collected,
    })
}

async fn collect(opened: &Opened, options: &CollectOptions) -> Result<Collected, Failure> {
    opened
        .session
        .collect(options)
        .await
        .at(opened.path.display())
}
