//! `artifact push|pull|cp`: from every kind of place to every kind of place.

use std::{fs, os::unix::fs::MetadataExt as _};

use crate::support::{
    bench::Bench,
    run::{Run, fields},
    server::Server,
    tree,
};

/// What stands in JSON of what was copied, pushed and pulled.
const COPIED: [&str; 9] = [
    "digest",
    "from",
    "manifests",
    "mounted",
    "present",
    "sent",
    "sentBytes",
    "tag",
    "to",
];
const PUSHED: [&str; 11] = [
    "bytes",
    "digest",
    "entries",
    "files",
    "from",
    "manifests",
    "present",
    "sent",
    "sentBytes",
    "tag",
    "to",
];
const PULLED: [&str; 9] = [
    "bytes",
    "copied",
    "digest",
    "entries",
    "files",
    "from",
    "hardLinked",
    "reflinked",
    "to",
];

/// `cp` between all pairs of a directory, a layout, a package here and one at another registry: the
/// digest is the same everywhere, and so is the tree that comes out.
#[test]
fn cp_goes_from_everywhere_to_everywhere() {
    let (here, there) = (Bench::stocked(), Bench::stocked());
    let server = Server::open(&there);
    here.ok(["cp", "team/build:1", "oci:layout:1"]);
    let digest = here.digest("team/build:1");
    let sources = [
        "dir:build".to_owned(),
        "oci:layout:1".to_owned(),
        "team/build:1".to_owned(),
        server.at("team/build:1"),
    ];
    for (place, from) in sources.iter().enumerate() {
        let targets = [
            format!("dir:copy-{place}"),
            format!("oci:layout-{place}:new"),
            format!("copies/c{place}:new"),
            server.at(&format!("copies/c{place}:new")),
        ];
        for to in &targets {
            let moved = here.json(["cp", from, to]);
            assert_eq!(moved["digest"], digest, "{from} {to}");
            let shape = match (from.starts_with("dir:"), to.starts_with("dir:")) {
                (_, true) => &PULLED[..],
                (true, false) => &PUSHED[..],
                (false, false) => &COPIED[..],
            };
            assert_eq!(fields(&moved), shape, "{from} {to}");
            match to.strip_prefix("dir:") {
                Some(path) => {
                    let copied = tree::contents(&here.path(path));
                    assert_eq!(copied, tree::contents(&here.path("build")), "{from}");
                }
                None => {
                    assert_eq!(moved["tag"], "new", "{from} {to}");
                    here.holds_the_tree(to);
                }
            }
        }
    }
    // Nothing that was only needed on the way is left.
    assert!(
        tree::names(here.root())
            .iter()
            .all(|name| !name.starts_with('.'))
    );
}

#[test]
fn push_takes_a_directory_a_file_and_a_layout_to_each_registry_and_layout() {
    let (here, there) = (Bench::stocked(), Bench::new());
    let server = Server::open(&there);
    here.ok(["cp", "team/build:1", "oci:layout:v7"]);
    let digest = here.digest("team/build:1");
    for (place, from) in [
        "build",
        "dir:build",
        "layout",
        "oci:layout",
        "oci:layout:v7",
    ]
    .iter()
    .enumerate()
    {
        let targets = [
            format!("p/p{place}"),
            server.at(&format!("p/p{place}")),
            format!("oci:l{place}"),
        ];
        for to in &targets {
            let moved = here.json(["push", from, to]);
            assert_eq!(moved["digest"], digest, "{from} {to}");
            // A layout's only image has a name of its own; what had none is `latest`.
            let tag = if from.contains("layout") {
                "v7"
            } else {
                "latest"
            };
            assert_eq!(moved["tag"], tag, "{from} {to}");
            here.holds_the_tree(&format!("{to}:{tag}"));
        }
    }
    let file = here.json([
        "push",
        "build/large",
        "files/large:1",
        "--annotation",
        "license=MIT",
    ]);
    assert_eq!((&file["files"], &file["entries"]), (&1.into(), &1.into()));
    assert_eq!(
        here.json(["inspect", "files/large:1"])["annotations"]["license"],
        "MIT"
    );
    here.ok(["pull", "files/large:1", "one"]);
    assert_eq!(fs::read(here.path("one/large")).unwrap(), tree::large());
}

