//! Reads the journal.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
};

use artifact_core::{Identity, Revision};

use super::{
    entry::JournalEntry,
    error::JournalError,
    files::{self, Files, Opened},
    line::{self, Line},
    scan::Scan,
};
use crate::vfs::{OpenMode, Vfs};

/// The entries of a journal, oldest first.
///
/// What is damaged in its middle comes as an error that [passes](JournalError::is_passable): the
/// next item is what follows. What is damaged at its end is no error but [`Entries::torn`].
#[derive(Debug)]
pub struct Entries {
    vfs: Arc<dyn Vfs>,
    waiting: VecDeque<PathBuf>,
    open: Option<OpenFile>,
    /// Revisions up to this one are passed over.
    after: Revision,
    /// The newest revision that was read, or that a header speaks of.
    last: Revision,
    /// Where damage begins behind which nothing whole was found yet.
    suspect: Option<TornTail>,
    /// What was found behind it.
    queued: Option<Result<JournalEntry, JournalError>>,
    identity: Option<Identity>,
    ended: bool,
}

#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    scan: Scan,
    /// Whether it leaves revisions out.
    is_base: bool,
    /// The newest revision of it so far, or before it, where that is known.
    newest: Option<Revision>,
}

/// Where a journal ends before its last file does.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TornTail {
    /// The file.
    pub path: PathBuf,
    /// Where it begins, in bytes.
    pub offset: u64,
}

impl Entries {
    /// Reads the journal in `directory`, the entries after a revision.
    ///
    /// # Errors
    /// Where the file system fails, and [`JournalError::Format`].
    pub(super) fn new(
        vfs: Arc<dyn Vfs>,
        directory: &Path,
        after: Revision,
    ) -> Result<Self, JournalError> {
        let found = Files::list(&*vfs, directory)?;
        let mut waiting = VecDeque::new();
        if let Some(base) = found.base
            && base.revision > after
        {
            waiting.push_back(files::base_path(directory));
        }
        let newer = first_needed(&*vfs, directory, &found.numbers, after)?;
        waiting.extend(newer.iter().map(|number| files::path(directory, *number)));
        Ok(Self::over(vfs, waiting).beyond(after))
    }

    /// Reads files in their order.
    pub(super) fn over(vfs: Arc<dyn Vfs>, paths: impl Into<VecDeque<PathBuf>>) -> Self {
        Self {
            vfs,
            waiting: paths.into(),
            open: None,
            after: Revision::ZERO,
            last: Revision::ZERO,
            suspect: None,
            queued: None,
            identity: None,
            ended: false,
        }
    }

    /// Passes over what is not after a revision.
    pub(super) fn beyond(self, after: Revision) -> Self {
        Self { after, ..self }
    }

    /// Returns where the journal ends, if a part of its last line is left behind that; known when
    /// all entries were read.
    pub const fn torn(&self) -> Option<&TornTail> {
        self.suspect.as_ref()
    }

    /// Returns what the newest file that was read says of its registry.
    pub const fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Returns the newest revision that was read.
    pub const fn reached(&self) -> Revision {
        self.last
    }

    fn advance(&mut self) -> Result<Option<JournalEntry>, JournalError> {
        loop {
            if self.open.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let Some(file) = &mut self.open else {
                return Ok(None);
            };
            let Some(found) = file.scan.advance()? else {
                self.open = None;
                continue;
            };
            let line = Some(file.scan.line()).filter(|_| found.ended);
            let entry = match line.and_then(line::read) {
                Some(Line::Header(_)) => continue,
                Some(Line::Entry(revision, json)) => {
                    let before = file.newest.replace(revision).filter(|_| !file.is_base);
                    if revision <= self.after.max(self.last) {
                        continue;
                    }
                    self.last = revision;
                    let gap = before.filter(|before| revision > before.next());
                    JournalEntry::from_json(json).ok().map(|entry| (entry, gap))
                }
                None => None,
            };
            let path = file.path.clone();
            match entry {
                // What is missing behind a damaged line is what was in it.
                Some((entry, Some(after))) if self.suspect.is_none() => {
                    let next = entry.revision();
                    self.queued = Some(Ok(entry));
                    return Err(JournalError::Gap { path, after, next });
                }
                Some((entry, _)) => return Ok(Some(entry)),
                None => {
                    let offset = found.offset;
                    self.suspect.get_or_insert(TornTail { path, offset });
                }
            }
        }
    }

    /// Opens the next file; `false` when there is none.
    fn open_next(&mut self) -> Result<bool, JournalError> {
        let Some(path) = self.waiting.pop_front() else {
            return Ok(false);
        };
        let before = self.last.max(self.after);
        let (file, after, is_base) = match files::open(&*self.vfs, &path, OpenMode::Read) {
            Ok(Some(Opened { file, header })) => {
                if let (Some(registry), Some(epoch)) = (header.registry, header.epoch) {
                    self.identity = Some(Identity::new(registry, epoch));
                }
                // A base begins at the beginning, and leaves revisions out.
                match header.base {
                    Some(_) => (file, None, true),
                    None => (file, Some(header.after), false),
                }
            }
            // What is readable behind a damaged header is read; the header's line is a damaged one.
            Err(JournalError::Damaged { .. }) => match self.vfs.open(&path, OpenMode::Read)? {
                Some(file) => (file.into(), None, false),
                None => return Ok(true),
            },
            Ok(None) => return Ok(true),
            Err(error) => return Err(error),
        };
        self.open = Some(OpenFile {
            path: path.clone(),
            scan: Scan::new(file, 0),
            is_base,
            newest: after,
        });
        if let Some(after) = after.filter(|after| *after > before) {
            self.last = after;
            let next = after.next();
            return Err(JournalError::Gap {
                path,
                after: before,
                next,
            });
        }
        Ok(true)
    }
}

impl Iterator for Entries {
    type Item = Result<JournalEntry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.queued.is_some() || self.ended {
            return self.queued.take();
        }
        let next = self.advance();
        self.ended = match &next {
            Ok(entry) => entry.is_none(),
            Err(error) => !error.is_passable(),
        };
        let next = next.transpose()?;
        // Damage that something whole follows is no torn tail.
        match self.suspect.take() {
            Some(TornTail { path, offset }) => {
                self.queued = Some(next);
                Some(Err(JournalError::Damaged { path, offset }))
            }
            None => Some(next),
        }
    }
}

/// Returns the files that hold what was committed after a revision.
fn first_needed<'a>(
    vfs: &dyn Vfs,
    directory: &Path,
    numbers: &'a [u64],
    after: Revision,
) -> Result<&'a [u64], JournalError> {
    for (index, number) in numbers.iter().enumerate().rev() {
        match files::after(vfs, directory, *number) {
            Ok(Some(before)) if before <= after => {
                return Ok(numbers.get(index..).unwrap_or_default());
            }
            Ok(_) | Err(JournalError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(numbers)
}
