//! The table at the begin of a segment: which slots it has, and what became of them.
//!
//! A segment is a header of one block, the table, and then slots of whole blocks:
//!
//! | bytes of the header | what |
//! | --- | --- |
//! | 0..20 | `artifact segment 1\n` and a zero: the format's version is in it |
//! | 20..36 | the segment's id |
//! | 36..40 | CRC-32 of the bytes before |
//!
//! The table has [`ROWS`] rows of [`ROW`] bytes; integers are little endian:
//!
//! | bytes of a row | what |
//! | --- | --- |
//! | 0..8 | the sitting: which opening of the segment made the slot |
//! | 8..12, 12..16 | its first block, and how many |
//! | 16..20 | how many bytes of it are the blob's |
//! | 20..24 | CRC-32 of those bytes |
//! | 24 | the [`State`] |
//! | 25 | 1 when a sync is known to have covered all of it; not under the checksum, for it is set later |
//! | 28..32 | CRC-32 of the segment's id, the row's number and bytes 0..25 |
//!
//! A row that is zero was never written. A row lies within a sector, so it is written whole or not.
//!
//! **One sync.** A blob's bytes and its row, in state [`State::Written`], are made durable by one
//! sync, which may be cut by a power loss so that the row is there and the bytes are not. So the row
//! alone says nothing: byte 25 is set after the sync, without another one. Where it is missing and
//! nobody holds the slot, the checksum of the bytes decides.

use artifact_core::guard;
use std::ops::Range;

use super::place::{BLOCK, SegmentId, Slot};
use crate::vfs::{VfsError, VfsFile};

/// How many slots a segment has at most.
pub(super) const ROWS: u32 = 16_384;

/// The length of a row, in bytes.
const ROW: usize = 32;

/// The number of the first block of a segment that slots may have.
pub(super) const FIRST_BLOCK: u32 = 1 + ROWS / ROWS_IN_BLOCK;

const ROWS_IN_BLOCK: u32 = 128;
const MAGIC: &[u8; 20] = b"artifact segment 1\n\0";
const HEADER: usize = 40;
/// How much of the table is read at once: 64 KiB.
const READ: usize = 64 << 10;
const _: () = assert!(ROWS_IN_BLOCK as u64 * ROW as u64 == BLOCK);

/// What became of a slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// It holds nothing any more; its blocks are a hole, or will be one.
    Dead,
    /// Somebody writes it, or died writing it.
    Reserved,
    /// It holds an upload that was suspended.
    Suspended,
    /// It holds a blob.
    Written,
}

impl State {
    const fn code(self) -> u8 {
        match self {
            Self::Reserved => 1,
            Self::Suspended => 2,
            Self::Written => 3,
            Self::Dead => 4,
        }
    }

    const fn of(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Reserved),
            2 => Some(Self::Suspended),
            3 => Some(Self::Written),
            4 => Some(Self::Dead),
            _ => None,
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Row {
    pub(super) slot: Slot,
    pub(super) state: State,
    /// How many bytes of the slot are the blob's.
    pub(super) length: u32,
    /// The CRC-32 of those bytes.
    pub(super) checksum: u32,
    /// Whether a sync is known to have covered row and bytes.
    pub(super) synced: bool,
}

impl Row {
    pub(super) const fn new(slot: Slot, state: State, length: u32, checksum: u32) -> Self {
        Self {
            slot,
            state,
            length,
            checksum,
            synced: false,
        }
    }

    /// Says whether the slot holds anything.
    pub(super) fn is_live(&self) -> bool {
        self.state != State::Dead
    }

    /// Writes the row into the table.
    pub(super) fn write(&self, file: &dyn VfsFile) -> Result<(), VfsError> {
        file.write_at(&self.encode(), offset(self.slot.index))
    }

    /// Writes into the table that a sync has covered the row and its bytes.
    pub(super) fn write_synced(slot: &Slot, file: &dyn VfsFile) -> Result<(), VfsError> {
        file.write_at(&[1], offset(slot.index) + 25)
    }

