//! Which file system a directory is on (Linux: `statfs(2)`).

use std::{io, path::Path};

use rustix::fs::statfs;

use super::file_system_kind::{FileSystem, Suitability};

/// The `f_type` of file systems that need a word. Sources: `statfs(2)`, and the headers of those
/// that stand outside the kernel.
const KNOWN: &[(u32, FileSystem)] = &[
    (0x0102_1997, shared("9p")),
    (0x5346_414f, shared("afs")),
    (0x6b41_4653, shared("afs")),
    (0x1983_0326, shared("beegfs")),
    (0x00c3_6400, shared("ceph")),
    (0xff53_4d42, shared("smb")),
    (0x7375_7245, shared("coda")),
    (0x6573_5546, shared("fuse")),
    (0x0116_1970, shared("gfs2")),
    (0x4750_4653, shared("gpfs")),
    (0x0bd0_0bd0, shared("lustre")),
    (0x0000_564c, shared("ncp")),
    (0x0000_6969, shared("nfs")),
    (0x7461_636f, shared("ocfs2")),
    (0x2003_0528, shared("orangefs")),
    (0x0000_517b, shared("smb")),
    (0xfe53_4d42, shared("smb")),
    (0x786f_4256, shared("vboxsf")),
    (0xbacb_acbc, shared("vmhgfs")),
    (
        0x794c_7630,
        FileSystem {
            name: "overlayfs",
            suitability: Suitability::Passes {
                lacks: "what is in the layer of a container goes with the container",
            },
        },
    ),
    (0x8584_58f6, volatile("ramfs")),
    (0x0102_1994, volatile("tmpfs")),
];

const fn shared(name: &'static str) -> FileSystem {
    FileSystem {
        name,
        suitability: Suitability::Refused,
    }
}

const fn volatile(name: &'static str) -> FileSystem {
    FileSystem {
        name,
        suitability: Suitability::Passes {
            lacks: "nothing on it outlives the machine's next start",
        },
    }
}

/// Returns the file system that a path is on.
pub(crate) fn of(path: &Path) -> io::Result<FileSystem> {
    let number = statfs(path)?.f_type;
    // The kernel keeps 32 bits of it; a platform's word may be signed or longer.
    let number = u32::try_from(number & 0xffff_ffff).unwrap_or(0);
    let known = KNOWN.iter().find(|(known, _)| *known == number);
    Ok(known.map_or(FileSystem::OTHER, |(_, file_system)| *file_system))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F15: file systems are known by their number, each once.
    #[test]
    fn f15_file_systems_are_known() {
        for (index, (number, file_system)) in KNOWN.iter().enumerate() {
            let again = KNOWN
                .iter()
                .skip(index + 1)
                .any(|(other, _)| other == number);
            assert!(!again, "{file_system:?}");
        }
        let proc = of(Path::new("/proc")).unwrap();
        assert_eq!(proc, FileSystem::OTHER);
        if let Ok(found) = of(Path::new("/dev/shm")) {
            assert_eq!(found.name, "tmpfs");
        }
        assert!(of(Path::new("/nowhere at all")).is_err());
    }
}
