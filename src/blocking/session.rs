//! Sessions, blocking.

use std::{num::NonZeroU32, path::Path};

use artifact_core::{
    AsOf, BlobInfo, BlobRange, CollectOptions, Collected, Committed, Condition, Coordinate, Digest,
    Error, Footprint, Found, FoundManifest, Generation, Head, Horizon, LocalBlob, Manifest,
    ManifestSummary, MediaType, Mode, NamespaceSettings, OciName, PackageRef, Page, Published,
    PutManifest, Query, RepositoryName, RepositorySettings, Revision, Scope, ScrubOptions,
    ScrubProgress, Scrubbed, Setting, StageName, StageSettings, Tag, TagRecord, Timestamp, Totals,
    UploadId, UploadOptions, UploadStatus, Usage, User, UserName, Way,
};

use super::{
    stream::{BlobReader, Upload},
    wait::wait,
};

/// Somebody's way into a registry: as [`artifact_core::Session`], whose documentation is of each
/// method, and its errors; here each call waits on the thread that makes it.
#[derive(Clone, Debug)]
pub struct Session {
    session: artifact_core::Session,
}

impl From<artifact_core::Session> for Session {
    fn from(session: artifact_core::Session) -> Self {
        Self { session }
    }
}

/// Writes the methods that only wait for the method of the same name.
macro_rules! waiting {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        impl Session {
            $(
                #[doc = concat!("Waits for [`artifact_core::Session::", stringify!($name), "`].")]
                ///
                /// # Errors
                #[doc = concat!("Those of [`artifact_core::Session::", stringify!($name), "`].")]
                pub fn $name(&self, $($argument: $kind),*) -> Result<$answer, Error> {
                    wait(self.session.$name($($argument),*))?
                }
            )*
        }
    };
}

waiting! {
    resolve(at: AsOf, name: &OciName) -> PackageRef;
    upload_status(package: &PackageRef, id: &UploadId) -> UploadStatus;
    cancel_upload(package: &PackageRef, id: &UploadId) -> ();
    mount(package: &PackageRef, digest: &Digest, from: Option<&PackageRef>) -> Option<BlobInfo>;
    stat_blob(at: AsOf, package: &PackageRef, digest: &Digest) -> BlobInfo;
    open_blob(at: AsOf, package: &PackageRef, digest: &Digest) -> Option<LocalBlob>;
    materialize_blob(
        at: AsOf, package: &PackageRef, digest: &Digest, target: &Path, ways: &[Way]
    ) -> Way;
    delete_blob(package: &PackageRef, digest: &Digest) -> ();
    pin(package: &PackageRef, digest: &Digest, name: &str) -> ();
    unpin(package: &PackageRef, digest: &Digest, name: &str) -> ();
    put_manifest(package: &PackageRef, manifest: &Manifest, options: &PutManifest) -> Published;
    get_manifest(at: AsOf, coordinate: &Coordinate) -> FoundManifest;
    delete_manifest(package: &PackageRef, digest: &Digest) -> Committed;
    tag(at: AsOf, package: &PackageRef, tag: &Tag) -> TagRecord;
    list_tags(at: AsOf, package: &PackageRef, page: Page<Tag>) -> Vec<TagRecord>;
    put_tag(
        package: &PackageRef, tag: &Tag, digest: &Digest, condition: &Condition
    ) -> Committed;
    delete_tag(package: &PackageRef, tag: &Tag, condition: &Condition) -> Committed;
    referrers(
        at: AsOf, package: &PackageRef, subject: &Digest, artifact_type: Option<&MediaType>,
        page: Page<Digest>
    ) -> Vec<ManifestSummary>;
    list_manifests(
        at: AsOf, package: &PackageRef, page: Page<Digest>
    ) -> Vec<ManifestSummary>;
    list_packages(at: AsOf, scope: &Scope, page: Page<String>) -> Vec<PackageRef>;
    search(at: AsOf, query: &Query, page: Page<Found>) -> Vec<Found>;
    undelete(
        at: AsOf, coordinate: &Coordinate, condition: &Condition
    ) -> Committed;
    copy(
        from: &Coordinate, to: &PackageRef, tag: Option<&Tag>,
        condition: &Condition
    ) -> Committed;
    repositories(
        at: AsOf, page: Page<String>
    ) -> Vec<(RepositoryName, Setting<RepositorySettings>)>;
    repository(at: AsOf, name: &RepositoryName) -> Setting<RepositorySettings>;
    create_repository(
        name: &RepositoryName, settings: &RepositorySettings, adopt: bool
    ) -> Committed;
    set_repository(
        name: &RepositoryName, settings: &RepositorySettings, at: Option<Generation>
    ) -> Committed;
    remove_repository(name: &RepositoryName) -> Committed;
    namespace(at: AsOf, scope: &Scope) -> Setting<NamespaceSettings>;
    set_namespace(scope: &Scope, settings: &NamespaceSettings) -> Committed;
    stage(at: AsOf, name: &StageName) -> Setting<StageSettings>;
    set_stage(name: &StageName, settings: &StageSettings) -> Committed;
    users(at: AsOf, page: Page<String>) -> Vec<(UserName, User)>;
    put_user(name: &UserName, user: &User) -> Committed;
    remove_user(name: &UserName) -> Committed;
    mode(at: AsOf) -> Mode;
    set_mode(mode: &Mode) -> Committed;
    revision() -> Head;
    at_time(time: Timestamp) -> AsOf;
    horizon(name: &RepositoryName) -> Horizon;
    history(after: Revision, limit: NonZeroU32) -> Vec<Committed>;
    usage(scope: &Scope) -> Usage;
    footprint(scope: &Scope) -> Footprint;
    totals() -> Totals;
    collect(options: &CollectOptions) -> Collected;
    purge(digest: &Digest) -> ();
}

