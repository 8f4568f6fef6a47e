//! JSON that says one thing: documents with a key given twice are refused.

use std::{collections::HashSet, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
};

/// Checks that `bytes` are one JSON document in which no object gives a key twice.
///
/// Two readers of such a document may see different things (CVE-2021-41190 is one such confusion).
///
/// # Errors
/// The parser's error, with line and column.
pub fn check_unique_keys(bytes: &[u8]) -> Result<(), serde_json::Error> {
    check_keys(bytes, UniqueKeys)
}

/// What is wanted of the keys of an object.
pub(crate) trait KeyRule: Copy {
    /// Judges a key by those that its object had before, and returns the rule for what is below it; or
    /// what is wrong with it.
    fn judge(self, key: &str, seen: &mut HashSet<String>) -> Result<Self, String>;
}

/// Checks that `bytes` are one JSON document whose keys, at any depth, are as the rule wants them.
///
/// # Errors
/// The parser's error, with line and column.
pub(crate) fn check_keys(bytes: &[u8], rule: impl KeyRule) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Walk(rule).deserialize(&mut deserializer)?;
    deserializer.end()
}

#[derive(Clone, Copy)]
struct UniqueKeys;

impl KeyRule for UniqueKeys {
    fn judge(self, key: &str, seen: &mut HashSet<String>) -> Result<Self, String> {
        if seen.insert(key.to_owned()) {
            Ok(self)
        } else {
            Err(format!("key {key:?} is given twice"))
        }
    }
}

#[derive(Clone, Copy)]
struct Walk<R>(R);

impl<'de, R: KeyRule> DeserializeSeed<'de> for Walk<R> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: KeyRule> Visitor<'de> for Walk<R> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            let below = self.0.judge(&key, &mut seen).map_err(A::Error::custom)?;
            entries.next_value_seed(Self(below))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::check_unique_keys;

    #[test]
    fn a_key_given_twice_is_refused_at_any_depth() {
        assert!(check_unique_keys(br#"{"a":1,"b":[{"a":null}],"c":1.5}"#).is_ok());
        for bad in [
            &br#"{"a":1,"a":2}"#[..],
            br#"[{"x":{"b":1,"b":1}}]"#,
            br#"{"a":1,"\u0061":2}"#,
            b"{} {}",
            b"{",
            b"",
        ] {
            assert!(
                check_unique_keys(bad).is_err(),
                "{}",
                String::from_utf8_lossy(bad)
            );
        }
        assert!(check_unique_keys("[".repeat(100_000).as_bytes()).is_err());
    }
}
