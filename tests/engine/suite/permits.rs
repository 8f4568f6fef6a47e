//! Every way in asks first, and what was decided is judged again at the commit (I12).

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use artifact::{
    Action, AnonymousAccess, AsOf, CollectOptions, Condition, Decision, Digest, Error, ErrorKind,
    Facts, Grant, Manifest, Mode, NamespaceSettings, OciName, PackageRef, PolicyEngine, Principal,
    PutManifest, Query, RepositoryName, RepositorySettings, Request, RequestContext, Revision,
    RolePolicy, Scope, ScrubOptions, StageSettings, Target, UploadOptions, User, UserName,
    UserRole,
    blocking::{Session, wait},
};

use futures::FutureExt as _;

use crate::{
    hooked::Hooked,
    support::{
        World, assert_kind, by_tag, bytes, digest, image, package, page, publish, push, read, tag,
    },
};

/// Gives a user these roles, and no others any more.
fn grant(world: &World, name: &str, roles: &[(UserRole, &str)]) {
    let grants = roles.iter().map(|(role, scope)| Grant {
        role: *role,
        scope: scope.parse().unwrap(),
    });
    let user = User::new("hash".into(), grants.collect());
    let name: UserName = name.parse().unwrap();
    world.embedder().put_user(&name, &user).unwrap();
}

fn user(world: &World, name: &str, roles: &[(UserRole, &str)]) -> Session {
    grant(world, name, roles);
    world.session(Principal::User(name.parse().unwrap()))
}

type Way<'a> = (
    &'static str,
    Box<dyn Fn(&Session) -> Result<(), Error> + 'a>,
);

macro_rules! ways {
    ($($name:literal: $call:expr;)*) => {
        vec![$(($name, Box::new(move |s: &Session| $call(s).map(drop)) as Box<_>)),*]
    };
}

/// What is there for every call to be about: an artifact, its layer, and an image whose layer is elsewhere.
struct Stock {
    manifest: Digest,
    layer: Digest,
    absent: Manifest,
}

impl Stock {
    fn of(session: &Session) -> Self {
        let (manifest, _) = publish(session, &package("app"), "v1", 1);
        let elsewhere = push(session, &package("elsewhere"), b"x").unwrap();
        let (empty, made) = ("empty".parse().unwrap(), RepositorySettings::default());
        session.create_repository(&empty, &made, false).unwrap();
        Self {
            manifest: manifest.digest(),
            layer: manifest.references()[1].descriptor.digest,
            absent: image(&[elsewhere]),
        }
    }

    fn reads(&self) -> Vec<Way<'static>> {
        reads(self.layer)
    }

    fn changes(&self) -> Vec<Way<'_>> {
        changes(self.layer, self.manifest, &self.absent)
    }
}

/// Every call that reads, of a package that is there.
fn reads(layer: Digest) -> Vec<Way<'static>> {
    let app = || package("app");
    let all = Scope::all;
    let default = || "default".parse::<RepositoryName>().unwrap();
    ways! {
        "get_manifest": |s: &Session| s.get_manifest(AsOf::Now, &app().at(by_tag("v1")));
        "tag": |s: &Session| s.tag(AsOf::Now, &app(), &tag("v1"));
        "list_tags": |s: &Session| s.list_tags(AsOf::Now, &app(), page(9));
        "stat_blob": |s: &Session| s.stat_blob(AsOf::Now, &app(), &layer);
        "read_blob": |s: &Session| read(s, &app(), &layer);
        "open_blob": |s: &Session| s.open_blob(AsOf::Now, &app(), &layer);
        "referrers": |s: &Session| s.referrers(AsOf::Now, &app(), &layer, None, page(9));
        "list_manifests": |s: &Session| s.list_manifests(AsOf::Now, &app(), page(9));
        "search": |s: &Session| s.search(AsOf::Now, &Query::default(), page(9));
        "usage": |s: &Session| s.usage(&all());
        "footprint": |s: &Session| s.footprint(&all());
        "totals": |s: &Session| s.totals();
        "revision": |s: &Session| s.revision();
        "horizon": |s: &Session| s.horizon(&default());
        "history": |s: &Session| s.history(Revision::ZERO, 9.try_into().unwrap());
        "feed": |s: &Session| s.feed(Revision::ZERO);
        "repository": |s: &Session| s.repository(AsOf::Now, &default());
        "namespace": |s: &Session| s.namespace(AsOf::Now, &all());
        "stage": |s: &Session| s.stage(AsOf::Now, &"release".parse().unwrap());
    }
}