impl Session {
    /// Begins an upload to a package.
    ///
    /// # Errors
    /// Those of [`artifact_core::Session::begin_upload`].
    pub fn begin_upload(
        &self,
        package: &PackageRef,
        options: UploadOptions,
    ) -> Result<Upload, Error> {
        wait(self.session.begin_upload(package, options))?.map(Upload::new)
    }

    /// Goes on with an upload.
    ///
    /// # Errors
    /// Those of [`artifact_core::Session::resume_upload`].
    pub fn resume_upload(
        &self,
        package: &PackageRef,
        id: &UploadId,
        offset: Option<u64>,
    ) -> Result<Upload, Error> {
        wait(self.session.resume_upload(package, id, offset))?.map(Upload::new)
    }

    /// Reads a blob of a package, or a part of it.
    ///
    /// # Errors
    /// Those of [`artifact_core::Session::read_blob`].
    pub fn read_blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
        range: BlobRange,
    ) -> Result<BlobReader, Error> {
        wait(self.session.read_blob(at, package, digest, range))?.map(BlobReader::new)
    }

    /// Hashes what is stored.
    ///
    /// # Errors
    /// Those of [`artifact_core::Session::scrub`].
    pub fn scrub(
        &self,
        options: ScrubOptions,
        progress: impl FnMut(ScrubProgress) + Send,
    ) -> Result<Scrubbed, Error> {
        wait(self.session.scrub(options, progress))?
    }

    /// Returns the feed of what is committed after a revision, by any process.
    ///
    /// # Errors
    /// Those of [`artifact_core::Session::feed`].
    pub fn feed(&self, after: Revision) -> Result<Feed, Error> {
        Ok(Feed {
            feed: wait(self.session.feed(after))??,
        })
    }
}

/// What is committed, as it is committed, by any process.
#[derive(Debug)]
pub struct Feed {
    feed: artifact_core::Feed,
}

impl Feed {
    /// Waits for the next commit.
    ///
    /// # Errors
    /// Those of [`artifact_core::Feed::wait`].
    pub fn wait(&mut self) -> Result<Committed, Error> {
        wait(self.feed.wait())?
    }
}
