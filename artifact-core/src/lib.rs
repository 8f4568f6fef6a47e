//! The model, the contracts and the engine of artifact, the embeddable artifact repository.
//!
//! * The model: [`Digest`], [`Hasher`], the names, [`Descriptor`], [`Manifest`].
//! * The contracts, which backends keep clause by clause: [`BlobStore`], [`ManifestIndex`],
//!   [`PolicyEngine`], [`Signer`], [`Verifier`], [`Observer`], and the seams [`Clock`], [`Rng`] and
//!   [`Spawn`].
//!
//! Nothing here names a runtime, a network, a database or a file system.
#![forbid(unsafe_code)]

mod contract;
mod engine;
mod error;
#[doc(hidden)]
pub mod guard;
mod model;
mod roles;

pub use contract::{
    blob_store::{
        BlobEntry, BlobReader, BlobStat, BlobStore, BlobWriter, ByteRange, DirectDownload,
        LocalBlob, LocalBlobs, Stamp, StoreInfo, Suspended, UploadHint, Way,
    },
    change::{
        Actor, Bookkeeping, Change, ChangeSet, Committed, Event, Expectation, Location, Room,
    },
    index::ManifestIndex,
    index_error::{Conflict, IndexError},
    observer::{Access, Observer},
    policy::{Action, Decision, Effect, Facts, PolicyEngine, Request, Target},
    principal::{AnonymousAccess, Principal},
    record::{
        AsOf, BlobRecord, DocumentRecord, Footprint, Found, Head, Horizon, Identity, KeyOwner,
        LeaseRecord, LinkRecord, ManifestRecord, ManifestSummary, Noted, Page, Query, TagRecord,
        Totals, TrashRecord, Usage,
    },
    seams::{Clock, Holders, Rng, Spawn, SpawnExt, Task, TaskError},
    sign::{
        KeyId, SignError, Signature, Signer, Statement, VerifiedSignature, Verifier, VerifyError,
    },
    store_error::{BoxError, StoreError},
    upload_record::UploadRecord,
};
pub use engine::{
    administer::Setting,
    collect::{CollectOptions, Collected},
    forget::Forget,
    history::Feed,
    limits::Limits,
    manifest::{FoundManifest, Published, PutManifest},
    registry::{Registry, RegistryParts, Seams},
    scrub::{ScrubOptions, ScrubProgress, Scrubbed},
    session::{RequestContext, Session},
    tag::Condition,
    transfer::{BlobBody, BlobRange},
    upload::{BlobInfo, Upload, UploadOptions, UploadStatus},
};
pub use error::{Error, What, story};
pub use model::{
    coordinate::{Coordinate, ManifestRef, ManifestRefError},
    descriptor::{Annotations, Descriptor, Platform},
    digest::{Algorithm, Digest, DigestError},
    directory::{
        artifact::{
            CONTENTS_PER_MANIFEST, DirectoryArtifact, DirectoryError, DirectoryRoot,
            EMPTY_DOCUMENT, PartCheck, listing_of,
        },
        entry::{TreeEntry, TreeNode},
        listing::{DirectoryListing, LISTING_MAX, ListingError, TreeContent},
        path::{EntryPath, EntryPathError},
    },
    document::{
        Document, DocumentKey, DocumentKeyError, DocumentKind, Format, Grant, Kind, Mode,
        NamespaceSettings, RepositorySettings, StageSettings, User, UserRole,
    },
    error_kind::ErrorKind,
    hasher::{Hasher, HasherStateError, VerifiedBlob},
    id::{
        BlobKey, BlobKeyError, Epoch, Generation, Holder, IdError, RegistryId, Revision, UploadId,
    },
    json::check_unique_keys,
    manifest::{MANIFEST_MAX, Manifest, ManifestError, ManifestKind, Reference, Role},
    media_type::{MediaType, MediaTypeError},
    name::{
        DEFAULT_REPOSITORY, NAME_MAX, NameError, OciName, PackageName, PackageRef, RepositoryName,
        Scope, StageName, Tag, UserName,
    },
    time::{BootId, BootTime, Lease, Timestamp, TimestampError},
};
pub use roles::RolePolicy;
