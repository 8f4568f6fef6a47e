//! Where a registry is: the part of an address that credentials belong to.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use super::error::ClientError;

/// How to reach a registry.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Transport {
    /// Plain HTTP for this machine's own loopback, TLS for all else.
    #[default]
    Auto,
    /// Plain HTTP.
    Http,
    /// TLS.
    Https,
}

/// A scheme, host and port. Two addresses with one origin are one party; credentials for one origin
/// are sent to no other (A65).
///
/// Source: RFC 6454, section 4.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Origin {
    tls: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// Returns the origin of the registry at `host` or `host:port`.
    ///
    /// # Errors
    /// [`ClientError::Invalid`] when the text is no host.
    pub fn new(authority: &str, transport: Transport) -> Result<Self, ClientError> {
        let wrong = || ClientError::Invalid {
            what: format!("{authority:?} is no host: write it as host or host:port"),
        };
        let (host, port) = split_authority(authority).ok_or_else(wrong)?;
        let tls = match transport {
            Transport::Auto => !is_loopback(&host),
            Transport::Http => false,
            Transport::Https => true,
        };
        let port = port.unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host, port })
    }

    /// Returns the origin of a URL, or `None` when it has none or is neither of HTTP nor HTTPS.
    pub(crate) fn of(url: &reqwest::Url) -> Option<Self> {
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let host = url.host_str()?.to_ascii_lowercase();
        Some(Self {
            tls,
            host,
            port: url.port_or_known_default()?,
        })
    }

    /// Says whether it is this machine's own loopback.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Says whether it is reached by TLS.
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// Returns the host; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns `host`, or `host:port` where the port is not the usual one.
    pub fn authority(&self) -> String {
        if self.port == if self.tls { 443 } else { 80 } {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Origin {
    /// Writes `scheme://authority`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl FromStr for Origin {
    type Err = ClientError;

    /// Parses `http://host[:port]`, `https://host[:port]`, or `host[:port]`, which means what
    /// [`Transport::Auto`] says.
    fn from_str(text: &str) -> Result<Self, ClientError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        if let Some(authority) = text.strip_prefix("https://") {
            Self::new(authority, Transport::Https)
        } else if let Some(authority) = text.strip_prefix("http://") {
            Self::new(authority, Transport::Http)
        } else {
            Self::new(text, Transport::Auto)
        }
    }
}

fn split_authority(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            (
                format!("[{address}]"),
                rest.strip_prefix(':').or(rest.is_empty().then_some("")),
            )
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host.to_ascii_lowercase(), Some(port)),
            None => (authority.to_ascii_lowercase(), Some("")),
        },
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if !host.starts_with('[') && (host.is_empty() || !host.bytes().all(is_name)) {
        return None;
    }
    match port? {
        "" if authority.ends_with(':') => None,
        "" => Some((host, None)),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .map(|port| (host, Some(port))),
        _ => None,
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_matches(['[', ']']);
    host == "localhost"
        || host.ends_with(".localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_plain_and_all_else_is_tls() {
        let show = |text: &str| text.parse::<Origin>().unwrap().to_string();
        assert_eq!(show("127.0.0.1:5000"), "http://127.0.0.1:5000");
        assert_eq!(show("[::1]:5000"), "http://[::1]:5000");
        assert_eq!(show("LocalHost"), "http://localhost");
        assert_eq!(show("registry.example"), "https://registry.example");
        assert_eq!(
            show("http://registry.example:443"),
            "http://registry.example:443"
        );
        assert_eq!(show("https://127.0.0.1/"), "https://127.0.0.1");
        // A name that only looks like loopback is not.
        assert_eq!(show("127.0.0.1.example"), "https://127.0.0.1.example");
        assert_eq!(show("localhost.example:80"), "https://localhost.example:80");
    }

    /// A51, A64: nothing but a host and a port becomes an address.
    #[test]
    fn a51_only_hosts_are_hosts() {
        for bad in [
            "",
            ":",
            "a:",
            "a:b",
            "a:0",
            "a:65536",
            "a:+5",
            "a/b",
            "a@b",
            "user:x@b",
            "a b",
            "a\r\nb",
            "[::1",
            "[::1]x",
            "[zz]",
            "é.example",
            "a#b",
            "a?b",
            "ftp://a",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn urls_with_one_origin_are_one_party() {
        let of = |url: &str| Origin::of(&url.parse().unwrap());
        assert_eq!(of("https://a.example/x"), of("https://A.example:443/y?z"));
        assert_ne!(of("https://a.example/"), of("http://a.example/"));
        assert_ne!(of("https://a.example/"), of("https://a.example:444/"));
        assert_ne!(of("https://a.example/"), of("https://b.example/"));
        assert_eq!(of("file:///etc/passwd"), None);
        assert_eq!(
            of("http://[::1]:5000/"),
            Some("[::1]:5000".parse().unwrap())
        );
    }
}
