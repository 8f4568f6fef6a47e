//! Sizes and times as people write them in a file.

use std::{fmt, str::FromStr, time::Duration};

use serde::Deserialize;

/// A number of bytes: `4096`, `64 KiB`, `16MiB`, `1 GiB`, `2TiB`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "Text")]
pub(super) struct Size(pub(super) u64);

/// A length of time: `90s`, `5m`, `24h`, `30d`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "Text")]
pub(super) struct Span(pub(super) Duration);

const SIZES: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

const SPANS: &[(&str, u64)] = &[("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0, SIZES, " ")
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text, SIZES, Some(1)).map(Self).ok_or(UnitError::Size)
    }
}

impl fmt::Display for Span {
    /// Writes it in whole seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0.as_secs(), SPANS, "")
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let seconds = parse(text, SPANS, None).ok_or(UnitError::Span)?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

/// What stands in a file for a size or a time.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Number(u64),
    Text(String),
}

impl TryFrom<Text> for Size {
    type Error = UnitError;

    fn try_from(text: Text) -> Result<Self, UnitError> {
        match text {
            Text::Number(bytes) => Ok(Self(bytes)),
            Text::Text(text) => text.parse(),
        }
    }
}

impl TryFrom<Text> for Span {
    type Error = UnitError;

    fn try_from(text: Text) -> Result<Self, UnitError> {
        match text {
            Text::Number(_) => Err(UnitError::Span),
            Text::Text(text) => text.parse(),
        }
    }
}

/// The text is not what it should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum UnitError {
    /// It is no size.
    #[error("a size is a whole number with B, KiB, MiB, GiB or TiB: \"64 MiB\"")]
    Size,
    /// It is no length of time.
    #[error("a time is a whole number with s, m, h or d: \"24h\"")]
    Span,
}

fn parse(text: &str, units: &[(&str, u64)], bare: Option<u64>) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let factor = match unit {
        "" => bare?,
        unit => units.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn write(
    f: &mut fmt::Formatter<'_>,
    number: u64,
    units: &[(&str, u64)],
    space: &str,
) -> fmt::Result {
    let fits = |factor: u64| factor == 1 || (number > 0 && number.is_multiple_of(factor));
    match units.iter().find(|(_, factor)| fits(*factor)) {
        Some((unit, factor)) => write!(f, "{}{space}{unit}", number / factor),
        None => write!(f, "{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for bytes in [0, 1, 1023, 4096, 65_536, 64 << 20, 3 << 40, u64::MAX] {
            let size = Size(bytes);
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        assert_eq!(Size(64 << 20).to_string(), "64 MiB");
        for seconds in [0, 1, 59, 90, 3_600, 86_400 * 30] {
            let span = Span(Duration::from_secs(seconds));
            assert_eq!(span.to_string().parse(), Ok(span));
        }
        assert_eq!(Span(Duration::from_secs(86_400)).to_string(), "1d");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for bad in [
            "",
            "KiB",
            "-1",
            "1.5 MiB",
            "1  MiB",
            "1 mib",
            "1 MB",
            "99999999 TiB",
        ] {
            assert_eq!(bad.parse::<Size>(), Err(UnitError::Size), "{bad}");
        }
        for bad in ["", "24", "h", "1 week", "1.5h", "-1s"] {
            assert_eq!(bad.parse::<Span>(), Err(UnitError::Span), "{bad}");
        }
    }
}
