//! What is done with a segment that nobody appends to: what dead processes and power losses left
//! half done is ended.

use super::{
    place::{BLOCK, SegmentId},
    table::{FIRST_BLOCK, State, Table},
};
use crate::vfs::{VfsError, VfsFile};

/// Ends what was left half done in a segment whose lock the caller holds, and returns its table.
///
/// No writer of a slot is alive then, so slots that were neither suspended nor committed are dead.
/// Whether a commit was through is found by who asks for the blob. Blocks that no slot has are given
/// back.
pub(super) fn recover(file: &dyn VfsFile, id: SegmentId) -> Result<Table, VfsError> {
    let mut table = Table::read(file, id)?;
    for row in &mut table.rows {
        if row.state == State::Reserved {
            row.state = State::Dead;
            row.write(file)?;
        }
    }
    punch_dead(file, &table)?;
    Ok(table)
}

/// Gives back the blocks that no slot has.
fn punch_dead(file: &dyn VfsFile, table: &Table) -> Result<(), VfsError> {
    // What a damaged row tells of could still be found by somebody: it is left alone.
    if table.damaged {
        return Ok(());
    }
    let mut from = u64::from(FIRST_BLOCK) * BLOCK;
    while let Some(data) = file.next_data(from)? {
        from = data.end;
        for dead in table.dead_parts(data) {
            if !file.punch_hole(dead)? {
                return Ok(());
            }
        }
    }
    Ok(())
}
