//! LB-1 and LB-2: blobs as files.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};

use artifact_core::{BlobKey, LocalBlob, LocalBlobs, StoreError, Way};
use tokio::task::block_in_place;

use crate::{
    harness::temp::TempDir,
    store::kit::{SIZES, StoreKit},
};

const WAYS: [Way; 3] = [Way::HardLink, Way::Reflink, Way::Copy];

fn local(kit: &StoreKit) -> &dyn LocalBlobs {
    kit.store()
        .local()
        .expect("a store that has local files keeps them")
}

fn open(kit: &StoreKit, key: &BlobKey) -> Option<LocalBlob> {
    block_in_place(|| local(kit).open(key)).expect("open answers")
}

fn materialize(
    kit: &StoreKit,
    key: &BlobKey,
    target: &Path,
    ways: &[Way],
) -> Result<Option<Way>, StoreError> {
    block_in_place(|| local(kit).materialize(key, target, ways))
}

fn read(blob: &LocalBlob) -> Vec<u8> {
    let mut file: &File = &blob.file;
    file.seek(SeekFrom::Start(blob.offset))
        .expect("the file has the place");
    let mut bytes = Vec::new();
    file.take(blob.length)
        .read_to_end(&mut bytes)
        .expect("the file is read");
    bytes
}

/// LB-1: the file has the blob's bytes where it says.
pub async fn lb_1_the_file_has_the_bytes(kit: &mut StoreKit) {
    if !kit.has_local() {
        return;
    }
    for size in SIZES {
        let bytes = kit.bytes(size);
        let key = kit.put(&bytes).await;
        let blob = open(kit, &key).expect("a blob that is there");
        assert_eq!(blob.length, size as u64, "the length of the blob");
        assert!(read(&blob) == bytes, "the file has other bytes");
        if blob.whole_file {
            let length = blob.file.metadata().expect("the file has a length").len();
            assert_eq!((blob.offset, length), (0, size as u64), "a file of its own");
        }
    }
}

/// LB-1: the bytes stay where they are as long as the file is open, whoever deletes the blob.
pub async fn lb_1_the_bytes_stay_while_the_file_is_open(kit: &mut StoreKit) {
    if !kit.has_local() {
        return;
    }
    for size in SIZES {
        let bytes = kit.bytes(size);
        let key = kit.put(&bytes).await;
        let neighbour = kit.put(&kit.bytes(size)).await;
        let blob = open(kit, &key).expect("a blob that is there");
        match kit.store().delete(&key).await {
            Ok(()) | Err(StoreError::Held { .. }) => {}
            Err(other) => assert!(other.is_transient(), "{other:?}"),
        }
        kit.clear(&neighbour).await;
        assert!(
            read(&blob) == bytes,
            "the bytes went away under an open file"
        );
        drop(blob);
        kit.clear(&key).await;
    }
}

/// LB-2: each way that works makes a file with all the bytes; one that does not, none.
pub async fn lb_2_each_way_makes_the_whole_file(kit: &mut StoreKit) {
    if !kit.has_local() {
        return;
    }
    let directory = TempDir::new().expect("a directory");
    for size in SIZES {
        let bytes = kit.bytes(size);
        let key = kit.put(&bytes).await;
        for (number, way) in WAYS.into_iter().enumerate() {
            let target = directory.path().join(format!("{size}-{number}"));
            match materialize(kit, &key, &target, &[way]) {
                Ok(made) => {
                    assert_eq!(made, Some(way), "the way that was asked for");
                    assert!(
                        fs::read(&target).expect("the file") == bytes,
                        "{way:?} of {size}"
                    );
                }
                Err(_) => assert!(!target.exists(), "{way:?} failed, and left a file"),
            }
        }
        let target = directory.path().join(format!("{size}-any"));
        let made = materialize(kit, &key, &target, &WAYS).expect("to copy always works");
        assert!(
            made.is_some_and(|way| WAYS.contains(&way)),
            "a way that was asked for"
        );
        assert!(
            fs::read(&target).expect("the file") == bytes,
            "{made:?} of {size}"
        );
        let target = directory.path().join(format!("{size}-none"));
        assert!(
            materialize(kit, &key, &target, &[]).is_err(),
            "no way works"
        );
        assert!(!target.exists(), "no way was given, and there is a file");
    }
}

/// LB-2: a file that is there stays as it is.
pub async fn lb_2_nothing_is_replaced(kit: &mut StoreKit) {
    if !kit.has_local() {
        return;
    }
    let directory = TempDir::new().expect("a directory");
    let target = directory.path().join("there");
    for size in SIZES {
        let key = kit.put(&kit.bytes(size)).await;
        for ways in [&WAYS[..], &WAYS[..1], &WAYS[1..2], &WAYS[2..]] {
            fs::write(&target, b"as it was").expect("a file");
            let made = materialize(kit, &key, &target, ways);
            assert!(made.is_err(), "{made:?} over a file");
            let now = fs::read(&target).expect("the file is still there");
            assert_eq!(now, b"as it was", "the file of before");
        }
    }
    assert_eq!(
        files_in(directory.path()),
        1,
        "no half of a file is left beside it"
    );
}

/// LB-2: of a blob that is absent there is no file.
pub async fn lb_2_what_is_absent_makes_no_file(kit: &mut StoreKit) {
    if !kit.has_local() {
        return;
    }
    let directory = TempDir::new().expect("a directory");
    for size in SIZES {
        let key = kit.put(&kit.bytes(size)).await;
        kit.clear(&key).await;
        let target = directory.path().join("absent");
        let made = materialize(kit, &key, &target, &WAYS).expect("materialize answers");
        assert_eq!(made, None, "a blob that is gone");
    }
    assert_eq!(
        files_in(directory.path()),
        0,
        "a file of a blob that is absent"
    );
}

/// LB-2: what is written to a copy or reflink does not reach the store.
pub async fn lb_2_a_copy_is_a_file_of_its_own(kit: &mut StoreKit) {
    if !kit.has_local() {
        return;
    }
    let directory = TempDir::new().expect("a directory");
    for size in SIZES {
        let bytes = kit.bytes(size);
        let key = kit.put(&bytes).await;
        let target = directory.path().join(size.to_string());
        let made = materialize(kit, &key, &target, &[Way::Reflink, Way::Copy]);
        assert!(matches!(made, Ok(Some(_))), "{made:?}");
        fs::write(&target, b"of its own").expect("the file may be written");
        kit.check_visible(&key, &bytes).await;
    }
}

fn files_in(directory: &Path) -> usize {
    fs::read_dir(directory)
        .expect("the directory is there")
        .count()
}
