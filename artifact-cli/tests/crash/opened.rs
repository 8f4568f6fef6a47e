//! What it costs to open a registry: counted at the system's door, for time cannot be tested.

use artifact::{Algorithm, Manifest, PackageRef, PutManifest, Registry};

use super::{
    ground::stock,
    tracer::{Fault, READS, Tracer, in_memory},
};
use crate::support::bench::Bench;

/// So many artifacts are there in the end; each is a commit of its own, with a tag.
const MANY: u32 = 1_500;

/// Publishes artifacts that differ in nothing but a number.
fn publish(bench: &Bench, numbers: std::ops::Range<u32>) {
    let registry = Registry::open(bench.path("registry")).unwrap();
    let session = registry.blocking();
    let package = PackageRef::in_default(&"team/many".parse().unwrap());
    for number in numbers {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{{"number":"{number}"}}}}"#
        );
        let manifest = Manifest::parse(text.into(), None, Algorithm::Sha256).unwrap();
        let tagged = PutManifest::tagged(vec![format!("v{number}").parse().unwrap()]);
        session.put_manifest(&package, &manifest, &tagged).unwrap();
    }
}

/// Returns how often a command that opens the registry, and asks it for next to nothing, reads.
fn reads(bench: &Bench, command: &[&str]) -> u64 {
    // What the last process left is taken in first.
    bench.ok(command);
    let (run, told) = Tracer::new().run(bench, Fault::none(READS), command);
    assert_eq!(run.code, 0, "{run:#?}");
    told.count
}

/// To open a registry takes as much with many artifacts in it as with few: it lists nothing, and
/// reads no table and no journal through.
#[test]
fn opening_reads_no_more_where_more_is() {
    let bench = Bench::bare_in(&in_memory());
    stock(&bench);
    publish(&bench, 0..5);
    // `mode` with a word opens to write.
    let commands: [&[&str]; 2] = [&["mode"], &["mode", "read-write"]];
    let few = commands.map(|command| reads(&bench, command));
    publish(&bench, 5..MANY);
    let many = commands.map(|command| reads(&bench, command));
    println!("reads: {few:?} with few artifacts, {many:?} with many");
    for ((command, few), many) in commands.iter().zip(few).zip(many) {
        assert!(few > 10, "{few} reads of {command:?}: are they counted?");
        // The trees of the index are a page or two deeper, and each look into one reads those.
        assert!(
            many < few + few / 2 + 20,
            "{command:?} read {few} times with few artifacts, {many} times with {MANY} more"
        );
    }
}
