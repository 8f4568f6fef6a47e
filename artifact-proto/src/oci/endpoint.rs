//! Endpoints: everything that the protocol answers, and the right that each takes.

use http::Method;

/// Everything that the protocol answers; what is not here does not exist.
///
/// Source: OCI distribution specification 1.1, "Endpoints", and the catalog of the Docker registry
/// protocol.
pub const ROUTES: &[RouteSpec] = &[
    row(Method::GET, Shape::Base, Endpoint::Base),
    row(Method::HEAD, Shape::Base, Endpoint::Base),
    row(Method::GET, Shape::Catalog, Endpoint::Catalog),
    row(Method::HEAD, Shape::Catalog, Endpoint::Catalog),
    row(Method::GET, Shape::Tags, Endpoint::Tags),
    row(Method::HEAD, Shape::Tags, Endpoint::Tags),
    row(Method::GET, Shape::Referrers, Endpoint::Referrers),
    row(Method::HEAD, Shape::Referrers, Endpoint::Referrers),
    row(Method::GET, Shape::Manifest, Endpoint::ReadManifest),
    row(Method::HEAD, Shape::Manifest, Endpoint::ReadManifest),
    row(Method::PUT, Shape::Manifest, Endpoint::PutManifest),
    row(Method::DELETE, Shape::Manifest, Endpoint::DeleteManifest),
    row(Method::GET, Shape::Blob, Endpoint::ReadBlob),
    row(Method::HEAD, Shape::Blob, Endpoint::StatBlob),
    row(Method::DELETE, Shape::Blob, Endpoint::DeleteBlob),
    row(Method::POST, Shape::Uploads, Endpoint::BeginUpload),
    row(Method::GET, Shape::Upload, Endpoint::UploadStatus),
    row(Method::HEAD, Shape::Upload, Endpoint::UploadStatus),
    row(Method::PATCH, Shape::Upload, Endpoint::ContinueUpload),
    row(Method::PUT, Shape::Upload, Endpoint::FinishUpload),
    row(Method::DELETE, Shape::Upload, Endpoint::CancelUpload),
];

const fn row(method: Method, shape: Shape, endpoint: Endpoint) -> RouteSpec {
    RouteSpec {
        method,
        shape,
        endpoint,
    }
}

/// One line of [`ROUTES`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RouteSpec {
    /// The method.
    pub method: Method,
    /// The form of the path.
    pub shape: Shape,
    /// What it asks for.
    pub endpoint: Endpoint,
}

/// The forms that paths have.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Shape {
    /// `/v2/`
    Base,
    /// `/v2/<name>/blobs/<digest>`
    Blob,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/<name>/manifests/<reference>`
    Manifest,
    /// `/v2/<name>/referrers/<digest>`
    Referrers,
    /// `/v2/<name>/tags/list`
    Tags,
    /// `/v2/<name>/blobs/uploads/<id>`
    Upload,
    /// `/v2/<name>/blobs/uploads/`
    Uploads,
}

impl Shape {
    /// Returns the path, with its variable parts in angle brackets.
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::Base => "/v2/",
            Self::Blob => "/v2/<name>/blobs/<digest>",
            Self::Catalog => "/v2/_catalog",
            Self::Manifest => "/v2/<name>/manifests/<reference>",
            Self::Referrers => "/v2/<name>/referrers/<digest>",
            Self::Tags => "/v2/<name>/tags/list",
            Self::Upload => "/v2/<name>/blobs/uploads/<id>",
            Self::Uploads => "/v2/<name>/blobs/uploads/",
        }
    }
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Endpoint {
    /// Whether this is a registry.
    Base,
    /// To begin an upload, to mount a blob, or to push one in a single request.
    BeginUpload,
    /// To throw an upload away.
    CancelUpload,
    /// The packages.
    Catalog,
    /// To add bytes to an upload.
    ContinueUpload,
    /// To take a blob out of a package.
    DeleteBlob,
    /// To delete a manifest or a tag.
    DeleteManifest,
    /// To end an upload.
    FinishUpload,
    /// To publish a manifest.
    PutManifest,
    /// A blob.
    ReadBlob,
    /// A manifest.
    ReadManifest,
    /// The referrers of a manifest.
    Referrers,
    /// The size of a blob.
    StatBlob,
    /// The tags of a package.
    Tags,
    /// Where an upload stands.
    UploadStatus,
}

/// The right that an endpoint takes, as scopes of tokens name it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Need {
    /// To list what there is.
    Catalog,
    /// To delete in a package.
    Delete,
    /// Nothing but to be known, where nobody else is let in.
    Nothing,
    /// To read of a package.
    Pull,
    /// To publish in a package.
    Push,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: &'static [Self] = &[
        Self::Base,
        Self::BeginUpload,
        Self::CancelUpload,
        Self::Catalog,
        Self::ContinueUpload,
        Self::DeleteBlob,
        Self::DeleteManifest,
        Self::FinishUpload,
        Self::PutManifest,
        Self::ReadBlob,
        Self::ReadManifest,
        Self::Referrers,
        Self::StatBlob,
        Self::Tags,
        Self::UploadStatus,
    ];

    /// Returns the right that it takes.
    pub const fn need(self) -> Need {
        match self {
            Self::Base => Need::Nothing,
            Self::Catalog => Need::Catalog,
            Self::DeleteBlob | Self::DeleteManifest => Need::Delete,
            Self::ReadBlob | Self::ReadManifest | Self::Referrers | Self::StatBlob | Self::Tags => {
                Need::Pull
            }
            Self::BeginUpload
            | Self::CancelUpload
            | Self::ContinueUpload
            | Self::FinishUpload
            | Self::PutManifest
            | Self::UploadStatus => Need::Push,
        }
    }

    /// Returns its name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "oci_base",
            Self::BeginUpload => "oci_begin_upload",
            Self::CancelUpload => "oci_cancel_upload",
            Self::Catalog => "oci_catalog",
            Self::ContinueUpload => "oci_continue_upload",
            Self::DeleteBlob => "oci_delete_blob",
            Self::DeleteManifest => "oci_delete_manifest",
            Self::FinishUpload => "oci_finish_upload",
            Self::PutManifest => "oci_put_manifest",
            Self::ReadBlob => "oci_read_blob",
            Self::ReadManifest => "oci_read_manifest",
            Self::Referrers => "oci_referrers",
            Self::StatBlob => "oci_stat_blob",
            Self::Tags => "oci_tags",
            Self::UploadStatus => "oci_upload_status",
        }
    }
}
