//! Queries: the parameters behind the `?`. Pure, and total.

use std::num::NonZeroU32;

use artifact_core::{Algorithm, Digest, DigestError, MediaType, NameError, OciName, Tag, guard};

/// How many items a page of a list has, where the request does not ask for fewer.
pub const PAGE_MAX: u32 = 1_000;

/// How many tags one manifest may be pushed with.
pub const TAGS_MAX: usize = 64;

/// How many parameters a query may have.
const PAIRS_MAX: usize = 128;

/// Why a query cannot be meant.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A digest, or the name of a hash, is malformed.
    #[error("the parameter {name} cannot be meant")]
    Digest {
        /// The parameter.
        name: &'static str,
        /// Why.
        #[source]
        source: DigestError,
    },
    /// It is not percent-encoded UTF-8.
    #[error("the query is not percent-encoded UTF-8 text")]
    Encoding,
    /// A parameter that must be there is not.
    #[error("the parameter {name} is missing")]
    Missing {
        /// The parameter.
        name: &'static str,
    },
    /// A parameter is no number.
    #[error("the parameter n is a number of items")]
    Number,
    /// A tag is malformed.
    #[error("the parameter tag cannot be meant")]
    Tag(#[source] NameError),
    /// There is too much of it.
    #[error("more than {max} parameters {name} are not taken")]
    TooMany {
        /// The parameter.
        name: &'static str,
        /// How many are taken.
        max: usize,
    },
    /// A parameter is given twice, with different values.
    #[error("the parameter {name} is given twice")]
    Twice {
        /// The parameter.
        name: &'static str,
    },
}

/// The parameters of a request, decoded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Parses what stands behind the `?` of a request, or in a form.
    ///
    /// # Errors
    /// [`QueryError::Encoding`] and [`QueryError::TooMany`].
    pub fn parse(text: Option<&str>) -> Result<Self, QueryError> {
        let pairs = text
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty());
        let pairs = pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(name)?, decode(value)?))
            })
            .take(PAIRS_MAX + 1)
            .collect::<Result<Vec<_>, QueryError>>()?;
        if guard!(514) && pairs.len() > PAIRS_MAX {
            return Err(QueryError::TooMany {
                name: "of any kind",
                max: PAIRS_MAX,
            });
        }
        Ok(Self { pairs })
    }

    /// Returns a parameter that may be given once.
    ///
    /// # Errors
    /// [`QueryError::Twice`] when it is given with two values: nobody can know which is meant.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, QueryError> {
        let mut values = self.all(name);
        let first = values.next();
        if values.any(|value| Some(value) != first) {
            return Err(QueryError::Twice { name });
        }
        Ok(first)
    }

    /// Returns all values of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |(key, _): &&(String, String)| key == name;
        self.pairs
            .iter()
            .filter(named)
            .map(|(_, value)| value.as_str())
    }

    fn digest(&self, name: &'static str) -> Result<Option<Digest>, QueryError> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|source| QueryError::Digest { name, source })
        };
        self.one(name)?.map(parse).transpose()
    }
}

fn decode(text: &str) -> Result<String, QueryError> {
    super::route::decode(&text.replace('+', "%20")).map_err(|_| QueryError::Encoding)
}

/// How an upload is to begin.
///
/// Source: OCI distribution specification 1.1, "Pushing blobs" and "Mounting a blob from another
/// repository".
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct BeginUpload {
    /// The blob that shall be there without its bytes, if it can.
    pub mount: Option<Mount>,
    /// The digest of the body, which is the whole blob.
    pub digest: Option<Digest>,
    /// How to hash what will come.
    pub algorithm: Algorithm,
}

/// A blob to be had from another package.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Mount {
    /// The blob.
    pub digest: Digest,
    /// The package that has it, where one is named.
    pub from: Option<OciName>,
}