/// Every call that changes a package. `absent` names what it has not: who may not push is not told so.
fn changes(layer: Digest, manifest: Digest, absent: &Manifest) -> Vec<Way<'_>> {
    let (app, other) = (|| package("app"), || package("other"));
    ways! {
        "begin_upload": |s: &Session| s.begin_upload(&app(), UploadOptions::default());
        "put_manifest": |s: &Session| s.put_manifest(&app(), absent, &PutManifest::default());
        "put_tag": |s: &Session| s.put_tag(&app(), &tag("new"), &manifest, &Condition::Any);
        "delete_tag": |s: &Session| s.delete_tag(&app(), &tag("v1"), &Condition::Any);
        "delete_manifest": |s: &Session| s.delete_manifest(&app(), &manifest);
        "mount": |s: &Session| s.mount(&other(), &layer, Some(&app()));
        "delete_blob": |s: &Session| s.delete_blob(&app(), &layer);
        "pin": |s: &Session| s.pin(&app(), &layer, "name");
        "copy": |s: &Session| s.copy(&app().at(by_tag("v1")), &other(), None, &Condition::Any);
    }
}

/// Every call that changes the registry as such.
fn settings() -> Vec<Way<'static>> {
    let default = || "default".parse::<RepositoryName>().unwrap();
    let ann = || "ann".parse::<UserName>().unwrap();
    ways! {
        "create_repository": |s: &Session| {
            s.create_repository(&"new".parse().unwrap(), &RepositorySettings::default(), false)
        };
        "set_repository": |s: &Session| {
            s.set_repository(&default(), &RepositorySettings::default(), None)
        };
        "remove_repository": |s: &Session| s.remove_repository(&"empty".parse().unwrap());
        "set_namespace": |s: &Session| s.set_namespace(&Scope::all(), &NamespaceSettings::default());
        "set_stage": |s: &Session| s.set_stage(&"release".parse().unwrap(), &StageSettings::default());
        "users": |s: &Session| s.users(AsOf::Now, page(9));
        "put_user": |s: &Session| s.put_user(&ann(), &User::new("hash".into(), Vec::new()));
        "remove_user": |s: &Session| s.remove_user(&ann());
        "set_mode": |s: &Session| s.set_mode(&Mode::ReadOnly("no".into()));
        "collect": |s: &Session| s.collect(&CollectOptions::default());
        "scrub": |s: &Session| s.scrub(ScrubOptions::default(), |_| {});
        "purge": |s: &Session| s.purge(&digest(b"x"));
    }
}

/// No request walks the store: whatever is asked is answered from the index. The scrub alone lists what is stored.
#[test]
fn no_request_walks_the_store() {
    let walks = Arc::new(AtomicU64::new(0));
    let noted = Arc::clone(&walks);
    let world = World::in_memory(|parts| {
        let inner = Arc::clone(&parts.store);
        parts.store = Hooked::new(inner, move |call| {
            noted.fetch_add(u64::from(call == "list"), Ordering::SeqCst);
            std::future::ready(()).boxed()
        });
    });
    let session = world.embedder();
    let stock = Stock::of(&session);
    for (name, way) in stock
        .reads()
        .into_iter()
        .chain(settings())
        .chain(stock.changes())
    {
        let before = walks.load(Ordering::SeqCst);
        // What is refused for what it asks has been looked for, too.
        let _answer = way(&session);
        let walked = walks.load(Ordering::SeqCst) - before;
        assert_eq!(walked, u64::from(name == "scrub"), "{name}");
    }
}

