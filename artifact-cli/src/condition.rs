//! Conditions on tags, as commands take them.

use artifact::{
    AsOf, Condition, Digest, ErrorKind, Generation, ManifestRef, Tag,
    transfer::{Place, TransferError},
};
use clap::Args;

use crate::failure::{At as _, Failure};

/// What must hold of a tag before it is changed; the last writer wins where nothing must.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConditionArgs {
    /// Only if there is no such tag
    #[arg(long, conflicts_with_all = ["if_at", "if_generation"])]
    if_absent: bool,

    #[command(flatten)]
    standing: StandingArgs,
}

/// What must hold of a tag that is there before it is changed.
#[derive(Args, Clone, Debug)]
#[group(multiple = false)]
pub(crate) struct StandingArgs {
    /// Only if the tag points at this digest
    #[arg(long, value_name = "DIGEST")]
    if_at: Option<Digest>,

    /// Only if the tag is at this generation, as `artifact ls` shows it
    #[arg(long, value_name = "NUMBER")]
    if_generation: Option<u64>,
}

impl From<ConditionArgs> for Condition {
    fn from(args: ConditionArgs) -> Self {
        if args.if_absent {
            return Self::Absent;
        }
        args.standing.into()
    }
}

impl From<StandingArgs> for Condition {
    fn from(args: StandingArgs) -> Self {
        match (args.if_at, args.if_generation) {
            (Some(digest), _) => Self::Digests(vec![digest]),
            (_, Some(number)) => Self::Generations(vec![Generation::new(number)]),
            _ => Self::Any,
        }
    }
}

/// What a tag is at a place.
struct TagNow {
    digest: Digest,
    /// Where the place keeps them.
    generation: Option<Generation>,
}

async fn now(place: &Place, tag: &Tag) -> Result<Option<TagNow>, TransferError> {
    let found = if let Place::Local(local) = place {
        let found = local.session.tag(AsOf::Now, &local.package, tag).await;
        found.map_err(TransferError::from).map(|record| TagNow {
            digest: record.digest,
            generation: Some(record.generation),
        })
    } else {
        let found = place.manifest(&ManifestRef::Tag(tag.clone())).await;
        found.map(|manifest| TagNow {
            digest: manifest.digest(),
            generation: None,
        })
    };
    match found {
        Ok(now) => Ok(Some(now)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Looks whether a condition on a tag holds before anything is sent for it. It is judged again when the
/// tag is moved, at its place among all changes.
pub(crate) async fn check(place: &Place, tag: &Tag, condition: &Condition) -> Result<(), Failure> {
    if *condition == Condition::Any {
        return Ok(());
    }
    if matches!(condition, Condition::Generations(_)) && !matches!(place, Place::Local(_)) {
        let what = "only the registry here keeps generations of tags";
        return Err(Failure::new(ErrorKind::Unsupported, what)
            .at(place)
            .remedy("use --if-at DIGEST or --if-absent"));
    }
    let now = now(place, tag).await.at(place)?;
    let holds = match (condition, &now) {
        (Condition::Absent, now) => now.is_none(),
        (Condition::Digests(digests), Some(now)) => digests.contains(&now.digest),
        (Condition::Generations(generations), Some(now)) => now
            .generation
            .is_some_and(|generation| generations.contains(&generation)),
        _ => false,
    };
    if holds {
        return Ok(());
    }
    let failure = Failure::new(ErrorKind::Conflict, "the condition does not hold").at(place);
    Err(judge(failure, place, tag, condition).await)
}

/// Says of a tag whose condition did not hold what it is now, so that nobody has to look.
pub(crate) async fn judge(
    failure: Failure,
    place: &Place,
    tag: &Tag,
    condition: &Condition,
) -> Failure {
    if *condition == Condition::Any {
        return failure;
    }
    let is = match now(place, tag).await {
        Ok(None) => format!("there is no tag {tag}"),
        Ok(Some(TagNow { digest, generation })) => {
            let generation = generation.map(|number| format!(", at generation {number}"));
            let generation = generation.unwrap_or_default();
            format!("tag {tag} points at {digest}{generation}")
        }
        // The refusal stands, also where nobody can say what it rests on.
        Err(_) => return failure,
    };
    failure
        .says(format!("the condition on tag {tag} does not hold: {is}"))
        .remedy("decide by what is there now, or leave the condition out")
}
