//! What clients ask for, through whichever door, and what they are told.

use serde::{Deserialize, Serialize};

/// A call. Images and contents are told by their numbers.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Ask {
    /// Push the contents that are not there, then the manifest under a tag.
    Push {
        package: String,
        tag: String,
        image: usize,
    },
    /// Take a content from another package.
    Mount {
        package: String,
        from: String,
        content: usize,
    },
    /// Point a tag at an image that the package has.
    Tag {
        package: String,
        tag: String,
        image: usize,
    },
    /// Take a tag away.
    Untag { package: String, tag: String },
    /// Delete a manifest with its tags.
    Delete { package: String, image: usize },
    /// Read a manifest and all that it names, and compare each byte.
    Read { package: String, what: What },
    /// Free what nothing wants.
    Collect,
}

/// Which manifest is read.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) enum What {
    Tag(String),
    Image(usize),
    /// What a tag pointed at, at a revision.
    Then(String, u64),
}

/// What a call was answered with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Answer {
    /// It is done.
    Done,
    /// What it is about is not there.
    Absent,
    /// This image was read, whole. A door that knows it tells the newest revision, too.
    Found(usize, Option<u64>),
    /// The manifest is there, and something that it names is not, or is wrong.
    Broken(String),
    /// It was refused.
    Failed(String),
}

/// What a client learnt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Told(Answer),
    /// The door was killed: it was done, or it was not.
    Unknown,
}