    fn encode(&self) -> [u8; ROW] {
        let mut row = [0; ROW];
        let fields = self.slot.sitting.to_le_bytes().into_iter();
        let fields = fields
            .chain(self.slot.start.to_le_bytes())
            .chain(self.slot.blocks.to_le_bytes())
            .chain(self.length.to_le_bytes())
            .chain(self.checksum.to_le_bytes())
            .chain([self.state.code(), u8::from(self.synced), 0, 0]);
        row.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        let check = check(self.slot.segment, self.slot.index, &row).to_le_bytes();
        row.iter_mut()
            .rev()
            .zip(check.iter().rev())
            .for_each(|(to, from)| *to = *from);
        row
    }

    /// Returns the row with these bytes, `None` when it is zero.
    fn decode(segment: SegmentId, index: u32, row: &[u8; ROW]) -> Option<Result<Self, Damaged>> {
        if *row == [0; ROW] {
            return None;
        }
        let whole = u32_at(row, 28) == check(segment, index, row);
        let slot = Slot {
            segment,
            index,
            start: u32_at(row, 8),
            blocks: u32_at(row, 12),
            sitting: u64::from(u32_at(row, 4)) << 32 | u64::from(u32_at(row, 0)),
        };
        let (state, synced) = (row.get(24).copied(), row.get(25).copied());
        match State::of(state.unwrap_or_default()) {
            Some(state) if whole => Some(Ok(Self {
                slot,
                state,
                length: u32_at(row, 16),
                checksum: u32_at(row, 20),
                synced: synced == Some(1),
            })),
            _ => Some(Err(Damaged)),
        }
    }
}

/// A row of which nobody can say what it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Damaged;

fn check(segment: SegmentId, index: u32, row: &[u8; ROW]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(segment.as_bytes());
    hasher.update(&index.to_le_bytes());
    hasher.update(row.get(..25).unwrap_or_default());
    hasher.finalize()
}

fn u32_at(row: &[u8; ROW], at: usize) -> u32 {
    let bytes = row.get(at..).and_then(|rest| rest.first_chunk());
    u32::from_le_bytes(bytes.copied().unwrap_or_default())
}

/// Returns where in the segment the row of a slot is.
pub(super) fn row_range(slot: &Slot) -> Range<u64> {
    let start = offset(slot.index);
    start..start + ROW as u64
}

fn offset(index: u32) -> u64 {
    BLOCK + u64::from(index) * ROW as u64
}

/// Writes the header of a new segment.
pub(super) fn write_header(file: &dyn VfsFile, id: SegmentId) -> Result<(), VfsError> {
    file.write_at(&header(id), 0)
}

/// Says whether the file is a segment of this id and format.
pub(super) fn has_header(file: &dyn VfsFile, id: SegmentId) -> Result<bool, VfsError> {
    let mut found = [0; HEADER];
    let read = read_full(file, &mut found, 0)?;
    Ok(read == HEADER && found.as_slice() == header(id))
}

/// Says whether no sync of the segment ever ended, so that nothing in it was acknowledged: whoever
/// made the file died before. Rows may have reached the disk without the header that was written
/// before them.
pub(super) fn is_unsynced(file: &dyn VfsFile, id: SegmentId) -> Result<bool, VfsError> {
    let mut found = [0; HEADER];
    read_full(file, &mut found, 0)?;
    let table = Table::read(file, id)?;
    let synced = table.rows.iter().any(|row| row.synced);
    // A write that failed may have left a part of it.
    let whole = header(id);
    let mut rest = whole
        .iter()
        .zip(found)
        .skip_while(|(whole, found)| **whole == *found);
    let is_cut = found.as_slice() != whole && rest.all(|(_, found)| found == 0);
    Ok(is_cut && !synced && !table.damaged)
}

/// Writes a damaged header anew, where the rows are those of a segment of this id: it says nothing else.
/// Returns whether it is whole now. A whole header of another format stays as it is (I25).
pub(super) fn mend_header(file: &dyn VfsFile, id: SegmentId) -> Result<bool, VfsError> {
    let mut found = [0; HEADER];
    read_full(file, &mut found, 0)?;
    let told = found.get(..36).unwrap_or_default();
    let is_other = crc32fast::hash(told) == u32_at_end(&found);
    let table = Table::read(file, id)?;
    if is_other || table.damaged || table.is_dead() {
        return Ok(false);
    }
    write_header(file, id)?;
    guard!(10, file.sync_data())?;
    Ok(true)
}

fn u32_at_end(header: &[u8; HEADER]) -> u32 {
    header
        .last_chunk()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn header(id: SegmentId) -> Vec<u8> {
    let mut header = [&MAGIC[..], id.as_bytes()].concat();
    header.extend(crc32fast::hash(&header).to_le_bytes());
    header
}

/// Returns the row of a slot, if the slot that the row tells of is this one.
pub(super) fn row_of(file: &dyn VfsFile, slot: &Slot) -> Result<Option<Row>, VfsError> {
    let mut bytes = [0; ROW];
    if read_full(file, &mut bytes, offset(slot.index))? < ROW {
        return Ok(None);
    }
    Ok(matching(slot, &bytes))
}

/// As [`row_of`], if that needs no waiting for a disk; `None` tells nothing.
pub(super) fn cached_row_of(file: &dyn VfsFile, slot: &Slot) -> Option<Row> {
    let mut bytes = [0; ROW];
    let read = file.read_cached_at(&mut bytes, offset(slot.index))?;
    (read == ROW).then(|| matching(slot, &bytes)).flatten()
}

fn matching(slot: &Slot, bytes: &[u8; ROW]) -> Option<Row> {
    let row = Row::decode(slot.segment, slot.index, bytes)?.ok()?;
    (row.slot == *slot && u64::from(row.length) <= slot.capacity()).then_some(row)
}

/// The rows of a table.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// Whether there are rows of which nobody can say what they were.
    pub(super) damaged: bool,
    /// The first row after all that were written.
    pub(super) next_index: u32,
}

impl Table {
    /// Reads the table of a segment.
    pub(super) fn read(file: &dyn VfsFile, id: SegmentId) -> Result<Self, VfsError> {
        let mut table = Self::default();
        let mut buffer = vec![0; READ];
        let mut index = 0;
        while index < ROWS {
            let read = read_full(file, &mut buffer, offset(index))?;
            let (rows, _) = buffer.get(..read).unwrap_or_default().as_chunks::<ROW>();
            for bytes in rows.iter().take((ROWS - index) as usize) {
                table.take(id, index, bytes);
                index += 1;
            }
            if read < READ {
                break;
            }
        }
        Ok(table)
    }

