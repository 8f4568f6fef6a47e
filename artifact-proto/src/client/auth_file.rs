//! The files in which docker and podman keep credentials.

use std::collections::BTreeMap;

use artifact_core::OciName;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::{
    credential::{Credential, Secret},
    origin::Origin,
};

/// The registry that image names without a host mean, under the names that files give it.
const HUB_NAMES: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// The key under which docker keeps that registry's credentials, in files and helpers.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// What such a file says; unknown fields are other programs' business.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AuthFile {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// What a file says of a registry.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Advice {
    /// Nothing.
    Silent,
    /// This credential.
    Use(Credential),
    /// Ask the helper `docker-credential-<name>` for this server.
    Ask {
        /// The end of the helper's name.
        helper: String,
        /// What to call the registry.
        server: String,
        /// Whether the helper is for this registry, or for all that have no other.
        own: bool,
    },
}

impl AuthFile {
    /// Reads a file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Returns what it says of what is called `name` at the registry.
    ///
    /// A helper of the registry's own comes before what the file itself holds, and a store for all
    /// registries after it, because docker leaves an empty entry where a store has the rest.
    ///
    /// # Errors
    /// What is wrong with the entry.
    pub(super) fn find(&self, origin: &Origin, name: Option<&OciName>) -> Result<Advice, String> {
        let hosts = host_names(origin);
        let server = |host: &str| {
            if is_hub(host) {
                HUB_KEY.to_owned()
            } else {
                host.to_owned()
            }
        };
        let helpers = self.cred_helpers.iter();
        let mut helpers = helpers.filter(|(key, _)| hosts.contains(&host_of(key).to_owned()));
        if let Some((key, helper)) = helpers.next() {
            let server = server(host_of(key));
            return Ok(Advice::Ask {
                helper: helper.clone(),
                server,
                own: true,
            });
        }
        for place in places(&hosts, name) {
            let entries = self.auths.iter().filter(|(key, _)| host_of(key) == place);
            for (key, entry) in entries {
                let credential = entry.credential();
                let credential = credential.map_err(|what| format!("the entry {key:?} {what}"))?;
                if let Some(credential) = credential {
                    return Ok(Advice::Use(credential));
                }
            }
        }
        match (&self.creds_store, hosts.first()) {
            (Some(helper), Some(host)) if !helper.is_empty() => Ok(Advice::Ask {
                helper: helper.clone(),
                server: server(host),
                own: false,
            }),
            _ => Ok(Advice::Silent),
        }
    }
}

impl Entry {
    fn credential(&self) -> Result<Option<Credential>, &'static str> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = given(&self.registrytoken) {
            return Ok(Some(Credential::Bearer(Secret::new(token))));
        }
        if let Some(token) = given(&self.identitytoken) {
            return Ok(Some(Credential::Identity(Secret::new(token))));
        }
        if let (Some(user), Some(password)) = (given(&self.username), given(&self.password)) {
            return Ok(Some(Credential::Basic {
                user,
                password: Secret::new(password),
            }));
        }
        let Some(auth) = given(&self.auth) else {
            return Ok(None);
        };
        let decoded = STANDARD
            .decode(auth.trim())
            .map_err(|_| "holds no base64")?;
        let decoded = String::from_utf8(decoded).map_err(|_| "holds no text")?;
        // Docker pads what it encodes with NUL.
        let (user, password) = decoded
            .trim_end_matches('\0')
            .split_once(':')
            .ok_or("holds no name:password")?;
        Ok(Some(Credential::Basic {
            user: user.to_owned(),
            password: Secret::new(password),
        }))
    }
}

/// Returns a key without the scheme and the version of the protocol that docker writes around it.
fn host_of(key: &str) -> &str {
    let key = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    let key = key.strip_suffix('/').unwrap_or(key);
    key.strip_suffix("/v1")
        .or_else(|| key.strip_suffix("/v2"))
        .unwrap_or(key)
}

fn is_hub(host: &str) -> bool {
    HUB_NAMES.contains(&host)
}

/// Returns the names that a file may give the registry.
fn host_names(origin: &Origin) -> Vec<String> {
    let authority = origin.authority();
    if is_hub(&authority) {
        return HUB_NAMES.iter().map(|&name| name.to_owned()).collect();
    }
    let with_port = format!("{authority}:{}", if origin.is_tls() { 443 } else { 80 });
    if authority == origin.host() {
        vec![authority, with_port]
    } else {
        vec![authority]
    }
}

