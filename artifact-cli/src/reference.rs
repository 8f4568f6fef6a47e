//! References: how an artifact is written in an argument, parsed once.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use artifact::{Digest, ManifestRef, OciName, Tag};
use artifact_proto::client::{Origin, Transport};

/// How references are written, for the help.
pub(crate) const GRAMMAR: &str = "\
References:
  NAME[:TAG][@DIGEST]             an artifact of the registry: team/app, team/app:v1, team/app@sha256:0a1b..
  dir:PATH                        a local directory of files
  oci:PATH[:TAG][@DIGEST]         an OCI image layout on disk
  oci://HOST[:PORT]/NAME[:TAG][@DIGEST]
                                  an artifact of a remote registry; plain HTTP on loopback, else TLS
  oci+http://.. oci+https://..    the same, told how to be reached

  Without tag and digest the tag is `latest`. With both, the tag must point at the digest.
";

/// The tag that is meant where none is written.
pub(crate) const LATEST: &str = "latest";

/// Names an artifact, or a place for one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Reference {
    /// A local directory of files.
    Directory(PathBuf),
    /// An OCI image layout.
    Layout(PathBuf, Version),
    /// The registry's own.
    Package(OciName, Version),
    /// At a remote registry.
    Remote(Origin, OciName, Version),
}

/// Which artifact of a package.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Version {
    pub(crate) tag: Option<Tag>,
    pub(crate) digest: Option<Digest>,
}

impl Version {
    /// Says whether neither tag nor digest was written.
    pub(crate) const fn is_open(&self) -> bool {
        self.tag.is_none() && self.digest.is_none()
    }

    /// Returns what to read by: the digest where there is one, else the tag, else `latest`.
    pub(crate) fn wanted(&self) -> ManifestRef {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => ManifestRef::Digest(*digest),
            (None, Some(tag)) => ManifestRef::Tag(tag.clone()),
            (None, None) => ManifestRef::Tag(latest()),
        }
    }
}

/// Returns the tag that is meant where none is written.
///
/// # Panics
/// Never: it is a literal that is a tag.
pub(crate) fn latest() -> Tag {
    LATEST.parse().expect("`latest` is a tag")
}

impl Reference {
    /// Returns the layout at a path, whatever its name has in it.
    pub(crate) fn layout(path: &Path) -> Self {
        Self::Layout(path.to_owned(), Version::default())
    }

    /// Returns which artifact of its place is meant; a directory has none.
    pub(crate) const fn version(&self) -> Option<&Version> {
        match self {
            Self::Directory(_) => None,
            Self::Layout(_, version) | Self::Package(_, version) | Self::Remote(_, _, version) => {
                Some(version)
            }
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "dir:{}", path.display()),
            Self::Layout(path, version) => write!(f, "oci:{}{version}", path.display()),
            Self::Package(name, version) => write!(f, "{name}{version}"),
            Self::Remote(origin, name, version) => write!(f, "oci+{origin}/{name}{version}"),
        }
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((authority, rest, transport)) = remote(text)? {
            let origin = Origin::new(authority, transport).map_err(|error| error.to_string())?;
            let (name, version) = named(rest)?;
            return Ok(Self::Remote(origin, name, version));
        }
        if let Some(path) = text.strip_prefix("dir:") {
            return Ok(Self::Directory(given(path, text)?));
        }
        if let Some(rest) = text.strip_prefix("oci:") {
            let (path, version) = cut(rest)?;
            return Ok(Self::Layout(given(path, text)?, version));
        }
        let (name, version) = named(text)?;
        Ok(Self::Package(name, version))
    }
}

/// A registry or a part of it, to list what is there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Shelf {
    /// All packages of a remote registry.
    Host(Origin),
    /// An artifact, or all of a package's.
    Of(Reference),
}

impl FromStr for Shelf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        for (scheme, transport) in SCHEMES {
            let Some(authority) = text.strip_prefix(scheme) else {
                continue;
            };
            let authority = authority.strip_suffix('/').unwrap_or(authority);
            if !authority.contains('/') {
                let origin = Origin::new(authority, transport);
                return origin.map(Self::Host).map_err(|error| error.to_string());
            }
        }
        // A namespace is often written as a directory is.
        let named = text.strip_suffix('/').filter(|_| !text.contains(':'));
        match named {
            Some(name) if !name.is_empty() => name.parse().map(Self::Of),
            _ => text.parse().map(Self::Of),
        }
    }
}

const SCHEMES: [(&str, Transport); 3] = [
    ("oci://", Transport::Auto),
    ("oci+http://", Transport::Http),
    ("oci+https://", Transport::Https),
];

/// Takes the host and the way to reach it off a reference to a remote registry.
fn remote(text: &str) -> Result<Option<(&str, &str, Transport)>, String> {
    for (scheme, transport) in SCHEMES {
        let Some(rest) = text.strip_prefix(scheme) else {
            continue;
        };
        return match rest.split_once('/') {
            Some((authority, rest)) => Ok(Some((authority, rest, transport))),
            None => Err(format!(
                "{text:?} names a registry and nothing in it: write oci://HOST/NAME[:TAG]"
            )),
        };
    }
    match text.split_once("://") {
        Some((scheme, rest)) => Err(format!(
            "{scheme:?} is no way to a registry: write oci://{rest}, oci+http://{rest} or oci+https://{rest}"
        )),
        None => Ok(None),
    }
}

