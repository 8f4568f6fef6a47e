//! `artifact tag`

use artifact::{
    Condition, ManifestRef, Tag,
    transfer::{CopyOptions, Transfer},
};
use clap::Args;
use serde::Serialize;

use crate::{
    condition::{ConditionArgs, judge},
    context::Context,
    desk::{Desk, spawn},
    failure::{At as _, Failure},
    output::Report,
    reference::Reference,
};

/// Give an artifact more tags
///
/// A tag that points elsewhere is moved, unless a condition says otherwise. `rm`, `untag` and
/// `undelete` take tags and artifacts away and bring them back.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact tag team/app@sha256:0a1b.. v1 latest
  artifact tag team/app:v1 stable --if-absent           only if there is no stable yet
  artifact tag oci://registry.example/app:v1 stable     at a remote registry
")]
pub(crate) struct TagArgs {
    /// The artifact
    reference: Reference,
    /// The tags that shall point at it
    #[arg(required = true, value_parser = tag)]
    tags: Vec<Tag>,
    #[command(flatten)]
    condition: ConditionArgs,
}

fn tag(text: &str) -> Result<Tag, String> {
    text.parse().map_err(|error| {
        if text.contains(['/', ':']) {
            return format!("{text:?} is no tag: `artifact cp FROM {text}` names it elsewhere");
        }
        format!("{text:?} is no tag: {error}")
    })
}

#[derive(Serialize)]
struct Tagged {
    reference: String,
    digest: String,
    tags: Vec<String>,
}

impl Report for Tagged {
    fn text(&self) -> String {
        format!("{}  {}\n", self.tags.join(" "), self.digest)
    }
}

pub(crate) async fn run(context: &Context, args: TagArgs) -> Result<(), Failure> {
    let condition: Condition = args.condition.into();
    let mut desk = Desk::new(context, false);
    let source = desk.source(&args.reference, None).await?;
    let digest = source.manifest().await?.digest();
    let place = &source.place;
    if args.tags.len() > 1 && condition != Condition::Any {
        let failure = Failure::usage("a condition holds of one tag at a time").at(&source.shown);
        return Err(failure.remedy("give each tag by a command of its own"));
    }
    let options = CopyOptions::default().on(condition.clone());
    let transfer = Transfer::new(spawn()?);
    for tag in &args.tags {
        let wanted = ManifestRef::Digest(digest);
        let copied = transfer.copy(place, &wanted, place, Some(tag), &options);
        match copied.await.at(format!("tag {tag} of {place}")) {
            Ok(_) => {}
            Err(failure) if failure.is_conflict() => {
                return Err(judge(failure, place, tag, &condition).await);
            }
            Err(failure) => return Err(failure),
        }
    }
    let tags = args.tags.iter().map(ToString::to_string).collect();
    context.output.show(&Tagged {
        reference: source.shown,
        digest: digest.to_string(),
        tags,
    })
}