    fn take(&mut self, id: SegmentId, index: u32, bytes: &[u8; ROW]) {
        let Some(row) = Row::decode(id, index, bytes) else {
            return;
        };
        self.next_index = index + 1;
        match row {
            Ok(row) => self.rows.push(row),
            Err(Damaged) => self.damaged = true,
        }
    }

    /// Returns the first block after all slots.
    pub(super) fn next_block(&self) -> u32 {
        let ends = self
            .rows
            .iter()
            .map(|row| row.slot.start.saturating_add(row.slot.blocks));
        ends.max().unwrap_or(0).max(FIRST_BLOCK)
    }

    /// Says whether no slot holds anything, for certain.
    pub(super) fn is_dead(&self) -> bool {
        !self.damaged && !self.rows.iter().any(Row::is_live)
    }

    /// Returns the parts of `data` that no slot has.
    pub(super) fn dead_parts(&self, data: Range<u64>) -> Vec<Range<u64>> {
        let mut live: Vec<_> = self
            .rows
            .iter()
            .filter(|row| row.is_live())
            .map(|row| row.slot.range())
            .collect();
        live.sort_by_key(|range| range.start);
        let mut parts = Vec::new();
        let mut at = data.start;
        for range in live {
            if range.start >= data.end {
                break;
            }
            if range.start > at {
                parts.push(at..range.start);
            }
            at = at.max(range.end);
        }
        if at < data.end {
            parts.push(at..data.end);
        }
        parts
    }
}

/// Fills the buffer from `offset` on, as far as the file goes.
pub(super) fn read_full(
    file: &dyn VfsFile,
    buffer: &mut [u8],
    offset: u64,
) -> Result<usize, VfsError> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::{RealVfs, Vfs as _};

    const ID: SegmentId = SegmentId::from_random([7; 16]);

    fn slot(index: u32, start: u32, blocks: u32) -> Slot {
        Slot {
            segment: ID,
            index,
            start,
            blocks,
            sitting: 0x0123_4567_89ab_cdef,
        }
    }

    fn row(index: u32, start: u32, state: State) -> Row {
        Row::new(slot(index, start, 2), state, 5000, 0xdead_beef)
    }

