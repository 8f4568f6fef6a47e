//! The files of a journal, by name.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use artifact_core::{Revision, guard};

use super::{
    error::JournalError,
    line::{self, Base, FORMAT, Header, Line},
    scan::Scan,
};
use crate::vfs::{OpenMode, Vfs, VfsError, VfsFile};

const SUFFIX: &str = ".journal";
const BASE: &str = "base.journal";
const BASE_STEM: &str = "base";
/// What a file ends with until it is whole.
const STAGED: &str = "new";
/// How many bytes are gathered before they are written.
const WRITE: usize = 1 << 20;

/// A journal's directory as it was listed.
#[derive(Debug)]
pub(super) struct Files {
    /// The base file, if there is one.
    pub(super) base: Option<Base>,
    /// The numbers of the files that the base does not stand for, in order.
    pub(super) numbers: Vec<u64>,
    /// The numbers of those that it stands for: a crash has left them.
    pub(super) replaced: Vec<u64>,
}

impl Files {
    /// Lists the directory.
    pub(super) fn list(vfs: &dyn Vfs, directory: &Path) -> Result<Self, JournalError> {
        let mut numbers = Vec::new();
        for entry in vfs.list(directory)? {
            let entry = entry?;
            let name = entry
                .name
                .to_str()
                .and_then(|name| name.strip_suffix(SUFFIX));
            numbers.extend(name.and_then(|digits| digits.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        let base = base_header(vfs, directory)?;
        let first = base.map_or(0, |base| base.file + 1);
        let replaced = numbers.iter().copied().take_while(|number| *number < first);
        let replaced = replaced.collect::<Vec<_>>();
        numbers.drain(..replaced.len());
        Ok(Self {
            base,
            numbers,
            replaced,
        })
    }
}

/// Returns the path of a file.
pub(super) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:010}{SUFFIX}"))
}

/// Returns the path of the base file.
pub(super) fn base_path(directory: &Path) -> PathBuf {
    directory.join(BASE)
}

/// Returns what is written before it is renamed to `path`.
pub(super) fn staged_path(path: &Path) -> PathBuf {
    path.with_extension(STAGED)
}

/// Returns the files that somebody who died had begun to write, of those whose names are taken by now:
/// nobody else writes under these.
pub(super) fn cut_off(
    vfs: &dyn Vfs,
    directory: &Path,
    found: &Files,
) -> Result<Vec<PathBuf>, JournalError> {
    let newest = found.numbers.last().copied();
    let newest = newest.max(found.base.map(|base| base.file)).unwrap_or(0);
    let mut paths = Vec::new();
    for entry in vfs.list(directory)? {
        let path = directory.join(entry?.name);
        let is_old = |number: &str| number.parse::<u64>().is_ok_and(|number| number <= newest);
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if path.extension().is_some_and(|suffix| suffix == STAGED)
            && stem.is_some_and(|stem| stem == BASE_STEM || is_old(stem))
        {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// A file that begins with a header.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: Arc<dyn VfsFile>,
    pub(super) header: Header,
}

/// Opens a file and reads its header; `None` when there is no such file.
pub(super) fn open(
    vfs: &dyn Vfs,
    path: &Path,
    mode: OpenMode,
) -> Result<Option<Opened>, JournalError> {
    let Some(file) = vfs.open(path, mode)? else {
        return Ok(None);
    };
    let file: Arc<dyn VfsFile> = file.into();
    let damaged = || JournalError::Damaged {
        path: path.to_owned(),
        offset: 0,
    };
    let mut scan = Scan::new(Arc::clone(&file), 0);
    let whole = scan.advance()?.is_some_and(|found| found.ended);
    let Some(Line::Header(header)) = whole.then(|| line::read(scan.line())).flatten() else {
        return Err(damaged());
    };
    if guard!(195) && header.format > FORMAT {
        return Err(JournalError::Format {
            path: path.to_owned(),
            found: header.format,
            known: FORMAT,
        });
    }
    Ok(Some(Opened { file, header }))
}

/// Returns the newest revision before a file.
pub(super) fn after(
    vfs: &dyn Vfs,
    directory: &Path,
    number: u64,
) -> Result<Option<Revision>, JournalError> {
    let opened = open(vfs, &path(directory, number), OpenMode::Read)?;
    Ok(opened.map(|opened| opened.header.after))
}

/// Writes a file under its name as a whole or not at all, taking the name from who has it. What is not
/// finished goes when this is dropped: on a full disk nobody could use its room.
#[derive(Debug)]
pub(super) struct Staged<'a> {
    vfs: &'a dyn Vfs,
    path: PathBuf,
    file: Box<dyn VfsFile>,
    length: u64,
    pending: Vec<u8>,
    finished: bool,
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.finished {
            // What stays is removed by who writes the file next.
            let _removed = self.vfs.unlink(&staged_path(&self.path));
        }
    }
}

impl<'a> Staged<'a> {
    /// Begins the file with its header.
    pub(super) fn begin(
        vfs: &'a dyn Vfs,
        path: PathBuf,
        header: &Header,
    ) -> Result<Self, JournalError> {
        let first = line::header(header).map_err(|source| JournalError::Encode {
            revision: header.after,
            source,
        })?;
        let mut file = Self::empty(vfs, path)?;
        file.write(&first)?;
        Ok(file)
    }

