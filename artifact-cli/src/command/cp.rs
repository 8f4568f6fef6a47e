//! `artifact cp`

use clap::Args;

use crate::{
    context::Context,
    courier::{Errand, TargetArgs, carry},
    failure::Failure,
    moment::Moment,
    reference::{GRAMMAR, Reference},
};

/// Copy an artifact between packages, directories, OCI layouts and registries
///
/// What the place has is not sent again; between packages of one registry no byte moves. Without a
/// tag, the copy gets the tag of the original; a directory of files gets `latest`, and what is copied
/// by its digest gets none.
#[derive(Args, Debug)]
#[command(after_help = format!("\
Examples:
  artifact cp team/app:v1 release/app:v1                     promote
  artifact cp oci://registry.example/app:v1 team/app         fetch from a remote registry
  artifact cp team/app:v1 oci://registry.example/app         send to one
  artifact cp oci:./image team/app:v1                        from an OCI layout
  artifact cp dir:./build team/build:42
  artifact cp team/build:42 dir:./build --as-of 2h           as it was two hours ago

{GRAMMAR}"))]
pub(crate) struct CpArgs {
    /// The artifact
    from: Reference,
    /// The place for the copy
    to: Reference,
    #[command(flatten)]
    target: TargetArgs,
    /// Take along what refers to it: signatures, attestations
    #[arg(long)]
    referrers: bool,
    /// Hard-link files out of the registry where that is possible: they are read-only then
    #[arg(long)]
    link: bool,
    /// Copy what was there at this moment: a revision, a time, or how long ago
    #[arg(long, value_name = "MOMENT")]
    as_of: Option<Moment>,
}

pub(crate) async fn run(context: &Context, args: CpArgs) -> Result<(), Failure> {
    let errand = Errand {
        moment: args.as_of,
        referrers: args.referrers,
        link: args.link,
        ..args.target.into()
    };
    carry(context, &args.from, &args.to, errand).await
}
