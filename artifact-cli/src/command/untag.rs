//! `artifact untag`

use artifact::{Condition, transfer::Place};
use clap::Args;
use serde::Serialize;

use crate::{
    condition::ConditionArgs,
    context::Context,
    desk::Desk,
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
")]
pub(crate) struct UntagArgs {
    /// The tag: NAME:TAG
    reference: Reference,
    #[command(flatten)]
    condition: ConditionArgs,
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
    match desk.target(&args.reference).await? {
        Place::Local(local) => {
            local
                .session
                .delete_tag(&local.package, &tag, &condition)
                .await
                .at(&shown)?;
        }
        Place::Remote(package) if condition == Condition::Any => {
            package.delete_manifest(&tag.into()).await.at(&shown)?;
        }
        Place::Remote(_) => {
            return Err(
                Failure::usage("another registry takes tags away without a condition").at(&shown),
            );
        }
        _ => return Err(Failure::usage("tags are taken away from packages").at(&shown)),
    }
    context.output.show(&Untagged { untagged: shown })
}