#[test]
fn pull_brings_each_kind_into_a_directory_and_a_layout() {
    let (here, there) = (Bench::stocked(), Bench::stocked());
    let server = Server::open(&there);
    here.ok(["cp", "team/build:1", "oci:layout"]);
    let expected = tree::contents(&here.path("build"));
    for (place, from) in ["team/build:1", "oci:layout", &server.at("team/build:1")]
        .iter()
        .enumerate()
    {
        for to in [format!("a{place}"), format!("dir:b{place}")] {
            let moved = here.json(["pull", from, &to]);
            assert_eq!(fields(&moved), PULLED);
            assert_eq!((&moved["files"], &moved["entries"]), (&4.into(), &6.into()));
            let path = to.strip_prefix("dir:").unwrap_or(&to);
            assert_eq!(tree::contents(&here.path(path)), expected, "{from}");
        }
        here.ok(["pull", from, &format!("oci:l{place}:x")]);
        here.holds_the_tree(&format!("oci:l{place}:x"));
    }
    // Directories above the path are made, and only for what is there.
    here.ok(["pull", "team/build:1", "deep/down/out"]);
    assert_eq!(tree::contents(&here.path("deep/down/out")), expected);
    here.refuses(["pull", "team/build:x", "other/down/out"], 3, &["no tag x"]);
    here.refuses(
        ["pull", "team/build:1", "build/run/out"],
        1,
        &["build/run", "cannot be made"],
    );
    // Without a path it goes where the name says.
    fs::rename(here.path("build"), here.path("original")).unwrap();
    here.ok(["pull", "team/build:1"]);
    assert_eq!(tree::contents(&here.path("build")), expected);
}

#[test]
fn what_is_there_is_not_sent_again() {
    let (here, there) = (Bench::stocked(), Bench::new());
    let server = Server::open(&there);
    let again = here.json(["push", "build", "team/build:2"]);
    assert_eq!((&again["sent"], &again["present"]), (&0.into(), &4.into()));
    let to = server.at("x/a:1");
    let sent = here.json(["cp", "team/build:1", &to]);
    assert_eq!((&sent["sent"], &sent["present"]), (&5.into(), &0.into()));
    let mounted = here.json(["cp", &to, &server.at("x/b:1")]);
    assert_eq!(
        (&mounted["sent"], &mounted["mounted"]),
        (&0.into(), &5.into())
    );
    let said = here.ok(["cp", "team/build:1", "release/build"]);
    assert!(
        said.starts_with("team/build:1 -> release/build:1\n"),
        "{said}"
    );
    assert!(said.ends_with("nothing was to be sent\n"), "{said}");
}

/// Files above 1 MiB that are not executable become second names of the registry's own.
#[test]
fn a_pull_links_where_it_can() {
    let bench = Bench::stocked();
    let moved = bench.json(["pull", "team/build:1", "out", "--link"]);
    assert_eq!(moved["hardLinked"], 1);
    let large = fs::metadata(bench.path("out/large")).unwrap();
    assert_eq!((large.nlink(), large.mode() & 0o222), (2, 0));
    assert_eq!(
        fs::metadata(bench.path("out/hello.txt")).unwrap().nlink(),
        1
    );
    assert_eq!(
        tree::contents(&bench.path("out")),
        tree::contents(&bench.path("build"))
    );
    let moved = bench.json(["cp", "team/build:1", "dir:out2", "--link"]);
    assert_eq!(moved["hardLinked"], 1);
}

/// Compare-and-set: each way of moving a tag takes each condition.
#[test]
fn a_tag_moves_on_a_condition_alone() {
    let (here, there) = (Bench::stocked(), Bench::stocked());
    let server = Server::open(&there);
    let first = here.digest("team/build:1");
    fs::write(here.path("build/new"), "x").unwrap();
    let empty = format!("sha256:{}", "0".repeat(64));
    here.ok(["cp", "team/build:1", "oci:layout:1"]);
    for to in ["team/build:1", "oci:layout:1", &server.at("team/build:1")] {
        let holds = format!("points at {first}");
        for (verb, from) in [("push", "build"), ("cp", "dir:build")] {
            here.refuses(
                [verb, from, to, "--if-absent"],
                5,
                &["tag 1", &holds, "leave the condition"],
            );
            here.refuses([verb, from, to, "--if-at", &empty], 5, &[&holds]);
        }
        assert_eq!(here.digest(to), first);
        here.ok(["push", "build", to, "--if-at", &first]);
        assert_ne!(here.digest(to), first);
    }
    here.refuses(
        ["push", "build", "team/build:1", "--if-generation", "1"],
        5,
        &["generation 2"],
    );
    here.ok(["cp", "dir:build", "team/build:1", "--if-generation", "2"]);
    here.ok(["push", "build", "team/build:2", "--if-absent"]);
    here.refuses(
        ["push", "build", "oci:layout:1", "--if-generation", "1"],
        9,
        &["keeps generations", "--if-at DIGEST"],
    );
    here.refuses(
        ["push", "build", "x:1", "--if-absent", "--if-at", &empty],
        2,
        &["--if-at"],
    );
}

