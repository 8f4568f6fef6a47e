//! Manifests: what their bytes say, and in which packages they are.

use artifact_core::{Annotations, Digest, Manifest, ManifestKind, Revision, Timestamp};
use bytes::Bytes;
use rusqlite::{Connection, Row};

use super::{
    packages::{self, Package},
    tx::Tx,
    usage,
};
use crate::index::sqlite::{
    codec::{Raw, digest_bytes, split_digest},
    failure::{Outcome, backend, corrupt},
    statement::{all, exists, one, run},
    terms,
};

/// What is said of a manifest in a package, beside what its bytes say.
#[derive(Clone, Copy, Debug)]
pub(in crate::index::sqlite) struct Presence {
    /// The row of what its bytes say.
    pub(in crate::index::sqlite) manifest: i64,
    /// The revision that put it there.
    pub(in crate::index::sqlite) revision: Revision,
    /// When that was.
    pub(in crate::index::sqlite) seen_at: Timestamp,
    /// When its publisher says that it was published.
    pub(in crate::index::sqlite) published_at: Option<Timestamp>,
}

/// What the bytes of a manifest say, as far as it decides what else is written.
struct Said {
    size: u64,
    targets: Vec<Digest>,
    terms: Vec<u8>,
    is_index: bool,
    subject: Option<Raw<Digest>>,
    artifact_type: Option<String>,
}

/// Says whether a package has a manifest.
pub(in crate::index::sqlite) fn is_present(
    conn: &Connection,
    package: &Package,
    digest: &Digest,
) -> Outcome<bool> {
    let sql = "SELECT 1 FROM presences WHERE package = ?1 AND digest = ?2";
    Ok(exists(conn, sql, (package.id, Raw(digest)))?)
}

/// Returns the manifests of a package, by digest.
pub(in crate::index::sqlite) fn of_package(
    conn: &Connection,
    package: &Package,
) -> Outcome<Vec<(Digest, Presence)>> {
    let sql = "SELECT digest, manifest, revision, seen_at, published_at FROM presences
        WHERE package = ?1 ORDER BY digest";
    let read = |row: &Row<'_>| {
        let presence = Presence {
            manifest: row.get(1)?,
            revision: row.get::<_, Raw<Revision>>(2)?.0,
            seen_at: row.get::<_, Raw<Timestamp>>(3)?.0,
            published_at: row.get::<_, Option<Raw<Timestamp>>>(4)?.map(|time| time.0),
        };
        Ok((row.get::<_, Raw<Digest>>(0)?.0, presence))
    };
    Ok(all(conn, sql, [package.id], read)?)
}

/// Writes what the bytes of a manifest say, and returns its row. It is no longer purged.
pub(in crate::index::sqlite) fn store(tx: &mut Tx<'_>, manifest: &Manifest) -> Outcome<i64> {
    let digest = manifest.digest();
    let annotations = annotations_json(manifest.annotations())?;
    let mut targets: Vec<Digest> = manifest
        .references()
        .iter()
        .map(|reference| reference.descriptor.digest)
        .collect();
    targets.sort_unstable();
    targets.dedup();
    let targets: Vec<u8> = targets.iter().flat_map(digest_bytes).collect();
    let sql = "INSERT INTO manifests (digest, media_type, size, artifact_type, subject,
                                      annotations, targets, terms, is_index)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
        ON CONFLICT (digest, media_type) DO UPDATE SET size = excluded.size RETURNING id";
    let params = (
        Raw(digest),
        Raw(manifest.media_type()),
        Raw(manifest.size()),
        manifest.artifact_type().map(Raw),
        manifest.subject().map(|subject| Raw(subject.digest)),
        &annotations,
        targets,
        terms::of_manifest(manifest.artifact_type(), manifest.annotations()),
        manifest.kind() == ManifestKind::Index,
    );
    let id = one(tx.conn, sql, params, |row| row.get(0))?;
    let sql = "INSERT OR IGNORE INTO contents (digest, bytes) VALUES (?1, ?2)";
    run(tx.conn, sql, (Raw(digest), &manifest.bytes()[..]))?;
    // The same bytes under another type say the same of themselves.
    let sql = "UPDATE manifests SET purged = 0, annotations = ?2 WHERE digest = ?1 AND purged = 1";
    run(tx.conn, sql, (Raw(digest), &annotations))?;
    run(
        tx.conn,
        "DELETE FROM purged WHERE digest = ?1",
        [Raw(digest)],
    )?;
    tx.contents.push((digest, manifest.bytes().clone()));
    id.ok_or_else(|| corrupt(format!("manifest {digest}")))
}

