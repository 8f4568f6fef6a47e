//! What looks like a guard and is none, or is guarded elsewhere.

use super::Exception;

/// The file, what stands in the line, and the reason.
pub(super) const EXCEPTIONS: &[Exception] = &[
    // What is asked, where the asking is marked.
    (
        "artifact-store/src/blob/fs/shared.rs",
        "self.poisoned.load",
        "its callers are marked",
    ),
    (
        "artifact-store/src/blob/fs/store.rs",
        "self.shared.check_sound()",
        "its callers are marked",
    ),
    (
        "artifact-store/src/home/store.rs",
        "store.is_held(key)",
        "passes on what the store says",
    ),
    (
        "artifact-store/src/index/sqlite/note/upload.rs",
        "Some(at) => trash::expect_free",
        "its callers are marked",
    ),
    (
        "artifact-store/src/index/sqlite/committer.rs",
        "self.poisoned = true",
        "whether it is called is marked",
    ),
    (
        "artifact-store/src/blob/fs/store.rs",
        "live.is_held(",
        "waits for the last work of who was dropped; whether it is held the locks say",
    ),
    (
        "artifact-store/src/blob/fs/segments.rs",
        "Err(_) => shared.check_sound()?",
        "begins nothing that is not asked again, and marked, where it is committed",
    ),
    (
        "artifact-core/src/model/directory/listing.rs",
        "if bytes.len() > LISTING_MAX",
        "256 MiB of entries are more than a test makes; who reads the list is marked",
    ),
    (
        "artifact-core/src/model/directory/listing.rs",
        "Self::parse_within(bytes, LISTING_MAX)",
        "hands the bound to who is marked",
    ),
    (
        "src/layout/files.rs",
        "let synced = File::open(path)",
        "its callers are marked",
    ),
    // What only looks.
    (
        "artifact-cli/src/checkup/directory.rs",
        "totals.quarantined",
        "tells what there is",
    ),
    (
        "artifact-cli/src/command/du.rs",
        "totals.quarantined",
        "tells what there is",
    ),
    (
        "artifact-cli/src/checkup/server.rs",
        "timeout(PATIENCE",
        "a look at a server by hand",
    ),
    (
        "artifact-store/src/home/doctor.rs",
        "FileLock::try_lock",
        "tells who has it open",
    ),
    (
        "artifact-store/src/home/doctor.rs",
        "check_registry(",
        "tells what it finds",
    ),
    (
        "artifact-store/src/home/probe.rs",
        "FileLock::try_lock",
        "tries whether there are locks at all",
    ),
    (
        "artifact-store/src/index/sqlite/read/blobs.rs",
        "b.quarantined",
        "a column that is read",
    ),
    (
        "artifact-store/src/index/sqlite/read/blobs.rs",
        "manifests::naming(",
        "tells what there is",
    ),
    (
        "artifact-store/src/index/sqlite/read/blobs.rs",
        "!blobs::is_wanted(",
        "a list of candidates: the commit asks again, and that is marked",
    ),
    (
        "artifact-store/src/index/sqlite/read/counts.rs",
        "totals.quarantined",
        "a number that is read",
    ),
    (
        "artifact-store/src/index/sqlite/state/blobs.rs",
        "quarantined",
        "a column that is read",
    ),
    (
        "artifact-store/src/home/verify.rs",
        "!row.quarantined",
        "which of two copies a rebuild takes in: both were hashed",
    ),
    (
        "artifact-core/src/engine/scrub.rs",
        "take(&mut blob.quarantined)",
        "a scrub hashes anew what was found wrong before",
    ),
    // What is carried to where it counts.
    (
        "artifact-core/src/engine/permit.rs",
        "effective.rooms.clone()",
        "carried to the upload's record",
    ),
    (
        "artifact-core/src/engine/sitting.rs",
        "permit.rooms()",
        "carried to the upload's record",
    ),
    (
        "artifact-core/src/engine/upload.rs",
        "self.rooms.clone()",
        "carried to the upload's record",
    ),
    (
        "artifact-store/src/blob/fs/walk.rs",
        "self.rooms.pop_front()",
        "rooms of a house, not of a quota",
    ),
    // Bounds that another place holds to.
    (
        "artifact-proto/src/client/answer.rs",
        "ANSWER_MAX",
        "handed to what is marked",
    ),
    (
        "artifact-proto/src/client/exchange.rs",
        "ANSWER_MAX",
        "handed to what is marked",
    ),
    (
        "artifact-proto/src/client/manifests.rs",
        "read_bounded",
        "handed to what is marked",
    ),
    (
        "artifact-proto/src/client/page.rs",
        "PAGE_MAX",
        "handed to what is marked",
    ),
    (
        "src/directory/list.rs",
        "LISTING_MAX",
        "handed to what reads, and judged again where it is parsed",
    ),
    (
        "artifact-proto/src/oci/query.rs",
        "Ok(PAGE_MAX), number",
        "what holds where nobody asked; what is asked is marked",
    ),
    (
        "artifact-proto/src/server/connection.rs",
        ".header_read_timeout(",
        "the parser's own: the watch before it is tighter, and marked",
    ),
    (
        "artifact-proto/src/server/serve.rs",
        "timeout(SETTLE",
        "at the end of a server, whose connections are gone",
    ),
    // How much is kept, or looked at, to be quick; more would be right, too.
    (
        "artifact-store/src/blob/fs/frame.rs",
        "KEPT_MAX",
        "buffers that are kept to be quick",
    ),
    (
        "artifact-store/src/blob/fs/segments.rs",
        "LOOK_MAX",
        "how long a segment with room is sought",
    ),
    (
        "artifact-store/src/journal/fold.rs",
        "PARTS_MAX",
        "how a long journal is divided",
    ),
    (
        "src/directory/file.rs",
        "HELD_MAX",
        "small files are not read twice",
    ),
    (
        "src/directory/pull.rs",
        "HELD_MAX",
        "small files are not written twice",
    ),
    (
        "artifact-proto/src/client/exchange.rs",
        ".connect_timeout(",
        "the client library's own",
    ),
    (
        "artifact-store/src/index/sqlite/connection.rs",
        "busy_timeout(",
        "for what the writer's lock does not cover: a checkpoint of another process",
    ),
    (
        "artifact-store/src/journal/log.rs",
        "state.poisoned || !unsynced",
        "when the background's work ends",
    ),
];