    /// Begins the file without anything.
    pub(super) fn empty(vfs: &'a dyn Vfs, path: PathBuf) -> Result<Self, JournalError> {
        let staged = staged_path(&path);
        // What a crash has left of an earlier one.
        vfs.unlink(&staged)?;
        Ok(Self {
            vfs,
            file: vfs.create(&staged, 0o600)?,
            path,
            length: 0,
            pending: Vec::new(),
            finished: false,
        })
    }

    /// Appends a line with its end.
    pub(super) fn write(&mut self, line: &[u8]) -> Result<(), JournalError> {
        self.pending.extend_from_slice(line);
        if self.pending.len() >= WRITE {
            self.flush()?;
        }
        Ok(())
    }

    /// Makes the file durable, gives it its name, and opens it. Returns it with its length.
    pub(super) fn finish(mut self) -> Result<(Arc<dyn VfsFile>, u64), JournalError> {
        self.flush()?;
        guard!(11, self.file.sync_data())?;
        self.vfs.rename(&staged_path(&self.path), &self.path)?;
        self.finished = true;
        if let Some(directory) = self.path.parent() {
            guard!(12, self.vfs.sync_directory(directory))?;
        }
        let file = self.vfs.open(&self.path, OpenMode::Write)?;
        let file = file.ok_or_else(|| {
            let gone = io::Error::from(io::ErrorKind::NotFound);
            VfsError::new("open", &self.path, gone)
        })?;
        Ok((file.into(), self.length))
    }

    fn flush(&mut self) -> Result<(), JournalError> {
        self.file.write_at(&self.pending, self.length)?;
        self.length += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

/// Returns the newest revision in a file whose header cannot be read, or [`Revision::ZERO`].
pub(super) fn last(vfs: &dyn Vfs, path: &Path) -> Result<Revision, JournalError> {
    let mut last = Revision::ZERO;
    let Some(file) = vfs.open(path, OpenMode::Read)? else {
        return Ok(last);
    };
    let mut scan = Scan::new(file.into(), 0);
    while scan.advance()?.is_some() {
        if let Some(Line::Entry(revision, _)) = line::read(scan.line()) {
            last = last.max(revision);
        }
    }
    Ok(last)
}

fn base_header(vfs: &dyn Vfs, directory: &Path) -> Result<Option<Base>, JournalError> {
    let path = base_path(directory);
    let Some(Opened { header, .. }) = open(vfs, &path, OpenMode::Read)? else {
        return Ok(None);
    };
    match header.base {
        Some(base) => Ok(Some(base)),
        None => Err(JournalError::Damaged { path, offset: 0 }),
    }
}
