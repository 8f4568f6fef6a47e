//! Codes: the words by which programs know what is wrong, and the nouns that choose among them.
//!
//! Source: OCI distribution specification 1.1, "Error Codes".

/// The words by which programs know what is wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Code {
    /// The package has no such blob.
    BlobUnknown,
    /// The upload cannot go on like this.
    BlobUploadInvalid,
    /// There is no such upload.
    BlobUploadUnknown,
    /// It is refused.
    Denied,
    /// A digest is malformed, or not that of the bytes.
    DigestInvalid,
    /// The manifest names what the package does not have.
    ManifestBlobUnknown,
    /// The manifest cannot be taken.
    ManifestInvalid,
    /// The package has no such manifest.
    ManifestUnknown,
    /// The name is malformed.
    NameInvalid,
    /// There is no such package.
    NameUnknown,
    /// A length is not that of the bytes.
    SizeInvalid,
    /// Too much at once.
    TooManyRequests,
    /// It takes to say who one is.
    Unauthorized,
    /// It may work later; beside the specification, which names codes for a client's mistakes alone.
    Unavailable,
    /// The registry failed; beside the specification, as above.
    Unknown,
    /// It cannot be done here, or not like this.
    Unsupported,
}

impl Code {
    /// Returns the word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::Denied => "DENIED",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown => "UNKNOWN",
            Self::Unsupported => "UNSUPPORTED",
        }
    }
}

/// What a request is about: the same failure has other words for each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Noun {
    /// A blob.
    Blob,
    /// A list of the registry, or the registry itself.
    Catalog,
    /// A manifest that is read or deleted.
    Manifest,
    /// A package.
    Package,
    /// A manifest that is pushed.
    Publication,
    /// An upload.
    Upload,
}

impl Noun {
    pub(super) const fn unknown(self) -> (Code, &'static str) {
        match self {
            Self::Blob => (Code::BlobUnknown, "the package has no such blob"),
            Self::Manifest => (Code::ManifestUnknown, "the package has no such manifest"),
            Self::Catalog | Self::Package | Self::Publication => {
                (Code::NameUnknown, "there is no such package")
            }
            Self::Upload => (Code::BlobUploadUnknown, "there is no such upload"),
        }
    }

    pub(super) const fn invalid(self) -> Code {
        match self {
            Self::Blob => Code::DigestInvalid,
            Self::Catalog | Self::Package => Code::Unsupported,
            Self::Manifest | Self::Publication => Code::ManifestInvalid,
            Self::Upload => Code::BlobUploadInvalid,
        }
    }
}
