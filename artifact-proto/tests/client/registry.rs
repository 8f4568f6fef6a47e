//! A registry that does what a test tells it to.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use artifact_core::{Algorithm, Digest, Hasher, OciName};
use artifact_proto::client::{
    ClientOptions, Credential, FixedCredentials, OciClient, Origin, RemotePackage, Secret,
};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Frame, Incoming},
    header::{AUTHORIZATION, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// The name of the package that tests use.
pub(crate) const NAME: &str = "team/app";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) authorization: Option<String>,
    pub(crate) content_range: Option<String>,
    pub(crate) range: Option<String>,
    pub(crate) body: usize,
}

/// What a test tells the registry.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) blobs: HashMap<Digest, Bytes>,
    pub(crate) manifests: BTreeMap<String, (Bytes, &'static str)>,
    /// Cut the next answers with a blob off after so many bytes.
    pub(crate) cut_downloads: Vec<usize>,
    /// End the next answers with a blob after so many bytes, as if they were whole.
    pub(crate) short_downloads: Vec<usize>,
    /// Say nothing more in the next answers with a blob after so many bytes.
    pub(crate) silent_downloads: Vec<usize>,
    /// Do not tell how long a blob is.
    pub(crate) untold: bool,
    /// Go on so many bytes before where it was asked to, and with as many bytes as were missing.
    pub(crate) early: usize,
    /// Close the connection in the next uploads after so many bytes, which count as received.
    pub(crate) cut_uploads: Vec<usize>,
    /// Answer the next requests with these statuses and do nothing.
    pub(crate) refusals: Vec<u16>,
    pub(crate) challenge: Option<String>,
    /// Authorization headers that are let in; all are when there is no challenge.
    pub(crate) let_in: Vec<String>,
    /// What the token service answers, and for whom.
    pub(crate) token: Option<&'static str>,
    /// The token service says nothing.
    pub(crate) silent_token: bool,
    /// What a manifest is said to have been taken as.
    pub(crate) taken_as: Option<Digest>,
    pub(crate) refuse_parts: bool,
    pub(crate) keeps_referrers: bool,
    /// Where blobs are instead of here.
    pub(crate) redirect: Option<String>,
    /// How often it leads there before it has them itself.
    pub(crate) redirects_left: Option<usize>,
    pub(crate) pages: HashMap<String, (String, Option<String>)>,
    uploads: Vec<Vec<u8>>,
    pub(crate) seen: Vec<Seen>,
}

/// How an answer ends.
#[derive(Clone, Copy)]
enum End {
    Whole,
    Break,
    Silence,
}

#[derive(Clone)]
pub(crate) struct Registry {
    pub(crate) address: SocketAddr,
    pub(crate) script: Arc<Mutex<Script>>,
}

type Answer = Response<http_body_util::combinators::BoxBody<Bytes, std::io::Error>>;

impl Registry {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let registry = Self {
            address,
            script: Arc::default(),
        };
        let served = registry.clone();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let registry = served.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| registry.clone().answer(request));
                    // A connection that a test cuts ends with an error.
                    let _ended = http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        registry
    }

    pub(crate) fn tell(&self, tell: impl FnOnce(&mut Script)) {
        tell(&mut self.script.lock().unwrap());
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.lock().unwrap().seen.clone()
    }

    pub(crate) fn origin(&self) -> Origin {
        self.address.to_string().parse().unwrap()
    }

    pub(crate) fn package(&self, options: ClientOptions) -> RemotePackage {
        OciClient::new(options)
            .unwrap()
            .package(self.origin(), name(NAME))
    }

    /// Puts a blob there, and returns its digest.
    pub(crate) fn hold(&self, bytes: &[u8]) -> Digest {
        let digest = digest(bytes);
        self.tell(|script| {
            script.blobs.insert(digest, Bytes::copy_from_slice(bytes));
        });
        digest
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Answer, std::io::Error> {
        let (parts, mut body) = request.into_parts();
        let header = |name: &str| {
            parts
                .headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let cut = (parts.method == Method::PUT || parts.method == Method::PATCH)
            .then(|| self.script.lock().unwrap().cut_uploads.pop())
            .flatten();
        let mut received = Vec::new();
        let mut broken = false;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            };
            received.extend_from_slice(frame.data_ref().unwrap());
            if cut.is_some_and(|cut| received.len() >= cut) {
                received.truncate(cut.unwrap());
                broken = true;
                break;
            }
        }
        let target = parts.uri.path_and_query().unwrap().as_str().to_owned();
        let seen = Seen {
            method: parts.method.clone(),
            target: target.clone(),
            authorization: header(AUTHORIZATION.as_str()),
            content_range: header("content-range"),
            range: header("range"),
            body: received.len(),
        };
        let silent = self.script.lock().unwrap().silent_token;
        if silent && seen.target.starts_with("/token") {
            std::future::pending::<()>().await;
        }
        let mut script = self.script.lock().unwrap();
        script.seen.push(seen.clone());
        let mut seen = seen;
        if broken {
            // What came is kept as that of a part is, and nobody hears of it.
            seen.method = Method::PATCH;
        }
        let answer = script.decide(&seen, &received, &self.address);
        if broken {
            return Err(std::io::ErrorKind::ConnectionReset.into());
        }
        Ok(answer)
    }
}

