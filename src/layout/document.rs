//! The documents of a layout: what it says that it is, and what it holds.

use artifact_core::{Descriptor, Digest, MediaType, check_unique_keys};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The version of the layout that is written and read.
const VERSION: &str = "1.0.0";

/// The annotation that names an entry.
///
/// Source: OCI image specification, annotations.md.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    image_layout_version: String,
}

/// Returns the content of `oci-layout`.
pub(super) fn marker() -> Vec<u8> {
    format!(r#"{{"imageLayoutVersion":"{VERSION}"}}"#).into_bytes()
}

/// Checks the content of `oci-layout`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_marker(bytes: &[u8]) -> Result<(), String> {
    match serde_json::from_slice::<Marker>(bytes) {
        Ok(marker) if marker.image_layout_version.starts_with("1.") => Ok(()),
        Ok(marker) => Err(format!(
            "it is of version {}, and {VERSION} is known here",
            marker.image_layout_version
        )),
        Err(_) => Err("it names no version of the layout".to_owned()),
    }
}

/// The document `index.json`: what another program wrote into it beside the entries is kept.
#[derive(Debug)]
pub(super) struct Index {
    rest: Map<String, Value>,
    /// The entries, each beside its form in JSON.
    entries: Vec<(Descriptor, Value)>,
}

impl Index {
    /// Returns an index without entries.
    pub(super) fn empty() -> Self {
        let mut rest = Map::new();
        rest.insert("schemaVersion".to_owned(), Value::from(2));
        rest.insert("mediaType".to_owned(), Value::from(MediaType::OCI_INDEX));
        Self {
            rest,
            entries: Vec::new(),
        }
    }

    /// Reads the document.
    ///
    /// # Errors
    /// The parser's.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        check_unique_keys(bytes)?;
        let mut rest: Map<String, Value> = serde_json::from_slice(bytes)?;
        let entries = match rest.remove("manifests") {
            None | Some(Value::Null) => Vec::new(),
            Some(entries) => serde_json::from_value::<Vec<Value>>(entries)?,
        };
        let entry = |value: Value| Ok((serde_json::from_value(value.clone())?, value));
        let entries = entries
            .into_iter()
            .map(entry)
            .collect::<Result<_, serde_json::Error>>()?;
        Ok(Self { rest, entries })
    }

    /// Returns the document in bytes.
    ///
    /// # Errors
    /// The serializer's.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut document = self.rest.clone();
        let entries = self
            .entries
            .iter()
            .map(|(_, value)| value.clone())
            .collect();
        document.insert("manifests".to_owned(), Value::Array(entries));
        serde_json::to_vec(&document)
    }

    /// Returns the entries with their names.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Descriptor, Option<&str>)> {
        self.entries
            .iter()
            .map(|(entry, _)| (entry, name_of(entry)))
    }

    /// Returns the entry with this name.
    pub(super) fn named(&self, name: &str) -> Option<&Descriptor> {
        self.entries()
            .find(|(_, known)| *known == Some(name))
            .map(|(entry, _)| entry)
    }

    /// Returns the entry of this digest.
    pub(super) fn of(&self, digest: &Digest) -> Option<&Descriptor> {
        self.entries()
            .find(|(entry, _)| entry.digest == *digest)
            .map(|(entry, _)| entry)
    }

    /// Puts an entry in, under a name that no other has after it; without a name, once.
    ///
    /// # Errors
    /// The serializer's.
    pub(super) fn put(
        &mut self,
        mut entry: Descriptor,
        name: Option<&str>,
    ) -> Result<(), serde_json::Error> {
        match name {
            Some(name) => {
                self.entries
                    .retain(|(known, _)| name_of(known) != Some(name));
                entry
                    .annotations
                    .insert(REF_NAME.to_owned(), name.to_owned());
            }
            None if self.of(&entry.digest).is_some() => return Ok(()),
            None => {}
        }
        let value = serde_json::to_value(&entry)?;
        self.entries.push((entry, value));
        Ok(())
    }

    /// Takes a name away; says whether it was there. What it stood for stays, without a name where it
    /// has no other.
    ///
    /// # Errors
    /// The serializer's.
    pub(super) fn unname(&mut self, name: &str) -> Result<bool, serde_json::Error> {
        let place = self
            .entries
            .iter()
            .position(|(known, _)| name_of(known) == Some(name));
        let Some(place) = place else { return Ok(false) };
        let (mut entry, mut value) = self.entries.remove(place);
        if self.of(&entry.digest).is_none() {
            entry.annotations.remove(REF_NAME);
            // Only the name goes: what is not understood here stays as it was.
            if let Some(known) = value.as_object_mut() {
                let notes = serde_json::to_value(&entry.annotations)?;
                known.insert("annotations".to_owned(), notes);
            }
            self.entries.insert(place, (entry, value));
        }
        Ok(true)
    }

    /// Takes all entries of a digest away; says whether there were any.
    pub(super) fn remove(&mut self, digest: &Digest) -> bool {
        let before = self.entries.len();
        self.entries.retain(|(known, _)| known.digest != *digest);
        self.entries.len() < before
    }
}

