//! The credentials that this machine's user already has.

use std::{
    env, fmt, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use artifact_core::{BoxError, OciName, guard};
use futures::{FutureExt as _, future::BoxFuture};

use super::{
    auth_file::{Advice, AuthFile},
    credential::{Credential, Credentials, Secret},
    error::ClientError,
    helper,
    origin::{Origin, Transport},
};

/// The longest file that is read, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// Finds credentials where docker and podman keep them, and in the environment.
///
/// Asked in this order; the first place that knows the registry answers:
///
/// 1. `ARTIFACT_USERNAME` and `ARTIFACT_PASSWORD`, for the registry that `ARTIFACT_HOST` names and no other;
/// 2. `DOCKER_AUTH_CONFIG`: a file's content;
/// 3. the file that `REGISTRY_AUTH_FILE` names;
/// 4. `$XDG_RUNTIME_DIR/containers/auth.json` and `$XDG_CONFIG_HOME/containers/auth.json`;
/// 5. `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
///
/// Files are read at each question, so a login is seen at once; the helpers that they name are asked.
#[derive(Clone, Debug)]
pub struct SystemCredentials {
    places: Vec<Place>,
}

#[derive(Clone)]
enum Place {
    Fixed(Vec<Origin>, Credential),
    Text(&'static str, String),
    File(PathBuf),
}

impl fmt::Debug for Place {
    /// Leaves out what may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(..) => f.write_str("ARTIFACT_USERNAME"),
            Self::Text(name, _) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl SystemCredentials {
    /// Returns the credentials that the environment of this process leads to.
    ///
    /// # Errors
    /// [`ClientError::Invalid`] when `ARTIFACT_HOST` is no host, or only a part of the three variables
    /// is set.
    pub fn from_environment() -> Result<Self, ClientError> {
        Self::from_variables(|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// Returns the credentials in these files, in the form of docker's and podman's.
    pub fn from_files(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            places: files.into_iter().map(Place::File).collect(),
        }
    }

    fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, ClientError> {
        let mut places = Vec::new();
        match (
            get("ARTIFACT_HOST"),
            get("ARTIFACT_USERNAME"),
            get("ARTIFACT_PASSWORD"),
        ) {
            (Some(host), Some(user), Some(password)) => {
                let credential = Credential::Basic {
                    user,
                    password: Secret::new(password),
                };
                let mut known = vec![host.parse()?];
                // Who names no scheme means the host, and one on loopback may speak TLS, too.
                known.extend(Origin::new(&host, Transport::Https));
                places.push(Place::Fixed(known, credential));
            }
            (_, None, None) => {}
            _ => {
                let what = "ARTIFACT_USERNAME and ARTIFACT_PASSWORD hold for the registry that \
                            ARTIFACT_HOST names: set all three or none";
                return Err(ClientError::Invalid {
                    what: what.to_owned(),
                });
            }
        }
        places
            .extend(get("DOCKER_AUTH_CONFIG").map(|text| Place::Text("DOCKER_AUTH_CONFIG", text)));
        let in_home = |path: &str| get("HOME").map(|home| Path::new(&home).join(path));
        let below = |name: &str, path: &str| get(name).map(|dir| Path::new(&dir).join(path));
        let files = [
            get("REGISTRY_AUTH_FILE").map(PathBuf::from),
            below("XDG_RUNTIME_DIR", "containers/auth.json"),
            below("XDG_CONFIG_HOME", "containers/auth.json")
                .or_else(|| in_home(".config/containers/auth.json")),
            below("DOCKER_CONFIG", "config.json").or_else(|| in_home(".docker/config.json")),
        ];
        places.extend(files.into_iter().flatten().map(Place::File));
        Ok(Self { places })
    }

    async fn ask(
        &self,
        origin: &Origin,
        name: Option<&OciName>,
    ) -> Result<Option<Credential>, ClientError> {
        for place in &self.places {
            let failed = |what: String, source| ClientError::Credentials {
                origin: origin.to_string(),
                what: format!("{place}: {what}"),
                source,
            };
            let file = match place {
                Place::Fixed(known, credential) if known.contains(origin) => {
                    return Ok(Some(credential.clone()));
                }
                Place::Fixed(..) => continue,
                Place::Text(_, text) => {
                    AuthFile::parse(text.as_bytes()).map_err(|error| unquoted(&error))
                }
                Place::File(path) => match read(path.clone()).await {
                    Ok(None) => continue,
                    Ok(Some(bytes)) => AuthFile::parse(&bytes).map_err(|error| unquoted(&error)),
                    Err(error) => {
                        return Err(failed("cannot be read".to_owned(), Some(error)));
                    }
                },
            };
            let file = file.map_err(|what| failed(what, None))?;
            match file.find(origin, name).map_err(|what| failed(what, None))? {
                Advice::Silent => {}
                Advice::Use(credential) => return Ok(Some(credential)),
                Advice::Ask {
                    helper,
                    server,
                    own,
                } => {
                    match helper::ask(&helper, &server).await {
                        Ok(None) => {}
                        Ok(Some(credential)) => return Ok(Some(credential)),
                        // A store for all registries that is not there has nothing for this one.
                        Err(_) if !own => {}
                        Err((what, source)) => return Err(failed(what, source)),
                    }
                }
            }
        }
        Ok(None)
    }
}

/// Says where a file is wrong without what it holds: the parser's message could quote a secret.
fn unquoted(error: &serde_json::Error) -> String {
    format!(
        "no JSON of the form that docker writes, at line {} column {}",
        error.line(),
        error.column()
    )
}

impl Credentials for SystemCredentials {
    fn find<'a>(
        &'a self,
        origin: &'a Origin,
        name: Option<&'a OciName>,
    ) -> BoxFuture<'a, Result<Option<Credential>, ClientError>> {
        self.ask(origin, name).boxed()
    }
}

/// Reads a file, or returns `None` when there is none.
async fn read(path: PathBuf) -> Result<Option<Vec<u8>>, BoxError> {
    let bytes = tokio::task::spawn_blocking(move || match fs::File::open(&path) {
        Ok(file) => {
            let mut bytes = Vec::new();
            file.take(guard!(549, FILE_MAX, else u64::MAX))
                .read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    });
    Ok(bytes.await??)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(variables: &[(&str, &str)]) -> Result<SystemCredentials, ClientError> {
        SystemCredentials::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    async fn user(credentials: &SystemCredentials, origin: &str) -> Option<String> {
        match credentials
            .find(&origin.parse().unwrap(), None)
            .await
            .unwrap()
        {
            Some(Credential::Basic { user, .. }) => Some(user),
            _ => None,
        }
    }

    #[tokio::test]
    async fn the_first_place_that_knows_the_registry_answers() {
        let directory = tempfile::tempdir().unwrap();
        let docker = directory.path().join("docker");
        fs::create_dir(&docker).unwrap();
        let entry = |user: &str| format!(r#"{{"username":"{user}","password":"p"}}"#);
        let file = format!(
            r#"{{"auths":{{"a.example":{},"b.example":{}}}}}"#,
            entry("file-a"),
            entry("file-b")
        );
        fs::write(docker.join("config.json"), file).unwrap();
        let inline = format!(r#"{{"auths":{{"a.example":{}}}}}"#, entry("inline"));
        let found = credentials(&[
            ("ARTIFACT_HOST", "c.example"),
            ("ARTIFACT_USERNAME", "direct"),
            ("ARTIFACT_PASSWORD", "p"),
            ("DOCKER_AUTH_CONFIG", &inline),
            (
                "REGISTRY_AUTH_FILE",
                directory.path().join("absent").to_str().unwrap(),
            ),
            ("DOCKER_CONFIG", docker.to_str().unwrap()),
        ])
        .unwrap();
        assert_eq!(user(&found, "a.example").await.as_deref(), Some("inline"));
        assert_eq!(user(&found, "b.example").await.as_deref(), Some("file-b"));
        assert_eq!(user(&found, "c.example").await.as_deref(), Some("direct"));
        assert_eq!(user(&found, "d.example").await, None);
    }

    /// A host is meant by either way, and what is to go by TLS goes by no other.
    #[tokio::test]
    async fn a_password_for_loopback_is_given_by_tls_too() {
        for (host, plain, tls) in [
            ("localhost:5000", true, true),
            ("http://localhost:5000", true, false),
            ("https://localhost:5000", false, true),
            ("registry.example:5000", false, true),
        ] {
            let found = credentials(&[
                ("ARTIFACT_HOST", host),
                ("ARTIFACT_USERNAME", "u"),
                ("ARTIFACT_PASSWORD", "p"),
            ]);
            let found = found.unwrap();
            let authority = host.rsplit('/').next().unwrap();
            let by = async |scheme: &str| user(&found, &format!("{scheme}://{authority}")).await;
            assert_eq!(by("http").await.is_some(), plain, "{host}");
            assert_eq!(by("https").await.is_some(), tls, "{host}");
            assert!(user(&found, "https://localhost:5001").await.is_none());
        }
    }

    /// I23: no more of a file is read than one of credentials has.
    #[tokio::test]
    async fn i23_a_file_without_end_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("config.json");
        let auths = r#"{"auths":{"a.example":{"username":"ann","password":"p"}}}"#;
        let length = usize::try_from(FILE_MAX).unwrap();
        let write = |spaces: usize| fs::write(&place, " ".repeat(spaces) + auths).unwrap();
        let found = credentials(&[("DOCKER_CONFIG", directory.path().to_str().unwrap())]).unwrap();
        let origin = "a.example".parse().unwrap();
        write(length - auths.len());
        assert!(found.find(&origin, None).await.unwrap().is_some());
        write(length - auths.len() + 1);
        assert!(found.find(&origin, None).await.is_err());
    }

    /// A65: a name and password without a host would go to every registry.
    #[test]
    fn a65_a_password_needs_its_host() {
        assert!(credentials(&[("ARTIFACT_USERNAME", "u"), ("ARTIFACT_PASSWORD", "p")]).is_err());
        assert!(credentials(&[("ARTIFACT_HOST", "h"), ("ARTIFACT_PASSWORD", "p")]).is_err());
        assert!(credentials(&[("ARTIFACT_HOST", "h")]).is_ok());
    }

    /// I27, A55: neither an error nor a debug line shows what a file holds.
    #[tokio::test]
    async fn i27_a_wrong_file_is_named_and_not_quoted() {
        let found = credentials(&[("DOCKER_AUTH_CONFIG", r#"{"auths":"hunter2"}"#)]).unwrap();
        let error = found
            .find(&"a.example".parse().unwrap(), None)
            .await
            .unwrap_err();
        let shown = format!("{error} {error:?} {found:?}");
        assert!(shown.contains("DOCKER_AUTH_CONFIG"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