impl BeginUpload {
    /// Reads the parameters.
    ///
    /// What cannot be mounted because it is malformed is passed over: the upload begins, as it does
    /// where there is no such blob.
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn read(query: &Query) -> Result<Self, QueryError> {
        let digest = query.digest("digest")?;
        let named = query.one("digest-algorithm")?.map(|text| {
            text.parse::<Algorithm>()
                .map_err(|source| QueryError::Digest {
                    name: "digest-algorithm",
                    source,
                })
        });
        let of_digest = digest.as_ref().map(Digest::algorithm);
        let algorithm = of_digest.or(named.transpose()?).unwrap_or_default();
        let from = query.one("from")?.map(str::parse::<OciName>).transpose();
        let mount = query
            .one("mount")?
            .and_then(|text| text.parse().ok())
            .zip(from.ok());
        let mount = mount.map(|(digest, from)| Mount { digest, from });
        Ok(Self {
            mount,
            digest,
            algorithm,
        })
    }
}

/// Reads the digest with which an upload ends.
///
/// # Errors
/// [`QueryError`], also when there is none.
pub fn finish_digest(query: &Query) -> Result<Digest, QueryError> {
    let name = "digest";
    query.digest(name)?.ok_or(QueryError::Missing { name })
}

/// Reads the tags that a manifest shall have.
///
/// Source: OCI distribution specification, "Pushing Manifests", the parameter `tag`.
///
/// # Errors
/// [`QueryError::Tag`] and [`QueryError::TooMany`].
pub fn tags(query: &Query) -> Result<Vec<Tag>, QueryError> {
    let mut tags = Vec::new();
    for text in query.all("tag") {
        let tag = text.parse().map_err(QueryError::Tag)?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        if guard!(515) && tags.len() > TAGS_MAX {
            return Err(QueryError::TooMany {
                name: "tag",
                max: TAGS_MAX,
            });
        }
    }
    Ok(tags)
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PageQuery {
    /// How many items, at most [`PAGE_MAX`]; `None` for none at all.
    pub limit: Option<NonZeroU32>,
    /// The item after which the part begins.
    pub last: Option<String>,
    /// Whether the request said how many items.
    pub asked: bool,
}

impl PageQuery {
    /// Reads the parameters `n` and `last`.
    ///
    /// # Errors
    /// [`QueryError::Number`] when `n` is not a number of items.
    pub fn read(query: &Query) -> Result<Self, QueryError> {
        let asked = query.one("n")?;
        let limit = asked.map_or(Ok(PAGE_MAX), number)?;
        Ok(Self {
            limit: NonZeroU32::new(limit),
            last: query.one("last")?.map(str::to_owned),
            asked: asked.is_some(),
        })
    }
}

/// Reads a number of items; more than a page holds is a page.
fn number(text: &str) -> Result<u32, QueryError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(QueryError::Number);
    }
    let asked = text.parse::<u32>().unwrap_or(PAGE_MAX);
    Ok(guard!(516, asked.min(PAGE_MAX), else asked))
}