#[test]
fn what_is_missing_is_told_where_it_is_missing() {
    let bench = Bench::stocked();
    bench.ok(["cp", "team/build:1", "oci:layout:1"]);
    bench.refuses(
        ["push", "nodir", "team/x:1"],
        3,
        &["no such file or directory", "nodir"],
    );
    bench.refuses(
        ["cp", "dir:nodir", "team/x:1"],
        3,
        &["no such file or directory", "dir:nodir"],
    );
    bench.refuses(
        ["cp", "team/build:nope", "team/x"],
        3,
        &["no tag nope", "artifact ls NAME"],
    );
    bench.refuses(
        ["cp", "team/nope", "oci:new"],
        3,
        &["no tag latest", "team/nope:latest"],
    );
    bench.refuses(
        ["pull", "team/build", "out"],
        3,
        &["no tag latest", "team/build:latest"],
    );
    bench.refuses(
        ["cp", "oci:layout:nope", "team/x"],
        3,
        &["nope is not in layout", "oci:layout:nope"],
    );
    bench.refuses(
        ["cp", "oci:nolayout", "team/x"],
        3,
        &["nolayout", "oci-layout"],
    );
    bench.refuses(["cp", "oci:build", "team/x"], 3, &["build", "oci-layout"]);
    let other = format!("team/build@sha256:{}", "0".repeat(64));
    bench.refuses(
        ["pull", &other, "out"],
        3,
        &["no artifact sha256:000", "--manifests"],
    );
    assert_eq!(bench.ok(["ls"]), "team/build\n");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let bench = Bench::stocked();
    bench.ok(["cp", "team/build:1", "oci:layout:1"]);
    bench.ok(["cp", "team/build:1", "oci:layout:2"]);
    fs::write(bench.path("build/more"), "x").unwrap();
    bench.ok(["push", "build", "oci:layout:2"]);
    let digest = bench.digest("team/build:1");
    let at = format!("team/build:x@{digest}");
    for (words, code, said) in [
        (
            ["push", "build", "dir:x"],
            2,
            ["a push goes to a registry", "artifact cp dir:PATH"],
        ),
        (["push", "build", "Bad"], 2, ["\"Bad\"", "lower-case"]),
        (["push", "build", "./x"], 2, ["dir:./x", "oci:./x"]),
        (
            ["push", "build", "localhost:5000/x"],
            2,
            ["oci://localhost:5000/x", "remote registry"],
        ),
        (
            ["push", "build", "docker://h/x"],
            2,
            ["docker", "oci://h/x"],
        ),
        (
            ["push", "build", "x:bad tag"],
            2,
            ["bad tag", "at most 128"],
        ),
        (["push", "build", &at], 2, ["not chosen", "NAME[:TAG]"]),
        (
            ["pull", "team/build:1", "oci://h/x"],
            2,
            ["local path", "artifact cp FROM TO"],
        ),
        (
            ["pull", "team/build:1", "build"],
            5,
            ["build is there already", "another place"],
        ),
        (
            ["pull", "oci:layout", "out"],
            2,
            ["2 artifacts", "by its tag or digest"],
        ),
        (
            ["cp", "team/build:2@sha256:12", "x"],
            2,
            ["sha256:12", "digest"],
        ),
    ] {
        bench.refuses(words, code, &said);
    }
    bench.refuses(
        ["pull", "team/build:1", ""],
        2,
        &["a path to pull to", "artifact pull FROM PATH"],
    );
    bench.refuses(
        ["push", "", "x:1"],
        2,
        &["a path to push", "a directory or a file"],
    );
    bench.refuses(
        ["pull", "oci:layout:1"],
        2,
        &["a path to pull to", "artifact pull FROM PATH"],
    );
    bench.refuses(
        ["cp", "team/build:1", "x:1", "--link"],
        2,
        &["hard-linked", "leave --link out"],
    );
    bench.refuses(
        ["cp", "team/build:1", "dir:x", "--if-absent"],
        2,
        &["has no tag", "condition"],
    );
    bench.refuses(
        ["cp", "dir:build", "x:1", "--referrers"],
        2,
        &["nothing refers", "--referrers"],
    );
    let moved = format!("team/build:1@{}", bench.digest("oci:layout:2"));
    bench.refuses(["cp", &moved, "x"], 5, &["points at", &digest]);
    let annotated = ["push", "oci:layout:1", "x", "--annotation", "a=b"];
    bench.refuses(
        annotated,
        2,
        &["notes in themselves", "leave --annotation out"],
    );
    bench.refuses(
        ["push", "build", "x", "--annotation", "novalue"],
        2,
        &["novalue", "KEY=VALUE"],
    );
}

