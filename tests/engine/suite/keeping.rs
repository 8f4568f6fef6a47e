//! What a collection keeps: uploads, leases, and what another collector is at.

use std::{io::Write as _, sync::Arc, time::Duration};

use artifact::{
    Algorithm, AsOf, BlobKey, Bookkeeping, BootId, Change, ChangeSet, CollectOptions, Collected,
    Document as _, ErrorKind, Hasher, Holder, IndexError, Lease, Location, Mode, NamespaceSettings,
    Principal, PutManifest, Suspended, UploadHint, UploadId, UploadOptions, UploadRecord,
    blocking::wait,
};
use parking_lot::Mutex;

use crate::{
    interrupted::Meanwhile,
    support::{World, assert_kind, bytes, image, package, push, read},
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SECOND: Duration = Duration::from_secs(1);

fn collect(world: &World) -> Collected {
    let options = CollectOptions::default().allowing_mass_delete();
    world.embedder().collect(&options).unwrap()
}

fn note(world: &World, bookkeeping: Bookkeeping) -> Result<(), IndexError> {
    let noted = wait(world.registry.parts().index.note(bookkeeping));
    noted.unwrap().map(drop)
}

fn claim(world: &World, holder: &str) -> Result<(), IndexError> {
    let now = world.registry.parts().clock.boot();
    let claim = Bookkeeping::Claim {
        name: String::from("collect"),
        holder: Holder::new(holder),
        lease: Lease::starting(&now, 300_000),
        now,
    };
    note(world, claim)
}

/// I8: one collects at a time, and who lives keeps the claim; of one that died it is taken.
#[test]
fn i8_one_collects_at_a_time() {
    let world = super::world();
    let app = package("app");
    push(&world.embedder(), &app, &bytes(1, 10_000)).unwrap();
    world.clock.advance(2 * DAY);
    claim(&world, "another").unwrap();
    for time in ["first", "second"] {
        let found = collect(&world);
        assert!(found.busy && found.blobs == 0, "the {time} time: {found:?}");
    }
    let (name, holder) = (String::from("collect"), Holder::new("another"));
    note(&world, Bookkeeping::Release { name, holder }).unwrap();
    claim(&world, "dead").unwrap();
    assert!(collect(&world).busy, "this one ends the claim");
    assert_eq!(collect(&world).blobs, 1);
}

/// Does something before each change set.
fn before_each(meanwhile: &Meanwhile, act: Arc<dyn Fn() + Send + Sync>) {
    let again = meanwhile.clone();
    meanwhile.happens(move || {
        act();
        before_each(&again, act);
    });
}

/// I8: a collection that takes longer than its claim lasts goes on being the only one.
#[test]
fn i8_a_long_collection_keeps_its_claim() {
    let meanwhile = Meanwhile::default();
    let over = |parts: &mut artifact::RegistryParts| {
        parts.index = meanwhile.over(parts.index.clone());
    };
    let world = Arc::new(super::world_with(over));
    // Three batches of what nothing wants.
    let actor = artifact::Actor::new(Principal::System, None);
    let parts = world.registry.parts();
    let mut changes = ChangeSet::new(actor, parts.clock.now());
    for seed in 0..600 {
        let data = bytes(seed, 20);
        changes = changes.change(Change::PutBlob {
            blob: Hasher::hash(Algorithm::Sha256, &data),
            location: Location::Inline(data.into()),
            stamp: None,
            upload: None,
        });
    }
    wait(parts.index.apply(changes)).unwrap().unwrap();
    let tries = Arc::new(Mutex::new(Vec::new()));
    let (told, other) = (Arc::clone(&tries), Arc::clone(&world));
    let act = move || {
        // Less than the claim lasts, and all together more.
        other.clock.advance(Duration::from_secs(140));
        told.lock().push(claim(&other, "another").is_err());
    };
    before_each(&meanwhile, Arc::new(act));
    assert_eq!(collect(&world).blobs, 600);
    let tries = tries.lock();
    assert!(tries.len() > 3, "it was too short: {tries:?}");
    assert!(tries.iter().all(|refused| *refused), "{tries:?}");
}

/// F26: what goes is judged by its part of the whole, too: many small blobs of much are no mistake.
#[test]
fn f26_a_small_part_is_collected_unasked() {
    let world = super::world_with(|parts| parts.limits.mass_delete = 3);
    let (session, app) = (world.embedder(), package("app"));
    let kept = push(&session, &app, &bytes(9, 100_000)).unwrap();
    session.pin(&app, &kept.digest, "build").unwrap();
    for seed in 0..5 {
        push(&session, &app, &bytes(seed, 10_000)).unwrap();
    }
    world.clock.advance(2 * DAY);
    let collected = session.collect(&CollectOptions::default()).unwrap();
    assert_eq!(collected.blobs, 5);
    read(&session, &app, &kept.digest).unwrap();
}

fn suspended(world: &World) -> UploadId {
    let session = world.embedder();
    let mut upload = session
        .begin_upload(&package("app"), UploadOptions::default())
        .unwrap();
    upload.write_all(&bytes(1, 400_000)).unwrap();
    upload.suspend().unwrap().id
}

/// I17, F12: nobody knows how long ago an upload of another boot was suspended, so it has its whole time again.
#[test]
fn i17_an_upload_of_another_boot_has_its_time_again() {
    let world = super::world();
    let id = suspended(&world);
    world.clock.advance(HOUR - SECOND);
    world.clock.reboot(BootId::new("another"));
    assert_eq!(collect(&world).uploads, 0);
    world.clock.advance(HOUR - SECOND);
    assert_eq!(collect(&world).uploads, 0);
    let session = world.embedder();
    let there = session.upload_status(&package("app"), &id).unwrap();
    assert_eq!(there.offset, 400_000);
    world.clock.advance(2 * SECOND);
    assert_eq!(collect(&world).uploads, 1);
}

/// I1: what was suspended stays for its time, also when the process died that had received it.
#[test]
fn i1_a_suspended_upload_outlives_its_process() {
    let world = super::world_with(|parts| parts.holder = Holder::new("dead"));
    let id = suspended(&world);
    world.clock.advance(HOUR - SECOND);
    assert_eq!(collect(&world).uploads, 0);
    let session = world.embedder();
    session
        .resume_upload(&package("app"), &id, Some(400_000))
        .unwrap();
}

/// I8: an upload that a process has just begun is left to it, also before its store knows of the bytes.
#[test]
fn i8_an_upload_of_a_living_process_stays() {
    let world = super::world();
    let begin = |number, holder| {
        let parts = world.registry.parts();
        let id = UploadId::from_random([number; 16]);
        let (now, app) = (parts.clock.now(), package("app"));
        let mut record = UploadRecord::new(id, app, Principal::Embedder, Holder::new(holder), now);
        let key: BlobKey = format!("staging/{number}").parse().unwrap();
        record.at = Some(Suspended::new(key, 0, bytes::Bytes::new()));
        note(
            &world,
            Bookkeeping::BeginUpload(Box::new(record), Vec::new()),
        )
        .unwrap();
    };
    begin(1, "another");
    assert_eq!(collect(&world).uploads, 0);
    begin(2, "dead");
    assert_eq!(collect(&world).uploads, 1);
}

/// I15: who goes on with an upload that somebody writes in this moment is told so, and takes it from nobody.
#[test]
fn i15_an_upload_that_is_written_is_let_be() {
    let world = super::world();
    let (session, app, parts) = (world.embedder(), package("app"), world.registry.parts());
    let id = UploadId::from_random([7; 16]);
    let begun = parts.store.begin(&id, UploadHint::default());
    let writer = wait(begun).unwrap().unwrap();
    let at = Suspended::new(writer.key().clone(), 0, bytes::Bytes::new());
    let (holder, now) = (Holder::new("another"), parts.clock.now());
    let mut record = UploadRecord::new(id, app.clone(), Principal::Embedder, holder, now);
    record.at = Some(at);
    record.hasher = Hasher::new(Algorithm::Sha256).state();
    note(
        &world,
        Bookkeeping::BeginUpload(Box::new(record), Vec::new()),
    )
    .unwrap();
    let found = || wait(parts.index.upload(&id)).unwrap().unwrap().unwrap();
    let before = found();
    let refused = session.resume_upload(&app, &id, None).map(drop);
    assert_kind(refused, ErrorKind::Range);
    assert_eq!(
        (found().version, found().holder),
        (before.version, before.holder)
    );
    drop(writer);
}

/// A28: who throws an upload away ends also the request that is writing it.
#[test]
fn a28_a_cancelled_upload_takes_nothing_more() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let id = suspended(&world);
    let mut older = session.resume_upload(&app, &id, None).unwrap();
    session.cancel_upload(&app, &id).unwrap();
    older
        .write_bytes(bytes(2, 1_000).into())
        .expect_err("there is nothing that it could be written to");
    assert_kind(session.upload_status(&app, &id), ErrorKind::NotFound);
}

