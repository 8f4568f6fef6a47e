//! What the disk itself promises (VF-1 to VF-4): a disk that kept too much would prove nothing.

use std::{path::Path, sync::Arc};

use artifact_store::{
    sys::lock::Hold,
    vfs::{OpenMode, Vfs, VfsFile},
};
use parking_lot::Mutex;

use super::{Disk, Faults, SimVfs, Survival};
use crate::trace::Trace;

const FILE: &str = "/r/a";

fn disk(seed: u64) -> (Arc<Mutex<Disk>>, SimVfs) {
    let disk = Disk::new(seed, Path::new("/r"), Trace::default());
    let disk = Arc::new(Mutex::new(disk));
    let vfs = SimVfs::new(Arc::clone(&disk), 1);
    (disk, vfs)
}

fn cut(disk: &Arc<Mutex<Disk>>, survival: Survival) -> SimVfs {
    disk.lock().cut_power(survival);
    SimVfs::new(Arc::clone(disk), 2)
}

fn read(vfs: &SimVfs, path: &str) -> Option<Vec<u8>> {
    let file = vfs.open(Path::new(path), OpenMode::Read).unwrap()?;
    let mut bytes = vec![0; 10_000];
    let length = file.read_at(&mut bytes, 0).unwrap();
    bytes.truncate(length);
    Some(bytes)
}

fn create(vfs: &SimVfs, bytes: &[u8]) -> Box<dyn VfsFile> {
    let file = vfs.create(Path::new(FILE), 0o600).unwrap();
    file.write_at(bytes, 0).unwrap();
    file
}

#[test]
fn what_is_not_synced_is_lost_and_what_is_synced_is_kept() {
    for (syncs_file, syncs_name, left) in [
        (false, false, None),
        (true, false, None),
        (false, true, Some(Vec::new())),
        (true, true, Some(vec![7; 5_000])),
    ] {
        let (disk, vfs) = disk(1);
        let file = create(&vfs, &[7; 5_000]);
        if syncs_file {
            file.sync_data().unwrap();
        }
        if syncs_name {
            vfs.sync_directory(Path::new("/r")).unwrap();
        }
        assert_eq!(
            read(&vfs, FILE),
            Some(vec![7; 5_000]),
            "every process sees it"
        );
        let vfs = cut(&disk, Survival::Nothing);
        assert_eq!(
            read(&vfs, FILE),
            left,
            "file {syncs_file}, name {syncs_name}"
        );
    }
}

#[test]
fn a_kill_keeps_what_was_written_and_ends_locks() {
    let (disk, vfs) = disk(1);
    let file = create(&vfs, b"kept");
    assert!(file.try_lock(Hold::Exclusive).unwrap());
    let other = SimVfs::new(Arc::clone(&disk), 2);
    let opened = other
        .open(Path::new(FILE), OpenMode::Write)
        .unwrap()
        .unwrap();
    assert!(!opened.try_lock(Hold::Shared).unwrap());
    disk.lock().kill(1);
    assert!(opened.try_lock(Hold::Exclusive).unwrap());
    assert_eq!(read(&other, FILE).unwrap(), b"kept");
    assert!(file.write_at(b"late", 0).is_err(), "the dead write nothing");
}

#[test]
fn a_rename_is_whole_and_durable_with_either_directory() {
    let there = |vfs: &SimVfs| (read(vfs, FILE).is_some(), read(vfs, "/r/d/b").is_some());
    for seed in 0..40 {
        let (disk, vfs) = disk(seed);
        vfs.create_directory(Path::new("/r/d"), 0o700).unwrap();
        create(&vfs, b"x").sync_data().unwrap();
        vfs.sync_directory(Path::new("/r")).unwrap();
        vfs.rename_new(Path::new(FILE), Path::new("/r/d/b"))
            .unwrap();
        let synced = seed % 2 == 0;
        if synced {
            vfs.sync_directory(Path::new("/r/d")).unwrap();
        }
        let (old, new) = there(&cut(&disk, Survival::Some));
        assert!(old != new && (new || !synced), "seed {seed}: {old} {new}");
    }
}

/// F4, F6: a failed sync loses what it should have written, and the next one tells nothing of it;
/// what is torn is torn between sectors.
#[test]
fn f4_f6_a_failed_sync_loses_and_tears() {
    let mut losses = 0;
    for seed in 0..40 {
        let (disk, vfs) = disk(seed);
        let file = create(&vfs, &[1; 4_096]);
        file.sync_data().unwrap();
        vfs.sync_directory(Path::new("/r")).unwrap();
        file.write_at(&[2; 4_096], 0).unwrap();
        disk.lock().faults = Faults {
            sync: 1,
            ..Faults::default()
        };
        file.sync_data().unwrap_err();
        disk.lock().faults = Faults::default();
        file.sync_data().unwrap();
        let left = read(&cut(&disk, Survival::All), FILE).unwrap();
        for sector in left.chunks(512) {
            assert!(
                sector.iter().all(|byte| *byte == sector[0]),
                "a sector is whole"
            );
        }
        losses += usize::from(left.contains(&1));
    }
    assert!(losses > 30, "{losses}");
}
