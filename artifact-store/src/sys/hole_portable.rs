//! Holes in files, where there are none: space comes back when the file goes.

use std::{fs::File, io, ops::Range};

/// Says that the file system cannot.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the function of the same name that can fail stands beside it"
)]
pub(crate) const fn punch(_file: &File, _range: Range<u64>) -> io::Result<bool> {
    Ok(false)
}

/// Takes all that is left of the file for data.
pub(crate) fn next_data(file: &File, from: u64) -> io::Result<Option<Range<u64>>> {
    let size = file.metadata()?.len();
    Ok((from < size).then_some(from..size))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn all_is_data() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"hello").unwrap();
        assert!(!punch(&file, 0..5).unwrap());
        assert_eq!(next_data(&file, 2).unwrap(), Some(2..5));
        assert_eq!(next_data(&file, 5).unwrap(), None);
    }
}
