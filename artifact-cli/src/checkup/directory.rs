//! A registry's directory.

use std::{fs, io, path::Path};

use artifact::{
    Bookkeeping, Home, HomeError, Mode, Note, OpenError, OpenOptions, Registry, Session, Timestamp,
};
use artifact_store::home::{Finding, OpenOptions as HomeOptions, Outcome};

use super::check::{Checks, story};
use crate::{failure::Failure, names::plural, size::bytes};

/// With less room than so many times what the registry keeps free, its end is near.
const ROOM_FACTOR: u64 = 16;

/// Looks at the directory; returns the time of the newest revision, where that could be read.
pub(crate) async fn look(path: &Path, options: &HomeOptions) -> (Checks, Option<Timestamp>) {
    let mut checks = Checks::of("directory");
    permissions(path, &mut checks);
    // Before it is opened: that would mend some of it.
    findings(Home::doctor(path, options).await, &mut checks);
    let registry = match OpenOptions::new().open_async(path).await {
        Ok(registry) => registry,
        Err(error) => {
            let finding = story(&error);
            checks.failed("open", finding, &remedy(error));
            return (checks, None);
        }
    };
    let home = registry.home();
    let identity = home.identity();
    let opened = format!(
        "registry {}, epoch {}",
        identity.registry,
        identity.epoch.get()
    );
    checks.good("open", opened);
    notes(home.notes(), &mut checks);
    let session = registry.embedder();
    room(path, home.settings().min_free, &mut checks);
    write(&registry, &mut checks).await;
    mode(&session, &mut checks).await;
    contents(&session, &mut checks).await;
    let head = session.revision().await.ok().map(|head| head.time);
    (checks, head)
}

/// Says what was found in the directory itself; what is looked at here in other words is left out.
fn findings(found: Vec<Finding>, checks: &mut Checks) {
    const HERE: [&str; 4] = ["boot clock", "directory", "file system", "room"];
    for Finding {
        subject, outcome, ..
    } in found
    {
        match outcome {
            _ if HERE.contains(&subject) => {}
            Outcome::Good { what } => checks.good(subject, what),
            Outcome::Warning { what, remedy } => checks.warning(subject, what, &remedy),
            Outcome::Bad { what, remedy } => checks.failed(subject, what, &remedy),
        }
    }
}

fn remedy(error: OpenError) -> String {
    if let OpenError::Home(HomeError::Settings { .. }) = error {
        return "mend that line of the file".to_owned();
    }
    let failure = Failure::from(error);
    failure.what_to_do().unwrap_or_default().to_owned()
}

#[cfg(unix)]
fn permissions(path: &Path, checks: &mut Checks) {
    use std::os::unix::fs::MetadataExt as _;
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) => {
            checks.failed(
                "permissions",
                error.to_string(),
                "name the directory of a registry, or make one: `artifact init`",
            );
            return;
        }
    };
    let (owner, own, mode) = (
        meta.uid(),
        rustix::process::geteuid().as_raw(),
        meta.mode() & 0o7777,
    );
    if owner != own {
        let finding = format!("the directory is user {owner}'s, and this is user {own}");
        checks.warning(
            "permissions",
            finding,
            "one user's processes use a directory: others go through `artifact serve`",
        );
    } else if mode & 0o077 != 0 {
        let finding =
            format!("the directory has mode {mode:04o}: others than its owner may look into it");
        checks.warning(
            "permissions",
            finding,
            &format!("chmod 0700 {}", path.display()),
        );
    } else {
        checks.good("permissions", format!("mode {mode:04o}, its owner's alone"));
    }
}

#[cfg(not(unix))]
fn permissions(path: &Path, checks: &mut Checks) {
    match fs::metadata(path) {
        Ok(_) => checks.good("permissions", "it is there"),
        Err(error) => checks.failed(
            "permissions",
            error.to_string(),
            "name the directory of a registry",
        ),
    }
}

fn notes(notes: &[Note], checks: &mut Checks) {
    let mut plain = true;
    for note in notes {
        match note {
            // It was said above.
            Note::Permissions { .. } => {}
            Note::FileSystem { .. } => {
                plain = false;
                checks.warning(
                    "file system",
                    note.to_string(),
                    "keep what must last on a local disk",
                );
            }
            Note::ReserveMissing => {
                checks.warning("reserve", note.to_string(), "free room on the disk");
            }
            _ => checks.warning("repair", note.to_string(), ""),
        }
    }
    if plain {
        checks.good("file system", "a local one that keeps what is synced");
    }
}

#[cfg(unix)]
fn room(path: &Path, min_free: u64, checks: &mut Checks) {
    let found = match rustix::fs::statvfs(path) {
        Ok(found) => found,
        Err(error) => return checks.warning("room", io::Error::from(error).to_string(), ""),
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let finding = format!(
        "{} free, of which {} are kept free",
        bytes(free),
        bytes(min_free)
    );
    if free < min_free {
        checks.failed(
            "room",
            finding,
            "free room on the disk; `artifact gc` frees what nothing wants",
        );
    } else if free < min_free.saturating_mul(ROOM_FACTOR) {
        checks.warning(
            "room",
            finding,
            "free room on the disk; `artifact gc` frees what nothing wants",
        );
    } else {
        checks.good("room", finding);
    }
    // A file system that makes inodes as it needs them tells none.
    if found.f_files > 0 && found.f_favail < 10_000 {
        let finding = format!("{} more files can be made", found.f_favail);
        checks.warning(
            "inodes",
            finding,
            "remove files from the disk, or make a file system with more inodes",
        );
    }
}

#[cfg(not(unix))]
fn room(_: &Path, _: u64, checks: &mut Checks) {
    checks.skipped("room", "no call is known here that tells it");
}

/// Writes something that changes nothing: it takes the writer's lock and a transaction all the same.
async fn write(registry: &Registry, checks: &mut Checks) {
    let parts = registry.parts();
    let nothing = Bookkeeping::Release {
        name: "doctor".to_owned(),
        holder: parts.holder.clone(),
    };
    match parts.index.note(nothing).await {
        Ok(_) => checks.good(
            "write",
            "the writer's lock is free, and the index takes writes",
        ),
        Err(error) => {
            let failed =
                "look at who holds writer.lock, and at the room and the health of the disk";
            checks.failed("write", story(&error), failed);
        }
    }
}

async fn mode(session: &Session, checks: &mut Checks) {
    match session.mode(artifact::AsOf::Now).await {
        Ok(Mode::ReadOnly(reason)) => {
            let finding = format!("read-only: {reason}");
            checks.warning("mode", finding, "`artifact mode read-write` ends it");
        }
        Ok(_) => checks.good("mode", "read-write"),
        Err(error) => checks.failed("mode", story(&error), ""),
    }
}

async fn contents(session: &Session, checks: &mut Checks) {
    match session.totals().await {
        Ok(totals) if totals.quarantined > 0 => {
            let finding = format!(
                "{} have wrong bytes",
                plural(totals.quarantined, "blob", "blobs")
            );
            checks.failed(
                "blobs",
                finding,
                "`artifact fsck` names them; push them again",
            );
        }
        Ok(totals) => {
            let finding = format!(
                "{} ({}), none known to be wrong",
                plural(totals.blobs, "blob", "blobs"),
                bytes(totals.stored_bytes)
            );
            checks.good("blobs", finding);
        }
        Err(error) => checks.failed("blobs", story(&error), ""),
    }
}
