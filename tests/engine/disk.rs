//! The suite over SQLite and files.

use artifact::RegistryParts;

use crate::support::World;

fn world() -> World {
    world_with(|_| {})
}

fn world_with(change: impl FnOnce(&mut RegistryParts)) -> World {
    World::on_disk(change)
}

#[path = "suite/access.rs"]
mod access;
#[path = "suite/artifacts.rs"]
mod artifacts;
#[path = "suite/blobs.rs"]
mod blobs;
#[path = "suite/collection.rs"]
mod collection;
#[path = "suite/history.rs"]
mod history;
#[path = "suite/keeping.rs"]
mod keeping;
#[path = "suite/permits.rs"]
mod permits;
#[path = "suite/races.rs"]
mod races;