/// Returns the keys that hold for the name, the nearest first: podman keeps credentials for a path.
fn places(hosts: &[String], name: Option<&OciName>) -> Vec<String> {
    let path = name.map_or("", OciName::as_str);
    let cuts = path.rmatch_indices('/').map(|(cut, _)| cut);
    let ends = std::iter::once(path.len())
        .chain(cuts)
        .filter(|end| *end > 0);
    let paths = ends.filter_map(|end| path.get(..end));
    let below = paths.flat_map(|path| hosts.iter().map(move |host| format!("{host}/{path}")));
    below.chain(hosts.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(file: &str, origin: &str, name: Option<&str>) -> Result<Advice, String> {
        let name: Option<OciName> = name.map(|name| name.parse().unwrap());
        AuthFile::parse(file.as_bytes())
            .unwrap()
            .find(&origin.parse().unwrap(), name.as_ref())
    }

    fn basic(user: &str, password: &str) -> Advice {
        Advice::Use(Credential::Basic {
            user: user.into(),
            password: Secret::new(password),
        })
    }

    #[test]
    fn entries_are_found_under_all_their_names() {
        // "ann:pw" and "bob:p:w".
        let file = r#"{"auths":{"https://a.example/v2/":{"auth":"YW5uOnB3"},
            "https://index.docker.io/v1/":{"auth":"Ym9iOnA6dw=="},
            "c.example:5000":{"username":"cy","password":"x"},
            "d.example":{"identitytoken":"t"},"e.example":{}},"HttpHeaders":{}}"#;
        assert_eq!(find(file, "a.example", None), Ok(basic("ann", "pw")));
        assert_eq!(find(file, "a.example", Some("x/y")), Ok(basic("ann", "pw")));
        assert_eq!(
            find(file, "registry-1.docker.io", None),
            Ok(basic("bob", "p:w"))
        );
        assert_eq!(find(file, "c.example:5000", None), Ok(basic("cy", "x")));
        assert_eq!(find(file, "c.example", None), Ok(Advice::Silent));
        assert_eq!(find(file, "e.example", None), Ok(Advice::Silent));
        assert_eq!(
            find(file, "d.example", None),
            Ok(Advice::Use(Credential::Identity(Secret::new("t"))))
        );
    }

    #[test]
    fn the_nearest_path_wins() {
        let file = r#"{"auths":{"a.example":{"username":"all","password":"1"},
            "a.example/team":{"username":"team","password":"2"},
            "a.example/team/app":{"username":"app","password":"3"}}}"#;
        assert_eq!(
            find(file, "a.example", Some("team/app")),
            Ok(basic("app", "3"))
        );
        assert_eq!(
            find(file, "a.example", Some("team/other")),
            Ok(basic("team", "2"))
        );
        assert_eq!(
            find(file, "a.example", Some("teams")),
            Ok(basic("all", "1"))
        );
        assert_eq!(find(file, "a.example", None), Ok(basic("all", "1")));
    }

    /// A65: an entry for one registry is never used for another.
    #[test]
    fn a65_no_entry_is_for_another_registry() {
        let file = r#"{"auths":{"a.example":{"username":"all","password":"1"}}}"#;
        for other in [
            "b.example",
            "a.example:8443",
            "x.a.example",
            "a.example.b",
            "http://a.example:443",
        ] {
            assert_eq!(
                find(file, other, Some("a.example/x")),
                Ok(Advice::Silent),
                "{other}"
            );
        }
    }

    #[test]
    fn helpers_are_asked_in_their_order() {
        let file = r#"{"auths":{"a.example":{"username":"u","password":"p"},"b.example":{}},
            "credHelpers":{"a.example":"own"},"credsStore":"all"}"#;
        let ask = |helper: &str, server: &str, own| {
            Ok(Advice::Ask {
                helper: helper.into(),
                server: server.into(),
                own,
            })
        };
        assert_eq!(find(file, "a.example", None), ask("own", "a.example", true));
        assert_eq!(
            find(file, "b.example", None),
            ask("all", "b.example", false)
        );
        assert_eq!(
            find(file, "registry-1.docker.io", None),
            ask("all", HUB_KEY, false)
        );
    }

    #[test]
    fn a_wrong_entry_is_named() {
        for auth in ["%%%", "YW5u", "//79"] {
            let file = format!(r#"{{"auths":{{"a.example":{{"auth":"{auth}"}}}}}}"#);
            let error = find(&file, "a.example", None).unwrap_err();
            assert!(error.contains("a.example"), "{error}");
        }
        assert!(AuthFile::parse(b"[").is_err());
    }
}
