//! `artifact untag`

use artifact::{Condition, Tag, layout::OciLayout, transfer::Place};
use clap::Args;
use serde::Serialize;

use crate::{
    condition::{StandingArgs, judge},
    context::Context,
    desk::{Desk, spawn},
    failure::{At as _, Failure},
    output::Report,
    reference::Reference,
};

/// Take a tag away; what it points at stays
///
/// What no tag points at is still there by its digest. `artifact rm` deletes the artifact.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact untag team/app:old
  artifact untag team/app:old --if-generation 7    only if nobody moved it meanwhile
  artifact untag oci://registry.example/app:old    where that registry knows how
  artifact untag oci:./image:old                   the name of an image in a layout
")]
pub(crate) struct UntagArgs {
    /// The tag: NAME:TAG
    reference: Reference,
    #[command(flatten)]
    condition: StandingArgs,
}

#[derive(Serialize)]
struct Untagged {
    untagged: String,
}

impl Report for Untagged {
    fn text(&self) -> String {
        format!("untagged {}\n", self.untagged)
    }
}

pub(crate) async fn run(context: &Context, args: UntagArgs) -> Result<(), Failure> {
    let shown = args.reference.to_string();
    let condition: Condition = args.condition.into();
    let version = args.reference.version().cloned().unwrap_or_default();
    let (Some(tag), None) = (version.tag, version.digest) else {
        return Err(Failure::usage("a tag is to be named")
            .at(&shown)
            .remedy("write it as NAME:TAG"));
    };
    let mut desk = Desk::new(context, false);
    // A layout that is not there is not made to find that nothing is in it.
    let place = match &args.reference {
        Reference::Layout(path, _) => OciLayout::open(spawn()?, path).await.at(&shown)?.into(),
        other => desk.target(other).await?,
    };
    let done = take_away(&place, &tag, &condition).await.at(&shown);
    if let Err(failure) = done {
        if failure.is_conflict() {
            return Err(judge(failure, &place, &tag, &condition).await);
        }
        return Err(failure);
    }
    context.output.show(&Untagged { untagged: shown })
}

async fn take_away(place: &Place, tag: &Tag, condition: &Condition) -> Result<(), Failure> {
    match place {
        Place::Local(local) => {
            let (session, package) = (&local.session, &local.package);
            session.delete_tag(package, tag, condition).await?;
        }
        _ if *condition != Condition::Any => {
            let failure = Failure::usage("only the registry here takes tags away on a condition");
            return Err(failure.remedy("leave the condition out"));
        }
        Place::Layout(layout) => layout.untag(tag).await?,
        Place::Remote(package) => package.delete_manifest(&tag.clone().into()).await?,
        _ => return Err(Failure::usage("nothing there has tags")),
    }
    Ok(())
}
