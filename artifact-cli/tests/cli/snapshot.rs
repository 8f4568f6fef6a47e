//! `artifact snapshot`

use crate::support::{bench::Bench, run::fields, server::Server};

#[test]
fn a_copy_is_a_registry_of_its_own() {
    let bench = Bench::stocked();
    let server = Server::open(&bench);
    let taken = bench.json(["snapshot", "copy"]);
    assert_eq!(
        fields(&taken),
        ["blobs", "bytes", "missing", "path", "revision"]
    );
    assert_eq!(taken["revision"], bench.head());
    assert_eq!(bench.ok(["ls", "--registry", "copy"]), "team/build\n");
    bench.ok(["fsck", "copy", "--all"]);
    bench.ok(["rm", "team/build:1", "--registry", "copy"]);
    bench.holds_the_tree("team/build:1");
    drop(server);
}

#[test]
fn what_is_there_is_not_written_over() {
    let bench = Bench::stocked();
    bench.ok(["snapshot", "copy"]);
    bench.refuses(
        ["snapshot", "copy"],
        5,
        &["copy is not empty", "an empty or a new directory"],
    );
    bench.refuses(["snapshot", "build"], 5, &["build is not empty"]);
    bench.refuses(["snapshot"], 2, &["<TARGET>"]);
    bench.refuses(
        ["snapshot", "x", "--registry", "nowhere"],
        3,
        &["nowhere", "artifact init"],
    );
}