/// I8: an upload that takes longer than a suspended one is kept goes on, for somebody writes it.
#[test]
fn i8_an_upload_that_is_written_is_not_over() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let id = suspended(&world);
    let mut upload = session.resume_upload(&app, &id, None).unwrap();
    upload.write_all(&bytes(2, 1_000)).unwrap();
    world.clock.advance(2 * HOUR);
    assert_eq!(collect(&world).uploads, 0);
    upload.write_all(&bytes(3, 1_000)).unwrap();
    assert_eq!(upload.finish(None).unwrap().size, 402_000);
}

/// I8, I9: what was mounted is kept for the time in which a manifest may name it, whatever becomes of its source,
/// and no longer.
#[test]
fn i8_a_mount_keeps_a_blob() {
    let world = super::world();
    let (session, app, other) = (world.embedder(), package("app"), package("other"));
    let pushed = push(&session, &app, &bytes(1, 10_000)).unwrap();
    let unnamed = push(&session, &app, &bytes(2, 9_000)).unwrap();
    for blob in [pushed, unnamed] {
        let mounted = session.mount(&other, &blob.digest, Some(&app)).unwrap();
        assert!(mounted.is_some());
        session.delete_blob(&app, &blob.digest).unwrap();
    }
    world.clock.advance(DAY - SECOND);
    assert_eq!(collect(&world).blobs, 0);
    let manifest = image(&[pushed]);
    session
        .put_manifest(&other, &manifest, &PutManifest::default())
        .unwrap();
    world.clock.advance(2 * SECOND);
    assert_eq!(collect(&world).blobs, 1, "what nothing names goes");
    assert_kind(read(&session, &other, &unnamed.digest), ErrorKind::NotFound);
    world.clock.advance(10 * DAY);
    assert_eq!(collect(&world).blobs, 0);
    read(&session, &other, &pushed.digest).unwrap();
}