fn named(text: &str) -> Result<(OciName, Version), String> {
    let (name, version) = cut(text)?;
    let parsed = name.parse::<OciName>();
    let parsed = parsed.map_err(|error| match hint(text) {
        Some(hint) => format!("{name:?} is no name of a package: {hint}"),
        None => format!("{name:?} is no name of a package: {error}"),
    })?;
    Ok((parsed, version))
}

/// Guesses what was meant by what is no name.
fn hint(text: &str) -> Option<String> {
    let first = text.split('/').next().unwrap_or_default();
    let is_path = text.starts_with(['.', '/', '~']) || Path::new(text).exists();
    if is_path {
        return Some(format!(
            "write dir:{text} for a directory of files, oci:{text} for an OCI layout"
        ));
    }
    let is_host = first.contains(':') || first.eq_ignore_ascii_case("localhost");
    (is_host && text.contains('/')).then(|| format!("write oci://{text} for a remote registry"))
}

/// Takes tag and digest off the end.
fn cut(text: &str) -> Result<(&str, Version), String> {
    let (rest, digest) = match text.rsplit_once('@') {
        Some((rest, digest)) if !digest.contains('/') => {
            let parsed = digest.parse::<Digest>();
            (
                rest,
                Some(parsed.map_err(|error| format!("{digest:?} is no digest: {error}"))?),
            )
        }
        _ => (text, None),
    };
    let (rest, tag) = match rest.rsplit_once(':') {
        Some((rest, tag)) if !tag.contains('/') => {
            let parsed = tag.parse::<Tag>();
            (
                rest,
                Some(parsed.map_err(|error| format!("{tag:?} is no tag: {error}"))?),
            )
        }
        _ => (rest, None),
    };
    Ok((rest, Version { tag, digest }))
}

fn given(path: &str, text: &str) -> Result<PathBuf, String> {
    if path.is_empty() {
        return Err(format!("{text:?} names no path"));
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parse(text: &str) -> Reference {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn packages_have_tags_and_digests() {
        let Reference::Package(name, version) = parse(&format!("team/app:v1@{DIGEST}")) else {
            panic!("it is a package")
        };
        assert_eq!(name.as_str(), "team/app");
        assert_eq!(version.tag, Some("v1".parse().unwrap()));
        assert_eq!(version.wanted().to_string(), DIGEST);
        let Reference::Package(_, version) = parse("app") else {
            panic!("it is a package")
        };
        assert!(version.is_open());
        assert_eq!(version.wanted().to_string(), "latest");
    }

    #[test]
    fn places_are_told_by_their_prefix() {
        assert_eq!(parse("dir:a:b"), Reference::Directory("a:b".into()));
        let tag = Version {
            tag: Some("v1".parse().unwrap()),
            digest: None,
        };
        assert_eq!(
            parse("oci:./a/b:v1"),
            Reference::Layout("./a/b".into(), tag.clone())
        );
        assert_eq!(
            parse("oci:a.b/c"),
            Reference::Layout("a.b/c".into(), Version::default())
        );
        let origin = |text: &str| text.parse::<Origin>().unwrap();
        let name = || "x/y".parse().unwrap();
        assert_eq!(
            parse("oci://localhost:5000/x/y:v1"),
            Reference::Remote(origin("http://localhost:5000"), name(), tag.clone())
        );
        assert_eq!(
            parse("oci://r.example/x/y"),
            Reference::Remote(origin("https://r.example"), name(), Version::default())
        );
        assert_eq!(
            parse("oci+http://r.example/x/y:v1"),
            Reference::Remote(origin("http://r.example"), name(), tag)
        );
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in [
            "a/b:c",
            "dir:/x y",
            "oci:a/b:c",
            &format!("oci:a@{DIGEST}"),
            "oci+http://h:5000/a:b",
            "oci+https://h/a",
            &format!("a:b@{DIGEST}"),
        ] {
            assert_eq!(parse(text).to_string(), text);
            assert_eq!(parse(&parse(text).to_string()), parse(text));
        }
    }

    /// A8, A47, A51: what is no reference is refused, and told what was probably meant.
    #[test]
    fn a51_what_is_no_reference_is_refused() {
        for (bad, word) in [
            ("", "no name"),
            ("A", "no name"),
            ("a:", "no tag"),
            ("a@", "no digest"),
            ("a@sha256:12", "no digest"),
            ("a:b:c", "no name"),
            ("../a", "dir:../a"),
            ("localhost:5000/a", "oci://localhost:5000/a"),
            ("docker://h/a", "oci://h/a"),
            ("oci://h", "nothing in it"),
            ("oci:///a", "no host"),
            ("oci://h/", "no name"),
            ("dir:", "no path"),
            ("oci::v1", "no path"),
            ("a\u{1b}[2J", "no name"),
        ] {
            let error = bad.parse::<Reference>().unwrap_err();
            assert!(error.contains(word), "{bad}: {error}");
            assert!(!error.contains('\u{1b}'), "{error}");
        }
    }

    #[test]
    fn a_host_alone_is_a_shelf() {
        let host = |text: &str| Shelf::Host(text.parse().unwrap());
        assert_eq!("oci://h:1".parse(), Ok(host("https://h:1")));
        assert_eq!("oci+http://h/".parse(), Ok(host("http://h")));
        assert!(matches!(
            "oci://h/a".parse(),
            Ok(Shelf::Of(Reference::Remote(..)))
        ));
        assert!(matches!("a".parse(), Ok(Shelf::Of(Reference::Package(..)))));
        assert_eq!("a/b/".parse::<Shelf>(), "a/b".parse());
        assert!("/".parse::<Shelf>().is_err() && "a//".parse::<Shelf>().is_err());
    }
}
