//! Collection, leases, scrub.

use std::{io::Write as _, time::Duration};

use artifact::{
    AsOf, BootId, CollectOptions, Condition, ErrorKind, Forget, Holder, PutManifest,
    RepositorySettings, UploadOptions,
};

use crate::support::{assert_kind, bytes, image, package, publish, push, read, tag};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn collect(world: &crate::support::World) -> artifact::Collected {
    world
        .embedder()
        .collect(&CollectOptions::default())
        .unwrap()
}

/// I8: an acknowledged blob is kept for its lease, and goes after it.
#[test]
fn i8_a_lease_keeps_a_blob_until_it_ends() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let pushed = push(&session, &app, &bytes(1, 10_000)).unwrap();
    world.clock.advance(DAY - Duration::from_secs(1));
    assert_eq!(collect(&world).blobs, 0);
    read(&session, &app, &pushed.digest).unwrap();
    world.clock.advance(Duration::from_secs(2));
    let collected = collect(&world);
    assert_eq!((collected.blobs, collected.blob_bytes), (1, 10_000));
    assert_eq!(collected.unlinked, 1);
    let all = (
        collected.freed + collected.waiting,
        collected.freed_bytes + collected.waiting_bytes,
    );
    assert_eq!(all, (1, 10_000));
    assert_kind(read(&session, &app, &pushed.digest), ErrorKind::NotFound);
    // Bytes in a segment stay for as long as a transfer of them may last.
    world.clock.advance(Duration::from_secs(15 * 60));
    let later = collect(&world);
    let freed = (
        collected.freed + later.freed,
        collected.freed_bytes + later.freed_bytes,
    );
    assert_eq!(freed, (1, 10_000));
    assert_eq!(session.totals().unwrap(), artifact::Totals::default());
}

/// A85: who asks for a blob before naming it finds it kept long enough to name it.
#[test]
fn a85_a_look_renews_the_lease() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let pushed = push(&session, &app, &bytes(1, 10_000)).unwrap();
    world.clock.advance(DAY - Duration::from_secs(1));
    session.stat_blob(AsOf::Now, &app, &pushed.digest).unwrap();
    world.clock.advance(DAY - Duration::from_secs(1));
    collect(&world);
    let manifest = image(&[pushed]);
    session
        .put_manifest(&app, &manifest, &PutManifest::default())
        .unwrap();
    world.clock.advance(10 * DAY);
    collect(&world);
    read(&session, &app, &pushed.digest).unwrap();
}

/// I17, F12: after a boot a lease counts anew, and a wall clock ten years off changes nothing.
#[test]
fn i17_a_boot_or_a_wrong_clock_ends_no_lease() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let pushed = push(&session, &app, &bytes(1, 10_000)).unwrap();
    world.clock.advance(DAY - Duration::from_secs(1));
    world.clock.reboot(BootId::new("another"));
    collect(&world);
    world.clock.advance(DAY - Duration::from_secs(1));
    collect(&world);
    read(&session, &app, &pushed.digest).unwrap();
    world.clock.set_wall(
        world
            .registry
            .parts()
            .clock
            .now()
            .plus_millis(315_360_000_000),
    );
    collect(&world);
    read(&session, &app, &pushed.digest).unwrap();
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(collect(&world).blobs, 1);
}

#[test]
fn history_keeps_a_blob_until_it_is_forgotten() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let (manifest, _) = publish(&session, &app, "v1", 1);
    session.delete_manifest(&app, &manifest.digest()).unwrap();
    world.clock.advance(6 * DAY);
    assert_eq!(collect(&world).blobs, 0);
    world.clock.advance(2 * DAY);
    push(&session, &app, b"a later revision").unwrap();
    let collected = collect(&world);
    assert_eq!((collected.blobs, collected.blob_bytes), (2, 20_300));
}

/// I8: what is forgotten in one repository is kept in the others.
#[test]
fn i8_one_repository_is_forgotten_alone() {
    let world = super::world();
    let session = world.embedder();
    let team = "team".parse().unwrap();
    let made = RepositorySettings::default();
    session.create_repository(&team, &made, false).unwrap();
    let names = ["app", "team/app"].map(|name| name.parse().unwrap());
    let [kept, gone] = names.map(|name| {
        let package = session.resolve(AsOf::Now, &name).unwrap();
        publish(&session, &package, "v1", 1);
        session
            .delete_tag(&package, &tag("v1"), &Condition::Any)
            .unwrap();
        package
    });
    let then = AsOf::Revision(session.revision().unwrap().revision);
    push(&session, &kept, b"later").unwrap();
    let forget = Forget {
        repository: Some(team),
        before: session.revision().unwrap().revision,
    };
    let options = CollectOptions::default().forgetting(forget);
    assert_eq!(session.collect(&options).unwrap().forgotten, 1);
    assert_kind(session.tag(then, &kept, &tag("v1")), ErrorKind::NotFound);
    assert_kind(
        session.tag(then, &gone, &tag("v1")),
        ErrorKind::HistoryForgotten,
    );
}

