//! `artifact undelete`

use artifact::{AsOf, Condition, Error, ErrorKind, ManifestRef, PackageRef, Session};
use clap::Args;
use serde::Serialize;

use crate::{
    context::Context,
    deletion::before_deletion,
    failure::{At as _, Failure},
    moment::Moment,
    open::open,
    output::Report,
    reference::{Reference, Version},
};

/// Bring back an artifact or a tag that was deleted
///
/// It comes back as it was before it was deleted for the last time, or as it was at a moment of the
/// kept history, with all that it names. Its room is charged again.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact undelete team/app:v1
  artifact undelete team/app@sha256:0a1b..
  artifact undelete team/app:v1 --as-of 41 --replace     put the tag back where it was, over what it is now
")]
pub(crate) struct UndeleteArgs {
    /// NAME:TAG or NAME@DIGEST
    reference: Reference,
    /// As it was: a revision, a time, or how long ago; before its last deletion without it
    #[arg(long, value_name = "MOMENT")]
    as_of: Option<Moment>,
    /// Move the tag also where it is there
    #[arg(long)]
    replace: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Undeleted {
    undeleted: String,
    as_of: u64,
    revision: u64,
    changes: usize,
}

impl Report for Undeleted {
    fn text(&self) -> String {
        if self.changes == 0 {
            return format!(
                "{} is as it was at revision {}\n",
                self.undeleted, self.as_of
            );
        }
        format!(
            "undeleted {} as it was at revision {}\n",
            self.undeleted, self.as_of
        )
    }
}

pub(crate) async fn run(context: &Context, args: UndeleteArgs) -> Result<(), Failure> {
    let shown = args.reference.to_string();
    let Reference::Package(name, version) = args.reference else {
        return Err(
            Failure::usage("only the registry here keeps what was deleted")
                .at(shown)
                .remedy(
                    "run it where that registry is: `artifact undelete NAME:TAG --registry DIR`",
                ),
        );
    };
    if version.is_open()
        || matches!(
            version,
            Version {
                tag: Some(_),
                digest: Some(_)
            }
        )
    {
        let failure = Failure::usage("one tag or one digest is to be named").at(shown);
        return Err(failure.remedy("write it as NAME:TAG or NAME@DIGEST"));
    }
    let wanted = version.wanted();
    let opened = open(context, None).await?;
    let package = opened.package(AsOf::Now, &name).await?;
    let at = match args.as_of {
        Some(moment) => opened.at(Some(moment)).await?,
        None => before_deletion(&opened.session, &package, &wanted)
            .await
            .at(&shown)?,
    };
    let condition = if args.replace {
        Condition::Any
    } else {
        Condition::Absent
    };
    let done = opened
        .session
        .undelete(at, &package.at(wanted.clone()), &condition)
        .await;
    let (revision, changes) = match done {
        Ok(done) => (done.revision, done.events.len()),
        Err(error) if error.kind() != ErrorKind::Conflict => return Err(error).at(&shown),
        // Who was cut off and asks again has what was asked for (I13).
        Err(_)
            if is_there(&opened.session, &package, &wanted, at)
                .await
                .at(&shown)? =>
        {
            (opened.session.revision().await?.revision, 0)
        }
        Err(error) => {
            let failure = Failure::from(error).says("the tag is there").at(&shown);
            return Err(failure.remedy("add --replace to move it all the same"));
        }
    };
    let as_of = match at {
        AsOf::Revision(revision) => revision,
        AsOf::Now => revision,
    };
    context.output.show(&Undeleted {
        undeleted: shown,
        as_of: as_of.get(),
        revision: revision.get(),
        changes,
    })
}

/// Says whether a tag points now at what it pointed at before.
async fn is_there(
    session: &Session,
    package: &PackageRef,
    wanted: &ManifestRef,
    before: AsOf,
) -> Result<bool, Error> {
    let ManifestRef::Tag(tag) = wanted else {
        return Ok(false);
    };
    let now = session.tag(AsOf::Now, package, tag).await?;
    Ok(session.tag(before, package, tag).await?.digest == now.digest)
}
