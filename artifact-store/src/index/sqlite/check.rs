//! Whether the tables agree with each other: each query finds what must not be.

use rusqlite::{Connection, types::Value};

use super::{failure::Outcome, statement::all};

/// How much is told of each kind of problem.
const MOST: u32 = 10;

/// What must not be, and the query that finds it: its column says where.
const RULES: &[(&str, &str)] = &[
    (
        "a tag points at no manifest of its package (MI-3)",
        "SELECT t.package || ' ' || t.tag FROM tags t WHERE NOT EXISTS
            (SELECT 1 FROM presences s WHERE s.package = t.package AND s.digest = t.digest)",
    ),
    (
        "a tag is there and gone",
        "SELECT package || ' ' || tag FROM tags JOIN tags_gone USING (package, tag)",
    ),
    (
        "a link has no blob (MI-4)",
        "SELECT l.package || ' ' || hex(l.digest) FROM links l
         WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.digest = l.digest)",
    ),
    (
        "an index has a child that its package has not (MI-4)",
        "SELECT r.package || ' ' || hex(r.target) FROM refs r WHERE r.child = 1
         AND NOT EXISTS (SELECT 1 FROM presences s
                         WHERE s.package = r.package AND s.digest = r.target)
         AND NOT EXISTS (SELECT 1 FROM links l
                         WHERE l.package = r.package AND l.digest = r.target)",
    ),
    (
        "a key is in two places (MI-7)",
        "SELECT key FROM (SELECT key FROM blobs WHERE key IS NOT NULL
            UNION ALL SELECT key FROM uploads WHERE key IS NOT NULL
            UNION ALL SELECT key FROM trash) GROUP BY key HAVING count(*) > 1",
    ),
    (
        "a manifest has no bytes, and was not purged",
        "SELECT hex(m.digest) FROM manifests m WHERE m.purged = 0
         AND NOT EXISTS (SELECT 1 FROM contents c WHERE c.digest = m.digest)",
    ),
    (
        "the bytes of a manifest belong to none",
        "SELECT hex(c.digest) FROM contents c
         WHERE NOT EXISTS (SELECT 1 FROM manifests m WHERE m.digest = c.digest)",
    ),
    (
        "the uses of a manifest are miscounted",
        "SELECT hex(m.digest) FROM manifests m WHERE m.uses IS NOT
            (SELECT count(*) FROM presences s WHERE s.manifest = m.id)
            + (SELECT count(*) FROM presences_past s WHERE s.manifest = m.id)",
    ),
    (
        "the manifests of a package are miscounted",
        "SELECT p.oci FROM packages p WHERE p.manifests IS NOT
            (SELECT count(*) FROM presences s WHERE s.package = p.id)",
    ),
    (
        "a charge is wrong (MI-12)",
        "SELECT repository_id || ' ' || hex(digest) FROM (
            SELECT p.repository_id, s.digest, m.size FROM presences s
                JOIN packages p ON p.id = s.package JOIN manifests m ON m.id = s.manifest
            UNION ALL SELECT p.repository_id, l.digest, b.size FROM links l
                JOIN packages p ON p.id = l.package JOIN blobs b ON b.digest = l.digest)
         GROUP BY repository_id, digest
         EXCEPT SELECT repository_id || ' ' || hex(digest) FROM charges",
    ),
    (
        "a usage is wrong (MI-12)",
        "SELECT s.path FROM scopes s WHERE (s.charged, s.reserved) IS NOT (
            (SELECT coalesce(sum(c.size), 0) FROM charges c
             JOIN repositories r ON r.id = c.repository_id
             WHERE s.path = '' OR r.name = s.path
                OR (r.name > s.path || '/' AND r.name < s.path || '0')),
            (SELECT coalesce(sum(u.reserved), 0) FROM uploads u
             JOIN packages p ON p.id = u.package
             WHERE s.path = '' OR p.repository = s.path
                OR (p.repository > s.path || '/' AND p.repository < s.path || '0')))",
    ),
    (
        "a charge is miscounted (MI-12)",
        "SELECT c.repository_id || ' ' || hex(c.digest) FROM charges c WHERE c.count IS NOT
            (SELECT count(*) FROM presences s JOIN packages p ON p.id = s.package
             WHERE p.repository_id = c.repository_id AND s.digest = c.digest)
            + (SELECT count(*) FROM links l JOIN packages p ON p.id = l.package
               WHERE p.repository_id = c.repository_id AND l.digest = c.digest)",
    ),
    (
        "a blob that nothing wants is not up for review (I9)",
        "SELECT hex(b.digest) FROM blobs b
         WHERE NOT EXISTS (SELECT 1 FROM links l WHERE l.digest = b.digest)
         AND NOT EXISTS (SELECT 1 FROM refs r WHERE r.target = b.digest)
         AND NOT EXISTS (SELECT 1 FROM refs_past r WHERE r.target = b.digest)
         AND NOT EXISTS (SELECT 1 FROM review v WHERE v.digest = b.digest)",
    ),
    (
        "what is up for review is wanted, or is not there",
        "SELECT hex(v.digest) FROM review v
         WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.digest = v.digest)
         OR EXISTS (SELECT 1 FROM links l WHERE l.digest = v.digest)
         OR EXISTS (SELECT 1 FROM refs r WHERE r.target = v.digest)",
    ),
    (
        "a pin holds no link",
        "SELECT n.package || ' ' || n.name FROM pins n WHERE NOT EXISTS
            (SELECT 1 FROM links l WHERE l.package = n.package AND l.digest = n.digest)",
    ),
    (
        "the times of revisions do not rise (MI-11)",
        "SELECT rev FROM (SELECT rev, time, lag(time) OVER (ORDER BY rev) AS earlier
                          FROM revisions) WHERE time <= earlier",
    ),
];