/// I12: whoever has no role is refused by every call, whatever else it finds.
#[test]
fn i12_a_stranger_is_refused_by_every_call() {
    let world = super::world();
    let stock = Stock::of(&world.embedder());
    let stranger = user(&world, "ann", &[]);
    let all = stock.reads().into_iter();
    let session = world.registry.session(
        Principal::User("ann".parse().unwrap()),
        RequestContext::default(),
    );
    let checked = wait(session.check(Action::Create, &package("app"))).unwrap();
    assert_kind(checked, ErrorKind::NotFound);
    for (name, way) in all.chain(stock.changes()).chain(settings()) {
        match way(&stranger) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{name}: {error}"),
            Ok(()) => panic!("{name} let a stranger in"),
        }
    }
}

/// I12: whoever may but read is refused by every call that changes anything, and told why.
#[test]
fn i12_a_reader_changes_nothing() {
    let world = super::world();
    let stock = Stock::of(&world.embedder());
    let reader = user(&world, "ann", &[(UserRole::Reader, "")]);
    for (name, way) in stock.reads() {
        way(&reader).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let head = world.embedder().revision().unwrap().revision;
    for (name, way) in stock.changes().into_iter().chain(settings()) {
        match way(&reader) {
            // What concerns the registry as a whole is read by its admins alone.
            Err(error) if name == "users" || error.kind() == ErrorKind::Denied => {}
            Err(error) => panic!("{name}: {error}"),
            Ok(()) => panic!("{name} let a reader in"),
        }
    }
    assert_eq!(world.embedder().revision().unwrap().revision, head);
}

/// I12: an admin of a part operates nothing of the whole.
#[test]
fn i12_an_admin_of_a_part_is_none_of_the_whole() {
    let world = super::world();
    let admin = user(&world, "ann", &[(UserRole::Admin, "default")]);
    for (name, way) in settings() {
        if !["set_repository"].contains(&name) {
            let refused = way(&admin).expect_err(name);
            assert_eq!(refused.kind(), ErrorKind::NotFound, "{name}: {refused}");
        }
    }
}

/// I11: repositories that one may not read are not listed.
#[test]
fn i11_a_list_of_repositories_holds_what_may_be_read() {
    let world = super::world();
    let secret = "secret".parse().unwrap();
    let made = RepositorySettings::default();
    world
        .embedder()
        .create_repository(&secret, &made, false)
        .unwrap();
    let reader = user(&world, "ann", &[(UserRole::Reader, "default")]);
    let listed = reader.repositories(AsOf::Now, page(9)).unwrap();
    let names: Vec<_> = listed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["default"]);
    let name: OciName = "secret/app".parse().unwrap();
    let hidden = world.embedder().resolve(AsOf::Now, &name).unwrap();
    publish(&world.embedder(), &hidden, "v1", 1);
    let within = Scope::from(&secret);
    for scope in [Scope::all(), within] {
        assert!(
            reader
                .list_packages(AsOf::Now, &scope, page(9))
                .unwrap()
                .is_empty()
        );
    }
}

/// I12, I15: a right that went while an upload was under way is gone at each of its next steps.
#[test]
fn i12_an_upload_outlives_no_right() {
    let world = super::world();
    let app = package("app");
    let writer = [(UserRole::Writer, "")];
    for length in [100, 400_000] {
        let ann = user(&world, "ann", &writer);
        let mut suspended = ann.begin_upload(&app, UploadOptions::default()).unwrap();
        suspended.write_bytes(bytes(1, length).into()).unwrap();
        let id = suspended.suspend().unwrap().id;
        let mut open = ann.begin_upload(&app, UploadOptions::default()).unwrap();
        open.write_bytes(bytes(2, length).into()).unwrap();
        grant(&world, "ann", &[(UserRole::Reader, "")]);
        assert_kind(open.finish(None), ErrorKind::Denied);
        assert_kind(ann.upload_status(&app, &id), ErrorKind::Denied);
        assert_kind(ann.resume_upload(&app, &id, None), ErrorKind::Denied);
        assert_kind(ann.cancel_upload(&app, &id), ErrorKind::Denied);
        grant(&world, "ann", &writer);
        ann.cancel_upload(&app, &id).unwrap();
    }
}

