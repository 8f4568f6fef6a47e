//! The disk: files, names, and which of both would survive; and the processes that use it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use artifact_store::sys::lock::Hold;

use super::{
    content::PAGE,
    faults::Faults,
    locks::Locks,
    names::{Inode, Names, Survival},
    node::Node,
};
use crate::{chance::Chance, tally::Tally, trace::Trace};

#[derive(Debug)]
struct Opening {
    process: u64,
    inode: Inode,
    writes: bool,
}

/// A disk, and the memory of the system that caches it.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) faults: Faults,
    pub(crate) trace: Trace,
    /// What it has done to its processes.
    pub(crate) tally: Tally,
    chance: Chance,
    names: Names,
    nodes: BTreeMap<Inode, Node>,
    locks: BTreeMap<Inode, Locks>,
    openings: BTreeMap<u64, Opening>,
    made: u64,
    /// The processes that run.
    alive: BTreeSet<u64>,
    /// A process that dies at its so-manyth call from now.
    doomed: Option<(u64, u64)>,
    /// A process that died in the middle of a call.
    died: Option<u64>,
    /// The processes that saw a sync fail, and the first path of which it was.
    shaken: BTreeMap<u64, PathBuf>,
}

impl Disk {
    /// Returns an empty disk with a root directory.
    pub(crate) fn new(seed: u64, root: &Path, trace: Trace) -> Self {
        Self {
            faults: Faults::default(),
            trace,
            tally: Tally::default(),
            chance: Chance::new(seed, 1),
            names: Names::new(root),
            nodes: BTreeMap::new(),
            locks: BTreeMap::new(),
            openings: BTreeMap::new(),
            made: 1,
            alive: BTreeSet::new(),
            doomed: None,
            died: None,
            shaken: BTreeMap::new(),
        }
    }

    pub(crate) fn start(&mut self, process: u64) {
        self.alive.insert(process);
    }

    /// Ends a process: its openings and their locks go, what it wrote stays.
    pub(crate) fn kill(&mut self, process: u64) {
        self.alive.remove(&process);
        self.doomed = self.doomed.filter(|(doomed, _)| *doomed != process);
        self.died = self.died.filter(|died| *died != process);
        let own = |opening: &Opening| opening.process == process;
        let openings: Vec<u64> = self
            .openings
            .iter()
            .filter(|(_, o)| own(o))
            .map(|(id, _)| *id)
            .collect();
        for opening in openings {
            self.close(opening);
        }
    }

    /// Lets a process die at its so-manyth call from now.
    pub(crate) fn doom(&mut self, process: u64, calls: u64) {
        self.doomed = Some((process, calls));
    }

    /// Lets no process die at a call any more.
    pub(crate) fn spare(&mut self) {
        self.doomed = None;
    }

    /// Returns the process that died in the middle of a call.
    pub(crate) const fn died(&self) -> Option<u64> {
        self.died
    }

    pub(crate) fn is_alive(&self, process: u64) -> bool {
        self.alive.contains(&process) && self.died != Some(process)
    }

    /// Returns what the first failed sync of the process was of; it must be started again (I21).
    pub(crate) fn failed_sync(&self, process: u64) -> Option<&Path> {
        self.shaken.get(&process).map(PathBuf::as_path)
    }

    /// Draws whether a sync of the process fails.
    pub(crate) fn draw_sync(&mut self, process: u64, path: &Path) -> bool {
        let fails = self.chance.one_in(self.faults.sync);
        if fails {
            self.tally.happened("failed syncs", 1);
            self.shaken
                .entry(process)
                .or_insert_with(|| path.to_owned());
        }
        let how = if fails { "fails" } else { "is done" };
        self.trace.tell(|| format!("the sync {how}"));
        fails
    }

    pub(crate) fn open_files(&self, process: u64) -> usize {
        self.openings
            .values()
            .filter(|o| o.process == process)
            .count()
    }

    /// Leaves what the disk has. No process is alive any more.
    pub(crate) fn cut_power(&mut self, survival: Survival) {
        for process in std::mem::take(&mut self.alive) {
            self.kill(process);
        }
        let names = self.names.cut(survival, &self.chance);
        let times = match survival {
            Survival::All => 1,
            Survival::Nothing => 0,
            Survival::Some => 2 + self.chance.below(6),
        };
        self.nodes.retain(|inode, _| names.contains_key(inode));
        for (inode, node) in &mut self.nodes {
            node.cut(&self.chance, times);
            node.names = names.get(inode).copied().unwrap_or_default();
        }
    }

