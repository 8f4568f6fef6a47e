//! Pulling a directory.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use artifact_core::{
    Descriptor, Digest, DirectoryListing, ErrorKind, ManifestRef, MediaType, TreeNode, Way,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::tree::{Scratch, create_file, make_executable, make_link, run, write_file};
use crate::transfer::{
    copy::Transfer,
    error::{TransferError, at, read_error},
    local::LocalPackage,
    place::Place,
};

/// Contents up to this many bytes are written at once.
const HELD_MAX: u64 = 64 << 10;

/// How a directory is pulled.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct PullOptions {
    /// Whether files that are not executable become second names of the registry's own where that
    /// can be. They are read-only then, and must stay so: they share bytes and mode with the store.
    pub link: bool,
}

impl PullOptions {
    /// Gives files second names instead of copying them, where that can be.
    #[must_use]
    pub const fn linked(mut self) -> Self {
        self.link = true;
        self
    }
}

/// A directory that was pulled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Pulled {
    /// The digest of the artifact.
    pub digest: Digest,
    /// How many entries it has: files, directories, links.
    pub entries: u64,
    /// How many of them are files.
    pub files: u64,
    /// The bytes of all files together.
    pub bytes: u64,
    /// How many files are second names of the store's own.
    pub hard_linked: u64,
    /// How many files share their extents with the store's.
    pub reflinked: u64,
    /// How many files were written.
    pub copied: u64,
}

impl Transfer {
    /// Makes a directory of an artifact that is one. It is there whole under its name, or not at all:
    /// what a pull that was killed left beside it goes with the next pull to the same path.
    ///
    /// Its files are not synced, as those of a copy are not: after a power loss shortly afterwards it
    /// is to be removed and pulled again, unless its file system was synced meanwhile.
    ///
    /// # Errors
    /// [`TransferError::Exists`] when something is at `path`, [`TransferError::NotADirectory`],
    /// [`TransferError::Directory`] when what is kept is wrong; else those of the place and of the
    /// file system.
    pub async fn pull_directory(
        &self,
        from: &Place,
        reference: &ManifestRef,
        path: &Path,
        options: &PullOptions,
    ) -> Result<Pulled, TransferError> {
        let scratch = Scratch::create(&self.spawn, path).await?;
        let pulling = Pulling {
            transfer: self,
            from,
            scratch,
            link: options.link,
            ways: [const { AtomicU64::new(0) }; 3],
        };
        match pulling.run(reference).await {
            Ok(pulled) => {
                pulling.scratch.finish(path).await?;
                Ok(pulled)
            }
            Err(error) => {
                pulling.scratch.remove().await;
                Err(error)
            }
        }
    }
}

struct Pulling<'a> {
    transfer: &'a Transfer,
    from: &'a Place,
    scratch: Scratch,
    link: bool,
    /// How many files came by hard link, by reflink, by copy.
    ways: [AtomicU64; 3],
}

/// A file to be made.
struct Wanted {
    path: PathBuf,
    digest: Digest,
    size: u64,
    executable: bool,
}

