//! Rewrites closed files: those below the horizon become one, and purged bytes go.

use std::{path::Path, path::PathBuf, sync::Arc};

use artifact_core::{Digest, Revision, guard};

use super::{
    entry::JournalEntry,
    error::JournalError,
    files::{self, Files, Staged},
    fold::Survivors,
    line::{self, Base, FORMAT, Header, Line},
    read::Entries,
    scan::Scan,
};
use crate::{
    sys::lock::Hold,
    vfs::{OpenMode, Vfs, VfsFile},
};

/// Locked by who rewrites files, and shared by who copies them.
const LOCK: &str = "lock";

/// Closed files of a journal, which nobody else rewrites meanwhile.
#[derive(Debug)]
pub struct ClosedFiles {
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) directory: PathBuf,
    /// Its lock ends when it is closed.
    _lock: Option<Box<dyn VfsFile>>,
}

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Compacted {
    /// The files that the base file now stands for, with an earlier base file.
    pub files: u64,
    /// How many bytes less the journal has.
    pub freed: u64,
}

impl ClosedFiles {
    /// Takes them, or returns `None` while others hold them in a way that excludes this.
    ///
    /// Who rewrites holds them exclusively, who reads them while others write holds them shared.
    ///
    /// # Errors
    /// Where the file system fails.
    pub fn take(
        vfs: Arc<dyn Vfs>,
        directory: &Path,
        hold: Hold,
    ) -> Result<Option<Self>, JournalError> {
        let path = directory.join(LOCK);
        let lock = match vfs.open(&path, OpenMode::Write)? {
            Some(lock) => lock,
            None => match vfs.create(&path, 0o600) {
                Ok(lock) => lock,
                // Somebody was quicker.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    return Self::take(vfs, directory, hold);
                }
                Err(error) => return Err(error.into()),
            },
        };
        if !guard!(116, lock.try_lock(hold))? {
            return Ok(None);
        }
        Ok(Some(Self {
            vfs,
            directory: directory.to_owned(),
            _lock: Some(lock),
        }))
    }

    /// Returns those of a journal that nobody writes to, and nobody can.
    pub fn of_still(vfs: Arc<dyn Vfs>, directory: &Path) -> Self {
        Self {
            vfs,
            directory: directory.to_owned(),
            _lock: None,
        }
    }

    /// Makes one base file of all closed files below a horizon, with what is needed to make the
    /// state at its end. Unless `all`, it waits until there is half as much new as the base has.
    ///
    /// A crash leaves the files as they were, or those that the base stands for beside it, which
    /// nobody reads any more.
    ///
    /// # Errors
    /// Where the file system fails, and what reading finds wrong: then nothing changes.
    pub fn compact(&self, horizon: Revision, all: bool) -> Result<Compacted, JournalError> {
        self.compact_as(horizon, all, false)
    }

    /// As [`ClosedFiles::compact`], also where revisions are missing: for who has asked all who could
    /// know them ([`ClosedFiles::mend`]). What is below the horizon is not missed any more then.
    ///
    /// # Errors
    /// As [`ClosedFiles::compact`].
    pub fn compact_over_gaps(&self, horizon: Revision) -> Result<Compacted, JournalError> {
        self.compact_as(horizon, false, true)
    }

    fn compact_as(
        &self,
        horizon: Revision,
        all: bool,
        over_gaps: bool,
    ) -> Result<Compacted, JournalError> {
        let vfs = &*self.vfs;
        let found = Files::list(vfs, &self.directory)?;
        self.remove(&found.replaced)?;
        let Some((merged, end)) = self.below(&found, horizon)? else {
            return Ok(Compacted::default());
        };
        let base_path = files::base_path(&self.directory);
        let base_size = self.size(&base_path)?;
        let paths = merged
            .iter()
            .map(|file| files::path(&self.directory, *file));
        let paths: Vec<_> = paths.collect();
        let mut new_size = 0;
        for path in &paths {
            new_size += self.size(path)?;
        }
        if !all && new_size < base_size / 2 {
            return Ok(Compacted::default());
        }
        let base = found.base.map(|_| base_path.clone());
        let inputs: Vec<_> = base.into_iter().chain(paths).collect();
        let read = || self.read(&inputs, over_gaps);
        let survivors = Survivors::find(|| Ok(read()))?;
        let header = self.header(&inputs, end)?;
        let length = self.write_base(read(), &survivors, &header, end)?;
        self.remove(&merged)?;
        Ok(Compacted {
            files: inputs.len() as u64,
            freed: (base_size + new_size).saturating_sub(length),
        })
    }

    /// Takes the bytes of purged content out of all closed files, those that were stored anew after
    /// `through`, the revision of the purge, apart. Returns how many files it rewrote.
    ///
    /// What was appended in the newest file must be closed before ([`Journal::rotate`]).
    ///
    /// [`Journal::rotate`]: super::log::Journal::rotate
    ///
    /// # Errors
    /// Where the file system fails; doing it again ends what is left.
    pub fn purge(&self, purged: &[Digest], through: Revision) -> Result<u64, JournalError> {
        let found = Files::list(&*self.vfs, &self.directory)?;
        self.remove(&found.replaced)?;
        // They may hold what was written before it was purged.
        for path in files::cut_off(&*self.vfs, &self.directory, &found)? {
            self.vfs.unlink(&path)?;
        }
        let closed = found
            .numbers
            .split_last()
            .map_or(&[][..], |(_, closed)| closed);
        let closed = closed
            .iter()
            .map(|number| files::path(&self.directory, *number));
        let base = found.base.map(|_| files::base_path(&self.directory));
        let purged = Purged {
            digests: purged,
            names: purged.iter().map(Digest::to_string).collect(),
            through,
        };
        let mut rewritten = 0;
        for path in base.into_iter().chain(closed) {
            if self.speaks_of(&path, &purged)? {
                self.rewrite_without(&path, &purged)?;
                rewritten += 1;
            }
        }
        Ok(rewritten)
    }

    /// Copies the journal into another directory, up to a revision. Others may append meanwhile.
    ///
    /// # Errors
    /// Where the file system fails; then a part of the copy may be left.
    pub fn copy_to(&self, target: &Path, through: Revision) -> Result<(), JournalError> {
        let found = Files::list(&*self.vfs, &self.directory)?;
        if found.base.is_some() {
            self.copy(
                &files::base_path(&self.directory),
                &files::base_path(target),
                through,
            )?;
        }
        for number in found.numbers {
            let path = files::path(&self.directory, number);
            let later = match files::open(&*self.vfs, &path, OpenMode::Read) {
                Ok(opened) => opened.is_some_and(|opened| opened.header.after >= through),
                Err(JournalError::Damaged { .. }) => false,
                Err(error) => return Err(error),
            };
            if !later {
                self.copy(&path, &files::path(target, number), through)?;
            }
        }
        Ok(())
    }

    /// Copies the lines of a file, those of later entries and a torn tail apart.
    fn copy(&self, from: &Path, to: &Path, through: Revision) -> Result<(), JournalError> {
        let Some(mut scan) = self.scan(from)? else {
            return Ok(());
        };
        let mut staged = Staged::empty(&*self.vfs, to.to_owned())?;
        while let Some(found) = scan.advance()? {
            let later = match line::read(scan.line()) {
                Some(Line::Entry(revision, _)) => revision > through,
                _ => false,
            };
            if found.ended && !later {
                staged.write(scan.line())?;
                staged.write(b"\n")?;
            }
        }
        staged.finish()?;
        Ok(())
    }

    /// Returns the closed files that end at or below the horizon, and what they end with.
    fn below(
        &self,
        found: &Files,
        horizon: Revision,
    ) -> Result<Option<(Vec<u64>, Base)>, JournalError> {
        let mut below = None;
        for (index, pair) in found.numbers.windows(2).enumerate() {
            let [file, next] = pair else { continue };
            match files::after(&*self.vfs, &self.directory, *next)? {
                Some(revision) if revision <= horizon => {
                    let files = found.numbers.get(..=index).unwrap_or_default();
                    below = Some((
                        files.to_vec(),
                        Base {
                            file: *file,
                            revision,
                        },
                    ));
                }
                _ => break,
            }
        }
        Ok(below)
    }

    fn read(
        &self,
        inputs: &[PathBuf],
        over_gaps: bool,
    ) -> impl Iterator<Item = Result<JournalEntry, JournalError>> + use<> {
        let mut entries = Entries::over(Arc::clone(&self.vfs), inputs.to_vec());
        let mut ended = false;
        std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let mut next = entries.next();
            while over_gaps && matches!(next, Some(Err(JournalError::Gap { .. }))) {
                next = entries.next();
            }
            ended = next.is_none();
            match (next, entries.torn()) {
                // These files are closed: what is damaged at their end is lost, too.
                (None, Some(tail)) => Some(Err(JournalError::Damaged {
                    path: tail.path.clone(),
                    offset: tail.offset,
                })),
                (next, _) => next,
            }
        })
    }

    fn write_base(
        &self,
        entries: impl Iterator<Item = Result<JournalEntry, JournalError>>,
        survivors: &Survivors,
        header: &Header,
        end: Base,
    ) -> Result<u64, JournalError> {
        let path = files::base_path(&self.directory);
        let mut staged = Staged::begin(&*self.vfs, path, header)?;
        let mut place = 0;
        for entry in entries {
            let mut entry = entry?;
            let revision = entry.revision();
            entry.committed.events.retain(|_| {
                place += 1;
                survivors.has(place - 1)
            });
            // The last one stays in any case: its time is before that of all that follow.
            if entry.committed.events.is_empty() && revision < end.revision {
                continue;
            }
            let named: Vec<_> = JournalEntry::names(&entry.committed).copied().collect();
            entry.contents.retain(|(digest, _)| named.contains(digest));
            staged.write(&encode(&entry)?)?;
        }
        let (_, length) = staged.finish()?;
        Ok(length)
    }

    /// Returns the header of a base file; the newest of its inputs tells the registry.
    fn header(&self, inputs: &[PathBuf], end: Base) -> Result<Header, JournalError> {
        let mut header = Header {
            format: FORMAT,
            registry: None,
            epoch: None,
            after: Revision::ZERO,
            base: Some(end),
        };
        for path in inputs {
            if let Some(found) = files::open(&*self.vfs, path, OpenMode::Read)? {
                header.registry = found.header.registry.or(header.registry);
                header.epoch = found.header.epoch.or(header.epoch);
            }
        }
        Ok(header)
    }

    fn speaks_of(&self, path: &Path, purged: &Purged<'_>) -> Result<bool, JournalError> {
        let Some(mut scan) = self.scan(path)? else {
            return Ok(false);
        };
        while scan.advance()?.is_some() {
            if purged.is_named_in(scan.line()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Copies a file line by line, damaged ones too, and leaves the bytes out.
    fn rewrite_without(&self, path: &Path, purged: &Purged<'_>) -> Result<(), JournalError> {
        let Some(mut scan) = self.scan(path)? else {
            return Ok(());
        };
        let mut staged = Staged::empty(&*self.vfs, path.to_owned())?;
        while let Some(found) = scan.advance()? {
            if let Some(line) = purged.cut(scan.line())? {
                staged.write(&line)?;
            } else {
                staged.write(scan.line())?;
                staged.write(if found.ended { b"\n" } else { b"" })?;
            }
        }
        staged.finish()?;
        Ok(())
    }

    fn scan(&self, path: &Path) -> Result<Option<Scan>, JournalError> {
        let file = self.vfs.open(path, OpenMode::Read)?;
        Ok(file.map(|file| Scan::new(file.into(), 0)))
    }

    fn size(&self, path: &Path) -> Result<u64, JournalError> {
        let meta = self.vfs.metadata(path)?;
        Ok(meta.map_or(0, |meta| meta.size))
    }

    pub(super) fn remove(&self, numbers: &[u64]) -> Result<(), JournalError> {
        for number in numbers {
            self.vfs.unlink(&files::path(&self.directory, *number))?;
        }
        // One that comes back after a power cut is seen to be replaced, and removed again.
        Ok(())
    }
}

/// Stands for a line that was damaged and spoke of purged content: it is a damaged one itself.
const CUT_OUT: &[u8] = b"purged\n";

/// What is taken out of a journal.
struct Purged<'a> {
    digests: &'a [Digest],
    names: Vec<String>,
    /// What was written after this revision stays: it was stored anew.
    through: Revision,
}

impl Purged<'_> {
    /// Says whether a line speaks of it.
    fn is_named_in(&self, line: &[u8]) -> bool {
        let mut names = self.names.iter();
        names.any(|name| memchr::memmem::find(line, name.as_bytes()).is_some())
    }

    /// Returns what a line becomes, with its end; `None` when it stays.
    fn cut(&self, line: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        if !self.is_named_in(line) {
            return Ok(None);
        }
        let entry = match line::read(line) {
            Some(Line::Entry(revision, _)) if revision > self.through => return Ok(None),
            Some(Line::Entry(_, json)) => JournalEntry::from_json(json).ok(),
            _ => None,
        };
        let Some(mut entry) = entry else {
            // What it says is lost already, and nobody knows where in it the bytes are.
            return Ok(Some(CUT_OUT.to_vec()));
        };
        let of_purged = |digest: &Digest| self.digests.contains(digest);
        if !entry.contents.iter().any(|(digest, _)| of_purged(digest)) {
            return Ok(None);
        }
        entry.contents.retain(|(digest, _)| !of_purged(digest));
        encode(&entry).map(Some)
    }
}

/// Returns the line of an entry, with its end.
pub(super) fn encode(entry: &JournalEntry) -> Result<Vec<u8>, JournalError> {
    let revision = entry.revision();
    let json = entry.to_json();
    let json = json.map_err(|source| JournalError::Encode { revision, source })?;
    Ok(line::entry(revision, &json))
}
