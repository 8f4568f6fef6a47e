//! An index in memory that keeps every state it was in.
//!
//! A change set is made on a copy of the newest state, which then takes its place: so it is made
//! whole or not at all (MI-1, MI-15), a read holds no lock, and a read as of a revision is a read of
//! the state of then (MI-8). States share what they have in common, and a copy costs a pointer for
//! each thing beside what is changed: this index is meant to be read, not to hold millions.
//!
//! It keeps nothing when its process ends. One that does would write each change set to a file,
//! sync it before the state takes its place, and make the sets again when it is opened.
//!
//! A file imports only from those below it:
//!
//! | file | what is in it |
//! | --- | --- |
//! | `plain.rs` | the index: the contract's methods |
//! | `apply.rs`, `note.rs` | change sets, bookkeeping: what is asked, and in which order |
//! | `adopt.rs`, `blob.rs`, `document.rs`, `package.rs` | the changes, by what they change |
//! | `draft.rs` | the change set that is being made |
//! | `view.rs`, `count.rs` | reads of what is and was; figures |
//! | `state.rs` | all that is known at one instant |
//! | `keys.rs`, `rows.rs`, `shared.rs` | who has a key; rows; copies on write |

mod adopt;
mod apply;
mod blob;
mod count;
mod document;
mod draft;
mod keys;
mod note;
mod package;
mod plain;
mod rows;
mod shared;
mod state;
mod view;

pub use plain::PlainIndex;
