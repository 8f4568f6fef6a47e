//! MI-13: uploads, claims and the trash.

use artifact_core::{
    Bookkeeping, BootTime, Conflict, Expectation, Holder, Lease, Revision, UploadRecord,
};

use crate::index::{
    goods::{boot, digest, holder, key, package, put_at, stamp, upload, upload_id},
    kit::{IndexKit, conflict},
};

/// MI-13: no bookkeeping makes a revision or stands in the feed.
pub async fn mi_13_bookkeeping_makes_no_revision(kit: &mut IndexKit) {
    let a = package("a");
    kit.make([put_at(1, 1), crate::index::goods::link(&a, 1)])
        .await;
    let before = kit.index().head().await.expect("head answers");
    let now = boot("first", 1_000);
    let lease = Lease::starting(&now, 1_000);
    let mut second = upload(1, &a, Some(3));
    second.version = 2;
    let notes = [
        Bookkeeping::BeginUpload(Box::new(upload(1, &a, Some(2))), Vec::new()),
        Bookkeeping::AdvanceUpload(1, Box::new(second), Vec::new()),
        Bookkeeping::EndUpload(upload_id(1), 2),
        Bookkeeping::Claim {
            name: "collect".to_owned(),
            holder: holder(1),
            lease: lease.clone(),
            now: now.clone(),
        },
        Bookkeeping::Release {
            name: "collect".to_owned(),
            holder: holder(1),
        },
        Bookkeeping::Lease(a.clone(), digest(1), lease),
        Bookkeeping::Prune(a.repository.clone(), 10),
        Bookkeeping::Quarantine(digest(1), key(1)),
        Bookkeeping::Stamp {
            digest: digest(1),
            key: key(1),
            stamp: Some(stamp(2)),
            hashed_at: before.time,
        },
        Bookkeeping::Trash(vec![key(9)]),
        Bookkeeping::SeeTrash(vec![key(9)], now),
        Bookkeeping::Untrash(vec![key(9)]),
    ];
    for bookkeeping in notes {
        let what = format!("{bookkeeping:?}");
        kit.note(bookkeeping).await;
        assert_eq!(
            kit.index().head().await.expect("head answers"),
            before,
            "{what}"
        );
        let feed = kit
            .index()
            .changes(before.revision, crate::index::goods::MANY)
            .await;
        let told = feed.expect("changes answers").into_iter();
        let told: Vec<_> = told
            .filter(|told| told.revision > before.revision)
            .collect();
        assert_eq!(told, [], "{what}");
    }
    assert_eq!(kit.head().await, Revision::new(1));
}

/// Returns the conflict over the first upload, which is at this version.
fn at_version(version: Option<u64>) -> Conflict {
    let id = upload_id(1);
    Conflict::Upload { id, version }
}

/// Begins an upload, and goes on with it by another holder. Returns how it is then.
async fn begin_and_advance(kit: &IndexKit) -> UploadRecord {
    let first = upload(1, &package("a"), Some(1));
    let mut second = first.clone();
    (second.version, second.offset, second.holder) = (2, 77, holder(2));
    kit.note(Bookkeeping::BeginUpload(Box::new(first), Vec::new()))
        .await;
    let record = Box::new(second.clone());
    kit.note(Bookkeeping::AdvanceUpload(1, record, Vec::new()))
        .await;
    second
}

/// MI-13: an upload is changed by who knows its version, and by nobody else.
pub async fn mi_13_uploads_have_versions(kit: &mut IndexKit) {
    let record = begin_and_advance(kit).await;
    let there = kit.index().upload(&upload_id(1)).await;
    let there = there.expect("upload answers");
    assert_eq!(there.as_ref(), Some(&record), "the upload went on");
    let stale = [
        Bookkeeping::BeginUpload(Box::new(record.clone()), Vec::new()),
        Bookkeeping::AdvanceUpload(1, Box::new(record), Vec::new()),
        Bookkeeping::EndUpload(upload_id(1), 1),
    ];
    for bookkeeping in stale {
        let refused = kit.refuse_note(bookkeeping).await;
        assert_eq!(refused, at_version(Some(2)), "of an older version");
    }
    let mut record = there.expect("the upload");
    record.version = 9;
    kit.note(Bookkeeping::AdvanceUpload(2, Box::new(record), Vec::new()))
        .await;
    let end = Bookkeeping::EndUpload(upload_id(1), 9);
    let refused = kit.refuse_note(end).await;
    assert_eq!(refused, at_version(Some(3)), "the index counts");
    kit.note(Bookkeeping::EndUpload(upload_id(1), 3)).await;
    let end = Bookkeeping::EndUpload(upload_id(1), 3);
    assert_eq!(kit.refuse_note(end).await, at_version(None), "it ends once");
}

