//! Changes of documents.

use artifact::{Conflict, DocumentKey, DocumentRecord, Event, Generation};

use super::{
    draft::Draft,
    state::{State, document_place},
};

impl Draft<'_> {
    /// Writes a document. What it says already changes nothing.
    pub fn put_document(&mut self, key: DocumentKey, body: String) {
        let before = self.state.document(&key);
        if before.is_some_and(|before| before.body.as_ref() == Some(&body)) {
            return;
        }
        let generation = generation(self.state, &key).next();
        self.write(&key, generation, Some(body.clone()));
        self.events.push(Event::DocumentPut {
            key,
            generation,
            body,
        });
    }

    /// Deletes a document that is there.
    pub fn delete_document(&mut self, key: DocumentKey) -> Result<(), Conflict> {
        let before = self.state.document(&key);
        let generation = generation(self.state, &key);
        if before.is_none_or(|before| before.body.is_none()) {
            return Err(Conflict::Document { key, generation });
        }
        let generation = generation.next();
        self.write(&key, generation, None);
        self.events.push(Event::DocumentDeleted { key, generation });
        Ok(())
    }

    fn write(&mut self, key: &DocumentKey, generation: Generation, body: Option<String>) {
        let revision = self.revision;
        let record = DocumentRecord::new(key.clone(), generation, body, revision);
        let versions = self.state.documents.entry(document_place(key)).or_default();
        // What this change set wrote before is no version that anybody could read.
        versions.retain(|version| version.revision < revision);
        versions.push(record);
    }
}

/// Returns the generation of a document; that of its deletion where it was deleted.
pub fn generation(state: &State, key: &DocumentKey) -> Generation {
    let record = state.document(key);
    record.map_or(Generation::NONE, |record| record.generation)
}
