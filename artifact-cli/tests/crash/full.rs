//! A disk that is full, a real one (F8: I1, I14).

use std::fs;

use super::{
    disk::{Disk, are_left_out},
    goods::{self, Size},
    ground::stock,
    oracle::{self, holds},
};
use crate::support::bench::Bench;

/// In bytes.
const LENGTH: u64 = 72 << 20;
const NO_ROOM: i32 = 8;

/// Makes what gets a file of its own: the room of a slot comes back when nobody can be reading it any more.
fn make(bench: &Bench, number: u64) {
    goods::make(&bench.path("next"), number, Size::Large);
    fs::remove_file(bench.path("next/medium")).unwrap();
}

/// Pushes until there is no room; returns how many were acknowledged.
fn fill(bench: &Bench) -> u64 {
    for number in 0.. {
        make(bench, 100 + number);
        let run = bench.run(["push", "next", &format!("team/full:{number}")]);
        if run.code != 0 {
            assert_eq!(run.code, NO_ROOM, "{run:#?}");
            return number;
        }
    }
    unreachable!("no disk is that large")
}

/// On a full disk nothing is lost and all can be read; what is deleted and collected gives its room back.
#[test]
fn f8_a_full_disk_is_read_and_emptied() {
    if are_left_out() {
        return;
    }
    let (disk, beside) = (Disk::small(LENGTH), Bench::bare());
    let bench = Bench::bare_in(&disk.path());
    stock(&bench);
    // Pushes leave the reserve to those who free room.
    let settings = bench.path("registry/artifact.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(
        &settings,
        text.replace("min_free = \"0 B\"", "min_free = \"8 MiB\""),
    )
    .unwrap();
    let pushed = fill(&bench);
    assert!(pushed > 5, "{pushed}");
    // To the last block, by somebody else.
    let _full = fs::write(bench.path("filler"), vec![1; LENGTH as usize]).unwrap_err();
    let registry = bench.path("registry").display().to_string();
    for number in 0..pushed {
        make(&beside, 100 + number);
        let name = format!("team/full:{number}");
        beside.ok(["pull", &name, "pulled", "--registry", &registry]);
        fs::remove_dir_all(beside.path("pulled")).unwrap();
    }
    for number in 0..pushed {
        bench.ok(["rm", &format!("team/full:{number}")]);
    }
    let head = bench.head().to_string();
    bench.ok(["gc", "--allow-mass-delete", "--forget", &head]);
    fs::remove_file(bench.path("filler")).unwrap();
    oracle::whole(&bench);
    make(&bench, 99);
    bench.ok(["push", "next", "team/full:again"]);
    assert!(holds(&bench, "team/full:again", "next"));
    // What was freed is free: as much as before can be pushed once more.
    let again = fill(&bench);
    assert!(
        again + 3 >= pushed,
        "{again} after {pushed}: the room did not come back"
    );
    oracle::whole(&bench);
}
