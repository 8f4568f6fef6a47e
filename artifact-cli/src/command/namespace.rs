//! `artifact repo namespace`

use artifact::{NamespaceSettings, Scope, StageName};
use clap::Args;
use serde::Serialize;

use crate::{
    context::Context,
    failure::{At as _, Failure},
    moment::Moment,
    names::{scope, show_scope},
    open::{open, open_to_read},
    output::{Report, table},
    size::{self, Size},
};

/// Show what holds for all repositories below a name, or change it
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact repo namespace team
  artifact repo namespace team --quota 2TiB --stage dev
  artifact repo namespace / --no-quota                   the whole registry
")]
pub(crate) struct NamespaceArgs {
    /// Which: a path such as team, or / for the whole registry
    #[arg(value_parser = scope)]
    namespace: Scope,
    /// The stage of the repositories that name none
    #[arg(long)]
    stage: Option<StageName>,
    /// How many bytes its repositories may have together, such as 2TiB
    #[arg(long, value_name = "SIZE")]
    quota: Option<Size>,
    /// Name no stage
    #[arg(long, conflicts_with = "stage")]
    no_stage: bool,
    /// Let them grow without bound
    #[arg(long, conflicts_with = "quota")]
    no_quota: bool,
    /// As it was: a revision, a time, or how long ago
    #[arg(
        long,
        value_name = "MOMENT",
        conflicts_with_all = ["stage", "quota", "no_stage", "no_quota"]
    )]
    as_of: Option<Moment>,
}

impl NamespaceArgs {
    fn apply(&self, settings: &mut NamespaceSettings) {
        if self.no_stage || self.stage.is_some() {
            settings.stage.clone_from(&self.stage);
        }
        if self.no_quota || self.quota.is_some() {
            settings.quota = self.quota.map(|Size(bytes)| bytes);
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NamespaceDocument {
    namespace: String,
    generation: u64,
    stage: Option<String>,
    quota: Option<u64>,
}

impl Report for NamespaceDocument {
    fn text(&self) -> String {
        let stage = self.stage.clone().unwrap_or_else(|| "-".to_owned());
        let quota = self
            .quota
            .map_or_else(|| "no quota".to_owned(), size::bytes);
        let rows = [
            ["namespace", &self.namespace],
            ["stage", &stage],
            ["quota", &quota],
            ["generation", &self.generation.to_string()],
        ];
        table(&rows.map(|row| row.map(str::to_owned)))
    }
}

pub(crate) async fn run(context: &Context, args: NamespaceArgs) -> Result<(), Failure> {
    let changes = args.no_stage || args.no_quota || args.stage.is_some() || args.quota.is_some();
    let opened = if changes {
        open(context, None).await?
    } else {
        open_to_read(context).await?
    };
    let (session, place) = (&opened.session, show_scope(&args.namespace));
    let at = opened.at(args.as_of).await?;
    let mut setting = session.namespace(at, &args.namespace).await.at(&place)?;
    if changes {
        args.apply(&mut setting.value);
        let set = session.set_namespace(&args.namespace, &setting.value);
        set.await.at(&place)?;
        setting = session.namespace(at, &args.namespace).await.at(&place)?;
    }
    context.output.show(&NamespaceDocument {
        namespace: place,
        generation: setting.generation.get(),
        stage: setting.value.stage.as_ref().map(ToString::to_string),
        quota: setting.value.quota,
    })
}
