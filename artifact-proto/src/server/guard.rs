//! The guard: heads of HTTP/1 that two readers could read differently are refused (A50).
//!
//! HTTP lets a server be lenient, and the parser behind this guard is: it ends lines at a bare LF, and
//! passes over a length beside chunks. A proxy in front may read such a message in another way, and
//! then believe that a body is the next request. So everything ambiguous is refused before the parser
//! sees it: a bare CR or LF, a folded line, two lengths, a length with a sign, a length beside chunks,
//! an encoding that is not `chunked`, two hosts or none. The guard only ever refuses; it changes no message.
//!
//! Source: RFC 9112, sections 2.2, 3.2, 5, 6.3 and 7.1.

use artifact_core::guard;
use memchr::memchr;

/// The longest head that is read, in bytes.
const HEAD_MAX: usize = 32 << 10;

/// The longest line between chunks, and the longest trailers.
const CHUNK_LINE_MAX: usize = 4 << 10;

/// Follows the messages of one connection, as their bytes come.
#[derive(Debug)]
pub(super) struct Guard {
    state: State,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    head: Head,
    /// Whether no head has been read yet: the first line may be HTTP/2's.
    first: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// In the lines of a head; the next is the request line, or a header.
    Head,
    /// In a body of which so many bytes are to come.
    Body(u64),
    /// In the line before a chunk.
    ChunkLine,
    /// In a chunk, with the line end behind it.
    Chunk(u64),
    /// In the line end behind a chunk.
    ChunkEnd,
    /// In the lines behind the last chunk.
    Trailers,
    /// In what is not HTTP/1: nothing is looked at.
    Other,
}

/// What is known of the head that is being read.
#[derive(Debug, Default)]
struct Head {
    lines: usize,
    bytes: usize,
    length: Option<u64>,
    chunked: bool,
    /// Whether it is of a version in which a host must be named.
    wants_host: bool,
    has_host: bool,
}

/// There is something in the message that it must not have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Ambiguous {
    /// Where in the bytes that were given: what comes before is good.
    pub(super) at: usize,
}

impl Guard {
    pub(super) fn new() -> Self {
        Self {
            state: State::Head,
            line: Vec::new(),
            head: Head::default(),
            first: true,
        }
    }

