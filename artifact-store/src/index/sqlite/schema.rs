//! The tables.
//!
//! What has a history has two tables: what is there now, with `since`, the revision from which on it
//! is there; and what was, with `until`, the first revision at which it was no more. A state at
//! revision r is `since <= r` of the first and `since <= r < until` of the second. Rows that would
//! have `since = until` are not kept: no revision shows them.
//!
//! Current lists so stay one range read however much history there is. Rows of a past table are in
//! an index by repository and `until`, by which they are pruned.

/// Marks the file as an index of this project ("artf").
pub(super) const APPLICATION_ID: i32 = 0x6172_7466;

/// The version of the tables below, the first that was given out. What was changed since is in the steps of
/// the ladder.
pub(super) const VERSION: u32 = 1;

/// Makes all tables, as they were in the first version: this stays as it is.
pub(super) const CREATE: &str = "
-- The registry that this is, its epoch, the directory that it was last opened in, and the last
-- revision that left the feed.
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    registry BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    device INTEGER,
    inode INTEGER,
    feed_from INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The feed; actor and events are absent where it was pruned.
CREATE TABLE revisions (
    rev INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    actor TEXT,
    events TEXT
) STRICT;

-- Repositories that were ever spoken of; used: a package of it had a link or manifest.
CREATE TABLE repositories (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    horizon INTEGER NOT NULL DEFAULT 0,
    used INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX repositories_used ON repositories (horizon) WHERE used = 1;

-- Sums over the repositories that a path holds, and the highest of their horizons.
CREATE TABLE scopes (
    path TEXT PRIMARY KEY,
    charged INTEGER NOT NULL DEFAULT 0,
    reserved INTEGER NOT NULL DEFAULT 0,
    horizon INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Packages that were ever spoken of. in_default: it is of the default repository, whose packages'
-- OCI names do not begin with it. manifests: how many it has; since: from when on it has some.
CREATE TABLE packages (
    id INTEGER PRIMARY KEY,
    repository TEXT NOT NULL,
    name TEXT NOT NULL,
    repository_id INTEGER NOT NULL REFERENCES repositories,
    in_default INTEGER NOT NULL,
    oci TEXT NOT NULL,
    manifests INTEGER NOT NULL DEFAULT 0,
    since INTEGER NOT NULL DEFAULT 0,
    UNIQUE (repository, name)
) STRICT;
CREATE INDEX packages_listed ON packages (in_default, oci, repository) WHERE manifests > 0;
CREATE TABLE packages_past (
    in_default INTEGER NOT NULL,
    oci TEXT NOT NULL,
    repository TEXT NOT NULL,
    until INTEGER NOT NULL,
    since INTEGER NOT NULL,
    repository_id INTEGER NOT NULL,
    PRIMARY KEY (in_default, oci, repository, until)
) STRICT, WITHOUT ROWID;
CREATE INDEX packages_past_age ON packages_past (repository_id, until);

-- revision and changed_at are what the tag's record tells; since is later where it was adopted.
CREATE TABLE tags (
    package INTEGER NOT NULL,
    tag TEXT NOT NULL,
    digest BLOB NOT NULL,
    generation INTEGER NOT NULL,
    since INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (package, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_digest ON tags (package, digest);
CREATE TABLE tags_past (
    package INTEGER NOT NULL,
    tag TEXT NOT NULL,
    until INTEGER NOT NULL,
    digest BLOB NOT NULL,
    generation INTEGER NOT NULL,
    since INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    repository_id INTEGER NOT NULL,
    PRIMARY KEY (package, tag, until)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_past_age ON tags_past (repository_id, until);
-- The last generation of tags that are not there.
CREATE TABLE tags_gone (
    package INTEGER NOT NULL,
    tag TEXT NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (package, tag)
) STRICT, WITHOUT ROWID;

-- The bytes of manifests, once a digest.
CREATE TABLE contents (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    bytes BLOB NOT NULL
) STRICT;
-- What bytes say under the type they were pushed with: the type decides what they name.
-- targets: the distinct digests it names; terms: what a search finds it by; uses: its rows in
-- presences and presences_past; purged: its bytes were removed, and what was read from them.
CREATE TABLE manifests (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    artifact_type TEXT,
    subject BLOB,
    annotations TEXT,
    targets BLOB NOT NULL,
    terms BLOB NOT NULL,
    is_index INTEGER NOT NULL,
    uses INTEGER NOT NULL DEFAULT 0,
    purged INTEGER NOT NULL DEFAULT 0,
    UNIQUE (digest, media_type)
) STRICT;

-- Manifests in packages. subject and artifact_type only for those that have a subject.
CREATE TABLE presences (
    package INTEGER NOT NULL,
    digest BLOB NOT NULL,
    manifest INTEGER NOT NULL,
    since INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    published_at INTEGER,
    subject BLOB,
    artifact_type TEXT,
    PRIMARY KEY (package, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX presences_digest ON presences (digest);
CREATE INDEX presences_subject ON presences (package, subject, digest)
    WHERE subject IS NOT NULL;
CREATE INDEX presences_subject_type ON presences (package, subject, artifact_type, digest)
    WHERE subject IS NOT NULL;
CREATE TABLE presences_past (
    package INTEGER NOT NULL,
    digest BLOB NOT NULL,
    until INTEGER NOT NULL,
    manifest INTEGER NOT NULL,
    since INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    published_at INTEGER,
    subject BLOB,
    artifact_type TEXT,
    repository_id INTEGER NOT NULL,
    PRIMARY KEY (package, digest, until)
) STRICT, WITHOUT ROWID;
CREATE INDEX presences_past_age ON presences_past (repository_id, until);
CREATE INDEX presences_past_subject ON presences_past (package, subject, digest, until)
    WHERE subject IS NOT NULL;

-- Which manifests of a package name a digest. child: an index does.
CREATE TABLE refs (
    package INTEGER NOT NULL,
    target BLOB NOT NULL,
    digest BLOB NOT NULL,
    child INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (package, target, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX refs_target ON refs (target);
CREATE TABLE refs_past (
    package INTEGER NOT NULL,
    target BLOB NOT NULL,
    digest BLOB NOT NULL,
    until INTEGER NOT NULL,
    since INTEGER NOT NULL,
    repository_id INTEGER NOT NULL,
    PRIMARY KEY (package, target, digest, until)
) STRICT, WITHOUT ROWID;
CREATE INDEX refs_past_target ON refs_past (target);

-- What a search finds: manifests of packages by what is said of them.
CREATE TABLE hits (
    term BLOB NOT NULL,
    in_default INTEGER NOT NULL,
    oci TEXT NOT NULL,
    repository TEXT NOT NULL,
    digest BLOB NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (term, in_default, oci, repository, digest)
) STRICT, WITHOUT ROWID;
CREATE TABLE hits_past (
    term BLOB NOT NULL,
    in_default INTEGER NOT NULL,
    oci TEXT NOT NULL,
    repository TEXT NOT NULL,
    digest BLOB NOT NULL,
    until INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (term, in_default, oci, repository, digest, until)
) STRICT, WITHOUT ROWID;

-- Blobs: bytes where they are inline, else key.
CREATE TABLE blobs (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    key TEXT,
    stamp TEXT,
    hashed_at INTEGER NOT NULL,
    quarantined INTEGER NOT NULL DEFAULT 0,
    bytes BLOB,
    CHECK ((key IS NULL) <> (bytes IS NULL))
) STRICT;
CREATE UNIQUE INDEX blobs_key ON blobs (key) WHERE key IS NOT NULL;

-- Blobs in packages, with what is left of a lease.
CREATE TABLE links (
    package INTEGER NOT NULL,
    digest BLOB NOT NULL,
    lease_boot TEXT,
    lease_until INTEGER,
    lease_length INTEGER,
    PRIMARY KEY (package, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_digest ON links (digest);
CREATE INDEX links_lease ON links (lease_boot, lease_until) WHERE lease_boot IS NOT NULL;
CREATE TABLE pins (
    package INTEGER NOT NULL,
    digest BLOB NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (package, digest, name)
) STRICT, WITHOUT ROWID;

-- How often a repository has a digest, as links and manifests of its packages.
CREATE TABLE charges (
    repository_id INTEGER NOT NULL,
    digest BLOB NOT NULL,
    count INTEGER NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (repository_id, digest)
) STRICT, WITHOUT ROWID;

-- Blobs that nothing links and no manifest, kept or not yet pruned, names.
CREATE TABLE review (digest BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
-- Content that was purged.
CREATE TABLE purged (digest BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE trash (
    key TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    seen_boot TEXT,
    seen_millis INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE uploads (
    id BLOB PRIMARY KEY,
    package INTEGER NOT NULL,
    principal TEXT NOT NULL,
    holder TEXT NOT NULL,
    version INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    hasher BLOB NOT NULL,
    held BLOB NOT NULL,
    key TEXT,
    key_offset INTEGER,
    key_state BLOB,
    reserved INTEGER NOT NULL,
    ends_boot TEXT,
    ends_until INTEGER,
    ends_length INTEGER,
    begun_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX uploads_key ON uploads (key) WHERE key IS NOT NULL;
CREATE INDEX uploads_package ON uploads (package);

CREATE TABLE claims (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    boot TEXT NOT NULL,
    until INTEGER NOT NULL,
    length INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Documents, those that were deleted with an absent body.
CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    generation INTEGER NOT NULL,
    since INTEGER NOT NULL,
    body TEXT,
    UNIQUE (kind, name)
) STRICT;
CREATE INDEX documents_there ON documents (kind, name) WHERE body IS NOT NULL;
CREATE TABLE documents_past (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    until INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    since INTEGER NOT NULL,
    body TEXT,
    UNIQUE (kind, name, until)
) STRICT;
";
