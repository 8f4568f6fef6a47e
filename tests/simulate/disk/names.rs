//! Names of files and directories, as every process sees them and as the disk has them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    io,
    path::Path,
};

use crate::chance::Chance;

/// The number of a directory or file.
pub(crate) type Inode = u64;

/// The number of the root.
const ROOT: Inode = 1;

/// What a power cut leaves of what was not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Survival {
    /// All of it.
    All,
    /// Nothing of it.
    Nothing,
    /// Any part of it.
    Some,
}

/// The names of a directory.
#[derive(Debug, Default)]
struct Directory {
    cached: BTreeMap<OsString, Inode>,
    durable: BTreeMap<OsString, Inode>,
}

/// Where a name is.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Place {
    directory: Inode,
    name: OsString,
}

/// A change of names that is not known to be durable. Those of one file become so in their order.
#[derive(Debug)]
struct Renaming {
    inode: Inode,
    from: Option<Place>,
    to: Option<Place>,
}

/// Names of files and directories, as every process sees them and as the disk has them.
#[derive(Debug)]
pub(crate) struct Names {
    directories: BTreeMap<OsString, Inode>,
    listings: BTreeMap<Inode, Directory>,
    renamings: Vec<Renaming>,
}

impl Names {
    /// Returns the names of a disk that has a root directory alone.
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            directories: BTreeMap::from([(root.as_os_str().to_owned(), ROOT)]),
            listings: BTreeMap::from([(ROOT, Directory::default())]),
            renamings: Vec::new(),
        }
    }

    fn place(&self, path: &Path) -> io::Result<Place> {
        Ok(Place {
            directory: self.directory(path.parent().unwrap_or(Path::new("")))?,
            name: path.file_name().unwrap_or(OsStr::new("")).to_owned(),
        })
    }

    fn directory(&self, path: &Path) -> io::Result<Inode> {
        let found = self.directories.get(path.as_os_str());
        found.copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn find(&self, place: &Place) -> Option<Inode> {
        let listing = self.listings.get(&place.directory)?;
        listing.cached.get(&place.name).copied()
    }

    /// Returns the file or directory that has this name.
    pub(crate) fn look_up(&self, path: &Path) -> Option<Inode> {
        self.find(&self.place(path).ok()?)
    }

    pub(crate) fn is_directory(&self, inode: Inode) -> bool {
        self.listings.contains_key(&inode)
    }

    /// Says whether a file may still have a name after a power cut.
    pub(crate) fn may_survive(&self, inode: Inode) -> bool {
        let mut durable = self.listings.values().flat_map(|l| l.durable.values());
        durable.any(|named| *named == inode) || self.renamings.iter().any(|r| r.inode == inode)
    }

    /// Makes a directory; `false` when it was there.
    pub(crate) fn create_directory(&mut self, inode: Inode, path: &Path) -> io::Result<bool> {
        let place = self.place(path)?;
        match self.find(&place) {
            Some(there) if self.is_directory(there) => return Ok(false),
            Some(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            None => {}
        }
        let name = path.as_os_str().to_owned();
        self.directories.insert(name, inode);
        self.listings.insert(inode, Directory::default());
        self.change(inode, None, Some(place));
        Ok(true)
    }

    /// Gives a file a name that nobody has.
    pub(crate) fn add(&mut self, inode: Inode, path: &Path) -> io::Result<()> {
        let place = self.place(path)?;
        if self.find(&place).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.change(inode, None, Some(place));
        Ok(())
    }

    /// Takes a name away, and returns the file that had it.
    pub(crate) fn remove(&mut self, path: &Path) -> io::Result<Option<Inode>> {
        let place = self.place(path)?;
        let found = self.find(&place);
        if let Some(inode) = found {
            self.change(inode, Some(place), None);
        }
        Ok(found)
    }

    /// Gives a file another name, and returns the file that it took it from.
    pub(crate) fn rename(
        &mut self,
        from: &Path,
        to: &Path,
        replace: bool,
    ) -> io::Result<Option<Inode>> {
        let (from, to) = (self.place(from)?, self.place(to)?);
        let inode = self.find(&from).ok_or(io::ErrorKind::NotFound)?;
        let over = self.find(&to);
        if over.is_some() && !replace {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.change(inode, Some(from), Some(to));
        Ok(over)
    }

    fn change(&mut self, inode: Inode, from: Option<Place>, to: Option<Place>) {
        if let Some(from) = &from
            && let Some(listing) = self.listings.get_mut(&from.directory)
        {
            listing.cached.remove(&from.name);
        }
        if let Some(to) = &to
            && let Some(listing) = self.listings.get_mut(&to.directory)
        {
            listing.cached.insert(to.name.clone(), inode);
        }
        self.renamings.push(Renaming { inode, from, to });
    }

    fn settle(&mut self, renaming: &Renaming) {
        if let Some(from) = &renaming.from
            && let Some(listing) = self.listings.get_mut(&from.directory)
            && listing.durable.get(&from.name) == Some(&renaming.inode)
        {
            listing.durable.remove(&from.name);
        }
        if let Some(to) = &renaming.to
            && let Some(listing) = self.listings.get_mut(&to.directory)
        {
            listing.durable.insert(to.name.clone(), renaming.inode);
        }
    }

    /// Returns the names of a directory, in an order that is drawn.
    pub(crate) fn list(&self, path: &Path, chance: &Chance) -> io::Result<Vec<(OsString, bool)>> {
        let directory = self.directory(path)?;
        let listing = self
            .listings
            .get(&directory)
            .ok_or(io::ErrorKind::NotFound)?;
        let entry = |(name, inode): (&OsString, &Inode)| (name.clone(), self.is_directory(*inode));
        let mut names: Vec<_> = listing.cached.iter().map(entry).collect();
        for at in (1..names.len()).rev() {
            names.swap(at, chance.index(at + 1));
        }
        Ok(names)
    }

    /// Brings the names of a directory to the disk. A sync that fails brings some of them (F7); the
    /// others are still meant to be written, for file systems keep a journal of names.
    pub(crate) fn sync(&mut self, path: &Path, fails: bool, chance: &Chance) -> io::Result<()> {
        let directory = self.directory(path)?;
        let is_in =
            |place: &Option<Place>| place.as_ref().is_some_and(|p| p.directory == directory);
        let touches = |renaming: &Renaming| is_in(&renaming.from) || is_in(&renaming.to);
        // What comes before in the life of the same file comes along.
        let all = self.renamings.iter().enumerate();
        let last = all.filter(|(_, renaming)| touches(renaming));
        let last: BTreeMap<Inode, usize> =
            last.map(|(at, renaming)| (renaming.inode, at)).collect();
        let touched = last.keys().copied();
        let late: BTreeSet<Inode> = touched.filter(|_| fails && chance.one_in(2)).collect();
        for (at, renaming) in std::mem::take(&mut self.renamings).into_iter().enumerate() {
            let is_touched = last.get(&renaming.inode).is_some_and(|last| at <= *last);
            if is_touched && !late.contains(&renaming.inode) {
                self.settle(&renaming);
            } else {
                self.renamings.push(renaming);
            }
        }
        if fails {
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(())
    }

    /// Leaves the names that the disk has, and returns how many each file has then.
    pub(crate) fn cut(&mut self, survival: Survival, chance: &Chance) -> BTreeMap<Inode, u32> {
        let mut left: BTreeMap<Inode, u64> = BTreeMap::new();
        for renaming in &self.renamings {
            *left.entry(renaming.inode).or_default() += 1;
        }
        for count in left.values_mut() {
            *count = match survival {
                Survival::All => *count,
                Survival::Nothing => 0,
                Survival::Some => chance.below(*count + 1),
            };
        }
        for renaming in std::mem::take(&mut self.renamings) {
            let count = left.entry(renaming.inode).or_default();
            if *count > 0 {
                *count -= 1;
                self.settle(&renaming);
            }
        }
        let mut names: BTreeMap<Inode, u32> = BTreeMap::new();
        for listing in self.listings.values_mut() {
            listing.cached = listing.durable.clone();
            for inode in listing.cached.values() {
                *names.entry(*inode).or_default() += 1;
            }
        }
        let is_left = |inode: &Inode| *inode == ROOT || names.contains_key(inode);
        self.directories.retain(|_, inode| is_left(inode));
        names
    }
}
