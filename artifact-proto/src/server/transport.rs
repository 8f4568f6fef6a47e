//! The transport under HTTP: a socket, guarded and counted.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    guard::{Ambiguous, Guard},
    watch::Watch,
};

/// What the parser behind this takes for the end of a head that is none, whatever came before it.
const MARK: &[u8] = b"\0\r\n\r\n";

/// A stream whose messages are guarded, and whose bytes are counted.
#[derive(Debug)]
pub(super) struct Transport<S> {
    stream: S,
    guard: Guard,
    watch: Arc<Watch>,
    /// What is left of the mark to be read, once something was refused.
    mark: Option<&'static [u8]>,
}

impl<S> Transport<S> {
    pub(super) fn new(stream: S, watch: Arc<Watch>) -> Self {
        Self {
            stream,
            guard: Guard::new(),
            watch,
            mark: None,
        }
    }

    /// Looks at what was read. Where it is ambiguous, it is cut off and marked, so that the parser
    /// refuses it in its turn, after the answers to what came before; nothing more is read then.
    fn inspect(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let new = buffer.filled().get(before..).unwrap_or_default();
        self.watch.count_read(new.len());
        if let Err(Ambiguous { at }) = self.guard.feed(new) {
            buffer.set_filled(before + at);
            self.mark = Some(MARK);
        }
    }

    /// Gives as much of the mark as there is room for; at its end the stream is at its end.
    fn give(&mut self, mark: &'static [u8], buffer: &mut ReadBuf<'_>) {
        let (now, later) = mark.split_at(mark.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.mark = Some(later);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Transport<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.mark.is_none() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
            self.inspect(buffer, before);
        }
        if let Some(mark) = self.mark {
            self.give(mark, buffer);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Transport<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.watch.count_written(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        self.watch.count_written(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_ambiguous_is_cut_off_and_marked() {
        let bytes: &[u8] = b"GET / HTTP/1.1\r\nX: a\nY: b\r\n\r\nmore";
        for room in [1, 2, 3, 64] {
            let mut transport = Transport::new(bytes, Arc::new(Watch::new()));
            let (mut read, mut buffer) = (Vec::new(), vec![0; room]);
            loop {
                let count = transport.read(&mut buffer).await.unwrap();
                if count == 0 {
                    break;
                }
                read.extend_from_slice(&buffer[..count]);
            }
            assert_eq!(read, b"GET / HTTP/1.1\r\nX: a\0\r\n\r\n", "{room}");
        }
    }
}