#[test]
fn a_dry_run_tells_and_changes_nothing() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let (manifest, _) = publish(&session, &app, "v1", 1);
    session.delete_manifest(&app, &manifest.digest()).unwrap();
    let head = session.revision().unwrap().revision;
    let forget = Forget {
        repository: None,
        before: head,
    };
    let options = CollectOptions::default().forgetting(forget);
    session.collect(&options).unwrap();
    assert_eq!(
        session
            .collect(&CollectOptions::default().dry_run())
            .unwrap()
            .blobs,
        0
    );
    assert_kind(
        read(&session, &app, &manifest.references()[1].descriptor.digest),
        ErrorKind::NotFound,
    );
}

/// I8: what another package names stays, and a pin holds.
#[test]
fn i8_what_somebody_wants_stays() {
    let world = super::world();
    let (session, app, other) = (world.embedder(), package("app"), package("other"));
    let (manifest, _) = publish(&session, &app, "v1", 1);
    publish(&session, &other, "v1", 1);
    let pinned = push(&session, &app, &bytes(7, 9_000)).unwrap();
    session.pin(&app, &pinned.digest, "build").unwrap();
    session.delete_manifest(&app, &manifest.digest()).unwrap();
    world.clock.advance(30 * DAY);
    push(&session, &app, b"a later revision").unwrap();
    assert_eq!(collect(&world).blobs, 0);
    let layer = manifest.references()[1].descriptor.digest;
    assert_eq!(read(&session, &other, &layer).unwrap().len(), 20_000);
    assert_eq!(read(&session, &app, &pinned.digest).unwrap().len(), 9_000);
    assert_kind(
        session.delete_blob(&app, &pinned.digest),
        ErrorKind::Conflict,
    );
    session.unpin(&app, &pinned.digest, "build").unwrap();
    assert_eq!(collect(&world).blobs, 1);
}

/// F26: more than anybody is likely to have meant is not deleted unasked.
#[test]
fn f26_a_mass_delete_stops() {
    let world = super::world_with(|parts| parts.limits.mass_delete = 3);
    let (session, app) = (world.embedder(), package("app"));
    for n in 0..5 {
        push(&session, &app, &bytes(n, 10_000)).unwrap();
    }
    world.clock.advance(2 * DAY);
    let stopped = session.collect(&CollectOptions::default());
    assert_kind(stopped, ErrorKind::Unsupported);
    let allowed = CollectOptions::default().allowing_mass_delete();
    assert_eq!(session.collect(&allowed).unwrap().blobs, 5);
}

/// I9, I24: uploads whose time is over, or whose process died at once, are reclaimed.
#[test]
fn i24_abandoned_uploads_are_reclaimed() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let mut upload = session
        .begin_upload(&app, UploadOptions::default())
        .unwrap();
    upload.write_all(&bytes(1, 400_000)).unwrap();
    upload.suspend().unwrap();
    assert_eq!(collect(&world).uploads, 0);
    world.clock.advance(Duration::from_secs(3_601));
    let collected = collect(&world);
    assert_eq!((collected.uploads, collected.freed), (1, 1));
    assert_eq!(session.usage(&artifact::Scope::all()).unwrap().reserved, 0);

    let dead = super::world_with(|parts| parts.holder = Holder::new("dead"));
    let session = dead.embedder();
    let mut upload = session
        .begin_upload(&app, UploadOptions::default())
        .unwrap();
    upload.write_all(&bytes(1, 400_000)).unwrap();
    drop(upload);
    while collect(&dead).uploads == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(session.totals().unwrap().uploads, 0);
}

/// I9: what a repository held that was removed is forgotten in its time as any other's, and so is the feed of
/// then; until that it can be brought back.
#[test]
fn i9_a_removed_repository_is_forgotten() {
    let world = super::world();
    let session = world.embedder();
    let name = "old".parse().unwrap();
    let make = || session.create_repository(&name, &RepositorySettings::default(), false);
    make().unwrap();
    let package = session
        .resolve(AsOf::Now, &"old/app".parse().unwrap())
        .unwrap();
    let (manifest, _) = publish(&session, &package, "v1", 1);
    let then = AsOf::Revision(session.revision().unwrap().revision);
    session
        .delete_manifest(&package, &manifest.digest())
        .unwrap();
    session.remove_repository(&name).unwrap();
    world.clock.advance(6 * DAY);
    push(&session, &crate::support::package("app"), b"something else").unwrap();
    assert_eq!(collect(&world).blobs, 0);
    make().unwrap();
    let v1 = package.at(tag("v1"));
    session.undelete(then, &v1, &Condition::Any).unwrap();
    session
        .delete_manifest(&package, &manifest.digest())
        .unwrap();
    session.remove_repository(&name).unwrap();
    let removed = session.revision().unwrap().revision;
    world.clock.advance(8 * DAY);
    push(&session, &crate::support::package("app"), b"another").unwrap();
    assert!(collect(&world).blobs >= 2);
    assert_eq!(collect(&world).forgotten, 1, "its removal, too");
    let head = session.revision().unwrap().revision;
    assert_eq!(collect(&world).forgotten, 0);
    assert_eq!(session.revision().unwrap().revision, head);
    // So the feed, which tells of it, may be cut there.
    assert_eq!(session.horizon(&name).unwrap().revision, removed);
    let layer = manifest.references()[1].descriptor.digest;
    let index = &world.registry.parts().index;
    let row = artifact::blocking::wait(index.blob_row(&layer)).unwrap();
    assert_eq!(row.unwrap(), None);
}