impl Script {
    fn decide(&mut self, seen: &Seen, body: &[u8], address: &SocketAddr) -> Answer {
        if seen.target.starts_with("/token") {
            return match self.token {
                Some(token) => plain(200, token),
                None => plain(401, ""),
            };
        }
        if let Some(challenge) = &self.challenge {
            let known = seen.authorization.as_ref();
            if !known.is_some_and(|known| self.let_in.contains(known)) {
                let mut answer = plain(
                    401,
                    r#"{"errors":[{"code":"UNAUTHORIZED","message":"who?"}]}"#,
                );
                let value = HeaderValue::from_str(challenge).unwrap();
                answer.headers_mut().insert("www-authenticate", value);
                return answer;
            }
        }
        if let Some(status) = self.refusals.pop() {
            return plain(
                status,
                r#"{"errors":[{"code":"X","message":"told\u001b[31m to"}]}"#,
            );
        }
        let path = seen.target.split('?').next().unwrap().to_owned();
        if let Some((page, link)) = self.pages.get(&seen.target) {
            let mut answer = plain(200, page);
            if let Some(link) = link {
                answer.headers_mut().insert("link", link.parse().unwrap());
            }
            return answer;
        }
        let rest = path
            .strip_prefix(&format!("/v2/{NAME}/"))
            .unwrap_or_default()
            .to_owned();
        match rest.split_once('/') {
            Some(("blobs", digest)) if !digest.starts_with("uploads") => self.blob(seen, digest),
            Some(("blobs", _)) => self.upload(seen, body, address),
            Some(("manifests", reference)) => self.manifest(seen, reference, body),
            Some(("referrers", _)) if !self.keeps_referrers => plain(404, ""),
            _ if path == "/v2/" => plain(200, "{}"),
            _ => plain(404, ""),
        }
    }

    fn blob(&mut self, seen: &Seen, digest: &str) -> Answer {
        if let Some(elsewhere) = self.leads_to() {
            let mut answer = plain(307, "");
            answer
                .headers_mut()
                .insert("location", elsewhere.parse().unwrap());
            return answer;
        }
        let Some(bytes) = self.blobs.get(&digest.parse::<Digest>().unwrap()).cloned() else {
            return plain(404, "");
        };
        let first = seen.range.as_ref().map(|range| {
            let range = range.strip_prefix("bytes=").unwrap();
            let first = range.strip_suffix('-').unwrap().parse::<usize>().unwrap();
            first - self.early
        });
        let end = bytes.len() - first.map_or(0, |_| self.early);
        let rest = bytes.slice(first.unwrap_or(0)..end);
        let mut builder = Response::builder().status(if first.is_some() { 206 } else { 200 });
        if !self.untold {
            builder = builder.header("content-length", rest.len());
        }
        if let Some(first) = first {
            let range = format!("bytes {first}-{}/{}", bytes.len() - 1, bytes.len());
            builder = builder.header("content-range", range);
        }
        let (length, end) = match &seen.method {
            &Method::GET => self.end_of_download(),
            _ => (usize::MAX, End::Whole),
        };
        let chunk = rest.slice(..length.min(rest.len()));
        let frames = futures::stream::unfold((Some(chunk), end), |(chunk, end)| async move {
            if let Some(chunk) = chunk {
                return Some((Ok(Frame::data(chunk)), (None, end)));
            }
            match end {
                End::Whole => None,
                End::Break => {
                    // The part before the break must be on its way before the connection breaks.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    let error = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
                    Some((Err(error), (None, End::Whole)))
                }
                End::Silence => std::future::pending().await,
            }
        });
        builder
            .body(StreamBody::new(Box::pin(frames)).boxed())
            .unwrap()
    }

    fn leads_to(&mut self) -> Option<String> {
        let elsewhere = self.redirect.clone()?;
        match &mut self.redirects_left {
            Some(0) => return None,
            Some(left) => *left -= 1,
            None => {}
        }
        Some(elsewhere)
    }

    /// Returns after how many bytes the next answer with a blob ends, and how.
    fn end_of_download(&mut self) -> (usize, End) {
        if let Some(length) = self.cut_downloads.pop() {
            return (length, End::Break);
        }
        if let Some(length) = self.silent_downloads.pop() {
            return (length, End::Silence);
        }
        (self.short_downloads.pop().unwrap_or(usize::MAX), End::Whole)
    }