/// In a registry that takes no changes a look changes nothing either: the lease ends when it was to end.
#[test]
fn a_read_only_registry_renews_no_lease() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let pushed = push(&session, &app, &bytes(1, 10_000)).unwrap();
    world.clock.advance(DAY - SECOND);
    session.set_mode(&Mode::ReadOnly("moving".into())).unwrap();
    session.stat_blob(AsOf::Now, &app, &pushed.digest).unwrap();
    session.set_mode(&Mode::ReadWrite).unwrap();
    world.clock.advance(2 * SECOND);
    assert_eq!(collect(&world).blobs, 1);
}

/// I14: an upload that grows beyond what it announced has room before its bytes are taken, or they are refused.
#[test]
fn i14_an_upload_that_grows_reserves_first() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let quota = NamespaceSettings::from_body(r#"{"quota":50000}"#).unwrap();
    session.set_namespace(&"".parse().unwrap(), &quota).unwrap();
    let announced = UploadOptions::default().sized(Some(10_000));
    let mut upload = session.begin_upload(&app, announced).unwrap();
    upload.write_bytes(bytes(1, 10_000).into()).unwrap();
    upload.write_bytes(bytes(2, 20_000).into()).unwrap();
    let more = upload.write_bytes(bytes(3, 30_000).into());
    assert_kind(more, ErrorKind::Quota);
}
