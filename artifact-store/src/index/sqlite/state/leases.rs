//! Leases, as three columns: boot, deadline, length.

use artifact_core::{BootId, BootTime, Lease};
use rusqlite::Row;

use crate::index::sqlite::codec::Raw;

/// What a lease is in columns.
pub(in crate::index::sqlite) type Columns<'a> =
    (Option<&'a str>, Option<Raw<u64>>, Option<Raw<u64>>);

/// Returns the three columns of a lease.
pub(in crate::index::sqlite) fn columns(lease: Option<&Lease>) -> Columns<'_> {
    lease.map_or((None, None, None), |lease| {
        (
            Some(lease.deadline.boot.as_str()),
            Some(Raw(lease.deadline.millis)),
            Some(Raw(lease.length)),
        )
    })
}

/// Reads the lease of three columns; absent where the first is.
pub(in crate::index::sqlite) fn read(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<Lease>> {
    let Some(boot) = row.get::<_, Option<String>>(column)? else {
        return Ok(None);
    };
    let deadline = row.get::<_, Raw<u64>>(column + 1)?.0;
    let length = row.get::<_, Raw<u64>>(column + 2)?.0;
    Ok(Some(lease(boot, deadline, length)))
}

/// Returns the lease with these parts.
pub(in crate::index::sqlite) fn lease(boot: String, deadline: u64, length: u64) -> Lease {
    let deadline = BootTime::new(BootId::new(boot), deadline);
    let mut lease = Lease::starting(&deadline, length);
    lease.deadline = deadline;
    lease
}
