//! Claims.

use artifact_core::{BootTime, Conflict, Holder, Lease, Noted, guard};

use crate::index::sqlite::{
    codec::Raw,
    failure::Outcome,
    state::{leases, tx::Tx},
    statement::{one, run},
};

/// Takes a claim, or takes it over.
///
/// The inner failure stays: that another's claim is of another boot, and lives on from now.
pub(super) fn claim(
    tx: &Tx<'_>,
    name: String,
    holder: &Holder,
    lease: &Lease,
    now: &BootTime,
) -> Outcome<Outcome<Noted>> {
    let sql = "SELECT holder, boot, until, length FROM claims WHERE name = ?1";
    let there = one(tx.conn, sql, [&name], |row| {
        Ok((Holder::new(row.get::<_, String>(0)?), leases::read(row, 1)?))
    })?;
    if let Some((by, Some(held))) = there
        && by != *holder
    {
        let left = held.left(now);
        if guard!(458) && left.is_none() {
            set(tx, &name, &by, &Lease::starting(now, held.length))?;
        }
        if guard!(457) && left != Some(0) {
            return Ok(Err(Conflict::Claimed { name, holder: by }.into()));
        }
    }
    set(tx, &name, holder, lease)?;
    Ok(Ok(Noted::new(1)))
}

/// Gives a claim back.
pub(super) fn release(tx: &Tx<'_>, name: &str, holder: &Holder) -> Outcome<u64> {
    let sql = "DELETE FROM claims WHERE name = ?1 AND holder = ?2";
    Ok(run(tx.conn, sql, (name, holder.as_str()))? as u64)
}

fn set(tx: &Tx<'_>, name: &str, holder: &Holder, lease: &Lease) -> Outcome<()> {
    let sql = "INSERT OR REPLACE INTO claims (name, holder, boot, until, length)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    let deadline = &lease.deadline;
    let params = (
        name,
        holder.as_str(),
        deadline.boot.as_str(),
        Raw(deadline.millis),
        Raw(lease.length),
    );
    run(tx.conn, sql, params)?;
    Ok(())
}
