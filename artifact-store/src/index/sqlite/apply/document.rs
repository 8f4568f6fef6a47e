//! Documents.

use artifact_core::{Conflict, DocumentKey, Event, Generation};

use crate::index::sqlite::{
    failure::Outcome,
    state::{documents, tx::Tx},
};

/// Returns the generation of a document, of its deletion where it is deleted.
pub(super) fn generation(tx: &Tx<'_>, key: &DocumentKey) -> Outcome<Generation> {
    let there = documents::current(tx.conn, key)?;
    Ok(there.map_or(Generation::NONE, |document| document.generation))
}

/// Writes a document.
pub(super) fn put(tx: &mut Tx<'_>, key: DocumentKey, body: String) -> Outcome<()> {
    let there = documents::current(tx.conn, &key)?;
    let generation = match there {
        Some(there) if there.body.as_deref() == Some(&body) => return Ok(()),
        Some(there) => there.generation.next(),
        None => Generation::NONE.next(),
    };
    documents::put(tx, &key, generation, Some(&body))?;
    tx.events.push(Event::DocumentPut {
        key,
        generation,
        body,
    });
    Ok(())
}

/// Deletes a document.
pub(super) fn delete(tx: &mut Tx<'_>, key: DocumentKey) -> Outcome<()> {
    let there = documents::current(tx.conn, &key)?;
    let generation = match there {
        Some(there) if there.body.is_some() => there.generation.next(),
        there => {
            let generation = there.map_or(Generation::NONE, |gone| gone.generation);
            return Err(Conflict::Document { key, generation }.into());
        }
    };
    documents::put(tx, &key, generation, None)?;
    tx.events.push(Event::DocumentDeleted { key, generation });
    Ok(())
}
