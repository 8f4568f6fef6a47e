//! What happens between a decision and its commit counts: it is decided again (I6, I12).

use artifact::{
    AsOf, Condition, Digest, Document as _, ErrorKind, Grant, Mode, NamespaceSettings, OciName,
    Principal, PutManifest, RegistryParts, RepositoryName, RepositorySettings, ScrubOptions,
    StageSettings, UploadOptions, User, UserRole, blocking::Session,
};

use crate::{
    interrupted::Meanwhile,
    support::{World, assert_kind, by_tag, bytes, image, package, page, publish, push, read, tag},
};

/// Returns a registry in which something can happen before a commit.
fn world() -> (World, Meanwhile) {
    let meanwhile = Meanwhile::default();
    let over = |parts: &mut RegistryParts| parts.index = meanwhile.over(parts.index.clone());
    let world = super::world_with(over);
    (world, meanwhile)
}

fn role(session: &Session, role: UserRole) {
    let scope = "".parse().unwrap();
    let user = User::new("hash".into(), vec![Grant { role, scope }]);
    session.put_user(&"ann".parse().unwrap(), &user).unwrap();
}

/// I12: a right that is taken away before the commit is gone.
#[test]
fn i12_a_right_that_goes_before_the_commit_is_gone() {
    let (world, meanwhile) = world();
    let (embedder, app) = (world.embedder(), package("app"));
    let (first, _) = publish(&embedder, &app, "v1", 1);
    role(&embedder, UserRole::Writer);
    let ann = world.session(Principal::User("ann".parse().unwrap()));
    let revoke = || {
        role(&embedder, UserRole::Writer);
        let embedder = embedder.clone();
        meanwhile.happens(move || role(&embedder, UserRole::Reader));
    };
    revoke();
    assert_kind(push(&ann, &app, b"small"), ErrorKind::Denied);
    revoke();
    let (digest, named) = (first.digest(), tag("new"));
    let tagged = ann.put_tag(&app, &named, &digest, &Condition::Any);
    assert_kind(tagged, ErrorKind::Denied);
    revoke();
    let pushed = ann.put_manifest(&app, &first, &PutManifest::tagged(vec![named.clone()]));
    assert_kind(pushed, ErrorKind::Denied);
    revoke();
    assert_kind(
        ann.delete_tag(&app, &tag("v1"), &Condition::Any),
        ErrorKind::Denied,
    );
    revoke();
    assert_kind(ann.delete_manifest(&app, &digest), ErrorKind::Denied);
    meanwhile.assert_happened();
    let there = embedder.tag(AsOf::Now, &app, &tag("v1")).unwrap();
    assert_eq!(there.digest, digest);
    assert_kind(embedder.tag(AsOf::Now, &app, &named), ErrorKind::NotFound);
}

