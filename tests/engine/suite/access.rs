//! Who may do what, and what a refusal tells.

use artifact::{
    AnonymousAccess, AsOf, Condition, Document as _, ErrorKind, Grant, Mode, Principal,
    PutManifest, RepositorySettings, Scope, StageSettings, UploadOptions, User, UserRole,
    blocking::Session,
};

use crate::support::{assert_kind, by_tag, bytes, package, page, publish, push, tag};

fn user(world: &crate::support::World, name: &str, role: UserRole, scope: &str) -> Session {
    let grants = vec![Grant {
        role,
        scope: scope.parse().unwrap(),
    }];
    let user = User::new("hash".into(), grants);
    world
        .embedder()
        .put_user(&name.parse().unwrap(), &user)
        .unwrap();
    world.session(Principal::User(name.parse().unwrap()))
}

/// A11: one who may only create moves no tag that is there, and deletes nothing.
#[test]
fn a11_a_creator_overwrites_nothing() {
    let world = super::world();
    let app = package("app");
    let creator = user(&world, "ci", UserRole::Creator, "default");
    let (first, _) = publish(&creator, &app, "latest", 1);
    let config = push(&creator, &app, &bytes(2, 100)).unwrap();
    let second = crate::support::image(&[config]);
    let over = PutManifest::tagged(vec![tag("latest")]);
    assert_kind(
        creator.put_manifest(&app, &second, &over),
        ErrorKind::Denied,
    );
    assert_kind(
        creator.get_manifest(AsOf::Now, &app.at(second.digest())),
        ErrorKind::NotFound,
    );
    assert_kind(
        creator.delete_tag(&app, &tag("latest"), &Condition::Any),
        ErrorKind::Denied,
    );
    assert_kind(
        creator.delete_manifest(&app, &first.digest()),
        ErrorKind::Denied,
    );
    let writer = user(&world, "release", UserRole::Writer, "default");
    writer.put_manifest(&app, &second, &over).unwrap();
}

/// A1, A2, I11: what one may not read answers like what is not there; who is nobody is asked who.
#[test]
fn a1_what_may_not_be_read_is_not_there() {
    let world = super::world();
    let embedder = world.embedder();
    let private = "private".parse().unwrap();
    embedder
        .create_repository(&private, &RepositorySettings::default(), false)
        .unwrap();
    let secret = embedder
        .resolve(AsOf::Now, &"private/app".parse().unwrap())
        .unwrap();
    let (manifest, _) = publish(&embedder, &secret, "v1", 1);
    let layer = manifest.references()[1].descriptor.digest;
    let reader = user(&world, "ann", UserRole::Reader, "default");
    let absent = reader.get_manifest(AsOf::Now, &package("nothing").at(by_tag("v1")));
    let hidden = reader.get_manifest(AsOf::Now, &secret.at(by_tag("v1")));
    assert_eq!(
        absent.unwrap_err().to_string(),
        hidden.unwrap_err().to_string()
    );
    assert_kind(
        reader.stat_blob(AsOf::Now, &secret, &layer),
        ErrorKind::NotFound,
    );
    assert_kind(
        reader.stat_blob(AsOf::Now, &package("app"), &layer),
        ErrorKind::NotFound,
    );
    assert_kind(push(&reader, &secret, b"x"), ErrorKind::NotFound);
    assert_kind(push(&reader, &package("app"), b"x"), ErrorKind::Denied);
    assert_eq!(
        reader
            .mount(&package("app"), &layer, Some(&secret))
            .unwrap_err()
            .kind(),
        ErrorKind::Denied
    );
    let writer = user(&world, "bob", UserRole::Writer, "default");
    assert_eq!(
        writer
            .mount(&package("app"), &layer, Some(&secret))
            .unwrap(),
        None
    );
    let nobody = world.session(Principal::Anonymous(AnonymousAccess::None));
    for package in [&secret, &package("nothing")] {
        let refused = nobody.get_manifest(AsOf::Now, &package.at(by_tag("v1")));
        assert_kind(refused, ErrorKind::Unauthenticated);
    }
    assert!(
        reader
            .list_packages(AsOf::Now, &Scope::all(), page(10))
            .unwrap()
            .is_empty()
    );
    assert_kind(reader.revision(), ErrorKind::NotFound);
    let all = embedder
        .list_packages(AsOf::Now, &Scope::all(), page(10))
        .unwrap();
    assert_eq!(all, [secret]);
}

