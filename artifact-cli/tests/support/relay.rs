//! A relay before a server, which stops passing on when it sees a request that it was told of.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

/// A relay. What it holds back stays held back until the client goes away.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) host: String,
    stalled: Receiver<()>,
}

impl Relay {
    /// Relays to `server`, up to the first request whose head begins with the method and has `word`.
    pub(crate) fn before(server: &str, method: &str, word: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (tell, stalled) = channel();
        let wanted = Arc::new((server.to_owned(), method.to_owned(), word.to_owned()));
        thread::spawn(move || {
            for client in listener.incoming() {
                let (wanted, tell) = (Arc::clone(&wanted), tell.clone());
                thread::spawn(move || relay(client.unwrap(), &wanted, &tell));
            }
        });
        Self { host, stalled }
    }

    /// Waits until a request is held back.
    pub(crate) fn wait(&self) {
        self.stalled.recv().unwrap();
    }
}

fn relay(mut client: TcpStream, wanted: &(String, String, String), tell: &Sender<()>) {
    let (host, method, word) = wanted;
    let mut server = TcpStream::connect(host).unwrap();
    let (mut back, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        // Either side may go away at any time.
        let _copied = std::io::copy(&mut back, &mut to);
        let _ended = to.shutdown(Shutdown::Write);
    });
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let passed = &buffer[..count];
        // A request of these clients begins with a segment of its own.
        let text = String::from_utf8_lossy(passed);
        let head = text.lines().next().unwrap_or_default();
        if head.starts_with(method.as_str()) && head.contains(word.as_str()) {
            let _heard = tell.send(());
            // Until the client goes away.
            while let Ok(1..) = client.read(&mut buffer) {}
            return;
        }
        if server.write_all(passed).is_err() {
            return;
        }
    }
}
