//! Wall clocks that are wrong by ten years, and that step back (F12: I17). The clock is that of libfaketime; the
//! time since boot, by which leases count, stays as it is.

use std::{fs, path::PathBuf, process::Command};

use rustix::process::Signal;

use super::{
    ground::stock,
    image::{Image, Pushed},
    oracle::{self, holds},
    tracer::in_memory,
};
use crate::support::{
    bench::{Bench, PROGRAM},
    run::Run,
    server::Server,
};

/// Returns what is preloaded.
fn false_clock() -> PathBuf {
    let libraries = fs::read_dir("/usr/lib")
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut found = libraries.map(|path| path.join("faketime/libfaketime.so.1"));
    found
        .find(|path| path.exists())
        .expect("libfaketime: scripts/install-packages installs it")
}

/// Returns the program with a clock that reads what a file says: `-10y`.
fn at_a_false_time(bench: &Bench, arguments: &[&str]) -> Command {
    let mut command = bench.prepare(PROGRAM, arguments);
    command
        .env("LD_PRELOAD", false_clock())
        .env("FAKETIME_TIMESTAMP_FILE", bench.path("home/time"))
        .env("FAKETIME_NO_CACHE", "1");
    command
}

fn set(bench: &Bench, time: &str) {
    fs::write(bench.path("home/time"), format!("{time}\n")).unwrap();
}

/// Returns the times of the history, oldest first.
fn times(bench: &Bench) -> Vec<String> {
    let history = bench.json(["history", "--blobs"]);
    let commits = history["commits"].as_array().unwrap();
    commits
        .iter()
        .map(|commit| commit["time"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn f12_ten_years_off_loses_nothing() {
    for times_off in [["-10y", "+0d", "+10y"], ["+10y", "-10y", "+0d"]] {
        let bench = Bench::bare_in(&in_memory());
        stock(&bench);
        for (number, time) in times_off.into_iter().enumerate() {
            set(&bench, time);
            let name = format!("team/then:{number}");
            for command in [
                vec!["push", "other", &name],
                vec!["tag", "team/kept:few", "moves"],
                vec!["gc"],
                vec!["tag", "team/kept:1", "moves"],
                vec!["fsck", "--all"],
                vec!["gc"],
            ] {
                Run::of(&mut at_a_false_time(&bench, &command)).ok();
            }
            oracle::whole(&bench);
        }
        for number in 0..3 {
            assert!(holds(&bench, &format!("team/then:{number}"), "other"));
        }
        assert!(holds(&bench, "team/kept:moves", "kept"));
        let times = times(&bench);
        assert!(times.len() > 1, "{times:?}");
        assert!(
            times.is_sorted_by(|a, b| a < b),
            "times of revisions go back: {times:?}"
        );
    }
}

/// What the program ends with when another collects.
const BUSY: i32 = 7;

/// A clock that is set while an image comes ends no upload and no lease: what was acknowledged is there for the
/// manifest that names it, whatever was collected meanwhile.
#[test]
fn f12_a_step_of_the_clock_ends_no_upload() {
    let bench = Bench::bare_in(&in_memory());
    stock(&bench);
    set(&bench, "+0d");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--anonymous", "write"];
    let server = Server::of(&mut at_a_false_time(&bench, &serve));
    // The server collects by itself, too, and then this waits.
    let is_done = |run: &Run| run.code != BUSY;
    let runs = || Run::of(&mut at_a_false_time(&bench, &["gc"]));
    let collect = || {
        let tried = std::iter::repeat_with(runs).take(100).find(is_done);
        tried.expect("the other collection ends").ok()
    };
    for (number, length) in [(1, 150_000), (2, 1_300_000)] {
        let (image, mut pushed) = (Image::of("team/served", number, length), Pushed::default());
        let tag = number.to_string();
        let times = ["+10y", "-10y", "+0d", "+10y", "-10y"].into_iter().cycle();
        for time in times.take(20) {
            let is_done = image.step(&server.host, &tag, &mut pushed).unwrap();
            image.check(&server.host, &tag, &pushed).unwrap();
            if is_done {
                break;
            }
            set(&bench, time);
            collect();
        }
        assert!(pushed.manifest, "{pushed:?}");
    }
    server.signal(Signal::TERM);
    let (status, log) = server.ended();
    assert!(status.success(), "{log}");
    oracle::whole(&bench);
}
