//! `artifact mode`

use artifact::Mode;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::{
    context::Context,
    failure::{At as _, Failure},
    moment::Moment,
    open::{open, open_to_read},
    output::{Report, printable},
};

/// Say whether the registry takes writes, or set it
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact mode
  artifact mode --as-of 2h
  artifact mode read-only --reason 'moving to the new disk'
  artifact mode read-write
")]
pub(crate) struct ModeArgs {
    /// What it shall be; without it, it is said what it is
    #[arg(value_enum)]
    mode: Option<ModeName>,
    /// Say what it was at this moment: a revision, a time, or how long ago
    #[arg(long, value_name = "MOMENT", conflicts_with = "mode")]
    as_of: Option<Moment>,
    /// Why it is read-only, for whom a write is refused
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum ModeName {
    /// It takes writes
    ReadWrite,
    /// It refuses writes, and reads go on
    ReadOnly,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    mode: &'static str,
    reason: Option<String>,
}

impl Report for Shown {
    fn text(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{}: {}\n", self.mode, printable(reason)),
            None => format!("{}\n", self.mode),
        }
    }
}

impl Shown {
    fn new(mode: &Mode) -> Self {
        match mode {
            Mode::ReadOnly(reason) => Self {
                mode: "read-only",
                reason: Some(reason.clone()),
            },
            _ => Self {
                mode: "read-write",
                reason: None,
            },
        }
    }
}

pub(crate) async fn run(context: &Context, args: ModeArgs) -> Result<(), Failure> {
    let mode = match (args.mode, args.reason) {
        (None, None) => {
            let opened = open_to_read(context).await?;
            let at = opened.at(args.as_of).await?;
            let mode = opened.session.mode(at).await.at(opened.path.display())?;
            return context.output.show(&Shown::new(&mode));
        }
        (Some(ModeName::ReadOnly), reason) => {
            Mode::ReadOnly(reason.unwrap_or_else(|| "set by hand".to_owned()))
        }
        (Some(ModeName::ReadWrite), None) => Mode::ReadWrite,
        (_, Some(_)) => {
            let failure = Failure::usage("a reason is given for `read-only` alone");
            return Err(failure.remedy("write `artifact mode read-only --reason TEXT`"));
        }
    };
    let opened = open(context, None).await?;
    opened
        .session
        .set_mode(&mode)
        .await
        .at(opened.path.display())?;
    context.output.show(&Shown::new(&mode))
}
