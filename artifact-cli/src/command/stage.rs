//! `artifact repo stage`

use std::time::Duration;

use artifact::{StageName, StageSettings};
use clap::{ArgAction, Args};
use serde::Serialize;

use crate::{
    context::Context,
    failure::{At as _, Failure},
    moment::Moment,
    open::{open, open_to_read},
    output::{Report, table},
    size::{Span, span},
};

/// Show the settings that the repositories of a stage share, or change them
///
/// A repository is of the stage that `repo set --stage` says, else of that of the nearest namespace that
/// has one. Where no stage is set, the settings are those that a new stage has.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact repo stage release
  artifact repo stage release --overwrite no --delete no
  artifact repo stage dev --history-keep 1d
  artifact repo set team/models --stage release
")]
pub(crate) struct StageArgs {
    /// Which
    name: StageName,
    /// How long what was can be read and brought back, such as 30d
    #[arg(long, value_name = "TIME")]
    history_keep: Option<Span>,
    /// Whether tags, artifacts and blobs may be deleted
    #[arg(long, value_name = "yes|no", action = ArgAction::Set, value_parser = yes_or_no)]
    delete: Option<bool>,
    /// Whether a tag that is there may be moved
    #[arg(long, value_name = "yes|no", action = ArgAction::Set, value_parser = yes_or_no)]
    overwrite: Option<bool>,
    /// Whether each read is hashed, whatever is known of the file
    #[arg(long, value_name = "yes|no", action = ArgAction::Set, value_parser = yes_or_no)]
    verify_always: Option<bool>,
    /// As it was: a revision, a time, or how long ago
    #[arg(
        long,
        value_name = "MOMENT",
        conflicts_with_all = ["history_keep", "delete", "overwrite", "verify_always"]
    )]
    as_of: Option<Moment>,
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(format!("{text:?} is neither yes nor no")),
    }
}

impl StageArgs {
    const fn changes_nothing(&self) -> bool {
        self.history_keep.is_none()
            && self.delete.is_none()
            && self.overwrite.is_none()
            && self.verify_always.is_none()
    }

    fn apply(&self, settings: &mut StageSettings) {
        if let Some(Span(keep)) = self.history_keep {
            settings.history_keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        }
        settings.delete = self.delete.unwrap_or(settings.delete);
        settings.overwrite = self.overwrite.unwrap_or(settings.overwrite);
        settings.verify_always = self.verify_always.unwrap_or(settings.verify_always);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StageDocument {
    name: String,
    generation: u64,
    /// In milliseconds.
    history_keep: u64,
    delete: bool,
    overwrite: bool,
    verify_always: bool,
}

impl Report for StageDocument {
    fn text(&self) -> String {
        let word = |is: bool| if is { "yes" } else { "no" }.to_owned();
        let rows = [
            ["name".to_owned(), self.name.clone()],
            [
                "history-keep".to_owned(),
                span(Duration::from_millis(self.history_keep)),
            ],
            ["delete".to_owned(), word(self.delete)],
            ["overwrite".to_owned(), word(self.overwrite)],
            ["verify-always".to_owned(), word(self.verify_always)],
            ["generation".to_owned(), self.generation.to_string()],
        ];
        table(&rows)
    }
}

pub(crate) async fn run(context: &Context, args: StageArgs) -> Result<(), Failure> {
    let opened = if args.changes_nothing() {
        open_to_read(context).await?
    } else {
        open(context, None).await?
    };
    let session = &opened.session;
    let at = opened.at(args.as_of).await?;
    let mut setting = session.stage(at, &args.name).await.at(&args.name)?;
    if !args.changes_nothing() {
        args.apply(&mut setting.value);
        session
            .set_stage(&args.name, &setting.value)
            .await
            .at(&args.name)?;
        setting = session.stage(at, &args.name).await.at(&args.name)?;
    }
    let settings = &setting.value;
    context.output.show(&StageDocument {
        name: args.name.to_string(),
        generation: setting.generation.get(),
        history_keep: settings.history_keep,
        delete: settings.delete,
        overwrite: settings.overwrite,
        verify_always: settings.verify_always,
    })
}
