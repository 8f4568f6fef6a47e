//! A server, hop by hop: name, connection, TLS, protocol, login.

use std::{
    error::Error as StdError,
    fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use artifact::OciName;
use artifact_proto::client::{Credential, Credentials as _, OciClient, Origin, SystemCredentials};
use futures::StreamExt as _;
use reqwest::{Certificate, Response, header};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::check::{Checks, story};
use crate::{context::Common, names::plural, remote};

const PATIENCE: Duration = Duration::from_secs(10);

/// The environment's names for a proxy that stands in between.
const PROXIES: [&str; 6] = [
    "https_proxy",
    "HTTPS_PROXY",
    "http_proxy",
    "HTTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
];

/// Looks at a server, and at one package where it is named.
pub(crate) async fn look(common: &Common, origin: &Origin, name: Option<&OciName>) -> Checks {
    let mut checks = Checks::of("server");
    if let Some(proxy) = PROXIES.iter().find(|name| std::env::var_os(name).is_some()) {
        checks.warning(
            "proxy",
            format!(
                "{proxy} is set: requests may go through a proxy, and the first hops below do not"
            ),
            "",
        );
    }
    let reached = reach(origin, &mut checks).await;
    if !reached {
        for hop in ["tls", "protocol", "login"] {
            checks.skipped(hop, "the server cannot be reached");
        }
        return checks;
    }
    let Some(response) = first_answer(common, origin, &mut checks).await else {
        checks.skipped("login", "the server does not answer");
        return checks;
    };
    if !protocol(&response, &mut checks) {
        checks.skipped("login", "it is no OCI registry");
        return checks;
    }
    let client = match remote::client(common) {
        Ok(client) => client,
        Err(failure) => {
            checks.failed("login", failure.text(), "");
            return checks;
        }
    };
    credentials(origin, &mut checks).await;
    if !login(&client, origin, &mut checks).await {
        checks.skipped("catalog", "the server does not take the caller");
        return checks;
    }
    catalog(&client, origin, &mut checks).await;
    if let Some(name) = name {
        tags(&client, origin, name, &mut checks).await;
    }
    checks
}

/// Looks the host up and connects to it.
async fn reach(origin: &Origin, checks: &mut Checks) -> bool {
    let addresses = match timeout(PATIENCE, lookup_host(host_and_port(origin))).await {
        Ok(Ok(found)) => found.collect::<Vec<_>>(),
        Ok(Err(error)) => {
            checks.failed(
                "name",
                error.to_string(),
                "look at the spelling of the host, and at /etc/resolv.conf",
            );
            return false;
        }
        Err(_) => {
            checks.failed(
                "name",
                "the name service does not answer",
                "look at /etc/resolv.conf",
            );
            return false;
        }
    };
    let list: Vec<_> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    checks.good("name", format!("{} is {}", origin.host(), list.join(", ")));
    let mut reached = false;
    for address in &addresses {
        reached |= connect(*address, checks).await;
    }
    reached
}

async fn connect(address: SocketAddr, checks: &mut Checks) -> bool {
    let begun = Instant::now();
    let (finding, remedy) = match timeout(PATIENCE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => {
            let took = begun.elapsed().as_millis();
            checks.good("connection", format!("{address} answers within {took} ms"));
            return true;
        }
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => (
            format!("{address} refuses: nobody listens there"),
            "is the server running, and is the port right?",
        ),
        Ok(Err(error)) => (
            format!("{address}: {error}"),
            "look at the network and at firewalls in between",
        ),
        Err(_) => (
            format!("{address} does not answer"),
            "look at firewalls in between, and at the address",
        ),
    };
    checks.failed("connection", finding, remedy);
    false
}

/// Returns `host:port`, the port also where it is the usual one.
fn host_and_port(origin: &Origin) -> String {
    let authority = origin.authority();
    let has_port = authority.len() > origin.host().len();
    let usual = if origin.is_tls() { 443 } else { 80 };
    if has_port {
        authority
    } else {
        format!("{authority}:{usual}")
    }
}

/// Asks the server for its first word, by TLS where that is the way.
async fn first_answer(common: &Common, origin: &Origin, checks: &mut Checks) -> Option<Response> {
    let client = match http_client(common) {
        Ok(client) => client,
        Err(finding) => {
            checks.failed(
                "tls",
                finding,
                "name a PEM file of certificates with --ca-file",
            );
            return None;
        }
    };
    let asked = client.get(format!("{origin}/v2/")).send().await;
    match asked {
        Ok(response) => {
            if origin.is_tls() {
                checks.good("tls", "the certificate is trusted and is for this host");
            } else {
                plain(origin, checks);
            }
            Some(response)
        }
        Err(error) => {
            let finding = story(&error);
            match tls_error(&error) {
                Some(why) => checks.failed("tls", why, "trust its authority with --ca-file, or renew its certificate; oci+http:// is for servers without TLS"),
                None if origin.is_tls() => checks.failed("tls", finding, "does the server speak TLS? oci+http:// is for one that does not"),
                None => checks.failed("protocol", finding, "does the server speak plain HTTP? oci+https:// is for one with TLS"),
            }
            None
        }
    }
}

fn plain(origin: &Origin, checks: &mut Checks) {
    if origin.is_loopback() {
        checks.good("tls", "none, on this machine");
    } else {
        let remedy = "serve it with --tls-cert and --tls-key, or behind a proxy with TLS";
        checks.warning(
            "tls",
            "none: passwords and content can be read on the way",
            remedy,
        );
    }
}

fn http_client(common: &Common) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none());
    if let Some(path) = &common.ca_file {
        let pem = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| story(&error))?;
        for certificate in certificates {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| story(&error))
}

