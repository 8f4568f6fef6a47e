//! Arrivals: what the transport knows of a request beside its head and body.

use std::net::SocketAddr;

use artifact_core::{RequestContext, Rng};
use http::{
    HeaderMap, Uri,
    header::HOST,
    uri::{Authority, Scheme},
};

/// How a request arrived. The server puts one among the extensions of each request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Arrival {
    /// The id of the request: 32 hexadecimal digits.
    pub id: String,
    /// Where it came from.
    pub address: Option<SocketAddr>,
    /// Whether it came by TLS.
    pub secure: bool,
}

impl Arrival {
    /// Returns an arrival with a new id.
    pub fn new(rng: &dyn Rng, address: Option<SocketAddr>, secure: bool) -> Self {
        let mut bytes = [0; 16];
        rng.fill(&mut bytes);
        let id = format!("{:032x}", u128::from_be_bytes(bytes));
        Self {
            id,
            address,
            secure,
        }
    }

    /// Returns the context under which a session does what the request asks for.
    pub fn context(&self, headers: &HeaderMap) -> RequestContext {
        let mut context = RequestContext::with_request(self.id.clone());
        context.address = self.address.map(|address| address.to_string());
        context.trace_parent = trace_parent(headers);
        context
    }
}

/// Returns the trace that the request is part of, where it says so in the form of the W3C.
fn trace_parent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let plain = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    (text.len() == 55 && text.bytes().all(plain)).then(|| text.to_owned())
}

/// Returns where a request found this server: scheme and authority, without a slash at the end.
///
/// `None` when the request does not say, or not in a form that may stand in an answer.
pub(crate) fn origin(uri: &Uri, headers: &HeaderMap, secure: bool) -> Option<String> {
    let scheme = if secure { Scheme::HTTPS } else { Scheme::HTTP };
    let host = || headers.get(HOST)?.to_str().ok()?.parse::<Authority>().ok();
    let authority = uri.authority().cloned().or_else(host)?;
    // A name and a password in front of a host are nothing that a server has.
    (!authority.as_str().contains('@')).then(|| format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn the_origin_is_what_the_client_wrote() {
        let path = Uri::from_static("/v2/");
        let of = |host: &str| origin(&path, &headers("host", host), false);
        assert_eq!(of("127.0.0.1:5000").unwrap(), "http://127.0.0.1:5000");
        assert_eq!(of("[::1]:5000").unwrap(), "http://[::1]:5000");
        assert_eq!(origin(&path, &HeaderMap::new(), false), None);
        let absolute = Uri::from_static("https://r.example/v2/");
        assert_eq!(
            origin(&absolute, &HeaderMap::new(), true).unwrap(),
            "https://r.example"
        );
    }

    /// A51, A54: nothing of a host's header breaks out of the answer it stands in.
    #[test]
    fn a51_a_host_that_is_none_is_not_repeated() {
        for host in ["a\"b", "a b", "u:p@h", "h/x", "h\"", "h>", ""] {
            assert_eq!(
                origin(&Uri::from_static("/v2/"), &headers("host", host), false),
                None,
                "{host}"
            );
        }
    }

    #[test]
    fn traces_are_taken_in_their_form_alone() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(trace_parent(&headers("traceparent", good)).unwrap(), good);
        for bad in ["", "x", &good.to_uppercase(), &good[1..]] {
            assert_eq!(trace_parent(&headers("traceparent", bad)), None, "{bad}");
        }
    }
}
