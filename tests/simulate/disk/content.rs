//! The bytes of a file, with holes.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// The length of a page, in bytes: what a hole is made of.
pub(crate) const PAGE: usize = 4096;
/// The length of what a disk writes whole or not at all, in bytes.
pub(crate) const SECTOR: usize = 512;

type Page = Arc<[u8; PAGE]>;

/// The bytes of a file. Copies share their pages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pages: BTreeMap<u64, Page>,
    pub(crate) length: u64,
}

impl Content {
    pub(crate) fn pages(&self) -> usize {
        self.pages.len()
    }

    pub(crate) fn page(&self, number: u64) -> Option<&Page> {
        self.pages.get(&number)
    }

    /// Puts a page, or a hole, in a place.
    pub(crate) fn set_page(&mut self, number: u64, page: Option<Page>) {
        match page {
            Some(page) => drop(self.pages.insert(number, page)),
            None => drop(self.pages.remove(&number)),
        }
    }

    fn page_mut(&mut self, number: u64) -> &mut [u8; PAGE] {
        Arc::make_mut(
            self.pages
                .entry(number)
                .or_insert_with(|| Arc::new([0; PAGE])),
        )
    }

    /// Copies a sector of a page from another state of the file.
    pub(crate) fn set_sector(&mut self, number: u64, sector: usize, from: Option<&Page>) {
        let range = sector * SECTOR..(sector + 1) * SECTOR;
        match from {
            Some(from) => self.page_mut(number)[range.clone()].copy_from_slice(&from[range]),
            None if self.pages.contains_key(&number) => self.page_mut(number)[range].fill(0),
            None => {}
        }
    }

    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let end = self.length.min(offset.saturating_add(buffer.len() as u64));
        let mut at = offset;
        while at < end {
            let (number, inside) = (at / PAGE as u64, (at % PAGE as u64) as usize);
            let count = (PAGE - inside).min((end - at) as usize);
            let to = (at - offset) as usize;
            match self.pages.get(&number) {
                Some(page) => buffer[to..to + count].copy_from_slice(&page[inside..inside + count]),
                None => buffer[to..to + count].fill(0),
            }
            at += count as u64;
        }
        end.saturating_sub(offset) as usize
    }

    /// Writes, and returns the pages that were touched.
    pub(crate) fn write(&mut self, data: &[u8], offset: u64) -> Range<u64> {
        let end = offset + data.len() as u64;
        let mut at = offset;
        while at < end {
            let (number, inside) = (at / PAGE as u64, (at % PAGE as u64) as usize);
            let count = (PAGE - inside).min((end - at) as usize);
            let from = (at - offset) as usize;
            self.page_mut(number)[inside..inside + count]
                .copy_from_slice(&data[from..from + count]);
            at += count as u64;
        }
        self.length = self.length.max(end);
        offset / PAGE as u64..end.div_ceil(PAGE as u64)
    }

    /// Cuts or extends, and returns the pages that were touched.
    pub(crate) fn set_length(&mut self, length: u64) -> Vec<u64> {
        let whole = length.div_ceil(PAGE as u64);
        let mut touched: Vec<u64> = self
            .pages
            .range(whole..)
            .map(|(number, _)| *number)
            .collect();
        for number in &touched {
            self.pages.remove(number);
        }
        let inside = (length % PAGE as u64) as usize;
        if inside > 0 && self.pages.contains_key(&(whole - 1)) {
            self.page_mut(whole - 1)[inside..].fill(0);
            touched.push(whole - 1);
        }
        self.length = length;
        touched
    }

    /// Makes a hole of whole pages, and zeros of the rest; returns the pages that were touched.
    pub(crate) fn punch(&mut self, range: Range<u64>) -> Vec<u64> {
        let page = PAGE as u64;
        let end = range.end.min(self.length).div_ceil(page);
        let inside = (range.start / page).min(end)..end;
        let touched: Vec<u64> = self
            .pages
            .range(inside)
            .map(|(number, _)| *number)
            .collect();
        for number in &touched {
            let (start, end) = (number * page, (number + 1) * page);
            if range.start <= start && end <= range.end {
                self.pages.remove(number);
            } else {
                let from = (range.start.max(start) - start) as usize;
                let to = (range.end.min(end) - start) as usize;
                self.page_mut(*number)[from..to].fill(0);
            }
        }
        touched
    }

    /// Returns the next range at or after `from` that has pages.
    pub(crate) fn next_data(&self, from: u64) -> Option<Range<u64>> {
        let page = PAGE as u64;
        let mut following = self.pages.range(from / page..).map(|(number, _)| *number);
        let first = following.next()?;
        let mut end = first + 1;
        while self.pages.contains_key(&end) {
            end += 1;
        }
        let range = from.max(first * page)..(end * page).min(self.length);
        (range.start < range.end).then_some(range)
    }
}