/// MI-13: an expectation holds for one version and one holder of an upload.
pub async fn mi_13_an_upload_is_expected_exactly(kit: &mut IndexKit) {
    begin_and_advance(kit).await;
    let at = |version, by| Expectation::Upload(upload_id(1), version, holder(by));
    for (version, by) in [(1, 2), (2, 1), (3, 2)] {
        let refused = kit.refuse(kit.set().expect(at(version, by))).await;
        let there = at_version(Some(2));
        assert_eq!(refused, there, "version {version} of holder {by}");
    }
    kit.apply(kit.set().expect(at(2, 2))).await;
    kit.note(Bookkeeping::EndUpload(upload_id(1), 2)).await;
    let refused = kit.refuse(kit.set().expect(at(2, 2))).await;
    assert_eq!(refused, at_version(None), "an upload that is over");
}

async fn claim(
    kit: &IndexKit,
    by: u8,
    length: u64,
    now: &BootTime,
) -> Result<(), (String, Holder)> {
    let claim = Bookkeeping::Claim {
        name: "collect".to_owned(),
        holder: holder(by),
        lease: Lease::starting(now, length),
        now: now.clone(),
    };
    match kit.index().note(claim).await {
        Ok(_) => Ok(()),
        refused => match conflict(refused) {
            Conflict::Claimed { name, holder } => Err((name, holder)),
            other => unreachable!("a claim that is not free: {other:?}"),
        },
    }
}

/// MI-13: one holder has a claim, until it gives it back or nothing is left of it.
pub async fn mi_13_claims_are_exclusive(kit: &mut IndexKit) {
    let at = |millis| boot("first", millis);
    let taken = |by| Err(("collect".to_owned(), holder(by)));
    assert_eq!(claim(kit, 1, 100, &at(0)).await, Ok(()));
    assert_eq!(claim(kit, 2, 100, &at(50)).await, taken(1));
    assert_eq!(
        claim(kit, 1, 100, &at(50)).await,
        Ok(()),
        "its holder renews it"
    );
    assert_eq!(claim(kit, 2, 100, &at(149)).await, taken(1));
    assert_eq!(
        claim(kit, 2, 100, &at(150)).await,
        Ok(()),
        "nothing is left of it"
    );
    let release = |by| Bookkeeping::Release {
        name: "collect".to_owned(),
        holder: holder(by),
    };
    assert_eq!(kit.note(release(1)).await, 0, "another's is not given back");
    assert_eq!(claim(kit, 1, 100, &at(160)).await, taken(2));
    assert_eq!(kit.note(release(2)).await, 1);
    assert_eq!(claim(kit, 1, 100, &at(160)).await, Ok(()));
    let other = Bookkeeping::Claim {
        name: "scrub".to_owned(),
        holder: holder(2),
        lease: Lease::starting(&at(160), 100),
        now: at(160),
    };
    kit.note(other).await;
}

/// MI-13: a claim of another boot lives on at full length from when somebody else wants it.
pub async fn mi_13_a_claim_of_another_boot_lives_on(kit: &mut IndexKit) {
    let at = |millis| boot("second", millis);
    let taken = Err(("collect".to_owned(), holder(1)));
    assert_eq!(claim(kit, 1, 100, &boot("first", 1_000_000)).await, Ok(()));
    assert_eq!(
        claim(kit, 2, 100, &at(10)).await,
        taken,
        "nobody knows what is left of it"
    );
    assert_eq!(
        claim(kit, 2, 100, &at(109)).await,
        taken,
        "it has its full length again"
    );
    assert_eq!(claim(kit, 2, 100, &at(110)).await, Ok(()), "and no more");
}

/// MI-13: a key in the trash keeps the time at which it was first seen in a boot.
pub async fn mi_13_the_trash_remembers_when_it_was_seen(kit: &mut IndexKit) {
    kit.note(Bookkeeping::Trash(vec![key(1), key(2)])).await;
    let see = |keys: &[u32], now| {
        Bookkeeping::SeeTrash(keys.iter().map(|number| key(*number)).collect(), now)
    };
    assert_eq!(kit.note(see(&[1, 3], boot("first", 10))).await, 1);
    assert_eq!(
        kit.note(see(&[1, 2], boot("first", 20))).await,
        1,
        "what was seen keeps its time"
    );
    check_seen(kit, [Some(("first", 10)), Some(("first", 20))]).await;
    assert_eq!(
        kit.note(see(&[2], boot("second", 5))).await,
        1,
        "a boot counts anew"
    );
    check_seen(kit, [Some(("first", 10)), Some(("second", 5))]).await;
    kit.note(Bookkeeping::Untrash(vec![key(1)])).await;
    kit.note(Bookkeeping::Trash(vec![key(1)])).await;
    check_seen(kit, [None, Some(("second", 5))]).await;
}

async fn check_seen(kit: &IndexKit, expected: [Option<(&str, u64)>; 2]) {
    let trash = kit
        .index()
        .trash(crate::index::goods::all())
        .await
        .expect("trash answers");
    let seen: Vec<_> = trash.into_iter().map(|record| record.seen).collect();
    let expected = expected.map(|seen| seen.map(|(name, millis)| boot(name, millis)));
    assert_eq!(seen, expected, "when they were seen");
}
