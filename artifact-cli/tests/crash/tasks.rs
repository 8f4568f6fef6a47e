//! What is interrupted.

use std::fs;

use super::{
    goods::{self, Size},
    oracle::{held, holds, whole_at},
    task::{State, Task, words},
};
use crate::support::{bench::Bench, image, run::Run, tree};

/// The code of what is not there.
const NOT_FOUND: i32 = 3;
/// The code of what is there already.
const CONFLICT: i32 = 5;

const fn state(is_done: bool) -> State {
    if is_done { State::After } else { State::Before }
}

/// Prepares nothing.
macro_rules! plainly {
    ($command:literal) => {
        |_| words($command)
    };
}

pub(crate) const PUSH_FEW: Task = Task {
    name: "push_few",
    prepare: |bench| {
        goods::make(&bench.path("new"), 10, Size::Small);
        words("push new team/new:1")
    },
    state: |bench| state(holds(bench, "team/new:1", "new")),
    done: &[],
};

pub(crate) const PUSH_LARGE: Task = Task {
    name: "push_large",
    prepare: |bench| {
        goods::make(&bench.path("new"), 10, Size::Large);
        words("push new team/new:1")
    },
    state: |bench| state(holds(bench, "team/new:1", "new")),
    done: &[],
};

pub(crate) const PUSH_OVER: Task = Task {
    name: "push_over",
    prepare: plainly!("push other team/kept:moves"),
    state: |bench| {
        let is = held(bench, "team/kept:moves", &["kept", "other"]);
        state(is.expect("the tag is there all the time") == "other")
    },
    done: &[],
};

pub(crate) const PUSH_IMAGE: Task = Task {
    name: "push_image",
    prepare: |bench| {
        image::two_platforms(&bench.path("image"));
        words("push oci:image:v1 team/image:v1")
    },
    state: |bench| {
        let run = bench.run(["pull", "team/image:v1", "oci:pulled:v1"]);
        if run.code == NOT_FOUND {
            return State::Before;
        }
        assert_eq!(run.code, 0, "it is there in part (I2): {run:#?}");
        let blobs = |place: &str| tree::contents(&bench.path(place).join("blobs/sha256"));
        assert_eq!(blobs("pulled"), blobs("image"));
        fs::remove_dir_all(bench.path("pulled")).unwrap();
        State::After
    },
    done: &[],
};

pub(crate) const COPY: Task = Task {
    name: "copy",
    prepare: plainly!("cp team/kept:1 elsewhere/copy:1"),
    state: |bench| state(holds(bench, "elsewhere/copy:1", "kept")),
    done: &[],
};

pub(crate) const TAG: Task = Task {
    name: "tag",
    prepare: plainly!("tag team/kept:1 more"),
    state: |bench| state(holds(bench, "team/kept:more", "kept")),
    done: &[],
};

pub(crate) const RETAG: Task = Task {
    name: "retag",
    prepare: plainly!("tag team/kept:few moves"),
    state: |bench| {
        let is = held(bench, "team/kept:moves", &["kept", "few"]);
        state(is.expect("the tag is there all the time") == "few")
    },
    done: &[],
};

pub(crate) const UNTAG: Task = Task {
    name: "untag",
    prepare: plainly!("untag team/kept:moves"),
    state: |bench| state(!holds(bench, "team/kept:moves", "kept")),
    done: &[NOT_FOUND],
};

pub(crate) const REMOVE: Task = Task {
    name: "remove",
    prepare: |bench| {
        bench.ok(["push", "other", "team/old:1"]);
        words("rm team/old:1")
    },
    state: |bench| state(!holds(bench, "team/old:1", "other")),
    done: &[NOT_FOUND],
};

pub(crate) const UNDELETE: Task = Task {
    name: "undelete",
    prepare: |bench| {
        bench.ok(["push", "other", "team/old:1"]);
        bench.ok(["rm", "team/old:1"]);
        words("undelete team/old:1")
    },
    state: |bench| state(holds(bench, "team/old:1", "other")),
    done: &[],
};

