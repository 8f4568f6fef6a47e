//! A client that does what it is told and no more: no redirects, no retries, no pool.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::{body::Frame, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// An answer, read whole.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// Returns a header that must be there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        let value = value.unwrap_or_else(|| panic!("no {name} in {self:?}"));
        value.to_str().unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON in {self:?}"))
    }

    /// Returns the code of a refusal, in the form that the specification gives it.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/json");
        let body = self.json();
        let errors = body["errors"].as_array().expect("errors are a list");
        let code = errors[0]["code"].as_str().expect("a code is a text");
        assert!(
            code.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_'),
            "{code}"
        );
        code.to_owned()
    }

    /// Returns what a refusal says to people.
    pub(crate) fn message(&self) -> String {
        let body = self.json();
        let message = body["errors"][0]["message"].as_str();
        message.expect("a message is a text").to_owned()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    authorization: Option<String>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            authorization: None,
        }
    }

    pub(crate) fn basic(mut self, user: &str, password: &str) -> Self {
        let text = STANDARD.encode(format!("{user}:{password}"));
        self.authorization = Some(format!("Basic {text}"));
        self
    }

    pub(crate) fn bearer(mut self, token: &str) -> Self {
        self.authorization = Some(format!("Bearer {token}"));
        self
    }

    /// Sends a request, and reads the answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let body = Full::new(body.into());
        self.send_body(method, target, headers, body).await
    }

    /// Sends a body whose length is not announced, in chunks of this many bytes.
    pub(crate) async fn send_chunked(
        &self,
        method: Method,
        target: &str,
        body: &Bytes,
        chunk: usize,
    ) -> Reply {
        let frames: Vec<_> = (0..body.len())
            .step_by(chunk)
            .map(|at| body.slice(at..body.len().min(at + chunk)))
            .map(|part| Ok::<_, Infallible>(Frame::data(part)))
            .collect();
        let body = StreamBody::new(futures::stream::iter(frames));
        self.send_body(method, target, &[], body).await
    }

    async fn send_body<B>(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: B,
    ) -> Reply
    where
        B: hyper::body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
    {
        let mut request = Request::builder().method(method).uri(path_of(target));
        request = request.header("host", self.address.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(body).unwrap();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let response = timeout(Duration::from_secs(60), sender.send_request(request)).await;
        let (parts, body) = response.expect("an answer in time").unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        drop(sender);
        connection.await.unwrap().ok();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        self.send(Method::GET, target, &[], "").await
    }

    pub(crate) async fn head(&self, target: &str) -> Reply {
        let reply = self.send(Method::HEAD, target, &[], "").await;
        assert!(reply.body.is_empty(), "a HEAD has no body");
        reply
    }

    pub(crate) async fn delete(&self, target: &str) -> Reply {
        self.send(Method::DELETE, target, &[], "").await
    }

    pub(crate) async fn post(&self, target: &str) -> Reply {
        self.send(Method::POST, target, &[("content-length", "0")], "")
            .await
    }

    pub(crate) async fn put(
        &self,
        target: &str,
        media_type: &str,
        body: impl Into<Bytes>,
    ) -> Reply {
        self.send(Method::PUT, target, &[("content-type", media_type)], body)
            .await
    }

    pub(crate) async fn patch(
        &self,
        target: &str,
        range: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Reply {
        let mut headers = vec![("content-type", "application/octet-stream")];
        headers.extend(range.map(|range| ("content-range", range)));
        self.send(Method::PATCH, target, &headers, body).await
    }

    /// Writes bytes that ask for the connection to be closed, and reads to its end.
    pub(crate) async fn raw_to_end(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut read = Vec::new();
        // An end by an error is an end.
        let ended = stream.read_to_end(&mut read);
        drop(timeout(Duration::from_secs(60), ended).await);
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Writes bytes as they are, and reads until the server closes, or says nothing for a while.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        read_all(&mut stream).await
    }
}

/// Reads until the other side closes, or says nothing for a while.
pub(crate) async fn read_all(stream: &mut TcpStream) -> String {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(Ok(count)) = timeout(Duration::from_secs(1), stream.read(&mut buffer)).await {
        if count == 0 {
            break;
        }
        read.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// A location may be absolute: what is asked for is its path and query.
fn path_of(target: &str) -> &str {
    match target.strip_prefix("http://") {
        Some(rest) => &rest[rest.find('/').unwrap()..],
        None => target,
    }
}