/// Returns what TLS itself complained of, where it did.
fn tls_error(error: &reqwest::Error) -> Option<String> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return Some(tls.to_string());
        }
        // An error that is wrapped as one of the system is not its source; it may be so twice.
        let wrapped = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    None
}

/// Says whether the answer is that of an OCI registry.
fn protocol(response: &Response, checks: &mut Checks) -> bool {
    let header = |name: header::HeaderName| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    skew(header(header::DATE).as_deref(), checks);
    let status = response.status().as_u16();
    match (status, header(header::WWW_AUTHENTICATE)) {
        (200, _) => {
            checks.good(
                "protocol",
                "GET /v2/ answers 200: it asks nobody who they are",
            );
            true
        }
        (401, Some(challenge)) => {
            let challenge = crate::output::printable(&challenge);
            checks.good(
                "protocol",
                format!("GET /v2/ asks for a login: {challenge}"),
            );
            true
        }
        (401, None) => {
            checks.failed(
                "protocol",
                "GET /v2/ answers 401 and does not say how to log in",
                "its proxy may take the header WWW-Authenticate away",
            );
            false
        }
        (301..=308, _) => {
            let to = header(header::LOCATION).unwrap_or_default();
            checks.failed(
                "protocol",
                format!("GET /v2/ leads to {}", crate::output::printable(&to)),
                "name that host",
            );
            false
        }
        (502..=504, _) => {
            checks.failed(
                "protocol",
                format!("GET /v2/ answers {status}: a proxy does not reach the registry"),
                "look at the server behind the proxy",
            );
            false
        }
        _ => {
            checks.failed(
                "protocol",
                format!("GET /v2/ answers {status}: this is no OCI registry"),
                "look at the host and the port",
            );
            false
        }
    }
}

/// Tokens have times in them: clocks that differ make them fail.
fn skew(date: Option<&str>, checks: &mut Checks) {
    let Some(there) = date.and_then(http_date) else {
        return;
    };
    let Ok(here) = artifact::SystemClock::on_tokio() else {
        return;
    };
    let here = artifact::Clock::now(&here).as_millis() / 1000;
    let apart = (here - there).abs();
    if apart > 60 {
        let finding = format!("the clocks here and there differ by {apart} seconds");
        checks.warning("clock", finding, "set both: tokens end by the clock");
    }
}

/// Reads the date of an answer, such as `Sun, 06 Nov 1994 08:49:37 GMT`, in seconds since 1970.
///
/// Source: RFC 9110, section 5.6.7.
fn http_date(text: &str) -> Option<i64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let rest = text.split_once(", ")?.1.strip_suffix(" GMT")?;
    let mut parts = rest.split(' ');
    let (day, month, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.find(month).filter(|at| at % 3 == 0)? / 3 + 1;
    let text = format!("{year}-{month:02}-{day}T{time}Z");
    let time: artifact::Timestamp = text.parse().ok()?;
    Some(time.as_millis() / 1000)
}

async fn credentials(origin: &Origin, checks: &mut Checks) {
    let found = match SystemCredentials::from_environment() {
        Ok(credentials) => credentials.find(origin, None).await,
        Err(error) => Err(error),
    };
    match found {
        Ok(Some(Credential::Basic { user, .. })) => {
            checks.good(
                "credentials",
                format!("user {}", crate::output::printable(&user)),
            );
        }
        Ok(Some(_)) => checks.good("credentials", "a token"),
        Ok(None) => checks.good("credentials", "none: the server is asked as nobody"),
        Err(error) => checks.failed(
            "credentials",
            story(&error),
            "mend the file, or log in again",
        ),
    }
}

/// Says whether the server takes the caller.
async fn login(client: &OciClient, origin: &Origin, checks: &mut Checks) -> bool {
    const REMEDY: &str = "log in with `docker login HOST`, or set ARTIFACT_HOST, ARTIFACT_USERNAME and ARTIFACT_PASSWORD";
    match client.ping(origin).await {
        Ok(()) => {
            checks.good("login", "the server takes the caller");
            true
        }
        Err(error) => {
            checks.failed("login", story(&error), REMEDY);
            false
        }
    }
}

async fn catalog(client: &OciClient, origin: &Origin, checks: &mut Checks) {
    let mut names = std::pin::pin!(client.catalog(origin));
    match names.next().await {
        Some(Ok(name)) => checks.good("catalog", format!("it lists packages, {name} first")),
        None => checks.good("catalog", "it lists no package that the caller may see"),
        Some(Err(error)) => checks.warning(
            "catalog",
            story(&error),
            "many registries list nothing; name a package to look at",
        ),
    }
}

async fn tags(client: &OciClient, origin: &Origin, name: &OciName, checks: &mut Checks) {
    let package = client.package(origin.clone(), name.clone());
    let tags: Vec<_> = package.tags().take(100).collect().await;
    let count = tags.iter().filter(|tag| tag.is_ok()).count();
    match tags.into_iter().find_map(Result::err) {
        None => checks.good(
            "package",
            format!("{name} has {}", plural(count, "tag", "tags")),
        ),
        Some(error) => checks.failed(
            "package",
            story(&error),
            "look at its name and at who may read it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read() {
        assert_eq!(
            http_date("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777)
        );
        for bad in [
            "",
            "06 Nov 1994",
            "Sun, 06 anF 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
        ] {
            assert_eq!(http_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_port_is_told_also_where_it_is_the_usual_one() {
        for (origin, shown) in [
            ("https://a.example", "a.example:443"),
            ("http://a.example", "a.example:80"),
            ("localhost:5000", "localhost:5000"),
            ("https://[::1]", "[::1]:443"),
            ("https://[::1]:5000", "[::1]:5000"),
        ] {
            assert_eq!(host_and_port(&origin.parse().unwrap()), shown);
        }
    }
}
