//! What is known of a file system.

/// A file system, as far as a registry must know it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileSystem {
    /// The name by which settings allow it.
    pub(crate) name: &'static str,
    /// Whether a registry may be on it.
    pub(crate) suitability: Suitability,
}

impl FileSystem {
    /// One of which there is nothing to say.
    pub(crate) const OTHER: Self = Self {
        name: "other",
        suitability: Suitability::Suits,
    };
}

/// Whether a registry may be on a file system.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Suitability {
    /// It may, but something is not kept.
    Passes {
        /// What is not kept.
        lacks: &'static str,
    },
    /// Several machines, or a program, stand behind it: locks and mappings are not shared by all
    /// who write.
    Refused,
    /// It may.
    Suits,
}
