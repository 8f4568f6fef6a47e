//! Beside others: several processes, programs of another version, and a directory that is copied while it is used
//! (F13, F16: I16, I25).

use std::{
    fs,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::json;

use super::{
    goods::{self, Size},
    ground::{copy, stock},
    oracle::{self, holds},
    share::Share,
    tally::Tally,
    tracer::in_memory,
};
use crate::support::{bench::Bench, tree};

/// How many copies are a sample, and how many are all.
const COPIES: [u64; 2] = [3, 60];

/// F13: what several processes push at once is all there, each once.
#[test]
fn f13_processes_push_at_once() {
    let bench = Bench::bare_in(&in_memory());
    stock(&bench);
    thread::scope(|scope| {
        for number in 0..6_u64 {
            let bench = &bench;
            scope.spawn(move || {
                let name = format!("next-{number}");
                goods::make(&bench.path(&name), 50 + number, Size::Medium);
                bench.ok(["push", &name, &format!("team/many:{number}")]);
                bench.ok(["push", &name, "team/many:last"]);
                if number % 3 == 0 {
                    bench.ok(["gc"]);
                }
            });
        }
    });
    for number in 0..6 {
        assert!(holds(
            &bench,
            &format!("team/many:{number}"),
            &format!("next-{number}")
        ));
    }
    let names = [0, 1, 2, 3, 4, 5].map(|number| format!("next-{number}"));
    let names = names.each_ref().map(String::as_str);
    assert!(oracle::held(&bench, "team/many:last", &names).is_some());
    oracle::whole(&bench);
}

/// F16: a copy of a directory that others write to has all that was acknowledged before it was begun.
#[test]
fn f16_a_copy_under_load_has_what_was_acknowledged() {
    let bench = Bench::bare_in(&in_memory());
    stock(&bench);
    let (stop, acknowledged) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let copies = COPIES[usize::from(Share::wanted() == Share::All)];
    let mut tally = Tally::of(format!("{copies} copies under load"));
    let load = || {
        for number in 0_u64.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let size = if number % 2 == 0 {
                Size::Medium
            } else {
                Size::Large
            };
            let name = format!("load-{number}");
            goods::make(&bench.path(&name), 200 + number, size);
            bench.ok(["push", &name, &format!("team/load:{number}")]);
            acknowledged.lock().unwrap().push(number);
        }
    };
    thread::scope(|scope| {
        // Also where a check fails, the load ends.
        let _ended = Ended(&stop);
        scope.spawn(load);
        for number in 0..copies {
            while acknowledged.lock().unwrap().len() < usize::try_from(number).unwrap() * 2 {
                thread::yield_now();
            }
            let before = acknowledged.lock().unwrap().clone();
            let copy = Bench::bare_in(&in_memory());
            // What was there when a directory was listed may be gone when it is read.
            let _status = Command::new("cp")
                .arg("-a")
                .args([bench.path("registry"), copy.path("registry")])
                .output()
                .unwrap();
            for name in ["kept", "few"] {
                super::ground::copy(&bench.path(name), &copy.path(name));
            }
            tally.recovered(oracle::opened(&copy));
            // Of what came while it was copied, the bytes may have been copied before they were all there.
            let checked = copy.run(["fsck", "--json"]).document();
            assert_eq!(
                (&checked["index"], &checked["journal"]),
                (&json!([]), &json!([]))
            );
            assert!(holds(&copy, "team/kept:1", "kept") && holds(&copy, "team/kept:few", "few"));
            for number in before.iter().rev().take(10) {
                let name = format!("load-{number}");
                super::ground::copy(&bench.path(&name), &copy.path(&name));
                let is_there = holds(&copy, &format!("team/load:{number}"), &name);
                assert!(
                    is_there,
                    "{number} was acknowledged before the copy was begun"
                );
            }
        }
    });
}

/// Ends the load when it is dropped.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// F13, I25: a program refuses a directory that a newer one has written, and changes nothing in it.
#[test]
fn f13_an_older_program_changes_nothing() {
    let bench = Bench::bare_in(&in_memory());
    stock(&bench);
    let (registry, good) = (bench.path("registry"), bench.path("home/good"));
    copy(&registry, &good);
    let settings = |text: Vec<u8>| {
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("\nformat = 1\n"));
        text.replace("\nformat = 1\n", "\nformat = 2\n")
            .into_bytes()
    };
    // The place of `user_version` in the head of an SQLite file, a number of four bytes.
    let index = |mut bytes: Vec<u8>| {
        bytes[63] += 1;
        bytes
    };
    let newer: [(&str, fn(Vec<u8>) -> Vec<u8>); 2] =
        [("artifact.toml", settings), ("index.db", index)];
    for (file, change) in newer {
        let path = registry.join(file);
        fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
        let before = tree::contents(&registry);
        for command in [
            vec!["push", "few", "team/new:1"],
            vec!["ls"],
            vec!["gc"],
            vec!["fsck"],
            vec!["pull", "team/kept:1", "pulled"],
            vec!["snapshot", "snapshot"],
        ] {
            let run = bench.run(command);
            assert!(run.code != 0 && run.err.contains("newer"), "{run:#?}");
        }
        assert_eq!(tree::names(&bench.path("registry/open")), [""; 0]);
        let after = tree::contents(&registry);
        let changed: Vec<_> = after
            .iter()
            .filter(|(name, found)| before.get(*name) != Some(found))
            .map(|(name, _)| name)
            .collect();
        assert!(
            changed.is_empty() && before.len() == after.len(),
            "{changed:?}"
        );
        fs::copy(good.join(file), &path).unwrap();
        oracle::whole(&bench);
    }
}