#[test]
fn a_list_holds_what_the_grants_show() {
    let world = super::world();
    let embedder = world.embedder();
    for name in ["a/one", "b", "c"] {
        let name = name.parse().unwrap();
        embedder
            .create_repository(&name, &RepositorySettings::default(), false)
            .unwrap();
    }
    for name in ["a/one/x", "b/y", "c/z", "w"] {
        let package = embedder.resolve(AsOf::Now, &name.parse().unwrap()).unwrap();
        publish(&embedder, &package, "v1", 1);
    }
    let grants = ["a", "c"].map(|scope| Grant {
        role: UserRole::Reader,
        scope: scope.parse().unwrap(),
    });
    let user = User::new("hash".into(), grants.into());
    embedder.put_user(&"ann".parse().unwrap(), &user).unwrap();
    let ann = world.session(Principal::User("ann".parse().unwrap()));
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let one = artifact::Page {
            after,
            limit: std::num::NonZeroU32::MIN,
        };
        let part = ann.list_packages(AsOf::Now, &Scope::all(), one).unwrap();
        let Some(last) = part.last() else { break };
        names.push(last.oci_name());
        after = Some(last.oci_name());
    }
    assert_eq!(names, ["a/one/x", "c/z"]);
}

/// I12: a decision on roles that have changed since is made again, also in a session that goes on.
#[test]
fn i12_a_revoked_right_is_gone_at_once() {
    let world = super::world();
    let app = package("app");
    let ann = user(&world, "ann", UserRole::Writer, "");
    publish(&ann, &app, "v1", 1);
    user(&world, "ann", UserRole::Reader, "");
    assert_kind(push(&ann, &app, b"more"), ErrorKind::Denied);
    world
        .embedder()
        .remove_user(&"ann".parse().unwrap())
        .unwrap();
    assert_kind(
        ann.get_manifest(AsOf::Now, &app.at(by_tag("v1"))),
        ErrorKind::NotFound,
    );
}