    /// Reads the next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Ambiguous> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            at += match self.state {
                State::Other => return Ok(()),
                State::Body(left) => self.skip(rest, left, State::Head, State::Body),
                State::Chunk(left) => self.skip(rest, left, State::ChunkEnd, State::Chunk),
                State::Head | State::ChunkLine | State::ChunkEnd | State::Trailers => self
                    .line(rest)
                    .map_err(|error| Ambiguous { at: at + error.at })?,
            };
        }
        Ok(())
    }

    fn skip(&mut self, rest: &[u8], left: u64, then: State, still: fn(u64) -> State) -> usize {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        let left = left - here as u64;
        self.state = if left == 0 { then } else { still(left) };
        here
    }

    /// Reads to the end of a line, or of the bytes, and returns how many they were.
    fn line(&mut self, rest: &[u8]) -> Result<usize, Ambiguous> {
        let end = memchr(b'\n', rest);
        let part = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
        guard!(611, self.check_returns(part, end.is_some()))?;
        let limit = if self.state == State::Head {
            HEAD_MAX
        } else {
            CHUNK_LINE_MAX
        };
        self.head.bytes += part.len() + usize::from(end.is_some());
        if guard!(537) && self.head.bytes > limit {
            return Err(Ambiguous { at: 0 });
        }
        let Some(end) = end else {
            self.line.extend_from_slice(part);
            return Ok(rest.len());
        };
        let done = if self.line.is_empty() {
            self.finish(part)
        } else {
            self.line.extend_from_slice(part);
            let line = std::mem::take(&mut self.line);
            let done = self.finish(&line);
            self.line = line;
            self.line.clear();
            done
        };
        // The mark is put in place of the line's own end.
        done.map(|()| end + 1).ok_or(Ambiguous {
            at: end.saturating_sub(1),
        })
    }

    /// Checks that each CR stands before an LF, and each LF behind a CR.
    fn check_returns(&self, part: &[u8], ends: bool) -> Result<(), Ambiguous> {
        if self.line.last() == Some(&b'\r') && !(part.is_empty() && ends) {
            return Err(Ambiguous { at: 0 });
        }
        match memchr(b'\r', part) {
            Some(at) if at + 1 < part.len() => Err(Ambiguous { at }),
            None if ends && self.line.last() != Some(&b'\r') => Err(Ambiguous { at: part.len() }),
            _ => Ok(()),
        }
    }

    /// Takes a whole line, with the CR at its end.
    fn finish(&mut self, line: &[u8]) -> Option<()> {
        let line = line.strip_suffix(b"\r")?;
        match self.state {
            State::Head => self.head_line(line),
            State::ChunkLine => self.chunk_line(line),
            State::ChunkEnd if line.is_empty() => {
                self.begin(State::ChunkLine);
                Some(())
            }
            State::Trailers => {
                if line.is_empty() {
                    self.begin(State::Head);
                } else {
                    header(line)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    fn begin(&mut self, state: State) {
        self.state = state;
        self.head = Head::default();
    }

    fn head_line(&mut self, line: &[u8]) -> Option<()> {
        if self.head.lines == 0 {
            return self.request_line(line);
        }
        self.head.lines += 1;
        if line.is_empty() {
            return self.end_head();
        }
        let (name, value) = header(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            if guard!(612) && self.head.length.is_some() {
                return None;
            }
            self.head.length = Some(number(value)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if guard!(613) && (self.head.chunked || !value.eq_ignore_ascii_case(b"chunked")) {
                return None;
            }
            self.head.chunked = true;
        } else if name.eq_ignore_ascii_case(b"host") {
            if guard!(620) && self.head.has_host {
                return None;
            }
            if guard!(621) && !value.iter().all(|byte| is_of_host(*byte)) {
                return None;
            }
            self.head.has_host = true;
        }
        Some(())
    }

    fn request_line(&mut self, line: &[u8]) -> Option<()> {
        if line.is_empty() {
            // An empty line before a request is passed over.
            return Some(());
        }
        if std::mem::take(&mut self.first) && line == b"PRI * HTTP/2.0" {
            self.state = State::Other;
            return Some(());
        }
        // A tunnel has no messages to follow, and there is nothing to tunnel to.
        if guard!(614) && line.starts_with(b"CONNECT ") {
            return None;
        }
        self.head.lines = 1;
        self.head.wants_host = line.ends_with(b" HTTP/1.1");
        Some(())
    }

    fn end_head(&mut self) -> Option<()> {
        if guard!(622) && self.head.wants_host && !self.head.has_host {
            return None;
        }
        let next = match (self.head.chunked, self.head.length) {
            (true, Some(_)) if guard!(615) => return None,
            (true, _) => State::ChunkLine,
            (false, None | Some(0)) => State::Head,
            (false, Some(length)) => State::Body(length),
        };
        self.begin(next);
        Some(())
    }

    fn chunk_line(&mut self, line: &[u8]) -> Option<()> {
        let size = line
            .split(|byte| matches!(byte, b';' | b' ' | b'\t'))
            .next()?;
        if guard!(616) && (size.is_empty() || size.len() > 15) {
            return None;
        }
        let size = size.iter().try_fold(0_u64, |size, byte| {
            let digit = char::from(*byte).to_digit(16)?;
            Some(size << 4 | u64::from(digit))
        })?;
        self.begin(if size == 0 {
            State::Trailers
        } else {
            State::Chunk(size)
        });
        Some(())
    }
}

/// Splits a header's line. A folded line, and a name that is no token, is none.
fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', line)?;
    let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
    let token = !name.is_empty() && name.iter().all(|byte| is_token(*byte));
    guard!(617, token).then(|| (name, value.trim_ascii()))
}

const fn is_token(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z')
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Says whether a byte may stand in a host with its port.
///
/// Source: RFC 3986, section 3.2.2.
const fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'[' | b']' | b'%')
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')')
        || matches!(byte, b'*' | b'+' | b',' | b';' | b'=')
}

fn number(value: &[u8]) -> Option<u64> {
    let digits = guard!(
        618,
        !value.is_empty() && value.iter().all(u8::is_ascii_digit)
    );
    digits
        .then(|| std::str::from_utf8(value).ok()?.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds bytes whole, and cut at every place: the verdict must be the same.
    fn feed(bytes: &[u8]) -> Result<State, Ambiguous> {
        let mut guard = Guard::new();
        let whole = guard.feed(bytes).map(|()| guard.state);
        for cut in 0..=bytes.len() {
            let mut guard = Guard::new();
            let (one, two) = bytes.split_at(cut);
            let parts = guard
                .feed(one)
                .and_then(|()| guard.feed(two))
                .map(|()| guard.state);
            assert_eq!(parts.is_ok(), whole.is_ok(), "cut at {cut}");
            if let (Ok(parts), Ok(whole)) = (parts, whole) {
                assert_eq!(parts, whole, "cut at {cut}");
            }
        }
        whole
    }

    fn head(headers: &str) -> Result<State, Ambiguous> {
        feed(format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes())
    }

    #[test]
    fn messages_are_followed_from_one_to_the_next() {
        assert_eq!(head(""), Ok(State::Head));
        assert_eq!(head("Content-Length: 0\r\n"), Ok(State::Head));
        assert_eq!(head("Content-Length: 5\r\n"), Ok(State::Body(5)));
        assert_eq!(head("Transfer-Encoding: chunked\r\n"), Ok(State::ChunkLine));
        let body = "PUT / HTTP/1.1\r\nHost:\r\nContent-Length: 3\r\n\r\na\nb";
        assert_eq!(
            feed(format!("{body}{body}\r\n{body}").as_bytes()),
            Ok(State::Head)
        );
        let chunks = "PUT / HTTP/1.1\r\nhost: [::1]:5000\r\ntransfer-encoding:Chunked\r\n\r\n3;x=y\r\n\n\n\n\r\nA \r\n0123456789\r\n0\r\nT: 1\r\n\r\n";
        assert_eq!(
            feed(format!("{chunks}{chunks}").as_bytes()),
            Ok(State::Head)
        );
    }

    /// A50: what a proxy in front could read otherwise is refused.
    #[test]
    fn a50_ambiguous_heads_are_refused() {
        for headers in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\ncontent-length: 6\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: -5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: 5 5\r\n",
            "Content-Length:\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length : 5\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding\r\n",
            "X: a\n",
            "X: a\nY: b\r\n",
            "X: a\rb\r\n",
            "X: a\r\n folded\r\n",
            "X: a\r\n\tfolded\r\n",
            ": x\r\n",
            "X Y: z\r\n",
            "X\u{1}: z\r\n",
            "Host: x\r\n",
            "host: y\r\n",
        ] {
            assert!(head(headers).is_err(), "{headers:?}");
        }
        for host in ["x y", "u:p@x", "x/", "x#", "x\"", "\u{e9}"] {
            let message = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert!(feed(message.as_bytes()).is_err(), "{host:?}");
        }
        assert!(feed(b"GET / HTTP/1.1\r\nX: y\r\n\r\n").is_err());
        assert!(feed(b"GET / HTTP/1.1\nHost: x\n\n").is_err());
        assert!(feed(b"GET / HTTP/1.1\r\n\n").is_err());
        assert!(feed(b"CONNECT a:1 HTTP/1.1\r\n\r\n").is_err());
    }

    #[test]
    fn a50_ambiguous_chunks_are_refused() {
        for chunks in [
            "5\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n",
            "5\r\nhelloX\r\n",
            "5\r\nhello\n",
            "\r\n",
            "g\r\n",
            "1000000000000000\r\n",
            "0\r\nX: a\n\r\n",
            "0\r\nno header\r\n\r\n",
        ] {
            let message =
                format!("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
            assert!(feed(message.as_bytes()).is_err(), "{chunks:?}");
        }
    }

    /// I23: a head is bounded.
    #[test]
    fn i23_long_heads_are_refused() {
        let mut guard = Guard::new();
        guard.feed(b"GET / HTTP/1.1\r\n").unwrap();
        let line = format!("X: {}\r\n", "a".repeat(1_000));
        assert!((0..40).any(|_| guard.feed(line.as_bytes()).is_err()));
        let mut guard = Guard::new();
        assert!((0..40).any(|_| guard.feed(&[b'a'; 1_000]).is_err()));
    }

    #[test]
    fn http2_is_not_looked_at() {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend_from_slice(b"\n\r\0\n\n\n");
        assert_eq!(feed(&bytes), Ok(State::Other));
        assert!(feed(b"GET / HTTP/1.0\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\n").is_err());
    }

    /// The mark goes where the parser has not been yet.
    #[test]
    fn what_is_good_ends_before_what_is_not() {
        let bytes = b"GET / HTTP/1.1\r\nX: a\nY: b\r\n\r\n";
        let error = Guard::new().feed(bytes).unwrap_err();
        assert_eq!(&bytes[..error.at], b"GET / HTTP/1.1\r\nX: a");
    }
}
