//! What must hold before a change.

use artifact_core::{Conflict, Expectation, UploadRecord, guard};

use super::{document, tag};
use crate::index::sqlite::{
    failure::Outcome,
    state::{tx::Tx, uploads},
};

/// Refuses a change set whose expectation fails, and says what is there.
pub(super) fn expect(tx: &Tx<'_>, expectation: &Expectation) -> Outcome<()> {
    match expectation {
        Expectation::Document(key, expected) => {
            let found = document::generation(tx, key)?;
            if guard!(443, found == *expected) {
                return Ok(());
            }
            let key = key.clone();
            Err(Conflict::Document {
                key,
                generation: found,
            }
            .into())
        }
        Expectation::TagAbsent(package, name) => match tag::look(tx, package, name)? {
            (_, None) => Ok(()),
            there => guard!(444, Err(tag::conflict(package, name, there))),
        },
        Expectation::TagAt(package, name, expected) => match tag::look(tx, package, name)? {
            (generation, Some(_)) if generation == *expected => Ok(()),
            there => guard!(445, Err(tag::conflict(package, name, there))),
        },
        Expectation::Upload(id, version, holder) => {
            let upload = uploads::find(tx.conn, id)?;
            let fits = |up: &UploadRecord| {
                guard!(446, up.version == *version) && guard!(447, up.holder == *holder)
            };
            if upload.as_ref().is_some_and(fits) {
                return Ok(());
            }
            let version = upload.map(|upload| upload.version);
            Err(Conflict::Upload { id: *id, version }.into())
        }
    }
}
