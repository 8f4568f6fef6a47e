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
    ground::stock,
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
                let collected = bench.run(["gc"]);
                // One process at a time does it.
                assert!([0, 7].contains(&collected.code), "{collected:#?}");
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

/// F13, I25: a program refuses a directory whose settings a newer one has written, and changes nothing in it.
#[test]
fn f13_newer_settings_are_left_alone() {
    refuses("artifact.toml", |text| {
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("\nformat = 1\n"));
        text.replace("\nformat = 1\n", "\nformat = 2\n")
            .into_bytes()
    });
}

/// F13, I25: the same of an index.
#[test]
fn f13_a_newer_index_is_left_alone() {
    refuses("index.db", |mut bytes| {
        // The last byte of `user_version` in the head of an SQLite file.
        bytes[63] += 1;
        bytes
    });
}

/// Expects every command to refuse a directory in which a file is changed, and to change nothing.
fn refuses(file: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let bench = Bench::bare_in(&in_memory());
    stock(&bench);
    let registry = bench.path("registry");
    let path = registry.join(file);
    let good = fs::read(&path).unwrap();
    fs::write(&path, change(good.clone())).unwrap();
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
    let after = tree::contents(&registry);
    let differs = |name: &&String| before.get(*name) != after.get(*name);
    let changed: Vec<_> = before.keys().chain(after.keys()).filter(differs).collect();
    assert!(changed.is_empty(), "{changed:?}");
    fs::write(&path, good).unwrap();
    oracle::whole(&bench);
}
