//! MI-6: how SQLite goes about the lists.

use rusqlite::Connection;

use super::{blobs, documents, feed, manifests, packages, search, tags, uploads};
use crate::index::sqlite::{apply, note, schema};

/// Returns the steps of SQLite's plan for a statement.
fn plan(conn: &Connection, sql: &str) -> Vec<String> {
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let mut statement = conn.prepare(&explain).unwrap();
    let rows = statement.raw_query().mapped(|row| row.get(3));
    rows.collect::<Result<_, _>>().unwrap()
}

/// MI-6: no list reads a whole table, builds an index for itself, or sorts: each is a range of an
/// index in the order in which it is asked for.
#[test]
fn mi6_no_list_scans_or_sorts() {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(schema::CREATE).unwrap();
    let uploads = uploads::sql();
    let lists = [
        blobs::ALL,
        blobs::REVIEW,
        blobs::TRASH,
        documents::THERE,
        documents::THERE_FIRST,
        documents::NEXT,
        documents::NEXT_FIRST,
        documents::WAS,
        feed::AFTER,
        manifests::THERE,
        manifests::REFERRERS,
        manifests::REFERRERS_OF_TYPE,
        manifests::NEXT,
        manifests::NEXT_REFERRER,
        manifests::IS,
        manifests::WAS,
        packages::THERE,
        packages::NEXT,
        packages::WAS,
        search::THERE,
        search::IS,
        search::NEXT,
        search::WAS,
        tags::THERE,
        tags::THERE_THEN,
        tags::NEXT,
        tags::WAS,
        &uploads,
        note::prune::TAGS,
        note::prune::PRESENCES,
        note::prune::PACKAGES,
    ];
    for sql in lists {
        for step in plan(&conn, sql) {
            let fine = step.starts_with("SEARCH ")
                || ["CO-ROUTINE", "LIST SUBQUERY", "CORRELATED SCALAR SUBQUERY"]
                    .iter()
                    .any(|kind| step.starts_with(kind))
                // One row at most: what a subquery with `LIMIT 1` gave.
                || matches!(step.as_str(), "SCAN s" | "SCAN h" | "SCAN (subquery-1)");
            assert!(fine && !step.contains("TEMP B-TREE"), "{step} in {sql}");
        }
    }
}

/// The lists that the engine works off: they sort no more than what they pass on, or what ends at
/// one moment.
#[test]
fn leases_are_found_by_their_boot() {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(schema::CREATE).unwrap();
    for sql in [apply::lease::OVER, blobs::FOREIGN] {
        for step in plan(&conn, sql) {
            assert!(!step.starts_with("SCAN links"), "{step} in {sql}");
        }
    }
    let over = plan(&conn, apply::lease::OVER);
    assert!(
        over.iter()
            .any(|step| step.contains("INDEX links_lease (lease_boot=? AND lease_until<?)")),
        "{over:?}"
    );
    assert!(
        !over
            .iter()
            .any(|step| step == "USE TEMP B-TREE FOR ORDER BY"),
        "{over:?}"
    );
}
