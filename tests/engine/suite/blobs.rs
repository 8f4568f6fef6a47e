//! Blobs: in, out, resumed, mounted, deleted.

use std::{io::Write as _, sync::Arc};

use artifact::{
    Algorithm, AsOf, BlobRange, Document as _, ErrorKind, Hasher, NamespaceSettings, UploadOptions,
    Way,
};
use artifact_testkit::faults::{Fault, FaultIndex, Faults};
use bytes::Bytes;
use futures::FutureExt as _;
use parking_lot::Mutex;

use crate::{
    hooked::Hooked,
    support::{World, assert_kind, bytes, digest, package, push, read},
};

#[test]
fn blobs_of_every_size_come_back_as_they_were() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    for length in [0, 1, 4_095, 4_096, 4_097, 65_536, 1_048_577, 5_000_000] {
        let data = bytes(length as u64, length);
        let pushed = push(&session, &app, &data).unwrap();
        assert_eq!(pushed.size, length as u64);
        assert_eq!(
            session.stat_blob(AsOf::Now, &app, &pushed.digest).unwrap(),
            pushed
        );
        assert!(
            read(&session, &app, &pushed.digest).unwrap() == data,
            "{length} bytes differ"
        );
    }
}

#[test]
fn a_body_of_unknown_size_is_taken() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    for length in [0, 10, 4_096, 300_000] {
        let data = bytes(9, length);
        let mut upload = session
            .begin_upload(&app, UploadOptions::default())
            .unwrap();
        upload.write_all(&data).unwrap();
        let pushed = upload.finish(None).unwrap();
        assert_eq!(pushed.digest, digest(&data));
        assert!(read(&session, &app, &pushed.digest).unwrap() == data);
    }
}

#[test]
fn a_range_gives_exactly_its_bytes() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let data = bytes(1, 200_000);
    let pushed = push(&session, &app, &data).unwrap();
    for (range, expected) in [
        (BlobRange::From(199_999), &data[199_999..]),
        (BlobRange::Bounded(10, 19), &data[10..20]),
        (BlobRange::Last(5), &data[199_995..]),
    ] {
        let mut reader = session
            .read_blob(AsOf::Now, &app, &pushed.digest, range)
            .unwrap();
        let mut part = Vec::new();
        std::io::Read::read_to_end(&mut reader, &mut part).unwrap();
        assert_eq!(part, expected, "{range:?}");
    }
    let beyond = BlobRange::From(200_000);
    assert_kind(
        session.read_blob(AsOf::Now, &app, &pushed.digest, beyond),
        ErrorKind::Range,
    );
}

/// Who wants a file of a blob is told whether one is there already or the way is none, and what to do.
#[test]
fn a_file_that_cannot_be_made_of_a_blob_says_why() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let data = bytes(1, 20_000);
    let blob = push(&session, &app, &data).unwrap();
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("model");
    let make = |ways: &[Way]| {
        let made = session.materialize_blob(AsOf::Now, &app, &blob.digest, &target, ways);
        made.map_err(|error| (error.kind(), error.to_string()))
    };
    // It is in a slot of a segment, or in no file at all.
    let (kind, said) = make(&[Way::HardLink]).unwrap_err();
    assert_eq!(kind, ErrorKind::Unsupported, "{said}");
    assert!(said.contains("read"), "{said}");
    assert!(!target.exists());
    if world.directory.is_none() {
        return;
    }
    assert!(said.contains(target.to_str().unwrap()), "{said}");
    assert_eq!(make(&[Way::HardLink, Way::Copy]).unwrap(), Way::Copy);
    for way in [Way::HardLink, Way::Reflink, Way::Copy] {
        let (kind, said) = make(&[way]).unwrap_err();
        assert_eq!(kind, ErrorKind::AlreadyExists, "{said}");
        assert!(said.contains(target.to_str().unwrap()), "{said}");
        assert!(said.contains("remove it"), "{said}");
    }
    assert_eq!(std::fs::read(&target).unwrap(), data);
}

