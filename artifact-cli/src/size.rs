//! Sizes and times as people write and read them.

use std::{str::FromStr, time::Duration};

const UNITS: [(&str, u64); 5] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// A number of bytes as it is written in an argument: `500000`, `64KiB`, `1.5 GiB`, `2GB`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no size: write it as 500000, 64KiB, 1.5GiB or 2GB");
        let cut = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(cut);
        let factor = factor(unit.trim()).ok_or_else(wrong)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        if part.is_empty() || part.len() > 9 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let scale = 10_u64.pow(u32::try_from(part.len()).unwrap_or(9));
        let part: u64 = part.parse().map_err(|_| wrong())?;
        let part = u128::from(part) * u128::from(factor) / u128::from(scale);
        let whole = whole.checked_mul(factor).ok_or_else(wrong)?;
        let sum = whole.checked_add(u64::try_from(part).map_err(|_| wrong())?);
        sum.map(Self).ok_or_else(wrong)
    }
}

fn factor(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    let binary = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&unit));
    match unit.as_str() {
        "" => Some(1),
        "k" | "m" | "g" | "t" => factor(&format!("{unit}ib")),
        "kb" => Some(1_000),
        "mb" => Some(1_000_000),
        "gb" => Some(1_000_000_000),
        "tb" => Some(1_000_000_000_000),
        _ => binary.map(|(_, factor)| *factor),
    }
}

/// Returns a number of bytes as people read it.
pub(crate) fn bytes(count: u64) -> String {
    let (unit, factor) = UNITS
        .iter()
        .rev()
        .find(|(_, factor)| count >= *factor)
        .unwrap_or(&UNITS[0]);
    if *factor == 1 {
        return format!("{count} B");
    }
    let tenths = u128::from(count) * 10 / u128::from(*factor);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// A length of time as it is written in an argument: `90s`, `15m`, `2h`, `7d`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Span(pub(crate) Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no length of time: write it as 90s, 15m, 2h or 7d");
        let unit = text.chars().last().ok_or_else(wrong)?;
        let seconds: u64 = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            _ => return Err(wrong()),
        };
        let number = text.strip_suffix(unit).unwrap_or_default();
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let total = number.checked_mul(seconds).ok_or_else(wrong)?;
        Ok(Self(Duration::from_secs(total)))
    }
}

/// Returns a length of time as [`Span`] reads it, in the largest unit that fits.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [("d", 24 * 60 * 60), ("h", 60 * 60), ("m", 60)];
    let fits = units
        .iter()
        .find(|(_, length)| seconds >= *length && seconds.is_multiple_of(*length));
    match fits {
        Some((unit, length)) => format!("{}{unit}", seconds / length),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_they_are_written() {
        for (text, size) in [
            ("0", 0),
            ("500000", 500_000),
            ("64KiB", 65_536),
            ("64 k", 65_536),
            ("1.5GiB", 3 << 29),
            ("2GB", 2_000_000_000),
            ("1b", 1),
            ("0.5 TiB", 1 << 39),
        ] {
            assert_eq!(text.parse(), Ok(Size(size)), "{text}");
        }
        for bad in [
            "",
            "x",
            "1 x",
            "-1",
            "1.",
            ".5",
            "1e3",
            "99999999999999999999",
            "20000000 TiB",
            "1.1.1",
        ] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn spans_read_as_they_are_written() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("2h", 7200),
            ("7d", 604_800),
            ("0s", 0),
        ] {
            assert_eq!(
                text.parse(),
                Ok(Span(Duration::from_secs(seconds))),
                "{text}"
            );
        }
        for bad in [
            "",
            "s",
            "1",
            "1w",
            "-1d",
            "+1d",
            "1.5h",
            "99999999999999999999d",
            "é",
        ] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_shown_short() {
        for (size, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_600_000, "1.5 MiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert!(
                bytes(size) == text || size == u64::MAX && bytes(size).ends_with("TiB"),
                "{}",
                bytes(size)
            );
        }
    }

    #[test]
    fn spans_are_shown_as_they_are_read() {
        for text in ["0s", "90s", "15m", "25h", "7d"] {
            let Span(time) = text.parse().unwrap();
            assert_eq!(span(time), text);
        }
    }
}