impl Pulling<'_> {
    async fn run(&self, reference: &ManifestRef) -> Result<Pulled, TransferError> {
        let root = self.from.manifest(reference).await?;
        let listing = Arc::new(self.transfer.listing(self.from, &root).await?);
        self.make_directories(&listing).await?;
        let (files, bytes) = self.make_files(&listing).await?;
        self.make_links(&listing).await?;
        let [hard_linked, reflinked, copied] = self
            .ways
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed));
        let (digest, entries) = (root.digest(), listing.entries().len() as u64);
        Ok(Pulled {
            digest,
            entries,
            files,
            bytes,
            hard_linked,
            reflinked,
            copied,
        })
    }

    async fn make_directories(&self, listing: &Arc<DirectoryListing>) -> Result<(), TransferError> {
        let (root, listing) = (self.scratch.root(), Arc::clone(listing));
        run(&self.transfer.spawn, &self.scratch.root(), move || {
            let directories = listing
                .entries()
                .iter()
                .filter(|entry| entry.node == TreeNode::Directory);
            // What a directory is in stands before it.
            for directory in directories {
                let path = root.join(directory.path.as_str());
                std::fs::create_dir(&path).map_err(at(&path, "made"))?;
            }
            Ok(())
        })
        .await
    }

    async fn make_links(&self, listing: &Arc<DirectoryListing>) -> Result<(), TransferError> {
        let (root, listing) = (self.scratch.root(), Arc::clone(listing));
        run(&self.transfer.spawn, &self.scratch.root(), move || {
            for entry in listing.entries() {
                if let TreeNode::Link { target } = &entry.node {
                    let path = root.join(entry.path.as_str());
                    make_link(target, &path).map_err(at(&path, "made"))?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Makes the files; returns their number and bytes.
    async fn make_files(&self, listing: &DirectoryListing) -> Result<(u64, u64), TransferError> {
        let wanted = listing
            .entries()
            .iter()
            .filter_map(|entry| match entry.node {
                TreeNode::File {
                    digest,
                    size,
                    executable,
                } => Some(Wanted {
                    path: self.scratch.place_of(&entry.path),
                    digest,
                    size,
                    executable,
                }),
                TreeNode::Directory | TreeNode::Link { .. } => None,
            });
        let sizes = wanted.clone().map(|file| file.size);
        let (files, bytes) = sizes.fold((0, 0), |(files, bytes), size| (files + 1, bytes + size));
        self.transfer.meter.expect(files, bytes);
        let made = stream::iter(wanted).map(|file| self.make_file(file));
        made.buffer_unordered(self.transfer.jobs)
            .try_collect::<()>()
            .await?;
        Ok((files, bytes))
    }

    async fn make_file(&self, file: Wanted) -> Result<(), TransferError> {
        let way = match self.from {
            Place::Local(local) => self.materialize(local, &file).await?,
            _ => None,
        };
        let way = if let Some(way) = way {
            self.transfer.meter.moved(file.size);
            way
        } else {
            self.write(&file).await?;
            Way::Copy
        };
        let [linked, reflinked, copied] = &self.ways;
        let counter = match way {
            Way::HardLink => linked,
            Way::Reflink => reflinked,
            _ => copied,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.transfer.meter.done();
        Ok(())
    }

    /// Makes a file of one that the store has, or returns `None` when it has none for it.
    async fn materialize(
        &self,
        local: &LocalPackage,
        file: &Wanted,
    ) -> Result<Option<Way>, TransferError> {
        let LocalPackage {
            session,
            package,
            at: as_of,
            ..
        } = local;
        let inline_max = session.registry().parts().limits.inline_max as u64;
        if file.size <= inline_max {
            return Ok(None);
        }
        let ways: &[Way] = if self.link && !file.executable {
            &[Way::HardLink, Way::Reflink, Way::Copy]
        } else {
            &[Way::Reflink, Way::Copy]
        };
        let made = session
            .materialize_blob(*as_of, package, &file.digest, &file.path, ways)
            .await;
        let way = match made {
            Ok(way) => way,
            Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if file.executable {
            let path = file.path.clone();
            run(&self.transfer.spawn, &file.path, move || {
                make_executable(&path).map_err(at(&path, "made executable"))
            })
            .await?;
        }
        Ok(Some(way))
    }

    /// Writes a file of bytes that the place hashes, or that are hashed on their way (I3).
    async fn write(&self, file: &Wanted) -> Result<(), TransferError> {
        let spawn = &self.transfer.spawn;
        let executable = file.executable;
        if file.size <= HELD_MAX {
            let content = Descriptor::new(
                MediaType::literal(MediaType::OCTETS),
                file.digest,
                file.size,
            );
            let limit = usize::try_from(HELD_MAX).unwrap_or(usize::MAX);
            let bytes = self.from.read_blob(&content, limit).await?;
            self.transfer.meter.moved(file.size);
            let path = file.path.clone();
            return run(spawn, &file.path, move || {
                write_file(&path, &bytes, executable).map_err(at(&path, "written"))
            })
            .await;
        }
        let mut chunks = self.from.read(&file.digest, file.size).await?;
        let path = file.path.clone();
        let mut open = run(spawn, &file.path, move || {
            create_file(&path, executable).map_err(at(&path, "made"))
        })
        .await?;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(read_error)?;
            self.transfer.meter.moved(chunk.len() as u64);
            let path = file.path.clone();
            open = run(spawn, &file.path, move || {
                open.write_all(&chunk).map_err(at(&path, "written"))?;
                Ok(open)
            })
            .await?;
        }
        Ok(())
    }
}
