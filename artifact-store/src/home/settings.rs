//! `artifact.toml`: which registry a directory holds, and the settings of the whole.

use std::{path::Path, time::Duration};

use artifact_core::{RegistryId, guard};
use serde::Deserialize;
use toml::Spanned;

use super::{
    error::HomeError,
    units::{Size, Span},
};
use crate::index::sqlite::ladder::Ladder;

/// The version of the directory's form that this program makes, and to which it brings an older one: that of
/// the tables of the index. Where another part takes another form, a step of theirs says so.
pub const FORMAT: u32 = Ladder::SHIPPED.top();

/// The longest `artifact.toml` that is read, in bytes.
const LENGTH_MAX: u64 = 1 << 20;

/// The settings of a whole registry; those of repositories, namespaces and stages are records in it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// The blobs up to this length, in bytes, are kept in the index itself; at most 64 KiB.
    pub inline_max: u64,
    /// How long a blob that nothing names is kept after it was acknowledged.
    pub lease: Duration,
    /// How long a suspended upload is kept after its last byte.
    pub upload_idle: Duration,
    /// After this time bytes at rest are hashed again.
    pub scrub_interval: Duration,
    /// The longest blob that is taken, in bytes; any when `None`.
    pub blob_max: Option<u64>,
    /// With less room on the disk than this, in bytes, nothing more is taken.
    pub min_free: u64,
    /// File systems that would be refused, by name, and are not.
    pub allow_filesystem: Vec<String>,
    /// The bytes of a page of the index: a power of two from 512 to 65,536. It counts where an index
    /// is made.
    pub page_size: u32,
}

impl Default for Settings {
    fn default() -> Self {
        const HOUR: u64 = 60 * 60;
        Self {
            inline_max: 4096,
            lease: Duration::from_secs(24 * HOUR),
            upload_idle: Duration::from_secs(HOUR),
            scrub_interval: Duration::from_secs(30 * 24 * HOUR),
            blob_max: None,
            min_free: 64 << 20,
            allow_filesystem: Vec::new(),
            page_size: 4096,
        }
    }
}

impl Settings {
    /// Says what is wrong with them.
    fn fault(&self) -> Option<&'static str> {
        if self.inline_max > 64 << 10 {
            return Some("inline_max is at most 64 KiB");
        }
        if !self.page_size.is_power_of_two() || !(512..=65_536).contains(&self.page_size) {
            return Some("page_size is a power of two from 512 to 65536 bytes");
        }
        if self.lease < Duration::from_secs(1) {
            return Some(
                "lease is at least 1s: what is pushed must live until a manifest names it",
            );
        }
        None
    }

    /// Checks settings that were not read from a file.
    pub(super) fn check(&self, place: &Path) -> Result<(), HomeError> {
        self.fault().map_or(Ok(()), |what| {
            Err(HomeError::Settings {
                path: place.to_owned(),
                what: what.to_owned(),
            })
        })
    }
}

/// What `artifact.toml` says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Manifesto {
    pub(super) format: u32,
    pub(super) registry: RegistryId,
    pub(super) settings: Settings,
}

/// The part that every version has, read first: what else a newer one has, this program need not
/// understand to refuse it.
#[derive(Deserialize)]
struct Version {
    format: Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[expect(dead_code, reason = "it was read before the rest")]
    format: u32,
    registry: RegistryId,
    inline_max: Option<Size>,
    lease: Option<Span>,
    upload_idle: Option<Span>,
    scrub_interval: Option<Span>,
    blob_max: Option<Size>,
    min_free: Option<Size>,
    allow_filesystem: Option<Vec<String>>,
    page_size: Option<Size>,
}

impl Manifesto {
    /// Reads the file; `None` when there is none. A format above `known` is refused.
    pub(super) fn read(path: &Path, known: u32) -> Result<Option<Self>, HomeError> {
        let Some(text) = read_text(path)? else {
            return Ok(None);
        };
        Self::parse(&text, path, known).map(Some)
    }

    /// Reads the text of the file at `path`.
    pub(super) fn parse(text: &str, path: &Path, known: u32) -> Result<Self, HomeError> {
        let wrong = |error: toml::de::Error| HomeError::Settings {
            path: path.to_owned(),
            what: describe(text, &error),
        };
        let version: Version = toml::from_str(text).map_err(wrong)?;
        let format = version.format.into_inner();
        if guard!(194) && format > known {
            return Err(HomeError::Format {
                path: path.to_owned(),
                found: format,
                known,
            });
        }
        let raw: Raw = toml::from_str(text).map_err(wrong)?;
        let plain = Settings::default();
        let bytes = |size: Option<Size>, plain| size.map_or(plain, |size| size.0);
        let time = |span: Option<Span>, plain| span.map_or(plain, |span| span.0);
        let page_size = bytes(raw.page_size, plain.page_size.into());
        let settings = Settings {
            inline_max: bytes(raw.inline_max, plain.inline_max),
            lease: time(raw.lease, plain.lease),
            upload_idle: time(raw.upload_idle, plain.upload_idle),
            scrub_interval: time(raw.scrub_interval, plain.scrub_interval),
            blob_max: raw.blob_max.map(|size| size.0),
            min_free: bytes(raw.min_free, plain.min_free),
            allow_filesystem: raw.allow_filesystem.unwrap_or_default(),
            page_size: u32::try_from(page_size).unwrap_or(0),
        };
        settings.check(path)?;
        let registry = raw.registry;
        Ok(Self {
            format,
            registry,
            settings,
        })
    }

