//! Manifests and referrers.

use artifact_core::{
    Annotations, AsOf, Descriptor, Digest, IndexError, ManifestRecord, ManifestSummary, MediaType,
    PackageRef, Page, Revision, Timestamp,
};
use rusqlite::{Connection, Row};

use super::{
    as_of,
    spans::{merge, step},
};
use crate::index::sqlite::{
    codec::{Raw, digest_bytes},
    failure::{Outcome, corrupt},
    state::{
        manifests,
        packages::{self, Package},
    },
    statement::{all, one},
};

/// The columns of a summary, of a presence `s` and its manifest `m`, and whether it was purged.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT s.digest, m.media_type, m.size, m.annotations, m.artifact_type, m.subject,
                    s.revision, s.seen_at, s.published_at, m.purged ",
            $rest
        )
    };
}

/// The manifests that are there, after one.
pub(super) const THERE: &str = select!(
    "FROM presences s CROSS JOIN manifests m ON m.id = s.manifest
     WHERE s.package = ?1 AND s.digest > ?2 AND s.since <= ?4 ORDER BY s.digest LIMIT ?3"
);
/// The referrers that are there, after one.
pub(super) const REFERRERS: &str = select!(
    "FROM presences s CROSS JOIN manifests m ON m.id = s.manifest
     WHERE s.package = ?1 AND s.subject = ?5 AND s.digest > ?2 AND s.since <= ?4
     ORDER BY s.digest LIMIT ?3"
);
/// The referrers of one type that are there, after one.
pub(super) const REFERRERS_OF_TYPE: &str = select!(
    "FROM presences s CROSS JOIN manifests m ON m.id = s.manifest
     WHERE s.package = ?1 AND s.subject = ?5 AND s.artifact_type = ?6 AND s.digest > ?2
       AND s.since <= ?4 ORDER BY s.digest LIMIT ?3"
);
/// The manifest after another, of those that have a past.
pub(super) const NEXT: &str = "SELECT digest FROM presences_past
    WHERE package = ?1 AND digest > ?2 ORDER BY digest LIMIT 1";
/// The referrer after another, of those that have a past.
pub(super) const NEXT_REFERRER: &str = "SELECT digest FROM presences_past
    WHERE package = ?1 AND subject = ?3 AND digest > ?2 ORDER BY digest LIMIT 1";
/// A manifest that is there.
pub(super) const IS: &str = select!(
    "FROM presences s CROSS JOIN manifests m ON m.id = s.manifest
     WHERE s.package = ?1 AND s.digest = ?2 AND s.since <= ?3"
);
/// A manifest that was there.
pub(super) const WAS: &str = select!(
    "FROM (SELECT * FROM presences_past
           WHERE package = ?1 AND digest = ?2 AND until > ?3 ORDER BY until LIMIT 1) s
     CROSS JOIN manifests m ON m.id = s.manifest WHERE s.since <= ?3"
);

/// A row as SQLite gives it.
struct Stored {
    descriptor: Descriptor,
    annotations: Option<String>,
    subject: Option<Digest>,
    revision: Revision,
    seen_at: Timestamp,
    published_at: Option<Timestamp>,
    purged: bool,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let digest = row.get::<_, Raw<Digest>>(0)?.0;
    let media_type = row.get::<_, Raw<MediaType>>(1)?.0;
    let mut descriptor = Descriptor::new(media_type, digest, row.get::<_, Raw<u64>>(2)?.0);
    let artifact_type = row.get::<_, Option<Raw<MediaType>>>(4)?;
    descriptor.artifact_type = artifact_type.map(|of| of.0);
    Ok(Stored {
        descriptor,
        annotations: row.get(3)?,
        subject: row
            .get::<_, Option<Raw<Digest>>>(5)?
            .map(|subject| subject.0),
        revision: row.get::<_, Raw<Revision>>(6)?.0,
        seen_at: row.get::<_, Raw<Timestamp>>(7)?.0,
        published_at: row.get::<_, Option<Raw<Timestamp>>>(8)?.map(|time| time.0),
        purged: row.get(9)?,
    })
}

fn summary(stored: Stored) -> Outcome<ManifestSummary> {
    let mut descriptor = stored.descriptor;
    if let Some(json) = stored.annotations {
        let read: Result<Annotations, _> = serde_json::from_str(&json);
        descriptor.annotations =
            read.map_err(|_| corrupt(format!("annotations of {}", descriptor.digest)))?;
    }
    let mut summary = ManifestSummary::new(descriptor, stored.revision, stored.seen_at);
    summary.subject = stored.subject;
    summary.published_at = stored.published_at;
    Ok(summary)
}

