//! Bounds on usage.

use artifact_core::{Conflict, Room, guard};

use crate::index::sqlite::{failure::Outcome, state::tx::Tx};

/// Refuses what raises a usage above its bound (I14).
pub(in crate::index::sqlite) fn check(tx: &Tx<'_>, rooms: &[Room]) -> Outcome<()> {
    for room in rooms {
        let (before, usage) = tx.usage(&room.scope)?;
        if guard!(451, usage.total() > before.total()) && usage.total() > room.limit {
            let scope = room.scope.clone();
            let limit = room.limit;
            return Err(Conflict::NoRoom {
                scope,
                usage,
                limit,
            }
            .into());
        }
    }
    Ok(())
}
