//! A registry's directory: made, opened by several processes at once, copied, mended.

mod check;
mod create;
mod doctor;
mod error;
#[expect(
    clippy::module_inception,
    reason = "the room is named for what stands in it"
)]
mod home;
mod index;
mod layout;
mod mend;
mod migrate;
mod note;
mod open;
mod open_parts;
mod options;
mod parts;
mod place;
mod probe;
mod purges;
mod rebuild;
mod replace;
mod replay;
mod room;
mod seat;
mod settings;
mod snapshot;
mod store;
mod transfer;
mod units;
mod upkeep;
mod verify;

pub use check::Checked;
pub use doctor::{Finding, Outcome};
pub use error::HomeError;
pub use home::Home;
pub use note::Note;
pub use options::{CreateOptions, OpenOptions};
pub use rebuild::Rebuilt;
pub use settings::{FORMAT, Settings};
pub use snapshot::Snapshot;
