//! Room on a disk, where the system has no call for it.

use std::{fs::File, io, io::Write as _, path::Path};

const CHUNK: usize = 64 * 1024;

/// Returns nothing: the system does not tell.
#[cfg_attr(
    target_os = "linux",
    expect(dead_code, reason = "the fallback is for other systems")
)]
pub(crate) fn free(path: &Path) -> io::Result<Option<u64>> {
    std::fs::metadata(path).map(|_| None)
}

/// Takes the blocks of a file of `length` bytes, by writing what no file system makes smaller.
pub(crate) fn allocate(mut file: &File, length: u64) -> io::Result<()> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut chunk = vec![0; CHUNK];
    let mut left = length;
    while left > 0 {
        for word in chunk.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_ne_bytes());
        }
        let now = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        file.write_all(chunk.get(..now).unwrap_or_default())?;
        left -= now as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_as_long_as_asked() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let length = CHUNK as u64 + 17;
        allocate(file.as_file(), length).unwrap();
        assert_eq!(std::fs::metadata(file.path()).unwrap().len(), length);
    }
}