    /// Writes the file's text, each setting with its meaning.
    pub(super) fn text(&self) -> String {
        let Settings {
            inline_max,
            lease,
            upload_idle,
            scrub_interval,
            blob_max,
            min_free,
            allow_filesystem,
            page_size,
        } = &self.settings;
        let blob_max = match blob_max {
            Some(bytes) => format!("blob_max = \"{}\"", Size(*bytes)),
            None => String::from("# blob_max = \"10 GiB\""),
        };
        let names = allow_filesystem
            .iter()
            .map(|name| toml::Value::from(name.as_str()));
        let allow_filesystem = toml::Value::Array(names.collect());
        format!(
            "# An artifact registry. Repositories, users and their settings are in the registry\n\
             # itself; here is what concerns the whole. A key that is not known stops the start.\n\
             format = {}\n\
             registry = \"{}\"\n\n\
             # Blobs up to this length are kept in the index itself (at most 64 KiB).\n\
             inline_max = \"{}\"\n\n\
             # How long a blob is kept that no manifest names yet.\n\
             lease = \"{}\"\n\n\
             # How long a suspended upload is kept after its last byte.\n\
             upload_idle = \"{}\"\n\n\
             # After this time bytes at rest are hashed again.\n\
             scrub_interval = \"{}\"\n\n\
             # The longest blob that is taken.\n\
             {blob_max}\n\n\
             # With less room on the disk than this, nothing more is taken.\n\
             min_free = \"{}\"\n\n\
             # File systems that are refused unless they are named here: nfs, smb, 9p, fuse, ...\n\
             allow_filesystem = {allow_filesystem}\n\n\
             # The page of the index, where one is made.\n\
             page_size = \"{}\"\n",
            self.format,
            self.registry,
            Size(*inline_max),
            Span(*lease),
            Span(*upload_idle),
            Span(*scrub_interval),
            Size(*min_free),
            Size((*page_size).into()),
        )
    }
}

/// Reads the text of the file; `None` when there is none.
fn read_text(path: &Path) -> Result<Option<String>, HomeError> {
    let io = HomeError::io("read", path);
    let length = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        found => found.map_err(&io)?.len(),
    };
    if guard!(504) && length > LENGTH_MAX {
        return Err(HomeError::Settings {
            path: path.to_owned(),
            what: format!("it has {length} bytes, and {LENGTH_MAX} are read"),
        });
    }
    std::fs::read_to_string(path).map(Some).map_err(io)
}

/// Returns the text of `artifact.toml` with another format, and all else as somebody has written it.
pub(super) fn with_format(path: &Path, format: u32) -> Result<String, HomeError> {
    let mut text = read_text(path)?.ok_or_else(|| HomeError::NotFound {
        path: path.to_owned(),
    })?;
    let version: Version = toml::from_str(&text).map_err(|error| HomeError::Settings {
        path: path.to_owned(),
        what: describe(&text, &error),
    })?;
    text.replace_range(version.format.span(), &format.to_string());
    Ok(text)
}

/// Says what is wrong, and in which line.
fn describe(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim_end();
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => {
            let line = before.matches('\n').count() + 1;
            format!("line {line}: {message}")
        }
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifesto() -> Manifesto {
        Manifesto {
            format: FORMAT,
            registry: RegistryId::from_random([5; 16]),
            settings: Settings::default(),
        }
    }

    fn parse(text: &str) -> Result<Manifesto, HomeError> {
        Manifesto::parse(text, Path::new("artifact.toml"), FORMAT)
    }

    #[test]
    fn settings_without_end_are_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("artifact.toml");
        let mut text = manifesto().text();
        text.push('#');
        text.push_str(&"x".repeat(usize::try_from(LENGTH_MAX).unwrap()));
        std::fs::write(&path, text).unwrap();
        let refused = Manifesto::read(&path, FORMAT).unwrap_err();
        assert!(matches!(refused, HomeError::Settings { .. }), "{refused:?}");
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut all = manifesto();
        assert_eq!(parse(&all.text()).unwrap(), all);
        all.settings = Settings {
            inline_max: 1,
            lease: Duration::from_secs(61),
            upload_idle: Duration::from_secs(2),
            scrub_interval: Duration::from_secs(86_400),
            blob_max: Some(5),
            min_free: 0,
            allow_filesystem: vec!["nfs".into(), "a\"b\n".into()],
            page_size: 512,
        };
        assert_eq!(parse(&all.text()).unwrap(), all);
    }

    /// I32: what is not known, or cannot be meant, stops the start and is told with its line.
    #[test]
    fn i32_unknown_keys_and_bad_values_are_refused() {
        let good = manifesto().text();
        for (bad, word) in [
            (good.clone() + "lese = \"24h\"\n", "line"),
            (good.replace("lease = \"1d\"", "lease = 24"), "s, m, h or d"),
            (
                good.replace("inline_max = \"4 KiB\"", "inline_max = \"1 MiB\""),
                "64 KiB",
            ),
            (
                good.replace("page_size = \"4 KiB\"", "page_size = 5000"),
                "power of two",
            ),
            (good.replace("lease = \"1d\"", "lease = \"0s\""), "at least"),
            (
                good.replace("registry = \"05", "registry = \"x5"),
                "hexadecimal",
            ),
            (good.replace("format = 1", ""), "format"),
            (String::from("format = 1"), "registry"),
            (String::from("\0"), "line 1"),
        ] {
            assert_ne!(bad, good);
            let refused = parse(&bad).unwrap_err().to_string();
            assert!(
                refused.contains("artifact.toml") && refused.contains(word),
                "{refused}"
            );
        }
    }

    /// I25: a newer form is refused as such, whatever else it says.
    #[test]
    fn i25_a_newer_format_is_refused_by_its_version() {
        let refused = parse("format = 2\nregistry = 7\nnew = true\n").unwrap_err();
        assert!(
            matches!(
                refused,
                HomeError::Format {
                    found: 2,
                    known: 1,
                    ..
                }
            ),
            "{refused}"
        );
    }
}