    /// Comes before each call: says no where the process is dead, or this call is made to fail.
    pub(crate) fn before(
        &mut self,
        process: u64,
        operation: &'static str,
        path: &Path,
        times: u64,
    ) -> io::Result<()> {
        if let Some((doomed, calls)) = &mut self.doomed
            && *doomed == process
        {
            *calls = calls.saturating_sub(1);
            if *calls == 0 {
                self.doomed = None;
                self.died = Some(process);
                self.tally.happened("deaths in a call", 1);
                self.trace
                    .tell(|| format!("process {process} dies at {operation} {}", path.display()));
            }
        }
        if !self.is_alive(process) {
            return Err(io::Error::other("the process is dead"));
        }
        if self.chance.one_in(self.faults.write_back) {
            for node in self.nodes.values_mut() {
                node.write_back(&self.chance, 3);
            }
        }
        if self.chance.one_in(times) {
            self.tally.happened("failed calls", 1);
            self.trace
                .tell(|| format!("process {process}: {operation} {} fails", path.display()));
            return Err(io::Error::from_raw_os_error(5));
        }
        self.trace
            .tell(|| format!("process {process}: {operation} {}", path.display()));
        Ok(())
    }

    /// Says yes once in `times`.
    pub(crate) fn draws(&self, times: u64) -> bool {
        self.chance.one_in(times)
    }

    pub(crate) fn draw_below(&self, end: u64) -> u64 {
        self.chance.below(end)
    }

    /// Returns the file that has this name.
    pub(crate) fn look_up(&self, path: &Path) -> Option<Inode> {
        self.names.look_up(path)
    }

    pub(crate) fn is_directory(&self, inode: Inode) -> bool {
        self.names.is_directory(inode)
    }

    pub(crate) fn node(&mut self, inode: Inode) -> io::Result<&mut Node> {
        let node = self.nodes.get_mut(&inode);
        node.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn lose_name(&mut self, inode: Inode) {
        if let Some(node) = self.nodes.get_mut(&inode) {
            node.names -= 1;
        }
        self.free(inode);
    }

    /// Forgets a file that has no name, that nobody has open, and that no power cut brings back.
    fn free(&mut self, inode: Inode) {
        let held = self.openings.values().any(|opening| opening.inode == inode);
        let named = self.nodes.get(&inode).is_some_and(|node| node.names > 0);
        if !held && !named && !self.names.may_survive(inode) {
            self.nodes.remove(&inode);
            self.locks.remove(&inode);
        }
    }

    pub(crate) fn create(&mut self, path: &Path) -> io::Result<Inode> {
        self.made += 1;
        let inode = self.made;
        self.names.add(inode, path)?;
        self.nodes.insert(inode, Node::new(i128::from(inode)));
        Ok(inode)
    }

    pub(crate) fn create_directory(&mut self, path: &Path) -> io::Result<bool> {
        self.made += 1;
        self.names.create_directory(self.made, path)
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path, replace: bool) -> io::Result<()> {
        if let Some(over) = self.names.rename(from, to, replace)? {
            self.lose_name(over);
        }
        Ok(())
    }

    pub(crate) fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.look_up(from).ok_or(io::ErrorKind::NotFound)?;
        self.names.add(inode, to)?;
        self.node(inode)?.names += 1;
        Ok(())
    }

    pub(crate) fn unlink(&mut self, path: &Path) -> io::Result<bool> {
        let found = self.names.remove(path)?;
        if let Some(inode) = found {
            self.lose_name(inode);
        }
        Ok(found.is_some())
    }

    /// Returns the names of a directory, in an order that is drawn.
    pub(crate) fn list(&self, path: &Path) -> io::Result<Vec<(OsString, bool)>> {
        self.names.list(path, &self.chance)
    }

    /// Brings the names of a directory to the disk, or fails to.
    pub(crate) fn sync_directory(&mut self, path: &Path, fails: bool) -> io::Result<()> {
        self.names.sync(path, fails, &self.chance)
    }