/// A31: bytes that are not what was announced are refused, and leave nothing.
#[test]
fn a31_wrong_bytes_leave_nothing() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    for length in [10, 100_000] {
        let mut upload = session
            .begin_upload(&app, UploadOptions::default())
            .unwrap();
        upload.write_all(&bytes(1, length)).unwrap();
        let expected = digest(b"something else");
        assert_kind(upload.finish(Some(&expected)), ErrorKind::DigestMismatch);
        assert_kind(
            session.stat_blob(AsOf::Now, &app, &expected),
            ErrorKind::NotFound,
        );
        let actual = digest(&bytes(1, length));
        assert_kind(
            session.stat_blob(AsOf::Now, &app, &actual),
            ErrorKind::NotFound,
        );
    }
    assert_eq!(session.totals().unwrap().uploads, 0);
    session
        .collect(&artifact::CollectOptions::default())
        .unwrap();
    assert_eq!(session.totals().unwrap().trash, 0);
}

#[test]
fn a_digest_of_another_algorithm_is_computed_from_what_came() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    for length in [10, 100_000] {
        let data = bytes(3, length);
        let expected = Hasher::hash(Algorithm::Sha512, &data).digest();
        let mut upload = session
            .begin_upload(&app, UploadOptions::default())
            .unwrap();
        upload.write_all(&data).unwrap();
        assert_eq!(upload.finish(Some(&expected)).unwrap().digest, expected);
        assert!(read(&session, &app, &expected).unwrap() == data);
    }
}

/// I15, A28: an upload goes on where it stopped, for who began it and nobody else.
#[test]
fn i15_an_upload_is_resumed_by_its_owner_alone() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    for (first, second) in [(10, 20), (10, 90_000), (80_000, 90_000), (0, 5)] {
        let data = bytes(4, first + second);
        let mut upload = session
            .begin_upload(&app, UploadOptions::default())
            .unwrap();
        upload.write_all(&data[..first]).unwrap();
        let status = upload.suspend().unwrap();
        assert_eq!(status.offset, first as u64);
        let id = status.id;
        assert_eq!(session.upload_status(&app, &id).unwrap(), status);
        let other = world.session(artifact::Principal::System);
        assert_kind(other.upload_status(&app, &id), ErrorKind::NotFound);
        assert_kind(other.resume_upload(&app, &id, None), ErrorKind::NotFound);
        assert_kind(other.cancel_upload(&app, &id), ErrorKind::NotFound);
        assert_kind(
            session.resume_upload(&package("b"), &id, None),
            ErrorKind::NotFound,
        );
        let wrong = Some(first as u64 + 1);
        assert_kind(session.resume_upload(&app, &id, wrong), ErrorKind::Range);
        let mut upload = session
            .resume_upload(&app, &id, Some(first as u64))
            .unwrap();
        upload.write_all(&data[first..]).unwrap();
        let pushed = upload.finish(Some(&digest(&data))).unwrap();
        assert!(read(&session, &app, &pushed.digest).unwrap() == data);
        assert_kind(session.upload_status(&app, &id), ErrorKind::NotFound);
    }
}

/// I1: who hangs up while more bytes come has lost nothing of what was acknowledged before.
#[test]
fn i1_a_sitting_that_ends_early_loses_no_earlier_one() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    for first in [10, 4_000, 80_000] {
        let data = bytes(4, first + 90_000);
        let mut upload = session
            .begin_upload(&app, UploadOptions::default())
            .unwrap();
        upload.write_all(&data[..first]).unwrap();
        let status = upload.suspend().unwrap();
        for _ in 0..2 {
            let mut upload = session
                .resume_upload(&app, &status.id, Some(first as u64))
                .unwrap();
            upload.write_all(&data[first..]).unwrap();
            drop(upload);
            assert_eq!(session.upload_status(&app, &status.id).unwrap(), status);
        }
        let mut upload = session.resume_upload(&app, &status.id, None).unwrap();
        upload.write_all(&data[first..]).unwrap();
        let pushed = upload.finish(Some(&digest(&data))).unwrap();
        assert!(read(&session, &app, &pushed.digest).unwrap() == data);
    }
}

