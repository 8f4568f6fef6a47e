//! Conditions on tags, as commands take them.

use artifact::{Condition, Digest, Generation};
use clap::Args;

/// What must hold of a tag before it is changed; the last writer wins where nothing must.
#[derive(Args, Clone, Debug)]
#[group(multiple = false)]
pub(crate) struct ConditionArgs {
    /// Only if there is no such tag
    #[arg(long)]
    if_absent: bool,

    /// Only if the tag points at this digest
    #[arg(long, value_name = "DIGEST")]
    if_at: Option<Digest>,

    /// Only if the tag is at this generation, as `artifact ls` shows it
    #[arg(long, value_name = "NUMBER")]
    if_generation: Option<u64>,
}

impl From<ConditionArgs> for Condition {
    fn from(args: ConditionArgs) -> Self {
        match (args.if_absent, args.if_at, args.if_generation) {
            (true, _, _) => Self::Absent,
            (_, Some(digest), _) => Self::Digests(vec![digest]),
            (_, _, Some(number)) => Self::Generations(vec![Generation::new(number)]),
            _ => Self::Any,
        }
    }
}