/// Puts a manifest into a package that does not have it.
pub(in crate::index::sqlite) fn enter(
    tx: &mut Tx<'_>,
    package: &Package,
    digest: &Digest,
    presence: &Presence,
) -> Outcome<()> {
    let said = said(tx.conn, presence.manifest)?;
    let sql = "INSERT INTO presences (package, digest, manifest, since, revision, seen_at,
                                      published_at, subject, artifact_type)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let params = (
        package.id,
        Raw(digest),
        presence.manifest,
        Raw(tx.revision),
        Raw(presence.revision),
        Raw(presence.seen_at),
        presence.published_at.map(Raw),
        said.subject,
        said.artifact_type
            .as_ref()
            .filter(|_| said.subject.is_some()),
    );
    run(tx.conn, sql, params)?;
    enter_refs(tx, package, digest, &said)?;
    enter_hits(tx, package, digest, &said.terms)?;
    let sql = "UPDATE manifests SET uses = uses + 1 WHERE id = ?1";
    run(tx.conn, sql, [presence.manifest])?;
    packages::count(tx, package, 1)?;
    packages::use_repository(tx, package)?;
    usage::charge(tx, package, digest, said.size)
}

fn enter_refs(tx: &Tx<'_>, package: &Package, digest: &Digest, said: &Said) -> Outcome<()> {
    for target in &said.targets {
        let sql = "INSERT INTO refs (package, target, digest, child, since)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        let params = (
            package.id,
            Raw(target),
            Raw(digest),
            said.is_index,
            Raw(tx.revision),
        );
        run(tx.conn, sql, params)?;
        run(
            tx.conn,
            "DELETE FROM review WHERE digest = ?1",
            [Raw(target)],
        )?;
    }
    Ok(())
}

fn enter_hits(tx: &Tx<'_>, package: &Package, digest: &Digest, terms: &[u8]) -> Outcome<()> {
    let (in_default, oci, repository) = place(package);
    for term in terms::split(terms) {
        let sql = "INSERT INTO hits (term, in_default, oci, repository, digest, since)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let params = (
            term,
            in_default,
            &oci,
            repository,
            Raw(digest),
            Raw(tx.revision),
        );
        run(tx.conn, sql, params)?;
    }
    Ok(())
}

/// Takes a manifest out of the package that has it, and returns what it names, by digest.
pub(in crate::index::sqlite) fn leave(
    tx: &mut Tx<'_>,
    package: &Package,
    digest: &Digest,
) -> Outcome<Vec<Digest>> {
    let at = (package.id, Raw(digest));
    // What came in this very revision was never there.
    let sql = "INSERT INTO presences_past (package, digest, until, manifest, since, revision,
            seen_at, published_at, subject, artifact_type, repository_id)
        SELECT package, digest, ?3, manifest, since, revision, seen_at, published_at, subject,
            artifact_type, ?4 FROM presences
        WHERE package = ?1 AND digest = ?2 AND since < ?3";
    let params = (at.0, at.1, Raw(tx.revision), package.repository);
    let has_past = run(tx.conn, sql, params)? > 0;
    let sql = "DELETE FROM presences WHERE package = ?1 AND digest = ?2 RETURNING manifest";
    let manifest = one(tx.conn, sql, at, |row| row.get(0))?;
    let manifest = manifest.ok_or_else(|| corrupt(format!("manifest {digest}")))?;
    let said = said(tx.conn, manifest)?;
    leave_refs(tx, package, digest, &said.targets)?;
    leave_hits(tx, package, digest, &said.terms)?;
    if !has_past {
        release(tx, manifest)?;
    }
    packages::count(tx, package, -1)?;
    usage::discharge(tx, package, digest)?;
    Ok(said.targets)
}

fn leave_refs(
    tx: &mut Tx<'_>,
    package: &Package,
    digest: &Digest,
    targets: &[Digest],
) -> Outcome<()> {
    for target in targets {
        let at = (package.id, Raw(target), Raw(digest));
        let sql = "INSERT INTO refs_past (package, target, digest, until, since, repository_id)
            SELECT package, target, digest, ?4, since, ?5 FROM refs
            WHERE package = ?1 AND target = ?2 AND digest = ?3 AND since < ?4";
        let params = (at.0, at.1, at.2, Raw(tx.revision), package.repository);
        run(tx.conn, sql, params)?;
        let sql = "DELETE FROM refs WHERE package = ?1 AND target = ?2 AND digest = ?3";
        run(tx.conn, sql, at)?;
        tx.may_be_unwanted(*target);
    }
    Ok(())
}

fn leave_hits(tx: &Tx<'_>, package: &Package, digest: &Digest, terms: &[u8]) -> Outcome<()> {
    let (in_default, oci, repository) = place(package);
    for term in terms::split(terms) {
        let at = (term, in_default, &oci, repository, Raw(digest));
        let sql = "INSERT INTO hits_past
                (term, in_default, oci, repository, digest, until, since)
            SELECT term, in_default, oci, repository, digest, ?6, since FROM hits
            WHERE term = ?1 AND in_default = ?2 AND oci = ?3 AND repository = ?4
              AND digest = ?5 AND since < ?6";
        run(
            tx.conn,
            sql,
            (at.0, at.1, at.2, at.3, at.4, Raw(tx.revision)),
        )?;
        let sql = "DELETE FROM hits WHERE term = ?1 AND in_default = ?2 AND oci = ?3
            AND repository = ?4 AND digest = ?5";
        run(tx.conn, sql, at)?;
    }
    Ok(())
}

