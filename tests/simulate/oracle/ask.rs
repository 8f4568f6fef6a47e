//! What a client asks of the engine.

use artifact_core::{BootTime, Condition, Digest, Generation, PackageRef, Revision, Tag};

/// What a client asks of the engine.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// To put these bytes into a package, in one go.
    Push(PackageRef, Digest),
    /// To end an upload of these bytes to a package, begun before.
    Finish(PackageRef, Digest),
    /// To put other bytes than these into a package under their digest.
    Lie(PackageRef, Digest),
    /// To link a blob of another package.
    Mount(PackageRef, Digest, PackageRef),
    /// Whether a blob is there; it is kept.
    Stat(PackageRef, Digest),
    /// To read a blob, at a revision, or now.
    Read(Option<Revision>, PackageRef, Digest),
    PutManifest(PackageRef, Digest, Vec<Tag>, Condition),
    PutTag(PackageRef, Tag, Digest, Condition),
    DeleteTag(PackageRef, Tag, Condition),
    DeleteManifest(PackageRef, Digest),
    DeleteBlob(PackageRef, Digest),
    /// To bring a manifest back to a package, or to another package from there; with a tag.
    Bring {
        at: Option<Revision>,
        from: PackageRef,
        digest: Option<Digest>,
        to: PackageRef,
        tag: Option<Tag>,
        condition: Condition,
    },
    /// What a tag points at.
    Tag(Option<Revision>, PackageRef, Tag),
    /// A manifest.
    Manifest(Option<Revision>, PackageRef, Digest),
    Tags(Option<Revision>, PackageRef),
    Referrers(Option<Revision>, PackageRef, Digest),
    Collect,
    /// To remove the bytes of some content for ever.
    Purge(Digest),
    Scrub,
    SetMode,
    /// Work on an upload that changes no revision: to begin, write, suspend or cancel it.
    Upload,
    /// To go on with an upload of somebody else.
    Trespass,
    /// What the test itself does.
    Setup,
}

impl Ask {
    /// Returns what it is called where such are counted.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Push(..) => "push",
            Self::Finish(..) => "finish an upload",
            Self::Lie(..) => "lie",
            Self::Mount(..) => "mount",
            Self::Stat(..) => "stat",
            Self::Read(None, ..) => "read",
            Self::Read(Some(_), ..) => "read as of",
            Self::PutManifest(..) => "put a manifest",
            Self::PutTag(..) => "move a tag",
            Self::DeleteTag(..) => "delete a tag",
            Self::DeleteManifest(..) => "delete a manifest",
            Self::DeleteBlob(..) => "delete a blob",
            Self::Bring { at: Some(_), .. } => "undelete",
            Self::Bring { .. } => "copy",
            Self::Tag(..) | Self::Manifest(..) => "look up",
            Self::Tags(..) | Self::Referrers(..) => "list",
            Self::Collect => "collect",
            Self::Purge(_) => "purge",
            Self::Scrub => "scrub",
            Self::SetMode => "set the mode",
            Self::Upload => "work on an upload",
            Self::Trespass => "trespass",
            Self::Setup => "set up",
        }
    }
}

/// What was asked, when, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) ask: Ask,
    /// The newest revision when it was asked.
    pub(crate) begun: Revision,
    /// The boot clock when it was asked.
    pub(crate) boot: BootTime,
    /// The revisions that it made.
    pub(crate) made: Vec<Revision>,
    /// Whether it was answered: nothing may come of it later.
    pub(crate) answered: bool,
    /// Whether a sync of the blob store had failed before in the process that was asked.
    pub(crate) poisoned: bool,
}

/// How long an upload is kept that nobody goes on with, in milliseconds (1 h).
const IDLE: u64 = 60 * 60 * 1000;

impl Asked {
    /// Says whether so much time has passed since it was asked that an upload of it may be over.
    pub(crate) fn is_late(&self, now: &BootTime) -> bool {
        now.boot != self.boot.boot || now.millis - self.boot.millis >= IDLE
    }
}

/// Says whether a condition holds of a tag.
pub(crate) fn holds(condition: &Condition, digest: Option<Digest>, generation: Generation) -> bool {
    match (condition, digest) {
        (Condition::Any, _) | (Condition::Absent, None) | (Condition::Exists, Some(_)) => true,
        (Condition::Digests(all), Some(digest)) => all.contains(&digest),
        (Condition::Generations(all), Some(_)) => all.contains(&generation),
        _ => false,
    }
}