fn name_of(entry: &Descriptor) -> Option<&str> {
    entry.annotations.get(REF_NAME).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(digit: char) -> Descriptor {
        let digest = format!("sha256:{}", digit.to_string().repeat(64))
            .parse()
            .unwrap();
        Descriptor::new(MediaType::literal(MediaType::OCI_MANIFEST), digest, 7)
    }

    #[test]
    fn only_known_layouts_are_taken() {
        assert!(check_marker(&marker()).is_ok());
        assert!(check_marker(br#"{"imageLayoutVersion":"1.1.0","x":1}"#).is_ok());
        for bad in [&b""[..], b"{}", br#"{"imageLayoutVersion":"2.0.0"}"#, b"[]"] {
            assert!(check_marker(bad).is_err());
        }
    }

    #[test]
    fn a_name_moves_and_what_is_not_understood_stays() {
        let text = br#"{"schemaVersion":2,"annotations":{"k":"v"},"manifests":[
            {"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"future":true,
             "digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]}"#;
        let mut index = Index::parse(text).unwrap();
        index.put(entry('b'), Some("v1")).unwrap();
        index.put(entry('c'), Some("v1")).unwrap();
        index.put(entry('a'), None).unwrap();
        index.put(entry('d'), None).unwrap();
        let again = Index::parse(&index.to_bytes().unwrap()).unwrap();
        assert_eq!(again.named("v1").unwrap().digest, entry('c').digest);
        assert_eq!(again.entries().count(), 3);
        let text = String::from_utf8(again.to_bytes().unwrap()).unwrap();
        assert!(
            text.contains(r#""future":true"#) && text.contains(r#""k":"v""#),
            "{text}"
        );
    }

    #[test]
    fn a_name_goes_and_what_it_stood_for_stays() {
        let mut index = Index::empty();
        index.put(entry('a'), Some("v1")).unwrap();
        index.put(entry('a'), Some("v2")).unwrap();
        assert!(!index.unname("v3").unwrap());
        assert!(index.unname("v1").unwrap());
        assert_eq!(index.entries().count(), 1, "it has another name");
        assert!(index.unname("v2").unwrap());
        let again = Index::parse(&index.to_bytes().unwrap()).unwrap();
        assert_eq!(again.entries().next().unwrap(), (&entry('a'), None));
        assert!(index.remove(&entry('a').digest));
        assert!(!index.remove(&entry('a').digest));
    }

    #[test]
    fn an_index_that_can_be_read_in_two_ways_is_refused() {
        assert!(Index::parse(br#"{"manifests":[],"manifests":[]}"#).is_err());
        assert!(Index::parse(br#"{"manifests":[{"digest":"x"}]}"#).is_err());
        assert!(
            Index::parse(br#"{"manifests":null}"#)
                .unwrap()
                .entries()
                .next()
                .is_none()
        );
    }
}
