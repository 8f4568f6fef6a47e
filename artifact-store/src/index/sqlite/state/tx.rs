//! One change set, or one piece of bookkeeping, on its way into the tables.

use std::collections::{BTreeMap, BTreeSet};

use artifact_core::{Digest, Event, RepositoryName, Revision, Scope, Timestamp, Usage};
use bytes::Bytes;
use rusqlite::Connection;

use crate::index::sqlite::{
    codec::Raw,
    failure::Outcome,
    statement::{exists, one, run},
};

/// One change set, or one piece of bookkeeping, on its way into the tables.
#[derive(Debug)]
pub(in crate::index::sqlite) struct Tx<'c> {
    /// The connection, in a transaction.
    pub(in crate::index::sqlite) conn: &'c Connection,
    /// The newest revision before.
    pub(in crate::index::sqlite) head: Revision,
    /// The revision that it makes, if it makes one.
    pub(in crate::index::sqlite) revision: Revision,
    /// The time of that revision.
    pub(in crate::index::sqlite) time: Timestamp,
    /// What happened so far.
    pub(in crate::index::sqlite) events: Vec<Event>,
    /// The bytes that the events name: what a journal needs beside them.
    pub(in crate::index::sqlite) contents: Vec<(Digest, Bytes)>,
    usage: BTreeMap<Scope, Difference>,
    unwanted: BTreeSet<Digest>,
}

/// By how much what a scope is charged for changed.
#[derive(Clone, Copy, Debug, Default)]
struct Difference {
    charged: i64,
    reserved: i64,
}

impl<'c> Tx<'c> {
    /// Begins on the newest state.
    pub(in crate::index::sqlite) fn new(
        conn: &'c Connection,
        head: Revision,
        time: Timestamp,
    ) -> Self {
        Self::at(conn, head, head.next(), time)
    }

    /// Begins on the newest state, for a revision that was made before.
    pub(in crate::index::sqlite) fn at(
        conn: &'c Connection,
        head: Revision,
        revision: Revision,
        time: Timestamp,
    ) -> Self {
        Self {
            conn,
            head,
            revision,
            time,
            events: Vec::new(),
            contents: Vec::new(),
            usage: BTreeMap::new(),
            unwanted: BTreeSet::new(),
        }
    }

    /// Notes that the bytes which a repository is charged for changed.
    pub(in crate::index::sqlite) fn charged(&mut self, repository: &RepositoryName, bytes: i64) {
        self.differ(
            repository,
            Difference {
                charged: bytes,
                reserved: 0,
            },
        );
    }

    /// Notes that the bytes which are reserved in a repository changed.
    pub(in crate::index::sqlite) fn reserved(&mut self, repository: &RepositoryName, bytes: i64) {
        self.differ(
            repository,
            Difference {
                charged: 0,
                reserved: bytes,
            },
        );
    }

    fn differ(&mut self, repository: &RepositoryName, by: Difference) {
        for scope in Scope::above(repository) {
            let sum = self.usage.entry(scope).or_default();
            sum.charged += by.charged;
            sum.reserved += by.reserved;
        }
    }

    /// Notes that something stopped wanting a blob, or that it came without anything that wants it.
    pub(in crate::index::sqlite) fn may_be_unwanted(&mut self, digest: Digest) {
        self.unwanted.insert(digest);
    }

    /// Returns what a scope is charged for before and after.
    pub(in crate::index::sqlite) fn usage(&self, scope: &Scope) -> Outcome<(Usage, Usage)> {
        let before = scope_usage(self.conn, scope)?;
        let by = self.usage.get(scope).copied().unwrap_or_default();
        let after = Usage::new(
            before.charged.saturating_add_signed(by.charged),
            before.reserved.saturating_add_signed(by.reserved),
        );
        Ok((before, after))
    }

    /// Writes what was noted along the way: the sums of usage, and what is up for review.
    pub(in crate::index::sqlite) fn settle(&mut self) -> Outcome<()> {
        for (scope, by) in std::mem::take(&mut self.usage) {
            if by.charged != 0 || by.reserved != 0 {
                let sql = "INSERT INTO scopes (path, charged, reserved) VALUES (?1, ?2, ?3)
                    ON CONFLICT DO UPDATE SET charged = charged + excluded.charged,
                                              reserved = reserved + excluded.reserved";
                run(self.conn, sql, (scope.as_str(), by.charged, by.reserved))?;
            }
        }
        for digest in std::mem::take(&mut self.unwanted) {
            let sql = "SELECT 1 FROM blobs WHERE digest = ?1
                AND NOT EXISTS (SELECT 1 FROM links WHERE digest = ?1)
                AND NOT EXISTS (SELECT 1 FROM refs WHERE target = ?1)
                AND NOT EXISTS (SELECT 1 FROM refs_past WHERE target = ?1)";
            if exists(self.conn, sql, [Raw(digest)])? {
                let sql = "INSERT OR IGNORE INTO review (digest) VALUES (?1)";
                run(self.conn, sql, [Raw(digest)])?;
            }
        }
        Ok(())
    }
}

/// Reads what a scope is charged for.
pub(in crate::index::sqlite) fn scope_usage(conn: &Connection, scope: &Scope) -> Outcome<Usage> {
    let sql = "SELECT charged, reserved FROM scopes WHERE path = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        let charged = row.get::<_, Raw<u64>>(0)?.0;
        Ok(Usage::new(charged, row.get::<_, Raw<u64>>(1)?.0))
    };
    Ok(one(conn, sql, [scope.as_str()], read)?.unwrap_or_default())
}
