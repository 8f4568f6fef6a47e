//! Directories of files to push, each made from a number.

use std::{fs, path::Path};

/// What a directory holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Size {
    /// Three files in the index itself.
    Small,
    /// And one that gets a slot of a segment.
    Medium,
    /// And one that gets a file of its own.
    Large,
}

/// Returns bytes that no other number has.
pub(crate) fn bytes(number: u64, length: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = (0..=length / 8).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(length).collect()
}

/// Makes a directory of files.
pub(crate) fn make(directory: &Path, number: u64, size: Size) {
    fs::create_dir_all(directory.join("sub")).unwrap();
    let mut files = vec![("one", 20), ("sub/two", 300), ("sub/three", 3_000)];
    if size != Size::Small {
        files.push(("medium", 100_000));
    }
    if size == Size::Large {
        files.push(("sub/large", 1_100_000));
    }
    for (place, (name, length)) in files.into_iter().enumerate() {
        let content = bytes(number * 10 + place as u64, length);
        fs::write(directory.join(name), content).unwrap();
    }
}
