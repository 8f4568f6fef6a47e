//! How the things that are done are drawn.

use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy, any, prop_oneof},
};

use super::op::{Book, Expect, Home, Op, Place, Step, What};

/// How many packages, blobs, manifests, tags, documents, uploads and keys there are.
pub(crate) const PACKAGES: u8 = 4;
pub(crate) const BLOBS: u8 = 5;
pub(crate) const MANIFESTS: u8 = 6;
pub(crate) const TAGS: u8 = 2;
pub(crate) const DOCUMENTS: u8 = 4;
pub(crate) const UPLOADS: u8 = 3;
pub(crate) const KEYS: u8 = 6;
pub(crate) const SCOPES: u8 = 3;
pub(crate) const REPOSITORIES: u8 = 2;
/// How many holders and claims there are.
const FEW: u8 = 2;

/// Draws a run of operations.
pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
    vec(op(), 10..70)
}

fn op() -> impl Strategy<Value = Op> {
    let what = prop_oneof![
        14 => set(),
        5 => book().prop_map(What::Note),
        1 => (0..REPOSITORIES, 0..6_u8, 1..3_u32).prop_map(|(r, back, n)| What::Forget(r, back, n)),
        1 => (0..12_u8).prop_map(What::Past),
        1 => Just(What::Now),
    ];
    what.prop_map(Op)
}

fn set() -> impl Strategy<Value = What> {
    let room = prop_oneof![
        6 => Just(None),
        1 => option::of((0..SCOPES, 0..3_000_u16)),
    ];
    let steps = prop_oneof![
        4 => vec(step(), 1..2),
        1 => vec(step(), 0..5),
    ];
    let expects = prop_oneof![
        6 => Just(Vec::new()),
        1 => vec(expect(), 1..3),
    ];
    (expects, steps, room, any::<bool>()).prop_map(|(expects, steps, room, is_back)| What::Set {
        expects,
        steps,
        room,
        is_back,
    })
}

fn place(items: u8) -> impl Strategy<Value = Place> {
    (any::<u8>(), 0..PACKAGES, 0..items).prop_map(|(pick, package, item)| Place {
        pick,
        package,
        item,
    })
}

fn home() -> impl Strategy<Value = Home> {
    prop_oneof![
        2 => Just(Home::Inline),
        3 => Just(Home::Fresh),
        1 => (0..KEYS).prop_map(Home::At),
        2 => Just(Home::Upload),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Adopt),
        2 => vec(0..BLOBS, 0..4).prop_map(Step::Collect),
        3 => blob_step(),
        5 => link_step(),
        12 => manifest_step(),
        1 => (0..DOCUMENTS).prop_map(Step::DeleteDocument),
        1 => (0..DOCUMENTS, 0..3_u8).prop_map(|(key, body)| Step::PutDocument(key, body)),
    ]
}

fn blob_step() -> impl Strategy<Value = Step> {
    let put = (0..BLOBS, home(), option::of(0..UPLOADS));
    prop_oneof![
        4 => put.prop_map(|(blob, home, upload)| Step::PutBlob(blob, home, upload)),
        1 => (0..MANIFESTS.max(BLOBS), any::<bool>()).prop_map(|(n, b)| Step::Purge(n, b)),
    ]
}

fn link_step() -> impl Strategy<Value = Step> {
    let named = || (place(BLOBS), any::<bool>());
    prop_oneof![
        4 => named().prop_map(|(place, leased)| Step::Link(place, leased)),
        2 => place(BLOBS).prop_map(Step::Unlink),
        3 => named().prop_map(|(place, name)| Step::Pin(place, name)),
        2 => named().prop_map(|(place, name)| Step::Unpin(place, name)),
        1 => (0..FEW, 1..4_u32).prop_map(|(boot, limit)| Step::ExpireLeases(boot, limit)),
    ]
}

fn manifest_step() -> impl Strategy<Value = Step> {
    let put = (0..PACKAGES, 0..MANIFESTS, 0..5_u8);
    prop_oneof![
        4 => put.prop_map(|(package, number, part)| Step::PutManifest(package, number, part > 0)),
        2 => place(MANIFESTS).prop_map(Step::DeleteManifest),
        4 => (place(MANIFESTS), 0..TAGS).prop_map(|(place, tag)| Step::PutTag(place, tag)),
        1 => place(TAGS).prop_map(Step::DeleteTag),
    ]
}

fn expect() -> impl Strategy<Value = Expect> {
    prop_oneof![
        (0..DOCUMENTS, 0..3_u8).prop_map(|(key, at)| Expect::Document(key, at)),
        (0..PACKAGES, 0..TAGS).prop_map(|(package, tag)| Expect::TagAbsent(package, tag)),
        (0..PACKAGES, 0..TAGS, 0..4_u8).prop_map(|(p, tag, at)| Expect::TagAt(p, tag, at)),
        (0..UPLOADS, any::<bool>(), 0..FEW).prop_map(|(id, here, by)| Expect::Upload(id, here, by)),
    ]
}

fn book() -> impl Strategy<Value = Book> {
    let upload = || (0..UPLOADS, any::<bool>(), home(), 0..200_u8);
    let keys = || vec(0..KEYS, 1..4);
    prop_oneof![
        4 => (0..UPLOADS, 0..PACKAGES, home(), 0..200_u8)
            .prop_map(|(id, package, home, size)| Book::BeginUpload(id, package, home, size)),
        3 => upload().prop_map(|(id, here, home, size)| Book::AdvanceUpload(id, here, home, size)),
        1 => upload().prop_map(|(id, here, _, _)| Book::EndUpload(id, here)),
        2 => (0..FEW, 0..FEW, 0..FEW).prop_map(|(name, by, boot)| Book::Claim(name, by, boot)),
        1 => (0..FEW, 0..FEW).prop_map(|(name, by)| Book::Release(name, by)),
        2 => (place(BLOBS), 0..FEW).prop_map(|(place, boot)| Book::Lease(place, boot)),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(blob, here)| Book::Quarantine(blob, here)),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(blob, here)| Book::Stamp(blob, here)),
        1 => (keys(), 0..FEW).prop_map(|(keys, boot)| Book::SeeTrash(keys, boot)),
        1 => keys().prop_map(Book::Trash),
        1 => keys().prop_map(Book::Untrash),
    ]
}