/// Deletes what only a past row of a manifest needed, after that row itself.
pub(in crate::index::sqlite) fn forget(
    tx: &mut Tx<'_>,
    package: &Package,
    digest: &Digest,
    until: Revision,
    manifest: i64,
) -> Outcome<()> {
    let said = said(tx.conn, manifest)?;
    for target in said.targets {
        let sql = "DELETE FROM refs_past
            WHERE package = ?1 AND target = ?2 AND digest = ?3 AND until = ?4";
        run(
            tx.conn,
            sql,
            (package.id, Raw(target), Raw(digest), Raw(until)),
        )?;
        tx.may_be_unwanted(target);
    }
    let (in_default, oci, repository) = place(package);
    for term in terms::split(&said.terms) {
        let sql = "DELETE FROM hits_past WHERE term = ?1 AND in_default = ?2 AND oci = ?3
            AND repository = ?4 AND digest = ?5 AND until = ?6";
        let params = (term, in_default, &oci, repository, Raw(digest), Raw(until));
        run(tx.conn, sql, params)?;
    }
    release(tx, manifest)
}

/// Notes that one row less speaks of a manifest, and deletes it after the last.
fn release(tx: &Tx<'_>, manifest: i64) -> Outcome<()> {
    let sql = "UPDATE manifests SET uses = uses - 1 WHERE id = ?1 RETURNING uses, digest";
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Raw<Digest>>(1)?));
    let found = one(tx.conn, sql, [manifest], read)?;
    let (uses, digest) = found.ok_or_else(|| corrupt(format!("manifest row {manifest}")))?;
    if uses == 0 {
        run(tx.conn, "DELETE FROM manifests WHERE id = ?1", [manifest])?;
        let sql = "DELETE FROM contents WHERE digest = ?1
            AND NOT EXISTS (SELECT 1 FROM manifests WHERE digest = ?1)";
        run(tx.conn, sql, [digest])?;
    }
    Ok(())
}

/// Removes the bytes of a manifest that is in no package, and says whether there were any.
pub(in crate::index::sqlite) fn purge(conn: &Connection, digest: &Digest) -> Outcome<bool> {
    let sql = "UPDATE manifests SET purged = 1, annotations = NULL WHERE digest = ?1";
    run(conn, sql, [Raw(digest)])?;
    let sql = "DELETE FROM contents WHERE digest = ?1";
    Ok(run(conn, sql, [Raw(digest)])? > 0)
}

/// Returns the bytes of a manifest.
pub(in crate::index::sqlite) fn bytes(
    conn: &Connection,
    digest: &Digest,
) -> Outcome<Option<Bytes>> {
    let sql = "SELECT bytes FROM contents WHERE digest = ?1";
    let found = one(conn, sql, [Raw(digest)], |row| row.get::<_, Vec<u8>>(0))?;
    Ok(found.map(Bytes::from))
}

/// Returns the first manifest of a package that names a digest; the first of its indexes when
/// `child`.
pub(in crate::index::sqlite) fn naming(
    conn: &Connection,
    package: &Package,
    target: &Digest,
    child: bool,
) -> Outcome<Option<Digest>> {
    let sql = "SELECT digest FROM refs WHERE package = ?1 AND target = ?2
        AND child >= ?3 ORDER BY digest LIMIT 1";
    let params = (package.id, Raw(target), child);
    let found = one(conn, sql, params, |row| row.get::<_, Raw<Digest>>(0))?;
    Ok(found.map(|digest| digest.0))
}

fn said(conn: &Connection, manifest: i64) -> Outcome<Said> {
    let sql = "SELECT size, targets, terms, is_index, subject, artifact_type FROM manifests
        WHERE id = ?1";
    let read = |row: &Row<'_>| {
        let targets: Vec<u8> = row.get(1)?;
        let said = Said {
            size: row.get::<_, Raw<u64>>(0)?.0,
            targets: Vec::new(),
            terms: row.get(2)?,
            is_index: row.get(3)?,
            subject: row.get(4)?,
            artifact_type: row.get(5)?,
        };
        Ok((said, targets))
    };
    let place = || corrupt(format!("manifest row {manifest}"));
    let (mut said, targets) = one(conn, sql, [manifest], read)?.ok_or_else(place)?;
    let mut rest = &targets[..];
    while !rest.is_empty() {
        let (target, left) = split_digest(rest).ok_or_else(place)?;
        said.targets.push(target);
        rest = left;
    }
    Ok(said)
}

/// Returns how a search knows a package.
fn place(package: &Package) -> (bool, String, Raw<&artifact_core::RepositoryName>) {
    let at = &package.at;
    (
        at.repository.is_default(),
        at.oci_name(),
        Raw(&at.repository),
    )
}

fn annotations_json(annotations: &Annotations) -> Outcome<Option<String>> {
    if annotations.is_empty() {
        return Ok(None);
    }
    let json = serde_json::to_string(annotations);
    Ok(Some(
        json.map_err(|error| backend("writing annotations", error))?,
    ))
}
