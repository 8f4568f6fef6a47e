//! What is done to both indexes, in small numbers, so that names and contents collide.

/// Something in a package: mostly one of those that are there, else whatever the numbers say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Which of those that are there.
    pub(crate) pick: u8,
    /// The package, where none of them is meant.
    pub(crate) package: u8,
    /// What is in it, where none of them is meant.
    pub(crate) item: u8,
}

/// A change, by the numbers of what it changes.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Adopt,
    Collect(Vec<u8>),
    DeleteDocument(u8),
    DeleteManifest(Place),
    DeleteTag(Place),
    ExpireLeases(u8, u32),
    Link(Place, bool),
    Pin(Place, bool),
    Purge(u8, bool),
    PutBlob(u8, Home, Option<u8>),
    PutDocument(u8, u8),
    /// With all that it names, entered and linked before it, when asked for.
    PutManifest(u8, u8, bool),
    /// Of a manifest that is there.
    PutTag(Place, u8),
    Unlink(Place),
    Unpin(Place, bool),
}

/// Where the bytes of a blob are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Home {
    /// In the index.
    Inline,
    /// At a key that was never used.
    Fresh,
    /// At one of a few keys, which may be taken.
    At(u8),
    /// At the key of the upload.
    Upload,
}

/// An expectation, by the number of what it expects.
#[derive(Clone, Debug)]
pub(crate) enum Expect {
    /// A generation of a document.
    Document(u8, u8),
    /// No tag.
    TagAbsent(u8, u8),
    /// A generation of a tag.
    TagAt(u8, u8, u8),
    /// A version of an upload: the one that is there, or another.
    Upload(u8, bool, u8),
}

/// Bookkeeping, by the numbers of what it is of.
#[derive(Clone, Debug)]
pub(crate) enum Book {
    BeginUpload(u8, u8, Home, u8),
    /// At the version that is there, or another.
    AdvanceUpload(u8, bool, Home, u8),
    EndUpload(u8, bool),
    Claim(u8, u8, u8),
    Release(u8, u8),
    Lease(Place, u8),
    /// Of the key that is there, or another.
    Quarantine(u8, bool),
    Stamp(u8, bool),
    SeeTrash(Vec<u8>, u8),
    Trash(Vec<u8>),
    Untrash(Vec<u8>),
}

/// One thing that is done to both indexes.
#[derive(Clone, Debug)]
pub struct Op(pub(crate) What);

/// What is done.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A change set.
    Set {
        /// What must hold before.
        expects: Vec<Expect>,
        /// What is changed.
        steps: Vec<Step>,
        /// A bound on a scope.
        room: Option<(u8, u16)>,
        /// Whether the clock went back.
        is_back: bool,
    },
    /// Bookkeeping.
    Note(Book),
    /// A horizon moves back from the newest revision by so many, and what it passed is pruned by so
    /// many rows a time.
    Forget(u8, u8, u32),
    /// All is read as of a revision so many before the one after the newest.
    Past(u8),
    /// Everything is read.
    Now,
}