/// I12: so is what the settings of the repository, or the mode, allowed.
#[test]
fn i12_settings_that_change_before_the_commit_count() {
    let (world, meanwhile) = world();
    let (embedder, app) = (world.embedder(), package("app"));
    publish(&embedder, &app, "v1", 1);
    let strict = StageSettings::from_body(r#"{"delete":false}"#).unwrap();
    embedder
        .set_stage(&"release".parse().unwrap(), &strict)
        .unwrap();
    let other = embedder.clone();
    meanwhile.happens(move || {
        let settings = RepositorySettings::from_body(r#"{"stage":"release"}"#).unwrap();
        other
            .set_repository(&"default".parse().unwrap(), &settings, None)
            .unwrap();
    });
    assert_kind(
        embedder.delete_tag(&app, &tag("v1"), &Condition::Any),
        ErrorKind::Denied,
    );
    let other = embedder.clone();
    meanwhile.happens(move || {
        other.set_mode(&Mode::ReadOnly("moving".into())).unwrap();
    });
    assert_kind(push(&embedder, &app, b"small"), ErrorKind::ReadOnly);
    meanwhile.assert_happened();
}

/// I12: a mount rests on the right to read where the blob is, too.
#[test]
fn i12_a_mount_rests_on_both_packages() {
    let (world, meanwhile) = world();
    let embedder = world.embedder();
    let made = RepositorySettings::default();
    let from = "from".parse().unwrap();
    embedder.create_repository(&from, &made, false).unwrap();
    let source = embedder
        .resolve(AsOf::Now, &"from/app".parse().unwrap())
        .unwrap();
    let blob = push(&embedder, &source, &bytes(1, 9_000)).unwrap();
    let before = embedder.repository(AsOf::Now, &from).unwrap().generation;
    let other = embedder.clone();
    // Nothing that matters; yet what was read of that repository is not what is there.
    meanwhile.happens(move || {
        let settings = RepositorySettings::from_body(r#"{"quota":1000000}"#).unwrap();
        other.set_repository(&from, &settings, None).unwrap();
        let digest = &blob.digest;
        other.delete_blob(&source, digest).unwrap();
    });
    let source = embedder
        .resolve(AsOf::Now, &"from/app".parse().unwrap())
        .unwrap();
    // The bytes are there still, under their lease; but who asks again may not have them.
    let mounted = embedder.mount(&package("app"), &blob.digest, Some(&source));
    assert_eq!(mounted.unwrap(), None);
    meanwhile.assert_happened();
    let from = "from".parse().unwrap();
    let after = embedder.repository(AsOf::Now, &from).unwrap().generation;
    assert_ne!(before, after);
}

/// I1: what is pushed while a repository is made is found under its name.
#[test]
fn i1_a_push_beside_a_new_repository_is_found() {
    let (world, meanwhile) = world();
    let embedder = world.embedder();
    let made = RepositorySettings::default();
    let name: OciName = "team/app".parse().unwrap();
    let app = embedder.resolve(AsOf::Now, &name).unwrap();
    // The push comes first: it moves with the name.
    let (other, early) = (embedder.clone(), app.clone());
    meanwhile.happens(move || {
        publish(&other, &early, "v1", 1);
    });
    let team = "team".parse().unwrap();
    embedder.create_repository(&team, &made, false).unwrap();
    meanwhile.assert_happened();
    let found = embedder.resolve(AsOf::Now, &name).unwrap();
    assert_eq!(found.repository, team);
    let v1 = found.clone().at(by_tag("v1"));
    embedder.get_manifest(AsOf::Now, &v1).unwrap();
    // The repository comes first: the push is refused, and asked for again it goes where its name lies.
    let name: OciName = "crew/app".parse().unwrap();
    let app = embedder.resolve(AsOf::Now, &name).unwrap();
    let other = embedder.clone();
    meanwhile.happens(move || {
        let crew = "crew".parse().unwrap();
        other.create_repository(&crew, &made, false).unwrap();
    });
    assert_kind(push(&embedder, &app, b"small"), ErrorKind::Conflict);
    meanwhile.assert_happened();
    let found = embedder.resolve(AsOf::Now, &name).unwrap();
    publish(&embedder, &found, "v1", 1);
}

/// I1: a repository into which something is pushed while it is removed stays as it was.
#[test]
fn i1_a_push_into_a_repository_that_goes_is_found() {
    let (world, meanwhile) = world();
    let embedder = world.embedder();
    let made = RepositorySettings::from_body(r#"{"quota":1000000}"#).unwrap();
    let team = "team".parse().unwrap();
    embedder.create_repository(&team, &made, false).unwrap();
    let name: OciName = "team/app".parse().unwrap();
    let app = embedder.resolve(AsOf::Now, &name).unwrap();
    let (other, pushed) = (embedder.clone(), app.clone());
    meanwhile.happens(move || {
        publish(&other, &pushed, "v1", 1);
    });
    assert_kind(embedder.remove_repository(&team), ErrorKind::Conflict);
    meanwhile.assert_happened();
    assert_eq!(embedder.repository(AsOf::Now, &team).unwrap().value, made);
    assert_eq!(embedder.resolve(AsOf::Now, &name).unwrap(), app);
    let v1 = app.at(by_tag("v1"));
    embedder.get_manifest(AsOf::Now, &v1).unwrap();
}

/// I12: so does a copy, whose right to read where it comes from can go before its commit.
#[test]
fn i12_a_copy_rests_on_both_packages() {
    let (world, meanwhile) = world();
    let embedder = world.embedder();
    let made = RepositorySettings::default();
    let from: RepositoryName = "from".parse().unwrap();
    embedder.create_repository(&from, &made, false).unwrap();
    let source = embedder
        .resolve(AsOf::Now, &"from/app".parse().unwrap())
        .unwrap();
    let (manifest, _) = publish(&embedder, &source, "v1", 1);
    let (other, package_there) = (embedder.clone(), source.clone());
    // Of who copies nothing changes: only where the artifact comes from does.
    meanwhile.happens(move || {
        let settings = RepositorySettings::from_body(r#"{"quota":1000000}"#).unwrap();
        other.set_repository(&from, &settings, None).unwrap();
        other
            .delete_manifest(&package_there, &manifest.digest())
            .unwrap();
    });
    let to = package("app");
    let copied = embedder.copy(&source.at(by_tag("v1")), &to, None, &Condition::Any);
    assert_kind(copied, ErrorKind::NotFound);
    meanwhile.assert_happened();
    let there = embedder.list_manifests(AsOf::Now, &to, page(9)).unwrap();
    assert!(there.is_empty(), "{there:?}");
}

/// I6: a condition holds at the commit, and not only when it was looked at.
#[test]
fn i6_a_tag_that_moves_before_the_commit_is_judged_again() {
    let (world, meanwhile) = world();
    let (embedder, app) = (world.embedder(), package("app"));
    let (first, _) = publish(&embedder, &app, "v1", 1);
    let (second, _) = publish(&embedder, &app, "v2", 2);
    let moved = |name: &'static str, to: Digest| {
        let (other, app) = (embedder.clone(), app.clone());
        meanwhile.happens(move || {
            other
                .put_tag(&app, &tag(name), &to, &Condition::Any)
                .unwrap();
        });
    };
    let at_first = Condition::Digests(vec![first.digest()]);
    let put = |name, to: Digest, condition: &Condition| {
        embedder.put_tag(&app, &tag(name), &to, condition)
    };
    // It is to be made, and is there.
    moved("new", first.digest());
    assert_kind(
        put("new", second.digest(), &Condition::Absent),
        ErrorKind::Conflict,
    );
    // It is to be moved, and was.
    publish(&embedder, &app, "v3", 3);
    let third = embedder.tag(AsOf::Now, &app, &tag("v3")).unwrap().digest;
    moved("v1", third);
    assert_kind(put("v1", second.digest(), &at_first), ErrorKind::Conflict);
    // It is to stay, and was moved.
    put("v1", first.digest(), &Condition::Any).unwrap();
    moved("v1", third);
    assert_kind(put("v1", first.digest(), &at_first), ErrorKind::Conflict);
    // It is to go, and was moved.
    put("v1", first.digest(), &Condition::Any).unwrap();
    moved("v1", third);
    assert_kind(
        embedder.delete_tag(&app, &tag("v1"), &at_first),
        ErrorKind::Conflict,
    );
    meanwhile.assert_happened();
    assert_eq!(
        embedder.tag(AsOf::Now, &app, &tag("v1")).unwrap().digest,
        third
    );
}

/// I14: a quota that is set before the commit bounds it.
#[test]
fn i14_a_quota_that_comes_before_the_commit_counts() {
    let (world, meanwhile) = world();
    let (embedder, app) = (world.embedder(), package("app"));
    let other = embedder.clone();
    meanwhile.happens(move || {
        let namespace = NamespaceSettings::from_body(r#"{"quota":10}"#).unwrap();
        other
            .set_namespace(&"".parse().unwrap(), &namespace)
            .unwrap();
    });
    assert_kind(push(&embedder, &app, &bytes(1, 1_000)), ErrorKind::Quota);
    meanwhile.assert_happened();
}

/// I15: an upload that somebody went on with is not published by who had it before.
#[test]
fn i15_an_upload_is_published_by_who_has_it() {
    let (world, meanwhile) = world();
    let (embedder, app) = (world.embedder(), package("app"));
    let mut upload = embedder
        .begin_upload(&app, UploadOptions::default())
        .unwrap();
    upload.write_bytes(bytes(1, 400).into()).unwrap();
    let id = upload.suspend().unwrap().id;
    let first = embedder.resume_upload(&app, &id, None).unwrap();
    let (other, package) = (embedder.clone(), app.clone());
    meanwhile.happens(move || {
        let newer = other.resume_upload(&package, &id, None).unwrap();
        newer.suspend().unwrap();
    });
    assert_kind(first.finish(None), ErrorKind::Range);
    meanwhile.assert_happened();
    assert_eq!(embedder.upload_status(&app, &id).unwrap().offset, 400);
}

/// A setting that changed before the commit is not written over.
#[test]
fn a_setting_is_changed_where_it_stands() {
    let (world, meanwhile) = world();
    let embedder = world.embedder();
    let name = "team".parse().unwrap();
    let quota =
        |bytes: u64| RepositorySettings::from_body(&format!(r#"{{"quota":{bytes}}}"#)).unwrap();
    let other = embedder.clone();
    let made = quota(1);
    meanwhile.happens(move || {
        let team = "team".parse().unwrap();
        other.create_repository(&team, &made, false).unwrap();
    });
    assert_kind(
        embedder.create_repository(&name, &quota(2), false),
        ErrorKind::Conflict,
    );
    let there = embedder.repository(AsOf::Now, &name).unwrap();
    assert_eq!(there.value, quota(1));
    let other = embedder.clone();
    let changed = quota(3);
    meanwhile.happens(move || {
        let team = "team".parse().unwrap();
        other.set_repository(&team, &changed, None).unwrap();
    });
    embedder
        .set_repository(&name, &quota(4), Some(there.generation))
        .unwrap_err();
    meanwhile.assert_happened();
    assert_eq!(
        embedder.repository(AsOf::Now, &name).unwrap().value,
        quota(3)
    );
    // Who read it before that, however long ago, changes nothing either.
    let stale = embedder.set_repository(&name, &quota(4), Some(there.generation));
    assert_kind(stale, ErrorKind::Conflict);
    let other = embedder.clone();
    let changed = quota(5);
    meanwhile.happens(move || {
        let team = "team".parse().unwrap();
        other.set_repository(&team, &changed, None).unwrap();
    });
    embedder.remove_repository(&name).unwrap_err();
    assert_eq!(
        embedder.repository(AsOf::Now, &name).unwrap().value,
        quota(5)
    );
    let default = "default".parse().unwrap();
    assert_kind(embedder.remove_repository(&default), ErrorKind::Unsupported);
}

/// A user whose record changed before it was to go stays: whoever removes it has not seen what it is now.
#[test]
fn a_user_who_changed_meanwhile_is_not_removed() {
    let (world, meanwhile) = world();
    let embedder = world.embedder();
    role(&embedder, UserRole::Reader);
    let other = embedder.clone();
    meanwhile.happens(move || role(&other, UserRole::Admin));
    let ann = "ann".parse().unwrap();
    assert_kind(embedder.remove_user(&ann), ErrorKind::Conflict);
    meanwhile.assert_happened();
    let there = embedder.users(AsOf::Now, page(10)).unwrap();
    assert_eq!(there[0].1.grants[0].role, UserRole::Admin);
    embedder.remove_user(&ann).unwrap();
}

/// I2, I4: what a manifest names and who deletes that meanwhile: the commit knows.
#[test]
fn i2_what_goes_before_the_commit_is_missed() {
    let (world, meanwhile) = world();
    let (embedder, app) = (world.embedder(), package("app"));
    let config = push(&embedder, &app, &bytes(1, 300)).unwrap();
    let layer = push(&embedder, &app, &bytes(2, 9_000)).unwrap();
    let (other, package) = (embedder.clone(), app.clone());
    meanwhile.happens(move || other.delete_blob(&package, &layer.digest).unwrap());
    let manifest = image(&[config, layer]);
    let options = PutManifest::tagged(vec![tag("v1")]);
    embedder
        .put_manifest(&app, &manifest, &options)
        .unwrap_err();
    meanwhile.assert_happened();
    assert_kind(
        embedder.tag(AsOf::Now, &app, &tag("v1")),
        ErrorKind::NotFound,
    );
}

/// I3, I22: what the index itself keeps is hashed at each read, and by a scrub.
#[test]
fn i3_rot_in_the_index_is_no_success() {
    let (world, meanwhile) = world();
    let (embedder, app) = (world.embedder(), package("app"));
    let (manifest, _) = publish(&embedder, &app, "v1", 1);
    let small = manifest.references()[0].descriptor.digest;
    assert_eq!(read(&embedder, &app, &small).unwrap().len(), 300);
    meanwhile.rot();
    assert_kind(read(&embedder, &app, &small), ErrorKind::Corrupt);
    let by_tag = by_tag("v1");
    assert_kind(
        embedder.get_manifest(AsOf::Now, &app.at(by_tag.clone())),
        ErrorKind::Corrupt,
    );
    let found = embedder.scrub(ScrubOptions::default(), |_| {}).unwrap();
    assert_eq!(found.corrupt, [small, manifest.digest()]);
}
