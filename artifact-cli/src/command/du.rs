//! `artifact du`

use artifact::{AsOf, ErrorKind, Footprint, Scope, Totals, Usage};
use clap::Args;
use serde::Serialize;

use crate::{
    context::Context,
    failure::{At as _, Failure},
    names::{scope, show_scope},
    open::{Opened, open_to_read, page},
    output::{Report, table},
    size::bytes,
};

/// Show what is stored, and who is charged for it
///
/// Each distinct digest counts once for a repository, whoever pushed it first, and once for the
/// disk. Kept history is shown and not charged. What is stored has no past: it is told as it is now.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact du                 the whole registry, and each repository
  artifact du team            what is below team
")]
pub(crate) struct DuArgs {
    /// A namespace or a repository; the whole registry without it
    #[arg(value_parser = scope, default_value = "/", hide_default_value = true)]
    scope: Scope,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    scope: String,
    #[serde(flatten)]
    footprint: Footprint,
    charged: u64,
    reserved: u64,
    quota: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Usages {
    scopes: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    totals: Option<Totals>,
}

impl Line {
    fn new(scope: &Scope, footprint: Footprint, usage: Usage, quota: Option<u64>) -> Self {
        let (charged, reserved) = (usage.charged, usage.reserved);
        Self {
            scope: show_scope(scope),
            footprint,
            charged,
            reserved,
            quota,
        }
    }

    fn row(&self) -> [String; 8] {
        let f = &self.footprint;
        let quota = self.quota.map_or_else(|| "-".to_owned(), bytes);
        [
            self.scope.clone(),
            f.packages.to_string(),
            f.tags.to_string(),
            f.manifests.to_string(),
            f.blobs.to_string(),
            bytes(self.charged + self.reserved),
            quota,
            bytes(f.history_bytes),
        ]
    }
}

impl Report for Usages {
    fn text(&self) -> String {
        let head = [
            "scope",
            "packages",
            "tags",
            "manifests",
            "blobs",
            "charged",
            "quota",
            "history",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(self.scopes.iter().map(Line::row));
        let mut text = table(&rows);
        if let Some(totals) = &self.totals {
            text.push('\n');
            text.push_str(&on_disk(totals));
        }
        text
    }
}

fn on_disk(totals: &Totals) -> String {
    let mut rows = vec![
        [totals.blobs.to_string(), "blobs".to_owned(), String::new()],
        [
            bytes(totals.stored_bytes),
            "in files and slots".to_owned(),
            String::new(),
        ],
        [
            bytes(totals.inline_bytes),
            "in the index itself".to_owned(),
            String::new(),
        ],
        [
            bytes(totals.manifest_bytes),
            "in manifests".to_owned(),
            String::new(),
        ],
    ];
    if totals.trash > 0 {
        let what = format!("in {} files and slots that wait to be freed", totals.trash);
        rows.push([bytes(totals.trash_bytes), what, "(artifact gc)".to_owned()]);
    }
    if totals.uploads > 0 {
        rows.push([
            totals.uploads.to_string(),
            "uploads under way or suspended".to_owned(),
            String::new(),
        ]);
    }
    if totals.quarantined > 0 {
        let what = "blobs whose bytes are wrong".to_owned();
        rows.push([
            totals.quarantined.to_string(),
            what,
            "(artifact fsck)".to_owned(),
        ]);
    }
    table(&rows)
}

pub(crate) async fn run(context: &Context, args: DuArgs) -> Result<(), Failure> {
    let opened = open_to_read(context).await?;
    let repositories = repositories(&opened, &args.scope).await?;
    if repositories.is_empty() {
        // What it would show of a package or a slip of the pen would be nothing, and wrong.
        let failure = Failure::new(ErrorKind::NotFound, "no repository is there or below");
        return Err(failure
            .at(show_scope(&args.scope))
            .remedy("`artifact repo ls` lists the repositories, `artifact du` shows them all"));
    }
    let namespace = opened.session.namespace(AsOf::Now, &args.scope).await;
    let quota = namespace.at(show_scope(&args.scope))?.value.quota;
    let mut scopes = vec![line(&opened, &args.scope, quota).await?];
    for (scope, quota) in repositories {
        if scope == args.scope {
            scopes.clear();
        }
        scopes.push(line(&opened, &scope, quota).await?);
    }
    let totals = if args.scope.as_str().is_empty() {
        Some(opened.session.totals().await.at(opened.path.display())?)
    } else {
        None
    };
    context.output.show(&Usages { scopes, totals })
}

async fn line(opened: &Opened, scope: &Scope, quota: Option<u64>) -> Result<Line, Failure> {
    let place = show_scope(scope);
    let footprint = opened.session.footprint(scope).await.at(&place)?;
    let usage = opened.session.usage(scope).await.at(&place)?;
    Ok(Line::new(scope, footprint, usage, quota))
}

async fn repositories(
    opened: &Opened,
    within: &Scope,
) -> Result<Vec<(Scope, Option<u64>)>, Failure> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let found = opened.session.repositories(AsOf::Now, page(after)).await?;
        let Some((last, _)) = found.last() else {
            return Ok(all);
        };
        after = Some(last.to_string());
        let held = found.iter().filter(|(name, _)| within.holds(name));
        all.extend(held.map(|(name, setting)| (Scope::from(name), setting.value.quota)));
    }
}