/// Returns what is wrong with an index, in words.
pub(super) fn problems(conn: &Connection) -> Outcome<Vec<String>> {
    let sql = format!("PRAGMA integrity_check({MOST})");
    let mut problems = all(conn, &sql, [], |row| row.get::<_, String>(0))?;
    problems.retain(|line| line != "ok");
    if !problems.is_empty() {
        // Tables that are malformed agree on nothing.
        return Ok(problems);
    }
    for (rule, query) in RULES {
        let places = all(conn, &format!("{query} LIMIT {MOST}"), [], |row| {
            Ok(match row.get(0)? {
                Value::Text(text) => text,
                Value::Integer(number) => number.to_string(),
                other => format!("{other:?}"),
            })
        })?;
        problems.extend(places.iter().map(|place| format!("{rule}: {place}")));
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::sqlite::schema;

    fn tables() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(schema::CREATE).unwrap();
        conn
    }

    #[test]
    fn empty_tables_agree() {
        assert_eq!(problems(&tables()).unwrap(), [""; 0]);
    }

    /// Each rule finds what breaks it.
    #[test]
    fn what_is_broken_is_found() {
        let package = "INSERT INTO repositories (id, name) VALUES (1, 'default');
            INSERT INTO packages (id, repository, name, repository_id, in_default, oci, manifests)
            VALUES (1, 'default', 'a', 1, 1, 'a', 0);";
        let cases = [
            (
                "INSERT INTO tags VALUES (1, 'v1', x'01', 1, 1, 1, 1)",
                "MI-3",
            ),
            (
                "INSERT INTO tags VALUES (1, 'v1', x'01', 1, 1, 1, 1);
                 INSERT INTO tags_gone VALUES (1, 'v1', 1)",
                "there and gone",
            ),
            (
                "INSERT INTO links VALUES (1, x'01', NULL, NULL, NULL)",
                "no blob",
            ),
            ("INSERT INTO refs VALUES (1, x'01', x'02', 1, 1)", "a child"),
            (
                "INSERT INTO trash VALUES ('k', 1, NULL, NULL);
                 INSERT INTO blobs (digest, size, key, hashed_at) VALUES (x'01', 1, 'k', 1)",
                "MI-7",
            ),
            (
                "INSERT INTO manifests (digest, media_type, size, targets, terms, is_index)
                 VALUES (x'01', 'a/b', 1, x'', x'', 0)",
                "no bytes",
            ),
            (
                "INSERT INTO contents (digest, bytes) VALUES (x'01', x'')",
                "belong to none",
            ),
            (
                "INSERT INTO manifests (digest, media_type, size, targets, terms, is_index, uses)
                 VALUES (x'01', 'a/b', 1, x'', x'', 0, 3)",
                "the uses",
            ),
            (
                "UPDATE packages SET manifests = 2",
                "of a package are miscounted",
            ),
            (
                "INSERT INTO charges VALUES (1, x'01', 2, 5)",
                "charge is miscounted",
            ),
            (
                "INSERT INTO blobs (digest, size, key, hashed_at) VALUES (x'01', 1, 'k', 1);
                 INSERT INTO links VALUES (1, x'01', NULL, NULL, NULL)",
                "a charge is wrong",
            ),
            (
                "INSERT INTO scopes (path, charged) VALUES ('', 5)",
                "a usage",
            ),
            (
                "INSERT INTO blobs (digest, size, key, hashed_at) VALUES (x'01', 1, 'k', 1)",
                "I9",
            ),
            ("INSERT INTO review VALUES (x'01')", "is not there"),
            ("INSERT INTO pins VALUES (1, x'01', 'p')", "holds no link"),
            (
                "INSERT INTO revisions (rev, time) VALUES (1, 9), (2, 9)",
                "MI-11",
            ),
        ];
        for (broken, told) in cases {
            let conn = tables();
            conn.execute_batch(package).unwrap();
            conn.execute_batch(broken).unwrap();
            let found = problems(&conn).unwrap();
            assert!(
                found.iter().any(|line| line.contains(told)),
                "{told}: {found:?}"
            );
        }
        assert_eq!(cases.len(), RULES.len());
    }
}
