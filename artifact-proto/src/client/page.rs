//! Lists that come in pages.

use std::sync::Arc;

use artifact_core::OciName;
use futures::{Stream, TryFutureExt as _, stream};
use reqwest::{
    Method, StatusCode, Url,
    header::{HeaderMap, LINK},
};

use super::{
    answer::{answer_error, read_bounded},
    error::ClientError,
    exchange::{Ask, Content, Exchange, Purpose},
    origin::Origin,
};

/// How many items of a list are asked for at once.
pub(super) const PAGE: usize = 1000;

/// The longest page that is read, in bytes.
pub(super) const PAGE_MAX: usize = 8 << 20;

/// Returns the address of the next page, if there is one.
///
/// Source: RFC 8288; OCI distribution specification 1.1, "Listing Tags".
pub(super) fn next_page(
    origin: &Origin,
    here: &Url,
    headers: &HeaderMap,
) -> Result<Option<Url>, ClientError> {
    let wrong = |what: &str| ClientError::Protocol {
        origin: origin.to_string(),
        what: what.to_owned(),
    };
    let Some(link) = headers.get(LINK) else {
        return Ok(None);
    };
    let link = link.to_str().map_err(|_| wrong("its Link is no text"))?;
    let target = link
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    let Some((target, parameters)) = target else {
        return Err(wrong("its Link has no target"));
    };
    if !parameters.replace('"', "").contains("rel=next") {
        return Ok(None);
    }
    let next = here.join(target).map_err(|_| wrong("its Link is no URL"))?;
    if Origin::of(&next).as_ref() != Some(origin) {
        return Err(wrong("its list goes on at another place"));
    }
    if next == *here {
        return Err(wrong("its list goes on where it is"));
    }
    Ok(Some(next))
}

/// Where a list goes on, and what of it was not handed out yet.
struct Listing<T> {
    next: Option<Url>,
    ready: std::vec::IntoIter<T>,
}

/// Returns the items of a list, page after page.
pub(super) fn list<T: Send + 'static>(
    exchange: Arc<Exchange>,
    purpose: Purpose,
    first: Result<Url, ClientError>,
    parse: fn(&[u8]) -> Result<Vec<T>, serde_json::Error>,
) -> impl Stream<Item = Result<T, ClientError>> + Send + 'static {
    let start = async move {
        Ok(Listing {
            next: Some(first?),
            ready: Vec::new().into_iter(),
        })
    };
    let pages = move |listing: Listing<T>| {
        let (exchange, purpose) = (Arc::clone(&exchange), purpose.clone());
        async move { next_item(&exchange, &purpose, listing, parse).await }
    };
    start
        .map_ok(move |start| stream::try_unfold(start, pages))
        .try_flatten_stream()
}

async fn next_item<T>(
    exchange: &Exchange,
    purpose: &Purpose,
    mut listing: Listing<T>,
    parse: fn(&[u8]) -> Result<Vec<T>, serde_json::Error>,
) -> Result<Option<(T, Listing<T>)>, ClientError> {
    const OPERATION: &str = "list what it has";
    loop {
        if let Some(item) = listing.ready.next() {
            return Ok(Some((item, listing)));
        }
        let Some(url) = listing.next.take() else {
            return Ok(None);
        };
        let here = url.clone();
        let (method, headers, body) = (Method::GET, HeaderMap::new(), Content::None);
        let ask = Ask {
            purpose,
            operation: OPERATION,
            method,
            url,
            headers,
            body,
        };
        let response = exchange.send(&ask).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                return Err(ClientError::NotFound {
                    origin: purpose.origin.to_string(),
                    what: purpose
                        .name
                        .as_ref()
                        .map_or("a list of packages", OciName::as_str)
                        .to_owned(),
                });
            }
            _ => return Err(answer_error(&purpose.origin, OPERATION, response).await),
        }
        listing.next = next_page(&purpose.origin, &here, response.headers())?;
        let idle = exchange.options().idle_timeout;
        let body = read_bounded(&purpose.origin, response, PAGE_MAX, idle).await?;
        let items = parse(&body).map_err(|_| ClientError::Protocol {
            origin: purpose.origin.to_string(),
            what: "its list cannot be read".to_owned(),
        })?;
        listing.ready = items.into_iter();
    }
}
