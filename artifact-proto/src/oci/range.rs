//! Ranges: which bytes of a blob are asked for, and where a chunk of an upload belongs. Pure.

/// The part of a blob that a request asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReadRange {
    /// All of it: no range, one of another unit, several, or none that can be read.
    All,
    /// From the first to the last byte named.
    Bounded(u64, u64),
    /// From this byte to the end.
    From(u64),
    /// The last so many bytes.
    Last(u64),
}

impl ReadRange {
    /// Reads the header `Range`.
    ///
    /// A single range of bytes is served; what the specification lets a server pass over, this one
    /// answers with the whole. A range whose end lies before its beginning is kept as it is, for it
    /// holds no byte and is refused like one beyond the end.
    ///
    /// Source: RFC 9110, section 14.
    pub fn parse(header: &str) -> Self {
        Self::single(header).unwrap_or(Self::All)
    }

    fn single(header: &str) -> Option<Self> {
        let (unit, set) = header.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = set.trim().split_once('-')?;
        Some(match (first, last) {
            ("", last) => Self::Last(number(last)?),
            (first, "") => Self::From(number(first)?),
            (first, last) => Self::Bounded(number(first)?, number(last)?),
        })
    }
}

/// Where a chunk of an upload belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChunkRange {
    /// Its first byte.
    pub start: u64,
    /// How many bytes it has.
    pub length: u64,
}

impl ChunkRange {
    /// Reads the header `Content-Range` of an upload: `<first>-<last>`, both included. `None` when it
    /// has another form, or ends before it begins.
    ///
    /// Source: OCI distribution specification 1.1, "Pushing a blob in chunks".
    pub fn parse(header: &str) -> Option<Self> {
        let (first, last) = header.split_once('-')?;
        let (start, last) = (number(first)?, number(last)?);
        let length = last.checked_sub(start)?.checked_add(1)?;
        Some(Self { start, length })
    }
}

/// Returns the header `Range` of an upload that holds `offset` bytes.
///
/// The protocol has no way to write that there is none yet: that is `0-0`, too.
pub fn upload_range(offset: u64) -> String {
    format!("0-{}", offset.saturating_sub(1))
}

/// Reads a number of digits alone: no sign, no space.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_ranges_are_read() {
        for (text, range) in [
            ("bytes=0-0", ReadRange::Bounded(0, 0)),
            ("bytes=500-1499", ReadRange::Bounded(500, 1499)),
            ("Bytes=500-", ReadRange::From(500)),
            ("bytes=-500", ReadRange::Last(500)),
            ("bytes=500-0", ReadRange::Bounded(500, 0)),
        ] {
            assert_eq!(ReadRange::parse(text), range, "{text}");
        }
    }

    #[test]
    fn what_is_no_single_range_of_bytes_is_the_whole() {
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=0-1,4-5",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1 -2",
            "lines=1-2",
            "bytes=99999999999999999999-",
            "bytes=1--2",
        ] {
            assert_eq!(ReadRange::parse(text), ReadRange::All, "{text}");
        }
    }

    #[test]
    fn chunks_have_the_form_of_the_protocol_and_no_other() {
        let chunk = ChunkRange::parse("10-19").unwrap();
        assert_eq!((chunk.start, chunk.length), (10, 10));
        for bad in [
            "",
            "-",
            "10",
            "10-",
            "-10",
            "19-10",
            "bytes 10-19",
            "bytes 10-19/20",
            "10-19/20",
            "a-b",
            "+1-2",
            "0-18446744073709551615",
        ] {
            assert_eq!(ChunkRange::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_upload_tells_its_last_byte() {
        assert_eq!(upload_range(0), "0-0");
        assert_eq!(upload_range(1), "0-0");
        assert_eq!(upload_range(1024), "0-1023");
    }
}