/// A12: a stage that forbids to delete or to overwrite binds everybody.
#[test]
fn a12_a_stage_forbids() {
    let world = super::world();
    let (embedder, app) = (world.embedder(), package("app"));
    let (first, _) = publish(&embedder, &app, "v1", 1);
    let strict = StageSettings::from_body(r#"{"delete":false,"overwrite":false}"#).unwrap();
    let release = "release".parse().unwrap();
    embedder.set_stage(&release, &strict).unwrap();
    let settings = RepositorySettings::from_body(r#"{"stage":"release"}"#).unwrap();
    embedder
        .set_repository(&"default".parse().unwrap(), &settings, None)
        .unwrap();
    assert_kind(
        embedder.delete_manifest(&app, &first.digest()),
        ErrorKind::Denied,
    );
    assert_kind(
        embedder.delete_tag(&app, &tag("v1"), &Condition::Any),
        ErrorKind::Denied,
    );
    let (second, _) = publish(&embedder, &app, "v2", 2);
    let moved = embedder.put_tag(&app, &tag("v1"), &second.digest(), &Condition::Any);
    assert_kind(moved, ErrorKind::Denied);
}

#[test]
fn a_read_only_registry_is_read() {
    let world = super::world();
    let (embedder, app) = (world.embedder(), package("app"));
    publish(&embedder, &app, "v1", 1);
    embedder
        .set_mode(&Mode::ReadOnly("moving house".into()))
        .unwrap();
    assert_kind(push(&embedder, &app, b"x"), ErrorKind::ReadOnly);
    assert_kind(
        embedder.delete_tag(&app, &tag("v1"), &Condition::Any),
        ErrorKind::ReadOnly,
    );
    assert_kind(
        embedder.collect(&artifact::CollectOptions::default()),
        ErrorKind::ReadOnly,
    );
    embedder
        .get_manifest(AsOf::Now, &app.at(by_tag("v1")))
        .unwrap();
    embedder.set_mode(&Mode::ReadWrite).unwrap();
    push(&embedder, &app, b"x").unwrap();
}

/// I14, A34: parallel uploads never go over the quota together, and failures give room back.
#[test]
fn i14_a_quota_holds_at_every_instant() {
    let world = super::world();
    let (embedder, app) = (world.embedder(), package("app"));
    let settings = RepositorySettings::from_body(r#"{"quota":100000}"#).unwrap();
    embedder
        .set_repository(&"default".parse().unwrap(), &settings, None)
        .unwrap();
    let pushed: usize = std::thread::scope(|scope| {
        let push_one = |seed| {
            let (session, app) = (world.embedder(), &app);
            scope.spawn(move || push(&session, app, &bytes(seed, 60_000)).is_ok())
        };
        let threads: Vec<_> = (0..20).map(push_one).collect();
        threads
            .into_iter()
            .map(|thread| usize::from(thread.join().unwrap()))
            .sum()
    });
    assert_eq!(pushed, 1, "one of them has room");
    let usage = embedder.usage(&Scope::all()).unwrap();
    assert_eq!((usage.charged, usage.reserved), (60_000, 0));
    assert_kind(push(&embedder, &app, &bytes(99, 40_001)), ErrorKind::Quota);
    assert_kind(
        push(&embedder, &app, &bytes(98, 2_000_000)),
        ErrorKind::Quota,
    );
    push(&embedder, &app, &bytes(97, 40_000)).unwrap();
    assert_kind(push(&embedder, &app, b"x"), ErrorKind::Quota);
}

/// I14: an upload whose size nobody told takes what room there is, however little; one that is refused
/// gives all of its room back.
#[test]
fn i14_an_upload_of_unknown_size_needs_no_more_room_than_its_bytes() {
    let world = super::world();
    let (embedder, app) = (world.embedder(), package("app"));
    let settings = RepositorySettings::from_body(r#"{"quota":100000}"#).unwrap();
    embedder
        .set_repository(&"default".parse().unwrap(), &settings, None)
        .unwrap();
    let begin = || {
        embedder
            .begin_upload(&app, UploadOptions::default())
            .unwrap()
    };
    let mut upload = begin();
    upload.write_bytes(bytes(1, 30_000).into()).unwrap();
    upload.write_bytes(bytes(2, 30_000).into()).unwrap();
    let id = upload.suspend().unwrap().id;
    let mut upload = embedder.resume_upload(&app, &id, None).unwrap();
    upload.write_bytes(bytes(3, 40_000).into()).unwrap();
    upload.finish(None).unwrap();
    let mut refused = begin();
    refused.write_bytes(bytes(4, 4_000).into()).unwrap();
    let more = refused.write_bytes(bytes(5, 4_000).into());
    assert_kind(more, ErrorKind::Quota);
    refused.abort().unwrap();
    let usage = embedder.usage(&Scope::all()).unwrap();
    assert_eq!((usage.charged, usage.reserved), (100_000, 0));
}

#[test]
fn a_repository_takes_over_what_lies_below_it() {
    let world = super::world();
    let embedder = world.embedder();
    let before = package("team/app");
    publish(&embedder, &before, "v1", 1);
    let team = "team".parse().unwrap();
    let settings = RepositorySettings::default();
    assert_kind(
        embedder.create_repository(&team, &settings, false),
        ErrorKind::Conflict,
    );
    embedder.create_repository(&team, &settings, true).unwrap();
    let after = embedder
        .resolve(AsOf::Now, &"team/app".parse().unwrap())
        .unwrap();
    assert_eq!(after.repository, team);
    embedder
        .get_manifest(AsOf::Now, &after.at(by_tag("v1")))
        .unwrap();
    assert_kind(
        embedder.get_manifest(AsOf::Now, &before.at(by_tag("v1"))),
        ErrorKind::NotFound,
    );
    assert_kind(
        embedder.resolve(AsOf::Now, &"team".parse().unwrap()),
        ErrorKind::NotFound,
    );
    assert_kind(embedder.remove_repository(&team), ErrorKind::Conflict);
    // Nothing is put where nobody finds it.
    assert_kind(push(&embedder, &before, b"small"), ErrorKind::Conflict);
}

/// A package that has a repository's very name, or lies in one around it, would not be found any more.
#[test]
fn a_repository_takes_no_name_away() {
    let world = super::world();
    let embedder = world.embedder();
    let made = RepositorySettings::default();
    let team = "team".parse().unwrap();
    let same = package("team");
    let (manifest, _) = publish(&embedder, &same, "v1", 1);
    for adopt in [false, true] {
        let refused = embedder.create_repository(&team, &made, adopt);
        assert_kind(refused, ErrorKind::Conflict);
    }
    embedder.delete_manifest(&same, &manifest.digest()).unwrap();
    embedder.create_repository(&team, &made, false).unwrap();
    let resolve = |name: &str| embedder.resolve(AsOf::Now, &name.parse().unwrap()).unwrap();
    let inner = resolve("team/x/app");
    let (manifest, _) = publish(&embedder, &inner, "v1", 1);
    let x = "team/x".parse().unwrap();
    for adopt in [false, true] {
        let refused = embedder.create_repository(&x, &made, adopt);
        assert_kind(refused, ErrorKind::Conflict);
    }
    // What lies beside it, or in a repository of its own, is found as before.
    publish(&embedder, &resolve("team/xy"), "v1", 1);
    let own = "team/x/y".parse().unwrap();
    embedder.create_repository(&own, &made, false).unwrap();
    publish(&embedder, &resolve("team/x/y/app"), "v1", 1);
    embedder
        .delete_manifest(&inner, &manifest.digest())
        .unwrap();
    embedder.create_repository(&x, &made, false).unwrap();
    // One that lies behind those of repositories within it holds it, too.
    assert_kind(embedder.remove_repository(&team), ErrorKind::Conflict);
    for (name, repository) in [("team/xy", "team"), ("team/x/y/app", "team/x/y")] {
        let found = resolve(name);
        assert_eq!(found.repository.as_str(), repository);
        embedder
            .get_manifest(AsOf::Now, &found.at(by_tag("v1")))
            .unwrap();
    }
}

/// I11: a page of repositories is as long as it would be if there were no others than those that one may read.
#[test]
fn i11_a_page_of_repositories_has_no_gaps() {
    let world = super::world();
    let embedder = world.embedder();
    let made = RepositorySettings::default();
    for name in ["a1", "a2", "a3", "mine1", "n", "mine2", "z"] {
        let name = name.parse().unwrap();
        embedder.create_repository(&name, &made, false).unwrap();
    }
    let grants = ["mine1", "mine2"].map(|scope| Grant {
        role: UserRole::Reader,
        scope: scope.parse().unwrap(),
    });
    let ann = User::new("hash".into(), grants.into());
    embedder.put_user(&"ann".parse().unwrap(), &ann).unwrap();
    let ann = world.session(Principal::User("ann".parse().unwrap()));
    for limit in [1, 2, 3, 100] {
        let found = ann.repositories(AsOf::Now, page(limit)).unwrap();
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, &["mine1", "mine2"][..names.len()]);
        assert_eq!(names.len(), 2.min(limit as usize), "{limit}");
    }
}
