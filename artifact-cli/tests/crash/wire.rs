//! HTTP as it is on the wire: one request a connection, by a client that shares no code with the server.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
};

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Returns a header, by its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    /// Says whether it tells of a success.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns how many bytes of an upload the server has.
    pub(crate) fn offset(&self) -> usize {
        let range = self.header("range").expect("an upload has a range");
        let last: usize = range.trim_start_matches("0-").parse().unwrap();
        // Of none and of one byte the range is the same.
        if last == 0 { 0 } else { last + 1 }
    }
}

/// Sends the head of a request, and as much of the body as is given.
pub(crate) fn begin(
    host: &str,
    (method, path): (&str, &str),
    headers: &str,
    length: usize,
    body: &[u8],
) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(host)?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{headers}\r\n"
    );
    socket.write_all(head.as_bytes())?;
    socket.write_all(body)?;
    Ok(socket)
}

/// Reads the answer; an error where it is cut off.
pub(crate) fn end(mut socket: TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes)?;
    let cut_off = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let at = bytes
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .ok_or_else(cut_off)?;
    let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
    let body = bytes.split_off(at + 4);
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let answer = Answer {
        status: status.ok_or_else(cut_off)?,
        head,
        body,
    };
    let length = answer
        .header("content-length")
        .and_then(|length| length.parse().ok());
    // A success is one that came to its end (I3).
    if length.is_some_and(|length: usize| answer.body.len() < length) {
        return Err(cut_off());
    }
    Ok(answer)
}

/// Asks, and waits for the whole answer.
pub(crate) fn ask(
    host: &str,
    request: (&str, &str),
    headers: &str,
    body: &[u8],
) -> io::Result<Answer> {
    end(begin(host, request, headers, body.len(), body)?)
}