/// I15, A28: an upload is its principal's, and its package's.
#[test]
fn i15_an_upload_is_confined() {
    let world = super::world();
    let (app, other) = (package("app"), package("other"));
    let writer = [(UserRole::Writer, "")];
    let (ann, bob) = (user(&world, "ann", &writer), user(&world, "bob", &writer));
    let mut upload = ann.begin_upload(&app, UploadOptions::default()).unwrap();
    upload.write_bytes(bytes(1, 400_000).into()).unwrap();
    let id = upload.suspend().unwrap().id;
    for (session, package) in [(&bob, &app), (&ann, &other)] {
        assert_kind(session.upload_status(package, &id), ErrorKind::NotFound);
        assert_kind(
            session.resume_upload(package, &id, None),
            ErrorKind::NotFound,
        );
        assert_kind(session.cancel_upload(package, &id), ErrorKind::NotFound);
    }
    assert_eq!(ann.upload_status(&app, &id).unwrap().offset, 400_000);
}

/// A1, I12: who says not who it is may do what the door says, and is asked for a name for more.
#[test]
fn i12_nobody_in_particular_does_what_the_door_says() {
    let world = super::world();
    let stock = Stock::of(&world.embedder());
    let nobody = |access| world.session(Principal::Anonymous(access));
    let refused = |session: &Session, ways: Vec<Way<'_>>| {
        for (name, way) in ways {
            let refused = way(session).expect_err(name);
            assert_eq!(refused.kind(), ErrorKind::Unauthenticated, "{name}");
        }
    };
    let none = nobody(AnonymousAccess::None);
    refused(&none, stock.reads());
    let listed = none.list_packages(AsOf::Now, &Scope::all(), page(9));
    assert_kind(listed, ErrorKind::Unauthenticated);
    let read = nobody(AnonymousAccess::Read);
    refused(&read, stock.changes());
    refused(&read, settings());
    for (name, way) in stock.reads() {
        way(&read).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let write = nobody(AnonymousAccess::Write);
    refused(&write, settings());
    push(&write, &package("app"), b"theirs").unwrap();
}

/// What is in no repository is not pushed.
#[test]
fn a_push_needs_a_repository() {
    let world = super::world();
    let nowhere = "nowhere".parse().unwrap();
    let package = PackageRef::below(&nowhere, &"nowhere/app".parse().unwrap()).unwrap();
    assert_kind(push(&world.embedder(), &package, b"x"), ErrorKind::NotFound);
}

/// Lets users read nothing below one scope, whatever they were granted.
#[derive(Debug)]
struct Quarantine(Scope);

impl PolicyEngine for Quarantine {
    fn decide(&self, request: &Request<'_>, facts: &Facts<'_>) -> Decision {
        let within = matches!(request.target, Target::Scope(scope) if self.0.holds_scope(scope));
        if within && matches!(request.principal, Principal::User(_)) {
            return Decision::deny("it is closed for now");
        }
        RolePolicy::default().decide(request, facts)
    }
}

/// I11, I31: a list asks the policy, and not the grants alone.
#[test]
fn i31_a_list_shows_what_the_policy_lets_be_read() {
    let closed: Scope = "secret".parse().unwrap();
    let policy = Arc::new(Quarantine(closed));
    let world = super::world_with(move |parts| parts.policy = policy);
    let embedder = world.embedder();
    for name in ["open", "secret"] {
        let repository = name.parse().unwrap();
        let made = RepositorySettings::default();
        embedder
            .create_repository(&repository, &made, false)
            .unwrap();
        let name: OciName = format!("{name}/app").parse().unwrap();
        publish(
            &embedder,
            &embedder.resolve(AsOf::Now, &name).unwrap(),
            "v1",
            1,
        );
    }
    let reader = [(UserRole::Reader, "open"), (UserRole::Reader, "secret")];
    let ann = user(&world, "ann", &reader);
    let listed = ann
        .list_packages(AsOf::Now, &Scope::all(), page(9))
        .unwrap();
    let names: Vec<_> = listed.iter().map(PackageRef::oci_name).collect();
    assert_eq!(names, ["open/app"]);
}
