//! MI-13: leases, and what is known of bytes at rest.

use artifact_core::{AsOf, Bookkeeping, Change, Conflict, Event, Lease, PackageRef, Timestamp};

use crate::index::{
    goods::{
        Parts, boot, digest, key, lease_until, limit, link, package, put_at, put_inline,
        put_manifest, stamp,
    },
    kit::IndexKit,
};

async fn lease(kit: &IndexKit, package: &PackageRef, number: u8) -> Option<Lease> {
    let link = kit.index().blob(AsOf::Now, package, &digest(number)).await;
    link.expect("blob answers").and_then(|link| link.lease)
}

/// MI-13: a lease is given, renewed, never shortened, taken by a manifest, and ends with its link.
pub async fn mi_13_leases_are_renewed_and_end(kit: &mut IndexKit) {
    let a = package("a");
    let leased = |number, until| Change::Link(a.clone(), digest(number), Some(lease_until(until)));
    kit.make([put_inline(1), put_inline(2), put_inline(3), put_inline(4)])
        .await;
    kit.make([leased(1, 300), leased(2, 200), leased(3, 100), link(&a, 4)])
        .await;
    assert_eq!(lease(kit, &a, 1).await, Some(lease_until(300)));
    kit.note(Bookkeeping::Lease(a.clone(), digest(1), lease_until(400)))
        .await;
    assert_eq!(lease(kit, &a, 1).await, Some(lease_until(400)), "renewed");
    kit.make([link(&a, 1)]).await;
    assert_eq!(
        lease(kit, &a, 1).await,
        Some(lease_until(400)),
        "a link without one leaves it"
    );
    kit.make([leased(1, 350)]).await;
    kit.note(Bookkeeping::Lease(a.clone(), digest(1), lease_until(390)))
        .await;
    assert_eq!(
        lease(kit, &a, 1).await,
        Some(lease_until(400)),
        "who was slower takes nothing from it"
    );
    kit.note(Bookkeeping::Lease(a.clone(), digest(4), lease_until(150)))
        .await;
    let refused = kit
        .refuse_note(Bookkeeping::Lease(a.clone(), digest(7), lease_until(9)))
        .await;
    assert!(matches!(refused, Conflict::NotLinked { .. }), "{refused:?}");
    kit.make([put_manifest(&a, &Parts::of(&[2]).image())]).await;
    assert_eq!(lease(kit, &a, 2).await, None, "a manifest took the blob");
    // The earliest first, as many as asked for, of this boot alone.
    let expire = |name: &str, millis, limit| Change::ExpireLeases {
        now: boot(name, millis),
        limit,
    };
    for (change, gone) in [
        (expire("first", 99, 9), vec![]),
        (expire("other", 10_000, 9), vec![]),
        (expire("first", 150, 1), vec![3]),
        (expire("first", 150, 9), vec![4]),
        (expire("first", 400, 9), vec![1]),
    ] {
        let told: Vec<Event> = gone
            .iter()
            .map(|number| Event::BlobUnlinked {
                package: a.clone(),
                digest: digest(*number),
            })
            .collect();
        let what = format!("{change:?}");
        assert_eq!(kit.make([change]).await.events, told, "{what}");
    }
}

/// MI-13: leases of another boot are listed, and rewritten at full length.
pub async fn mi_13_leases_of_another_boot_are_listed(kit: &mut IndexKit) {
    let packages = [package("b"), package("a")];
    kit.make((1..4).map(put_inline)).await;
    for package in &packages {
        for number in 1..4 {
            let held = Change::Link(package.clone(), digest(number), Some(lease_until(900)));
            kit.make([held]).await;
        }
    }
    kit.make([link(&package("c"), 1)]).await;
    let now = boot("second", 50);
    let here = boot("first", 0);
    let list = kit.index().foreign_leases(&here, limit(100)).await;
    assert_eq!(
        list.expect("foreign_leases answers"),
        [],
        "of this boot are none"
    );
    let list = kit.index().foreign_leases(&now, limit(100)).await;
    let list = list.expect("foreign_leases answers");
    assert_eq!(list.len(), 6);
    let order = |record: &artifact_core::LeaseRecord| (record.package.oci_name(), record.digest);
    assert!(list.is_sorted_by_key(order), "by package and digest");
    let some = kit.index().foreign_leases(&now, limit(2)).await;
    assert_eq!(
        some.expect("foreign_leases answers"),
        list.iter().take(2).cloned().collect::<Vec<_>>(),
        "as many as asked for"
    );
    for record in list {
        assert_eq!(record.lease, lease_until(900));
        let renewed = Lease::starting(&now, record.lease.length);
        kit.note(Bookkeeping::Lease(record.package, record.digest, renewed))
            .await;
    }
    let list = kit.index().foreign_leases(&now, limit(100)).await;
    assert_eq!(
        list.expect("foreign_leases answers"),
        [],
        "they are of this boot now"
    );
}

/// MI-13: a blob that was found wrong is so until its bytes are hashed right, at the same key.
pub async fn mi_13_a_quarantine_lasts_until_the_bytes_are_right(kit: &mut IndexKit) {
    kit.make([put_at(1, 1), put_inline(2)]).await;
    let quarantined = async || {
        let row = kit
            .index()
            .blob_row(&digest(1))
            .await
            .expect("blob_row answers");
        row.expect("the row of the blob").quarantined
    };
    let hashed_at = Timestamp::from_millis(12_345);
    let right = |at| Bookkeeping::Stamp {
        digest: digest(1),
        key: key(at),
        stamp: Some(stamp(7)),
        hashed_at,
    };
    assert_eq!(
        kit.note(Bookkeeping::Quarantine(digest(1), key(2))).await,
        0,
        "another key"
    );
    assert_eq!(
        kit.note(Bookkeeping::Quarantine(digest(2), key(1))).await,
        0,
        "another blob"
    );
    assert!(!quarantined().await);
    assert_eq!(
        kit.note(Bookkeeping::Quarantine(digest(1), key(1))).await,
        1
    );
    assert!(quarantined().await);
    assert_eq!(kit.note(right(2)).await, 0, "another key");
    assert!(quarantined().await);
    assert_eq!(kit.note(right(1)).await, 1);
    let row = kit
        .index()
        .blob_row(&digest(1))
        .await
        .expect("blob_row answers");
    let row = row.expect("the row of the blob");
    let place = (row.quarantined, row.stamp, row.hashed_at);
    assert_eq!(place, (false, Some(stamp(7)), hashed_at));
}
