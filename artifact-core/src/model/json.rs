//! JSON that says one thing: documents with a key given twice, or with a list in place of an object, are
//! refused.

use std::{collections::HashSet, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer,
    },
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

/// A value that is written as an object.
///
/// Left to itself a structure is read from a list, too, its fields in the order in which they stand in
/// the program: what no other reader of the document would see.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
    }
}

/// Reads a field that is an object, or nothing.
pub(crate) fn object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let field = Option::<Object<T>>::deserialize(deserializer)?;
    Ok(field.map(|Object(value)| value))
}

/// Reads a field that is a list of objects, or nothing.
pub(crate) fn objects<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let field = Option::<Vec<Object<T>>>::deserialize(deserializer)?;
    Ok(field.map(|list| list.into_iter().map(|Object(value)| value).collect()))
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
