//! The door of HTTP, by a client that shares no code with the server.

use std::sync::Arc;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use tokio::runtime::{Builder, Runtime};

use super::{
    ask::{Answer, Ask, Outcome, What},
    goods::{Content, GOODS, STOCK, image_of},
    setup::Setup,
};

/// What breaks a call off.
#[derive(Debug)]
enum Stop {
    /// The connection broke.
    Broken(reqwest::Error),
    /// The server said something else than was waited for.
    Said(Answer),
}

impl From<reqwest::Error> for Stop {
    fn from(error: reqwest::Error) -> Self {
        Self::Broken(error)
    }
}

/// A client of the server.
#[derive(Debug)]
pub(crate) struct Http {
    setup: Arc<Setup>,
    client: Client,
    /// How often the server had been killed when the client was made: its connections are to that one.
    kills: u64,
    runtime: Runtime,
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

impl Http {
    pub(crate) fn new(setup: &Arc<Setup>) -> Self {
        Self {
            setup: Arc::clone(setup),
            client: client(),
            kills: 0,
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    /// Makes a call. Where the server was killed under it, its end is unknown.
    pub(crate) fn ask(&mut self, ask: &Ask) -> Outcome {
        let before = self.setup.server.kills();
        if before > self.kills {
            (self.client, self.kills) = (client(), before);
        }
        match self.runtime.block_on(self.answer(ask)) {
            Ok(answer) | Err(Stop::Said(answer)) => Outcome::Told(answer),
            Err(Stop::Broken(error)) => {
                let killed = self.setup.server.kills() > before;
                assert!(killed, "a living server broke off {ask:?}: {error:?}");
                Outcome::Unknown
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with('/') {
            self.setup.server.url(path)
        } else {
            path.to_owned()
        };
        self.client.request(method, url)
    }

    /// Sends it; returns true where it is done, false where something is absent.
    async fn done(&self, request: RequestBuilder) -> Result<bool, Stop> {
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        match status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            _ => Err(Stop::Said(Answer::Failed(format!("{status} {text}")))),
        }
    }

    async fn answer(&self, ask: &Ask) -> Result<Answer, Stop> {
        let done = match ask {
            Ask::Push {
                package,
                tag,
                image,
            } => {
                for content in STOCK[*image].contents.map(|number| &GOODS[number]) {
                    self.push(package, content).await?;
                }
                self.put(package, tag, *image).await?
            }
            Ask::Tag {
                package,
                tag,
                image,
            } => self.put(package, tag, *image).await?,
            Ask::Mount {
                package,
                from,
                content,
            } => {
                let digest = GOODS[*content].digest;
                let path = format!("/v2/{package}/blobs/uploads/?mount={digest}&from={from}");
                let response = self.request(Method::POST, &path).send().await?;
                match response.status() {
                    StatusCode::CREATED => true,
                    // It is an upload now, of which nothing comes: it is ended.
                    StatusCode::ACCEPTED => {
                        let place = response.headers()["location"].to_str().unwrap_or_default();
                        self.done(self.request(Method::DELETE, place)).await?;
                        false
                    }
                    status => return Err(Stop::Said(Answer::Failed(status.to_string()))),
                }
            }
            Ask::Untag { package, tag } => {
                let path = format!("/v2/{package}/manifests/{tag}");
                self.done(self.request(Method::DELETE, &path)).await?
            }
            Ask::Delete { package, image } => {
                let digest = STOCK[*image].manifest.digest();
                let path = format!("/v2/{package}/manifests/{digest}");
                self.done(self.request(Method::DELETE, &path)).await?
            }
            Ask::Read { package, what } => return self.read(package, what).await,
            // It does so by itself, each second.
            Ask::Collect => true,
        };
        Ok(if done { Answer::Done } else { Answer::Absent })
    }

    /// Pushes a content that is not there: small ones in one request, others in two parts.
    async fn push(&self, package: &str, content: &Content) -> Result<(), Stop> {
        let digest = content.digest;
        let there = self.request(Method::HEAD, &format!("/v2/{package}/blobs/{digest}"));
        if self.done(there).await? {
            return Ok(());
        }
        let uploads = format!("/v2/{package}/blobs/uploads/");
        let whole = content.bytes.clone();
        if whole.len() < 100_000 {
            let post = self.request(Method::POST, &format!("{uploads}?digest={digest}"));
            return self.must(post.body(whole)).await;
        }
        let begun = self.request(Method::POST, &uploads).send().await?;
        let place = begun.headers()["location"]
            .to_str()
            .unwrap_or_default()
            .to_owned();
        let half = whole.len() / 2;
        let patch = self
            .request(Method::PATCH, &place)
            .header("content-range", format!("0-{}", half - 1))
            .body(whole.slice(..half));
        self.must(patch).await?;
        let put = self
            .request(Method::PUT, &format!("{place}?digest={digest}"))
            .header("content-range", format!("{half}-{}", whole.len() - 1))
            .body(whole.slice(half..));
        self.must(put).await
    }

    async fn must(&self, request: RequestBuilder) -> Result<(), Stop> {
        if self.done(request).await? {
            return Ok(());
        }
        let words = "what was just made is not there".to_owned();
        Err(Stop::Said(Answer::Failed(words)))
    }

    async fn put(&self, package: &str, tag: &str, image: usize) -> Result<bool, Stop> {
        let manifest = &STOCK[image].manifest;
        let request = self
            .request(Method::PUT, &format!("/v2/{package}/manifests/{tag}"))
            .header("content-type", manifest.media_type().as_str())
            .body(manifest.bytes().clone());
        self.done(request).await
    }

    async fn read(&self, package: &str, what: &What) -> Result<Answer, Stop> {
        let reference = match what {
            What::Tag(tag) => tag.clone(),
            What::Image(image) => STOCK[*image].manifest.digest().to_string(),
            What::Then(..) => return Ok(Answer::Failed("HTTP has no past".to_owned())),
        };
        let path = format!("/v2/{package}/manifests/{reference}");
        let response = self.request(Method::GET, &path).send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(Answer::Absent);
        }
        let digest = response.headers().get("docker-content-digest").cloned();
        let found = digest.and_then(|digest| image_of(digest.to_str().ok()?));
        let bytes = response.bytes().await?;
        let Some(image) = found.filter(|image| STOCK[*image].manifest.bytes() == &bytes) else {
            return Ok(Answer::Broken(format!("{reference}: {bytes:?}")));
        };
        for content in STOCK[image].contents.map(|number| &GOODS[number]) {
            let path = format!("/v2/{package}/blobs/{}", content.digest);
            let response = self.request(Method::GET, &path).send().await?;
            let status = response.status();
            let bytes = response.bytes().await?;
            if !status.is_success() || bytes != content.bytes {
                return Ok(Answer::Broken(format!("{} is {status}", content.digest)));
            }
        }
        Ok(Answer::Found(image, None))
    }
}