    pub(crate) fn open(&mut self, process: u64, inode: Inode, writes: bool) -> u64 {
        self.made += 1;
        self.openings.insert(
            self.made,
            Opening {
                process,
                inode,
                writes,
            },
        );
        self.made
    }

    pub(crate) fn close(&mut self, opening: u64) {
        if let Some(Opening { inode, .. }) = self.openings.remove(&opening) {
            if let Some(locks) = self.locks.get_mut(&inode) {
                locks.close(opening);
            }
            self.free(inode);
        }
    }

    fn inode(&self, opening: u64, writes: bool) -> io::Result<Inode> {
        let opening = self.openings.get(&opening).ok_or(io::ErrorKind::NotFound)?;
        if writes && !opening.writes {
            return Err(io::Error::from_raw_os_error(9));
        }
        Ok(opening.inode)
    }

    /// Returns the file of an opening.
    pub(crate) fn opened(&mut self, opening: u64) -> io::Result<(Inode, &mut Node)> {
        let inode = self.inode(opening, false)?;
        Ok((inode, self.node(inode)?))
    }

    /// Returns the file of an opening, for who changes it.
    pub(crate) fn changed(&mut self, opening: u64) -> io::Result<&mut Node> {
        let inode = self.inode(opening, true)?;
        self.made += 1;
        let modified = i128::from(self.made);
        let node = self.node(inode)?;
        node.modified = modified;
        Ok(node)
    }

    /// Writes as much as there is room for, and as is drawn where the write fails.
    pub(crate) fn write(
        &mut self,
        opening: u64,
        data: &[u8],
        offset: u64,
        fails: bool,
    ) -> io::Result<()> {
        let room = self.faults.space.map(|space| {
            let used: usize = self.nodes.values().map(|node| node.cached.pages()).sum();
            space.saturating_sub(used) * PAGE
        });
        let full = room.is_some_and(|room| room < data.len());
        let part = self.chance.index(data.len() + 1);
        self.tally
            .happened("failed writes", u64::from(full || fails));
        let node = self.changed(opening)?;
        if full || fails {
            let part = part.min(room.unwrap_or(part));
            node.write(&data[..part], offset);
            self.trace
                .tell(|| format!("the write ends after {part} bytes"));
            let full = io::Error::from(io::ErrorKind::StorageFull);
            return Err(if fails {
                io::Error::from_raw_os_error(5)
            } else {
                full
            });
        }
        node.write(data, offset);
        Ok(())
    }

    /// Brings a file to the disk. A sync that fails brings a part of it (F6).
    pub(crate) fn sync(&mut self, opening: u64, fails: bool) -> io::Result<()> {
        let inode = self.inode(opening, false)?;
        let node = self.nodes.get_mut(&inode).ok_or(io::ErrorKind::NotFound)?;
        if fails {
            node.fail_sync(&self.chance);
            return Err(io::Error::from_raw_os_error(5));
        }
        node.sync();
        Ok(())
    }

    pub(crate) fn lock(&mut self, opening: u64, hold: Hold) -> io::Result<bool> {
        let inode = self.inode(opening, false)?;
        Ok(self.locks.entry(inode).or_default().lock(opening, hold))
    }

    pub(crate) fn lock_range(
        &mut self,
        opening: u64,
        range: Range<u64>,
        hold: Hold,
    ) -> io::Result<bool> {
        let inode = self.inode(opening, hold == Hold::Exclusive)?;
        Ok(self
            .locks
            .entry(inode)
            .or_default()
            .lock_range(opening, range, hold))
    }

    pub(crate) fn unlock_range(&mut self, opening: u64, range: Range<u64>) -> io::Result<()> {
        let inode = self.inode(opening, false)?;
        self.locks
            .entry(inode)
            .or_default()
            .unlock_range(opening, range);
        Ok(())
    }

    /// Flips a bit of a file, on the disk too, as time does (F10).
    pub(crate) fn rot(&mut self, path: &Path, at: u64) {
        let inode = self.look_up(path);
        self.made += 1;
        let modified = i128::from(self.made);
        if let Some(node) = inode.and_then(|inode| self.nodes.get_mut(&inode)) {
            node.rot(at);
            node.modified = modified;
        }
    }
}