#[test]
fn a_newer_request_ends_an_older_one() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let mut upload = session
        .begin_upload(&app, UploadOptions::default())
        .unwrap();
    upload.write_all(&bytes(1, 400_000)).unwrap();
    let id = upload.suspend().unwrap().id;
    let mut older = session.resume_upload(&app, &id, None).unwrap();
    older.write_bytes(bytes(2, 1_000).into()).unwrap();
    // What is being written in this moment is written to its end first.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let newer = loop {
        match session.resume_upload(&app, &id, Some(400_000)) {
            Ok(newer) => break newer,
            Err(error) if error.kind() == ErrorKind::Range => {
                assert!(std::time::Instant::now() < deadline, "the older goes on");
                std::thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    };
    let late = older.write_bytes(bytes(2, 1_000).into());
    assert_kind(late, ErrorKind::Range);
    assert_eq!(
        newer.finish(None).unwrap().digest,
        digest(&bytes(1, 400_000))
    );
}

/// A5: bytes that another package has take the same way through the store as new ones, so that the time which
/// a push takes does not tell that they are there.
#[test]
fn a5_bytes_that_are_elsewhere_take_the_same_way() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    let world = World::in_memory(|parts| {
        let inner = Arc::clone(&parts.store);
        parts.store = Hooked::new(inner, move |call| {
            noted.lock().push(call);
            std::future::ready(()).boxed()
        });
    });
    let session = world.embedder();
    let way = |name: &str, data: &[u8]| {
        calls.lock().clear();
        push(&session, &package(name), data).unwrap();
        calls.lock().clone()
    };
    for length in [100, 60_000, 3_000_000] {
        let data = bytes(length as u64, length);
        let new = way("app", &data);
        assert_eq!(new.contains(&"begin"), length > 4_096, "{new:?}");
        assert_eq!(way("elsewhere", &data), new, "{length} bytes");
    }
}

/// A3, A5: a mount needs the right to read the source, and its refusal looks like absence.
#[test]
fn a3_a_mount_links_what_may_be_read() {
    let world = super::world();
    let session = world.embedder();
    let (one, other) = (package("one"), package("other"));
    let pushed = push(&session, &one, &bytes(1, 10_000)).unwrap();
    assert_eq!(session.mount(&other, &pushed.digest, None).unwrap(), None);
    assert_kind(
        session.stat_blob(AsOf::Now, &other, &pushed.digest),
        ErrorKind::NotFound,
    );
    assert_eq!(
        session.mount(&other, &pushed.digest, Some(&one)).unwrap(),
        Some(pushed)
    );
    assert_eq!(
        session
            .stat_blob(AsOf::Now, &other, &pushed.digest)
            .unwrap(),
        pushed
    );
    let unknown = digest(b"unknown");
    assert_eq!(session.mount(&other, &unknown, Some(&one)).unwrap(), None);
    session.delete_blob(&other, &pushed.digest).unwrap();
    assert_kind(
        session.stat_blob(AsOf::Now, &other, &pushed.digest),
        ErrorKind::NotFound,
    );
    assert_eq!(
        session.stat_blob(AsOf::Now, &one, &pushed.digest).unwrap(),
        pushed
    );
}

