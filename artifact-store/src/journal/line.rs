//! The lines of a journal file.
//!
//! A line is a CRC-32 in eight hexadecimal digits, a space, a word, a space, JSON, and a line feed. The
//! CRC covers what is between it and the line feed. The word is the revision of an entry, or
//! `journal` where the JSON is the [`Header`] of a file. So the newest revision of a file is found
//! without reading any JSON, and what is damaged ends at the next line feed.

use artifact_core::{Epoch, RegistryId, Revision};
use serde::{Deserialize, Serialize};

/// The version of the form of lines and headers.
pub(super) const FORMAT: u32 = 1;

const HEADER: &str = "journal";
/// Where the word begins: after eight digits and a space.
const WORD: usize = 9;

/// The first line of a file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Header {
    /// The form of the file: [`FORMAT`].
    pub(super) format: u32,
    /// The registry, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) registry: Option<RegistryId>,
    /// The epoch in which the file was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) epoch: Option<Epoch>,
    /// The newest revision before the file.
    pub(super) after: Revision,
    /// For a base file: what it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<Base>,
}

/// What a base file stands for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Base {
    /// The number of the last file that went into it.
    pub(super) file: u64,
    /// The newest revision of that file.
    pub(super) revision: Revision,
}

/// A line that is whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Line<'a> {
    /// A header.
    Header(Header),
    /// An entry: its revision and its JSON.
    Entry(Revision, &'a [u8]),
}

/// Returns the line of a header, with its end.
pub(super) fn header(header: &Header) -> Result<Vec<u8>, serde_json::Error> {
    Ok(frame(HEADER, &serde_json::to_vec(header)?))
}

/// Returns the line of an entry, with its end.
pub(super) fn entry(revision: Revision, json: &[u8]) -> Vec<u8> {
    frame(&revision.to_string(), json)
}

/// Reads a line without its end; `None` when it is damaged.
pub(super) fn read(line: &[u8]) -> Option<Line<'_>> {
    let (crc, rest) = line.split_at_checked(WORD)?;
    let crc = std::str::from_utf8(crc.strip_suffix(b" ")?).ok()?;
    if u32::from_str_radix(crc, 16).ok()? != crc32fast::hash(rest) {
        return None;
    }
    let space = rest.iter().position(|byte| *byte == b' ')?;
    let word = std::str::from_utf8(rest.get(..space)?).ok()?;
    let json = rest.get(space + 1..)?;
    if word == HEADER {
        return serde_json::from_slice(json).ok().map(Line::Header);
    }
    word.parse()
        .ok()
        .map(|number| Line::Entry(Revision::new(number), json))
}

fn frame(word: &str, json: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(WORD + word.len() + 1 + json.len() + 1);
    line.resize(WORD, b' ');
    line.extend_from_slice(word.as_bytes());
    line.push(b' ');
    line.extend_from_slice(json);
    let (head, rest) = line.split_at_mut(WORD);
    let crc = format!("{:08x} ", crc32fast::hash(rest));
    head.copy_from_slice(crc.as_bytes());
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_back() {
        let line = entry(Revision::new(7), b"{}");
        assert_eq!(line.last(), Some(&b'\n'));
        let expected = Line::Entry(Revision::new(7), b"{}");
        assert_eq!(read(&line[..line.len() - 1]), Some(expected));
        let first = Header {
            format: FORMAT,
            registry: Some(RegistryId::from_random([3; 16])),
            epoch: Some(Epoch::new(2)),
            after: Revision::new(6),
            base: None,
        };
        let line = header(&first).unwrap();
        assert_eq!(read(&line[..line.len() - 1]), Some(Line::Header(first)));
    }

    /// F4, F10: no line that lost or changed a byte is taken for whole.
    #[test]
    fn f10_a_damaged_line_is_never_whole() {
        let line = entry(Revision::new(41), br#"{"revision":41}"#);
        let line = &line[..line.len() - 1];
        for cut in 0..line.len() {
            assert_eq!(read(&line[..cut]), None, "cut to {cut}");
        }
        for (at, bit) in (0..line.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut bad = line.to_vec();
            bad[at] ^= 1 << bit;
            // The digits of the CRC may be of either case.
            if !bad.eq_ignore_ascii_case(line) {
                assert_eq!(read(&bad), None, "bit {bit} of byte {at}");
            }
        }
        assert_eq!(read(&[0; 64]), None, "zeros, as a power cut leaves them");
    }
}
