//! A file, as memory has it and as the disk has it.

use std::collections::BTreeSet;

use super::content::{Content, PAGE, SECTOR};
use crate::chance::Chance;

/// A file, as memory has it and as the disk has it.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// What every process sees.
    pub(crate) cached: Content,
    /// What a power cut leaves for certain.
    durable: Content,
    /// The pages that differ, as far as the system still means to write them.
    dirty: BTreeSet<u64>,
    pub(crate) modified: i128,
    /// How many names it has, as every process sees it.
    pub(crate) names: u32,
}

impl Node {
    /// Returns an empty file with one name.
    pub(crate) fn new(modified: i128) -> Self {
        Self {
            modified,
            names: 1,
            ..Self::default()
        }
    }

    pub(crate) fn write(&mut self, data: &[u8], offset: u64) {
        let touched = self.cached.write(data, offset);
        self.dirty.extend(touched);
    }

    pub(crate) fn set_length(&mut self, length: u64) {
        let touched = self.cached.set_length(length);
        self.dirty.extend(touched);
    }

    pub(crate) fn punch(&mut self, range: std::ops::Range<u64>) {
        let touched = self.cached.punch(range);
        self.dirty.extend(touched);
    }

    /// Flips a bit, on the disk too.
    pub(crate) fn rot(&mut self, at: u64) {
        for content in [&mut self.cached, &mut self.durable] {
            let mut byte = [0];
            if content.read(&mut byte, at) == 1 {
                content.write(&[byte[0] ^ 1], at);
            }
        }
    }

    /// Brings all of it to the disk.
    pub(crate) fn sync(&mut self) {
        for number in std::mem::take(&mut self.dirty) {
            let page = self.cached.page(number).cloned();
            self.durable.set_page(number, page);
        }
        self.durable.length = self.cached.length;
    }

    /// Brings a part of it to the disk, and forgets that there was more (F6): what is in memory is
    /// believed to be on the disk from now on.
    pub(crate) fn fail_sync(&mut self, chance: &Chance) {
        self.write_back(chance, 2);
        self.dirty.clear();
    }

    /// Brings each sector that differs to the disk once in `times`, as the system may do at any time.
    pub(crate) fn write_back(&mut self, chance: &Chance, times: u64) {
        for number in &self.dirty {
            let page = self.cached.page(*number);
            for sector in 0..PAGE / SECTOR {
                if chance.one_in(times) {
                    self.durable.set_sector(*number, sector, page);
                }
            }
        }
        if self.durable.length != self.cached.length && (times == 1 || chance.one_in(2)) {
            self.durable.length = self.cached.length;
        }
    }

    /// Leaves what the disk has: a part of what differs besides (F3, F4), each sector of it once in
    /// `times`, and any length between the two.
    pub(crate) fn cut(&mut self, chance: &Chance, times: u64) {
        let before = self.durable.length;
        if times > 0 {
            self.write_back(chance, times);
        }
        let (low, high) = (
            before.min(self.cached.length),
            before.max(self.cached.length),
        );
        if times > 1 && low < high && chance.one_in(4) {
            // The length of one write is not cut; between two writes there may be a sector's end.
            let between = (low + chance.below(high - low)).next_multiple_of(SECTOR as u64);
            self.durable.length = between.min(high);
        }
        let length = self.durable.length;
        self.durable.set_length(length);
        self.cached = self.durable.clone();
        self.dirty.clear();
    }
}
