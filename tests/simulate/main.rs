//! Deterministic simulation: the whole engine, and the file store, over a disk, an index, a clock and
//! a scheduler that one seed draws. See `world` for what happens in it, and `oracle` for the rules.
//!
//! `SEEDS=a..b` runs other seeds than the usual ones; `SEED=n` runs one and tells all that happens.

mod book;
mod chance;
mod client;
mod disk;
mod goods;
mod index;
mod kept;
mod machine;
mod oracle;
mod range;
mod tally;
mod trace;
mod world;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
};

use tally::Tally;
use trace::Trace;
use world::Outcome;

/// How many seeds `make test` runs.
const SEEDS: u64 = 10_000;

/// How many of the last events a failure shows.
const EVENTS: usize = 60;

/// How long an event is shown at most, in characters.
const LINE: usize = 420;

fn outcome(seed: u64, trace: &Trace) -> Outcome {
    let run = catch_unwind(AssertUnwindSafe(|| world::run(seed, trace)));
    run.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Outcome {
            broken: Some(text.unwrap_or_else(|| String::from("a panic without words"))),
            tally: Tally::default(),
        }
    })
}

/// Returns events with short names for digests, and without what nobody can read.
fn readable(seed: u64, events: &[String]) -> Vec<String> {
    let goods = goods::Goods::new(seed);
    let blobs = goods.blobs.iter().map(|blob| blob.digest).enumerate();
    let manifests = goods.manifests.iter().map(|m| m.digest()).enumerate();
    let names: Vec<(String, String)> = blobs
        .map(|(number, digest)| (digest.to_string(), format!("blob{number}")))
        .chain(manifests.map(|(number, digest)| (digest.to_string(), format!("manifest{number}"))))
        .collect();
    let short = |event: &String| {
        let mut line = event.clone();
        for (digest, name) in &names {
            line = line.replace(digest, name);
        }
        line = line.replace("PackageRef { repository: ", "{ ");
        match line.char_indices().nth(LINE) {
            Some((end, _)) => format!("{}...", &line[..end]),
            None => line,
        }
    };
    events.iter().map(short).collect()
}

/// Says what broke in the world of a seed, for somebody who has never seen this code.
fn report(seed: u64, broken: &str) -> String {
    let trace = Trace::listening();
    let again = outcome(seed, &trace);
    let last = readable(seed, &trace.last(EVENTS)).join("\n  ");
    let twice = match again.broken {
        Some(same) if same == broken => "",
        _ => {
            "\n(the second run of the same seed ended otherwise: something is not drawn from the seed)"
        }
    };
    let broken = readable(seed, &[broken.to_owned()]).join("");
    format!(
        "\nseed {seed} breaks a rule:\n  {broken}{twice}\nthe last events:\n  {last}\nrun it alone, with all \
         events:\n  make simulate SEED={seed}\nwhen it is mended, add it to tests/simulate/kept.rs\n"
    )
}

fn number(text: &str) -> u64 {
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("{text:?} is no seed: SEED=n, or SEEDS=a..b"))
}

/// F2 to F4, F6 to F9, F12 to F14, F24, F25: the rules hold in every world.
#[test]
fn the_rules_hold_in_every_world() {
    if let Ok(seed) = env::var("SEED") {
        let seed = number(&seed);
        let trace = Trace::listening();
        let outcome = outcome(seed, &trace);
        println!("{}", readable(seed, &trace.last(usize::MAX)).join("\n"));
        println!("seed {seed}:\n{}", outcome.tally);
        assert!(
            outcome.broken.is_none(),
            "{}",
            outcome.broken.unwrap_or_default()
        );
        return;
    }
    let seeds = match env::var("SEEDS") {
        Ok(seeds) => {
            let (first, last) = seeds
                .split_once("..")
                .unwrap_or_else(|| panic!("SEEDS=a..b, not {seeds:?}"));
            number(first)..number(last)
        }
        Err(_) => 0..SEEDS,
    };
    let broken = range::run(seeds);
    let reports = broken.iter().map(|(seed, what)| report(*seed, what));
    let reports: Vec<_> = reports.collect();
    assert!(reports.is_empty(), "{}", reports.join("\n"));
}

#[test]
fn seeds_that_once_broke_a_rule_hold() {
    for (seed, why) in kept::KEPT {
        let outcome = outcome(*seed, &Trace::default());
        if let Some(broken) = outcome.broken {
            panic!(
                "seed {seed} was kept for this: {why}{}",
                report(*seed, &broken)
            );
        }
    }
}

/// One seed is one run, to the last event: else no failure could be looked at twice.
#[test]
fn a_seed_repeats_itself() {
    let hash = |seed| {
        let trace = Trace::listening();
        let outcome = outcome(seed, &trace);
        (trace.hash(), outcome.broken)
    };
    for seed in 0..40 {
        let once = hash(seed);
        assert_eq!(
            once,
            hash(seed),
            "seed {seed} went another way the second time"
        );
        assert!(
            once.0.1 > 100,
            "hardly anything happens in the world of seed {seed}"
        );
        assert_ne!(once.0, hash(seed + 1_000_000).0, "seeds make a difference");
    }
}