/// Reads the type to which a list of referrers is cut.
///
/// # Errors
/// [`QueryError::Twice`]. A text that is no media type is the type of no artifact: `Some(None)`.
pub fn artifact_type(query: &Query) -> Result<Option<Option<MediaType>>, QueryError> {
    let asked = query.one("artifactType")?.filter(|text| !text.is_empty());
    // A raw plus sign was read as a space, of which a media type has none.
    Ok(asked.map(|text| text.replace(' ', "+").parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn query(text: &str) -> Query {
        Query::parse(Some(text)).unwrap()
    }

    /// Mounts as skopeo, containerd and crane write them, and one without a source.
    #[test]
    fn mounts_are_read_as_clients_write_them() {
        let encoded = DIGEST.replace(':', "%3A");
        for text in [
            format!("from=a%2Fb&mount={encoded}"),
            format!("mount={DIGEST}&from=a/b"),
            format!("mount={DIGEST}&from=a/b&origin=127.0.0.1:5000"),
        ] {
            let mount = BeginUpload::read(&query(&text)).unwrap().mount.unwrap();
            assert_eq!(mount.digest.to_string(), DIGEST);
            assert_eq!(mount.from.unwrap().as_str(), "a/b");
        }
        let mount = BeginUpload::read(&query(&format!("mount={DIGEST}")))
            .unwrap()
            .mount;
        assert_eq!(mount.unwrap().from, None);
    }

    #[test]
    fn a_mount_that_cannot_be_meant_is_an_upload() {
        for text in [
            "mount=nonsense&from=a",
            &format!("mount={DIGEST}&from=A"),
            "from=a",
        ] {
            assert_eq!(
                BeginUpload::read(&query(text)).unwrap(),
                BeginUpload::default(),
                "{text}"
            );
        }
    }

    #[test]
    fn the_hash_is_that_of_the_digest_or_the_one_named() {
        let of = |text: &str| BeginUpload::read(&query(text)).map(|begin| begin.algorithm);
        assert_eq!(of(""), Ok(Algorithm::Sha256));
        assert_eq!(of("digest-algorithm=sha512"), Ok(Algorithm::Sha512));
        let sha512 = format!("digest=sha512:{}", "a".repeat(128));
        assert_eq!(of(&sha512), Ok(Algorithm::Sha512));
        assert!(of("digest-algorithm=md5").is_err());
        assert!(of("digest=md5:00").is_err());
    }

    #[test]
    fn a_closing_digest_must_be_there_once() {
        assert_eq!(
            finish_digest(&query("")),
            Err(QueryError::Missing { name: "digest" })
        );
        let twice = format!("_state=x&digest={DIGEST}&digest={DIGEST}");
        assert_eq!(finish_digest(&query(&twice)).unwrap().to_string(), DIGEST);
        let two = format!("digest={DIGEST}&digest=sha256:{}", "0".repeat(64));
        assert_eq!(
            finish_digest(&query(&two)),
            Err(QueryError::Twice { name: "digest" })
        );
    }

    #[test]
    fn pages_are_bounded() {
        let read = |text: &str| PageQuery::read(&query(text));
        assert_eq!(read("").unwrap().limit.unwrap().get(), PAGE_MAX);
        assert_eq!(read("n=0").unwrap().limit, None);
        assert_eq!(read("n=7&last=a%2Fb").unwrap().limit.unwrap().get(), 7);
        assert_eq!(read("n=7&last=a%2Fb").unwrap().last.unwrap(), "a/b");
        for large in ["n=1001", "n=4294967296", "n=99999999999999999999999"] {
            assert_eq!(
                read(large).unwrap().limit.unwrap().get(),
                PAGE_MAX,
                "{large}"
            );
        }
        for bad in ["n=-1", "n=x", "n=", "n=+1", "n=1.5"] {
            assert_eq!(read(bad), Err(QueryError::Number), "{bad}");
        }
    }

    #[test]
    fn tags_are_read_once_each_and_bounded() {
        let read = tags(&query("tag=a&tag=b&tag=a")).unwrap();
        assert_eq!(read.iter().map(Tag::as_str).collect::<Vec<_>>(), ["a", "b"]);
        assert!(matches!(tags(&query("tag=-a")), Err(QueryError::Tag(_))));
        let many: Vec<String> = (0..=TAGS_MAX).map(|tag| format!("tag=t{tag}")).collect();
        assert!(matches!(
            tags(&query(&many.join("&"))),
            Err(QueryError::TooMany { .. })
        ));
    }

    #[test]
    fn artifact_types_come_encoded_or_raw() {
        for text in [
            "artifactType=a%2Fb%2Bjson",
            "artifactType=a/b%2Bjson",
            "artifactType=a/b+json",
        ] {
            assert_eq!(
                artifact_type(&query(text))
                    .unwrap()
                    .unwrap()
                    .unwrap()
                    .as_str(),
                "a/b+json"
            );
        }
        assert_eq!(artifact_type(&query("artifactType=")).unwrap(), None);
        assert_eq!(
            artifact_type(&query("artifactType=nonsense")).unwrap(),
            Some(None)
        );
    }

    #[test]
    fn queries_that_are_no_text_are_refused() {
        for text in ["a=%", "a=%zz", "a=%ff", "a=%0a"] {
            assert_eq!(
                Query::parse(Some(text)),
                Err(QueryError::Encoding),
                "{text}"
            );
        }
        let many = "a=1&".repeat(PAIRS_MAX + 1);
        assert!(matches!(
            Query::parse(Some(&many)),
            Err(QueryError::TooMany { .. })
        ));
    }
}