/// Returns a manifest of a package.
pub(in crate::index::sqlite) fn manifest(
    conn: &Connection,
    at: AsOf,
    package: &PackageRef,
    digest: &Digest,
) -> Outcome<Option<ManifestRecord>> {
    as_of::check_package(conn, at, package)?;
    let Some(package) = packages::find(conn, package)? else {
        return Ok(None);
    };
    let Some(stored) = presence(conn, at, &package, digest)? else {
        return Ok(None);
    };
    if stored.purged {
        return Err(IndexError::Purged { digest: *digest }.into());
    }
    let bytes = manifests::bytes(conn, digest)?;
    let bytes = bytes.ok_or_else(|| corrupt(format!("the bytes of manifest {digest}")))?;
    let mut record = ManifestRecord::new(
        *digest,
        stored.descriptor.media_type,
        stored.descriptor.artifact_type,
        bytes,
        stored.revision,
        stored.seen_at,
    );
    record.published_at = stored.published_at;
    Ok(Some(record))
}

fn presence(
    conn: &Connection,
    at: AsOf,
    package: &Package,
    digest: &Digest,
) -> Outcome<Option<Stored>> {
    let params = (package.id, Raw(digest), number(at));
    match (one(conn, IS, params, read)?, at) {
        (None, AsOf::Revision(_)) => Ok(one(conn, WAS, params, read)?),
        (found, _) => Ok(found),
    }
}

/// Returns the number of the revision that is read; of now, one that is never reached.
pub(super) fn number(at: AsOf) -> i64 {
    match at {
        AsOf::Now => i64::MAX,
        AsOf::Revision(asked) => i64::try_from(asked.get()).unwrap_or(i64::MAX),
    }
}

/// Which manifests of a package are listed.
#[derive(Clone, Copy, Debug)]
pub(in crate::index::sqlite) enum Which<'a> {
    /// All.
    All,
    /// Those with this subject, of this artifact type where it is given.
    Referrers(&'a Digest, Option<&'a MediaType>),
}

/// Lists manifests of a package, by digest.
pub(in crate::index::sqlite) fn list(
    conn: &Connection,
    at: AsOf,
    package: &PackageRef,
    which: Which<'_>,
    page: &Page<Digest>,
) -> Outcome<Vec<ManifestSummary>> {
    as_of::check_package(conn, at, package)?;
    let Some(package) = packages::find(conn, package)? else {
        return Ok(Vec::new());
    };
    // A digest begins with the byte of its algorithm, so the first comes after the empty bytes.
    let after = page.after.as_ref().map(digest_bytes);
    let after = after.unwrap_or_default();
    let limit = page.limit.get();
    let (id, asked) = (package.id, number(at));
    let mut found = match which {
        Which::All => all(conn, THERE, (id, &after, limit, asked), read)?,
        Which::Referrers(subject, None) => {
            let params = (id, &after, limit, asked, Raw(subject));
            all(conn, REFERRERS, params, read)?
        }
        Which::Referrers(subject, Some(of)) => {
            let params = (id, &after, limit, asked, Raw(subject), Raw(of));
            all(conn, REFERRERS_OF_TYPE, params, read)?
        }
    };
    if let AsOf::Revision(_) = at {
        let past = past(conn, &package, which, after, limit as usize, asked)?;
        found = merge(found, past, limit as usize, |row| row.descriptor.digest);
    }
    found.into_iter().map(summary).collect()
}

fn past(
    conn: &Connection,
    package: &Package,
    which: Which<'_>,
    after: Vec<u8>,
    limit: usize,
    asked: i64,
) -> Outcome<Vec<Stored>> {
    let key = |row: &Row<'_>| row.get::<_, Vec<u8>>(0);
    let next = |after: &Vec<u8>| match which {
        Which::All => Ok(one(conn, NEXT, (package.id, after), key)?),
        Which::Referrers(subject, _) => {
            let params = (package.id, after, Raw(subject));
            Ok(one(conn, NEXT_REFERRER, params, key)?)
        }
    };
    let wanted = |stored: &Stored| match which {
        Which::Referrers(_, Some(of)) => stored.descriptor.artifact_type.as_ref() == Some(of),
        _ => true,
    };
    let at = |digest: &Vec<u8>| {
        let found = one(conn, WAS, (package.id, digest, asked), read)?;
        Ok(found.filter(|stored| !stored.purged && wanted(stored)))
    };
    step(after, limit, next, at)
}