    fn upload(&mut self, seen: &Seen, body: &[u8], address: &SocketAddr) -> Answer {
        let at = |id: usize| format!("http://{address}/v2/{NAME}/blobs/uploads/{id}?state=x");
        let answer = |status: u16, id: usize, length: usize| {
            let builder = Response::builder()
                .status(status)
                .header("location", at(id));
            let builder = builder.header("range", format!("0-{}", length.max(1) - 1));
            builder.body(full("")).unwrap()
        };
        if seen.method == Method::POST {
            let query = seen.target.split_once('?').map_or("", |(_, query)| query);
            if let Some(digest) = query
                .strip_prefix("mount=")
                .and_then(|rest| rest.split('&').next())
            {
                let digest = digest.replace("%3A", ":").parse::<Digest>().unwrap();
                if self.blobs.contains_key(&digest) {
                    return plain(201, "");
                }
            }
            self.uploads.push(Vec::new());
            return answer(202, self.uploads.len() - 1, 0);
        }
        let id = seen
            .target
            .split('/')
            .next_back()
            .unwrap()
            .split('?')
            .next()
            .unwrap();
        let id: usize = id.parse().unwrap();
        if seen.method == Method::PATCH && self.refuse_parts {
            return plain(405, "");
        }
        let received = &mut self.uploads[id];
        if seen.method == Method::GET {
            return answer(204, id, received.len());
        }
        let first = seen
            .content_range
            .as_ref()
            .map(|range| range.split('-').next().unwrap().parse::<usize>().unwrap());
        if first.is_some_and(|first| first != received.len()) {
            return answer(416, id, received.len());
        }
        received.extend_from_slice(body);
        if seen.method == Method::PATCH {
            return answer(202, id, self.uploads[id].len());
        }
        let bytes = Bytes::from(std::mem::take(received));
        let told = seen
            .target
            .split("digest=")
            .nth(1)
            .unwrap()
            .replace("%3A", ":");
        if told != digest(&bytes).to_string() {
            return plain(400, r#"{"errors":[{"code":"DIGEST_INVALID"}]}"#);
        }
        self.blobs.insert(digest(&bytes), bytes);
        plain(201, "")
    }

    fn manifest(&mut self, seen: &Seen, reference: &str, body: &[u8]) -> Answer {
        if seen.method == Method::PUT {
            let bytes = Bytes::copy_from_slice(body);
            let entry = (bytes, "application/vnd.oci.image.manifest.v1+json");
            let answer = Response::builder().status(201).header(
                "docker-content-digest",
                self.taken_as.unwrap_or_else(|| digest(body)).to_string(),
            );
            self.manifests
                .insert(digest(body).to_string(), entry.clone());
            self.manifests.insert(reference.to_owned(), entry);
            let answer = if self.keeps_referrers {
                answer.header("oci-subject", "x")
            } else {
                answer
            };
            return answer.body(full("")).unwrap();
        }
        let Some((bytes, kind)) = self.manifests.get(reference).cloned() else {
            return plain(404, "");
        };
        // The type of what was pushed is in it.
        let text = String::from_utf8_lossy(&bytes);
        let kind = if text.contains("image.index") {
            "application/vnd.oci.image.index.v1+json"
        } else {
            kind
        };
        Response::builder()
            .header("content-type", kind)
            .header("content-length", bytes.len())
            .header("docker-content-digest", digest(&bytes).to_string())
            .body(full(bytes))
            .unwrap()
    }
}

fn full(bytes: impl Into<Bytes>) -> http_body_util::combinators::BoxBody<Bytes, std::io::Error> {
    Full::new(bytes.into())
        .map_err(|never: Infallible| match never {})
        .boxed()
}

fn plain(status: u16, body: &str) -> Answer {
    let status = StatusCode::from_u16(status).unwrap();
    Response::builder()
        .status(status)
        .body(full(body.to_owned()))
        .unwrap()
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Hasher::hash(Algorithm::Sha256, bytes).digest()
}

pub(crate) fn name(text: &str) -> OciName {
    text.parse().unwrap()
}

/// Waits for what ends at once; where it has no bound, that is told and not waited for.
pub(crate) async fn within_reason<T>(work: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(Duration::from_secs(60), work).await;
    outcome.expect("it waits without end")
}

/// Options that wait for nothing longer than a test may.
pub(crate) fn options() -> ClientOptions {
    let mut options = ClientOptions::default();
    options.idle_timeout = Duration::from_secs(5);
    options
}

/// Options with a name and a password for one registry.
pub(crate) fn as_user(origin: Origin) -> ClientOptions {
    let user = Credential::Basic {
        user: "ann".into(),
        password: Secret::new("pw"),
    };
    let mut options = options();
    options.credentials = Arc::new(FixedCredentials::none().with(origin, user));
    options
}
