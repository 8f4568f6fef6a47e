//! The soak: a server, command lines and linked programs use one directory at once, and are killed and
//! started again at random.
//!
//! Eight clients push, mount, move and delete tags and manifests, read, and collect. Each has packages
//! of its own, of which it knows at all times what must be there; one package is everybody's. Where a
//! client's door was killed under it, its call was done wholly or not at all, and the next read tells
//! which (I1, I2, I3, I4, I6, I8, I16, I24).
//!
//! `SOAK_EVENTS` says how many calls are made, `SOAK_SEED` repeats the choices of a run (the order in
//! which the processes come to be run is the system's).
#![cfg(unix)]
#![forbid(unsafe_code)]

mod ask;
mod client;
mod disk;
mod goods;
mod http;
mod linked;
mod model;
mod program;
mod server;
mod setup;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use client::{Client, Tally};
use setup::Setup;

/// As many calls as a run of all tests has time for.
const EVENTS: u64 = 2_500;
/// What a program may take, linked or serving (architecture.md: memory is bounded by type).
const MEMORY_MAX: u64 = 64 << 20;

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}"))
    })
}

#[test]
fn i1_i2_i8_nothing_acknowledged_is_lost_while_all_are_killed() {
    let (events, seed) = (variable("SOAK_EVENTS", EVENTS), variable("SOAK_SEED", 1));
    eprintln!("SOAK_EVENTS={events} SOAK_SEED={seed}");
    let begun = Instant::now();
    let setup = Arc::new(Setup::new());
    let left = Arc::new(AtomicU64::new(events));
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let mut client = Client::new(number, seed, &setup);
            let left = Arc::clone(&left);
            thread::Builder::new()
                .name(format!("client {number}"))
                .spawn(move || {
                    let run = catch_unwind(AssertUnwindSafe(|| client.run(&left)));
                    if let Err(panic) = run {
                        // The others need not go on.
                        left.store(0, Ordering::Relaxed);
                        resume_unwind(panic);
                    }
                    client
                })
                .unwrap()
        })
        .collect();
    // All are waited for before one of them is blamed: then nobody uses the server any more.
    let ended: Vec<_> = threads.into_iter().map(JoinHandle::join).collect();
    let clients: Vec<Client> = ended
        .into_iter()
        .map(|client| client.unwrap_or_else(|panic| resume_unwind(panic)))
        .collect();
    let seconds = begun.elapsed().as_secs();
    let mut tally = Tally {
        restarts: setup.server.stop(),
        ..Tally::default()
    };
    for mut client in clients {
        client.check();
        tally.add(&client.tally);
    }
    tally.memory = tally.memory.max(setup.server.memory());
    let disk = disk::check(&setup);
    println!("{events} events in {seconds} s: {tally:?}; {disk}");
    assert!(tally.memory < MEMORY_MAX, "I23 memory: {tally:?}");
    assert!(tally.kills > 0 && tally.restarts > 0, "nobody was killed");
}
