//! Searches.
//!
//! One term of the query is read as a range; for each manifest that it finds, the others are looked
//! up. All terms of a manifest in a package come and go together.

use artifact_core::{AsOf, Found, Page, Query, RepositoryName};
use rusqlite::{Connection, Row};

use super::{
    as_of,
    manifests::number,
    packages::{Range, package, ranges},
    spans::{merge, step},
};
use crate::index::sqlite::{
    codec::{digest_bytes, split_digest},
    failure::{Outcome, corrupt},
    statement::{exists, one},
    terms::{self, Term},
};

/// What has a term now, after a place.
pub(super) const THERE: &str = "SELECT oci, repository, digest FROM hits
    WHERE term = ?1 AND in_default = ?2 AND (oci, repository, digest) > (?3, ?4, ?5) AND oci < ?6
      AND since <= ?7 ORDER BY oci, repository, digest";
/// Whether something has a term now.
pub(super) const IS: &str = "SELECT 1 FROM hits
    WHERE term = ?1 AND in_default = ?2 AND oci = ?3 AND repository = ?4 AND digest = ?5";
/// What had a term, after a place.
pub(super) const NEXT: &str = "SELECT oci, repository, digest FROM hits_past
    WHERE term = ?1 AND in_default = ?2 AND (oci, repository, digest) > (?3, ?4, ?5) AND oci < ?6
    ORDER BY oci, repository, digest LIMIT 1";
/// Until when something had a term that it had at a revision, if it was not purged.
pub(super) const WAS: &str = "SELECT until FROM (
        SELECT until, since, digest FROM hits_past
        WHERE term = ?1 AND in_default = ?2 AND oci = ?3 AND repository = ?4 AND digest = ?5
          AND until > ?6 ORDER BY until LIMIT 1) h
    WHERE since <= ?6 AND EXISTS (SELECT 1 FROM contents c WHERE c.digest = h.digest)";
const WAS_UNTIL: &str = "SELECT 1 FROM hits_past
    WHERE term = ?1 AND in_default = ?2 AND oci = ?3 AND repository = ?4 AND digest = ?5
      AND until = ?6";

/// A place in the order of what is found: OCI name, repository, digest as it stands in columns.
type Place = (String, String, Vec<u8>);

/// Lists manifests that fit a query.
pub(in crate::index::sqlite) fn search(
    conn: &Connection,
    at: AsOf,
    query: &Query,
    page: &Page<Found>,
) -> Outcome<Vec<Found>> {
    as_of::check_scope(conn, at, &query.scope)?;
    let terms = terms_of(query);
    let limit = page.limit.get() as usize;
    let mut found: Vec<Place> = Vec::new();
    for range in ranges(&query.scope) {
        let first = match &page.after {
            Some(after) => place(after),
            None => (range.from.clone(), String::new(), Vec::new()),
        };
        let search = Search {
            conn,
            query,
            terms: &terms,
            first: first.max((range.from.clone(), String::new(), Vec::new())),
            range,
            limit,
            asked: number(at),
        };
        found = merge(found, search.there()?, limit, Place::clone);
        if let AsOf::Revision(_) = at {
            found = merge(found, search.past()?, limit, Place::clone);
        }
    }
    found.into_iter().map(read_found).collect()
}

/// Returns the terms of a query, the one that finds least first, as far as that can be guessed.
fn terms_of(query: &Query) -> Vec<Term> {
    let annotations = query.annotations.iter();
    let mut terms: Vec<Term> = annotations
        .map(|(key, value)| terms::annotation(key, value))
        .collect();
    terms.extend(query.artifact_type.as_ref().map(terms::artifact_type));
    if terms.is_empty() {
        terms.push(terms::any());
    }
    terms
}

/// A search of one range.
struct Search<'a> {
    conn: &'a Connection,
    query: &'a Query,
    terms: &'a [Term],
    first: Place,
    range: Range,
    limit: usize,
    asked: i64,
}

impl Search<'_> {
    fn there(&self) -> Outcome<Vec<Place>> {
        let Some((term, others)) = self.terms.split_first() else {
            return Ok(Vec::new());
        };
        let mut statement = self.conn.prepare_cached(THERE)?;
        let (oci, repository, digest) = &self.first;
        let range = &self.range;
        let params = (
            term,
            range.in_default,
            oci,
            repository,
            digest,
            &range.to,
            self.asked,
        );
        let mut rows = statement.query(params)?;
        let mut found = Vec::new();
        while found.len() < self.limit
            && let Some(row) = rows.next()?
        {
            let place = read_place(row)?;
            if self.is_in_scope(&place) && self.has_all(IS, others, &place, None)? {
                found.push(place);
            }
        }
        Ok(found)
    }

    fn past(&self) -> Outcome<Vec<Place>> {
        let Some((term, others)) = self.terms.split_first() else {
            return Ok(Vec::new());
        };
        let range = &self.range;
        let next = |(oci, repository, digest): &Place| {
            let params = (term, range.in_default, oci, repository, digest, &range.to);
            Ok(one(self.conn, NEXT, params, read_place)?)
        };
        let at = |place: &Place| {
            let (oci, repository, digest) = place;
            let params = (term, range.in_default, oci, repository, digest, self.asked);
            let until: Option<i64> = one(self.conn, WAS, params, |row| row.get(0))?;
            let fits = until.is_some()
                && self.is_in_scope(place)
                && self.has_all(WAS_UNTIL, others, place, until)?;
            Ok(fits.then(|| place.clone()))
        };
        step(self.first.clone(), self.limit, next, at)
    }

    fn has_all(
        &self,
        sql: &str,
        terms: &[Term],
        (oci, repository, digest): &Place,
        until: Option<i64>,
    ) -> Outcome<bool> {
        for term in terms {
            let key = (term, self.range.in_default, oci, repository, digest);
            let has = match until {
                None => exists(self.conn, sql, key)?,
                Some(until) => {
                    let (term, in_default, oci, repository, digest) = key;
                    exists(
                        self.conn,
                        sql,
                        (term, in_default, oci, repository, digest, until),
                    )?
                }
            };
            if !has {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_in_scope(&self, (_, repository, _): &Place) -> bool {
        let name: Result<RepositoryName, _> = repository.parse();
        name.is_ok_and(|name| self.query.scope.holds(&name))
    }
}

fn read_place(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn place(found: &Found) -> Place {
    let package = &found.package;
    let repository = package.repository.as_str().to_owned();
    (package.oci_name(), repository, digest_bytes(&found.digest))
}

fn read_found((oci, repository, digest): Place) -> Outcome<Found> {
    let place = || corrupt(format!("a search term of {oci}"));
    let repository: RepositoryName = repository.parse().map_err(|_| place())?;
    let package = package(&oci, repository).ok_or_else(place)?;
    let (digest, _) = split_digest(&digest).ok_or_else(place)?;
    Ok(Found { package, digest })
}