/// A33: many who push the same bytes at once all succeed, and one copy is kept.
#[test]
fn a33_the_same_bytes_at_once_are_stored_once() {
    let world = super::world();
    let data = bytes(5, 50_000);
    std::thread::scope(|scope| {
        for n in 0..16 {
            let (session, data) = (world.embedder(), &data);
            scope.spawn(move || push(&session, &package(&format!("p{n}")), data).unwrap());
        }
    });
    let session = world.embedder();
    for _ in 0..2 {
        let options = artifact::CollectOptions::default();
        session.collect(&options).unwrap();
        // Bytes in a segment stay for as long as a transfer of them may last.
        world.clock.advance(std::time::Duration::from_secs(15 * 60));
    }
    let totals = session.totals().unwrap();
    assert_eq!(
        (totals.blobs, totals.stored_bytes, totals.trash),
        (1, 50_000, 0)
    );
}

/// I3: of a chunk that was refused nothing is taken, and nothing of what came before is lost: it may be given
/// again, or the upload suspended, and what is then acknowledged is what was given.
#[test]
fn i3_an_upload_goes_on_after_a_chunk_that_was_refused() {
    let data = bytes(6, 9_000);
    for (fault, suspends) in [
        (Fault::NoSpace, false),
        (Fault::NoSpace, true),
        (Fault::Error, false),
        (Fault::Lost, true),
    ] {
        // The first call makes the repository.
        for call in 2.. {
            let faults = Faults::at(call, fault);
            let world = World::in_memory(|parts| {
                let index = Arc::clone(&parts.index);
                parts.index = Arc::new(FaultIndex::new(index, faults.clone()));
            });
            give_in_chunks(&world, &data, fault, suspends);
            if !faults.struck() {
                assert!(call > 3, "no call was struck");
                break;
            }
        }
    }
}

/// Gives chunks to an upload, one that is refused once more, and looks at what is acknowledged.
fn give_in_chunks(world: &World, data: &[u8], fault: Fault, suspends: bool) {
    let (session, app) = (world.embedder(), package("app"));
    let Ok(mut upload) = session.begin_upload(&app, UploadOptions::default()) else {
        return;
    };
    let mut given = 0;
    for chunk in data.chunks(3_000) {
        let chunk = Bytes::copy_from_slice(chunk);
        if upload.write_bytes(chunk.clone()).is_err() {
            if suspends {
                break;
            }
            let again = upload.write_bytes(chunk.clone());
            // Whether another fault was no success nobody knows.
            assert!(again.is_ok() || fault != Fault::NoSpace, "{again:?}");
            if again.is_err() {
                return;
            }
        }
        given += chunk.len();
    }
    if suspends {
        let Ok(status) = upload.suspend() else {
            return;
        };
        assert_eq!(status.offset, given as u64);
        let resumed = session.resume_upload(&app, &status.id, None);
        let resumed = resumed.or_else(|_| session.resume_upload(&app, &status.id, None));
        let Ok(resumed) = resumed else { return };
        upload = resumed;
    }
    if let Ok(blob) = upload.finish(None) {
        assert_eq!(blob.digest, digest(&data[..given]));
        let all = read(&session, &app, &blob.digest);
        let all = all.or_else(|_| read(&session, &app, &blob.digest));
        assert!(all.unwrap() == data[..given]);
    }
}

/// I14: what does not fit is refused before its first byte, where its size was announced.
#[test]
fn i14_what_is_announced_must_have_room() {
    let world = super::world();
    let (session, app) = (world.embedder(), package("app"));
    let quota = NamespaceSettings::from_body(r#"{"quota":50000}"#).unwrap();
    session.set_namespace(&"".parse().unwrap(), &quota).unwrap();
    let sized = |size| UploadOptions::default().sized(Some(size));
    let held = session.begin_upload(&app, sized(30_000)).unwrap();
    assert_kind(session.begin_upload(&app, sized(20_001)), ErrorKind::Quota);
    let fits = session.begin_upload(&app, sized(20_000)).unwrap();
    fits.abort().unwrap();
    held.abort().unwrap();
    session.begin_upload(&app, sized(50_000)).unwrap();
}