/// Words that stand in no other file.
const SECRET: &str = "what is purged is in no file any more";

pub(crate) const PURGE: Task = Task {
    name: "purge",
    prepare: |bench| {
        let secret = bench.path("secret");
        goods::make(&secret, 11, Size::Medium);
        fs::write(secret.join("small"), SECRET.repeat(20)).unwrap();
        bench.ok(["push", "secret", "team/secret:1"]);
        let digest = bench.digest("team/secret:1");
        vec![
            "rm".into(),
            format!("team/secret@{digest}"),
            "--purge".into(),
        ]
    },
    state: |bench| {
        if holds(bench, "team/secret:1", "secret") {
            return State::Before;
        }
        let place = bench.path("registry");
        let has = |(name, (_, bytes)): (&String, &(bool, Vec<u8>))| {
            let found = bytes
                .windows(SECRET.len())
                .any(|part| part == SECRET.as_bytes());
            found.then(|| name.clone())
        };
        let holding: Vec<_> = tree::contents(&place).iter().filter_map(has).collect();
        state(holding.is_empty())
    },
    done: &[NOT_FOUND],
};

pub(crate) const COLLECT: Task = Task {
    name: "collect",
    prepare: |bench| {
        goods::make(&bench.path("old"), 12, Size::Large);
        bench.ok(["push", "old", "team/old:1"]);
        bench.ok(["rm", "team/old:1"]);
        let head = bench.head().to_string();
        let mut command = words("gc --allow-mass-delete --forget");
        command.push(head);
        command
    },
    state: |bench| {
        let blobs = tree::contents(&bench.path("registry/blobs"));
        let files = blobs.values().filter(|(_, bytes)| bytes.len() > 1_000_000);
        match files.count() {
            1 => State::After,
            2 => State::Before,
            other => panic!("{other} files of their own"),
        }
    },
    done: &[],
};

/// Finds bytes that nobody knows of, and something to hash.
pub(crate) const SCRUB: Task = Task {
    name: "scrub",
    prepare: |bench| {
        let shard = bench.path("registry/blobs/00");
        fs::write(shard.join(format!("00{}", "5a".repeat(15))), "nobody's").unwrap();
        words("fsck --all")
    },
    state: |_| State::After,
    done: &[],
};

pub(crate) const REBUILD: Task = Task {
    name: "rebuild",
    prepare: plainly!("fsck --rebuild-index"),
    state: |_| State::After,
    done: &[],
};

pub(crate) const SNAPSHOT: Task = Task {
    name: "snapshot",
    prepare: plainly!("snapshot snapshot"),
    state: |bench| {
        let beside = tree::names(bench.root());
        let left: Vec<_> = beside
            .iter()
            .filter(|name| name.contains("partial"))
            .collect();
        let is_done = whole_at(bench, "snapshot");
        assert!(!is_done || left.is_empty(), "{left:?}");
        state(is_done)
    },
    done: &[CONFLICT],
};

pub(crate) const INIT: Task = Task {
    name: "init",
    prepare: plainly!("init made"),
    state: |bench| state(whole_at(bench, "made")),
    done: &[CONFLICT],
};

fn show(bench: &Bench, name: &str) -> Run {
    let run = bench.run(["repo", "show", name, "--json"]);
    assert!([0, NOT_FOUND].contains(&run.code), "{run:#?}");
    run
}

/// Takes in packages that are there.
pub(crate) const ADOPT: Task = Task {
    name: "adopt",
    prepare: plainly!("repo add team --adopt --quota 1GiB"),
    state: |bench| state(show(bench, "team").code == 0),
    done: &[CONFLICT],
};

pub(crate) const SETTINGS: Task = Task {
    name: "settings",
    prepare: |bench| {
        bench.ok(["repo", "add", "models"]);
        words("repo set models --quota 1GiB")
    },
    state: |bench| state(!show(bench, "models").json()["quota"].is_null()),
    done: &[],
};