    #[test]
    fn a_row_reads_back_and_no_bit_of_it_may_change() {
        let row = row(3, FIRST_BLOCK, State::Written);
        let bytes = row.encode();
        assert_eq!(Row::decode(ID, 3, &bytes), Some(Ok(row)));
        assert_eq!(Row::decode(ID, 4, &bytes), Some(Err(Damaged)));
        for bit in (0..25 * 8).chain(28 * 8..32 * 8) {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Row::decode(ID, 3, &bytes), Some(Err(Damaged)), "{bit}");
        }
        assert_eq!(Row::decode(ID, 3, &[0; ROW]), None);
    }

    #[test]
    fn a_table_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealVfs.create(&dir.path().join("s"), 0o600).unwrap();
        assert!(!has_header(&*file, ID).unwrap() && is_unsynced(&*file, ID).unwrap());
        write_header(&*file, ID).unwrap();
        assert!(has_header(&*file, ID).unwrap() && !is_unsynced(&*file, ID).unwrap());
        assert!(!has_header(&*file, SegmentId::from_random([8; 16])).unwrap());
        let empty = Table::read(&*file, ID).unwrap();
        assert!(empty.is_dead() && empty.next_block() == FIRST_BLOCK && empty.next_index == 0);
        let rows = [
            row(0, FIRST_BLOCK, State::Dead),
            row(5, FIRST_BLOCK + 2, State::Written),
            row(ROWS - 1, FIRST_BLOCK + 7, State::Reserved),
        ];
        for row in &rows {
            row.write(&*file).unwrap();
        }
        Row::write_synced(&rows[1].slot, &*file).unwrap();
        let table = Table::read(&*file, ID).unwrap();
        assert_eq!(table.rows.len(), 3);
        assert!(table.rows[1].synced && !table.rows[2].synced);
        assert_eq!(
            (table.next_index, table.next_block()),
            (ROWS, FIRST_BLOCK + 9)
        );
        assert!(!table.is_dead() && !table.damaged);
        assert_eq!(row_of(&*file, &rows[0].slot).unwrap(), Some(rows[0]));
        assert_eq!(row_of(&*file, &slot(5, FIRST_BLOCK + 2, 3)).unwrap(), None);
        assert_eq!(row_of(&*file, &slot(6, FIRST_BLOCK + 2, 3)).unwrap(), None);
        file.write_at(&[1], offset(7)).unwrap();
        let table = Table::read(&*file, ID).unwrap();
        assert!(table.damaged && table.rows.len() == 3);
    }

    /// F4: a power cut may leave rows of a segment without its header.
    #[test]
    fn f4_rows_without_a_header_were_never_synced() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealVfs.create(&dir.path().join("s"), 0o600).unwrap();
        let row = row(0, FIRST_BLOCK, State::Written);
        row.write(&*file).unwrap();
        assert!(is_unsynced(&*file, ID).unwrap());
        file.write_at(&header(ID)[..36], 0).unwrap();
        assert!(
            is_unsynced(&*file, ID).unwrap(),
            "a failed write left a part"
        );
        Row::write_synced(&row.slot, &*file).unwrap();
        assert!(
            !is_unsynced(&*file, ID).unwrap(),
            "it had a header: it is damaged"
        );
    }

    #[test]
    fn what_no_slot_has_is_dead() {
        let mut table = Table::default();
        let first = u64::from(FIRST_BLOCK);
        // In blocks after the first.
        let dead = |table: &Table, start: u64, end: u64| -> Vec<(u64, u64)> {
            let parts = table.dead_parts((first + start) * BLOCK..(first + end) * BLOCK);
            let blocks = |at: u64| at / BLOCK - first;
            let parts = parts.into_iter();
            parts
                .map(|part| (blocks(part.start), blocks(part.end)))
                .collect()
        };
        assert_eq!(dead(&table, 0, 9), [(0, 9)]);
        table.rows.push(row(2, FIRST_BLOCK + 6, State::Written));
        table.rows.push(row(0, FIRST_BLOCK + 1, State::Suspended));
        table.rows.push(row(1, FIRST_BLOCK + 3, State::Dead));
        assert_eq!(dead(&table, 0, 9), [(0, 1), (3, 6), (8, 9)]);
        assert_eq!(dead(&table, 1, 3), []);
        assert_eq!(dead(&table, 2, 4), [(3, 4)]);
        assert_eq!(dead(&table, 4, 5), [(4, 5)]);
    }
}