/// A device, a pipe and a link that leaves the tree are refused, and nothing is published.
#[test]
fn what_has_no_content_is_refused() {
    let bench = Bench::new();
    for (name, make) in [
        ("pipe", "mkfifo build/pipe"),
        ("out", "ln -s ../../etc build/out"),
        ("root", "ln -s /etc build/root"),
    ] {
        let made = Run::of(&mut bench.prepare("sh", ["-c", make]));
        made.ok();
        bench.refuses(["push", "build", "x:1", "--jobs", "1"], 2, &[name]);
        fs::remove_file(bench.path("build").join(name)).unwrap();
    }
    assert_eq!(bench.ok(["ls"]), "");
}

/// I3: content that rotted is never delivered as if it were whole.
#[test]
fn i3_rot_is_found_on_the_way() {
    let bench = Bench::stocked();
    bench.ok(["cp", "team/build:1", "oci:layout:1"]);
    let blobs = bench.path("layout/blobs/sha256");
    for name in tree::names(&blobs) {
        let path = blobs.join(name);
        if fs::metadata(&path).unwrap().len() == tree::large().len() as u64 {
            fs::write(&path, vec![0; tree::large().len()]).unwrap();
        }
    }
    bench.refuses(["pull", "oci:layout:1", "out"], 6, &["corrupt", "digest"]);
    let run = bench.run(["cp", "oci:layout:1", "bad/copy"]);
    assert_eq!(run.code, 6, "{run:#?}");
    assert!(run.err.contains("oci:layout:1 -> bad/copy"), "{run:#?}");
    assert_eq!(bench.ok(["ls"]), "team/build\n");
}

/// Signatures and what else refers to an artifact come along when they are asked for.
#[test]
fn referrers_come_along() {
    let (here, there) = (Bench::stocked(), Bench::new());
    let server = Server::open(&there);
    let digest = here.digest("team/build:1");
    let manifest = here.ok(["inspect", "team/build:1", "--manifest"]);
    let (size, media) = (manifest.len(), "application/vnd.oci.image.manifest.v1+json");
    here.ok(["push", "build/hello.txt", "oci:signed:s"]);
    // A manifest about the first: by hand, as a signing tool would write it into a layout.
    let empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let about = format!(
        r#"{{"schemaVersion":2,"mediaType":"{media}","artifactType":"application/x.sign","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{empty}","size":2}},"layers":[],"subject":{{"mediaType":"{media}","digest":"{digest}","size":{size}}}}}"#
    );
    let own = artifact_core::Hasher::hash(artifact_core::Algorithm::Sha256, about.as_bytes());
    let own = own.digest().to_string();
    let blobs = here.path("signed/blobs/sha256");
    fs::write(blobs.join(&empty[7..]), "{}").unwrap();
    fs::write(blobs.join(&own[7..]), &about).unwrap();
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{media}","digest":"{own}","size":{}}}]}}"#,
        about.len()
    );
    fs::write(here.path("signed/index.json"), index).unwrap();
    here.ok(["cp", &format!("oci:signed@{own}"), "team/build"]);
    let inspected = here.json(["inspect", "team/build:1"]);
    assert_eq!(inspected["referrers"][0]["digest"], own);
    // A layout keeps no list of them, and is looked through.
    here.ok(["cp", "team/build:1", "oci:kept:1", "--referrers"]);
    let kept = here.json(["inspect", "oci:kept:1"]);
    assert_eq!(kept["referrers"], inspected["referrers"]);
    here.ok(["cp", "team/build:1", &server.at("x/without:1")]);
    here.ok(["cp", "team/build:1", &server.at("x/with:1"), "--referrers"]);
    let without = here.json(["inspect", &server.at("x/without:1")]);
    assert_eq!(without["referrers"].as_array().unwrap().len(), 0);
    let with = here.json(["inspect", &server.at("x/with:1")]);
    assert_eq!(with["referrers"][0]["digest"], own);
    assert_eq!(with["referrers"][0]["artifactType"], "application/x.sign");
}
