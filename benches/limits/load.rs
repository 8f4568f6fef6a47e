//! Load over HTTP/1.1, by threads and plain sockets, so that the generator costs little itself.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use artifact::{Algorithm, Digest, Hasher};

/// How many bytes go out in one write.
const FRAME: usize = 1 << 20;

/// A body that is made as it is sent: a block again and again, then the number of the client.
#[derive(Clone)]
pub(crate) struct Body {
    block: Vec<u8>,
    length: u64,
    /// The hasher after all but the last bytes, which are the same for all clients.
    common: Hasher,
}

impl Body {
    /// Returns the body of `length` bytes, a multiple of the frame and more than none.
    pub(crate) fn new(length: u64) -> Self {
        assert!(length >= FRAME as u64 && length.is_multiple_of(FRAME as u64));
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        let block: Vec<u8> = (0..FRAME).map(|_| next()).collect();
        let mut common = Hasher::new(Algorithm::Sha256);
        for _ in 1..length / FRAME as u64 {
            common.update(&block);
        }
        Self {
            block,
            length,
            common,
        }
    }

    fn last_frame(&self, client: u64) -> Vec<u8> {
        let mut frame = self.block.clone();
        frame.splice(..8, client.to_le_bytes());
        frame
    }

    /// Returns the digest of the body that a client sends.
    pub(crate) fn digest(&self, client: u64) -> Digest {
        let mut hasher = self.common.clone();
        hasher.update(&self.last_frame(client));
        hasher.finish().digest()
    }

    /// Pushes the body as a blob of `package`, in one POST and one PUT.
    pub(crate) fn push(&self, server: SocketAddr, package: &str, client: u64) -> io::Result<()> {
        let digest = self.digest(client);
        let mut stream = connect(server)?;
        write!(
            stream,
            "POST /v2/{package}/blobs/uploads/ HTTP/1.1\r\nHost: {server}\r\nContent-Length: 0\r\n\r\n"
        )?;
        let location = answer(&mut stream, 202)?.location;
        let location = location.ok_or_else(|| io::Error::other("no location"))?;
        let path = location
            .strip_prefix(&format!("http://{server}"))
            .unwrap_or(&location);
        let joint = if path.contains('?') { '&' } else { '?' };
        write!(
            stream,
            "PUT {path}{joint}digest={digest} HTTP/1.1\r\nHost: {server}\r\nContent-Length: {}\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            self.length
        )?;
        for _ in 1..self.length / FRAME as u64 {
            stream.write_all(&self.block)?;
        }
        stream.write_all(&self.last_frame(client))?;
        answer(&mut stream, 201).map(|_| ())
    }

    /// Pulls the blob that a client pushed, and checks its length; the server checks the bytes.
    pub(crate) fn pull(&self, server: SocketAddr, package: &str, client: u64) -> io::Result<()> {
        let digest = self.digest(client);
        let mut stream = connect(server)?;
        write!(
            stream,
            "GET /v2/{package}/blobs/{digest} HTTP/1.1\r\nHost: {server}\r\n\r\n"
        )?;
        let mut buffer = vec![0; FRAME];
        let mut left = self.length - answer(&mut stream, 200)?.early;
        while left > 0 {
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                return Err(io::Error::other(format!("{left} bytes are missing")));
            }
            left -= read as u64;
        }
        Ok(())
    }
}

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(300)))?;
    stream.set_write_timeout(Some(Duration::from_secs(300)))?;
    Ok(stream)
}

struct Answer {
    location: Option<String>,
    /// Bytes of the body that came along with the head.
    early: u64,
}

/// Reads the head of an answer, and the whole body where it is not a success of a read.
fn answer(stream: &mut TcpStream, expected: u16) -> io::Result<Answer> {
    let mut reader = BufReader::with_capacity(16 << 10, stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status: u16 = line
        .split(' ')
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let (mut location, mut length) = (None, 0_u64);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "location" => location = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    if status != expected {
        let mut body = String::new();
        reader.take(length.min(4_096)).read_to_string(&mut body)?;
        return Err(io::Error::other(format!(
            "{status} instead of {expected}: {body}"
        )));
    }
    Ok(Answer {
        location,
        early: reader.buffer().len() as u64,
    })
}
