//! What the server and an open cost: resident memory, idle and under load, and the time to open a
//! large registry.
//!
//! `cargo bench --bench limits` measures at full size, and leaves the figures in
//! `benches/RESULTS.md`; `QUICK=1` measures at a small one. Both print them as a table.

mod load;
mod process;
mod report;

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use artifact::{
    Algorithm, BlobInfo, Manifest, MediaType, PackageRef, PutManifest, UploadOptions,
    blocking::Session,
};

use self::{load::Body, process::Server, report::Report};

struct Size {
    clients: u64,
    bytes: u64,
    artifacts: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let quick = std::env::var_os("QUICK").is_some();
    let size = if quick {
        Size {
            clients: 8,
            bytes: 64 << 20,
            artifacts: 2_000,
        }
    } else {
        Size {
            clients: 32,
            bytes: 1 << 30,
            artifacts: 100_000,
        }
    };
    let program = build()?;
    let mut report = Report::begin()?;
    memory(&mut report, &program, &size)?;
    opening(&mut report, &size)?;
    if !quick {
        report.save("cargo bench --bench limits")?;
    }
    Ok(())
}

/// Builds the program as users have it.
fn build() -> io::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--workspace", "--bins"])
        .current_dir(root)
        .status()?;
    if !status.success() {
        return Err(io::Error::other("the program cannot be built"));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    Ok(target.join("release/artifact"))
}

fn memory(
    report: &mut Report,
    program: &Path,
    size: &Size,
) -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::Builder::new()
        .prefix("limits")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = directory.path().join("registry");
    drop(artifact::Registry::create(&path)?);
    let server = Server::start(program, &path)?;
    thread::sleep(Duration::from_secs(1));
    report.row("resident, idle", &mib(server.resident()?), "20 MiB");
    let body = Body::new(size.bytes);
    let (clients, each) = (size.clients, size.bytes >> 20);
    let pushed = together(clients, |client| {
        body.push(server.address, "bench/large", client)
    })?;
    let what = format!("resident at most, {clients} clients push {each} MiB each");
    report.row(
        &format!("{what} ({} MiB/s)", rate(size, pushed)),
        &mib(server.peak()?),
        "64 MiB",
    );
    let pulled = together(clients, |client| {
        body.pull(server.address, "bench/large", client)
    })?;
    let what = format!("resident at most, {clients} clients then pull {each} MiB each");
    report.row(
        &format!("{what} ({} MiB/s)", rate(size, pulled)),
        &mib(server.peak()?),
        "64 MiB",
    );
    Ok(())
}

fn together(clients: u64, work: impl Fn(u64) -> io::Result<()> + Sync) -> io::Result<Duration> {
    let begun = Instant::now();
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..clients).map(|n| scope.spawn(move || work(n))).collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .map_err(|_| io::Error::other("a client panicked"))?
        })
    })?;
    Ok(begun.elapsed())
}

fn rate(size: &Size, took: Duration) -> u64 {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    (size.clients * (size.bytes >> 20) * 1_000) / millis
}

fn mib(kib: u64) -> String {
    format!("{}.{} MiB", kib / 1_024, kib % 1_024 * 10 / 1_024)
}

/// Fills a registry through the engine, and opens it anew.
fn opening(report: &mut Report, size: &Size) -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::Builder::new()
        .prefix("limits")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = directory.path().join("registry");
    let registry = artifact::Registry::create(&path)?;
    let begun = Instant::now();
    thread::scope(|scope| {
        for part in 0..16 {
            let (session, count) = (registry.blocking(), size.artifacts / 16);
            scope.spawn(move || fill(&session, part, count));
        }
    });
    let filled = begun.elapsed();
    drop(registry);
    let mut took: Vec<Duration> = (0..5)
        .map(|_| {
            let begun = Instant::now();
            let registry = artifact::Registry::open(&path);
            let took = begun.elapsed();
            registry.map(|_registry| took)
        })
        .collect::<Result<_, _>>()?;
    took.sort();
    let median = took.get(2).copied().unwrap_or_default();
    let (count, micros) = (size.artifacts, median.as_micros());
    let filled = filled.as_secs();
    report.row(
        &format!("open {count} artifacts (made in {filled} s)"),
        &format!("{micros} µs"),
        "50,000 µs",
    );
    Ok(())
}

fn fill(session: &Session, part: u64, count: u64) {
    let package: PackageRef = PackageRef::in_default(
        &format!("bench/p{part}")
            .parse()
            .expect("the name is well formed"),
    );
    let config = config(session, &package);
    for n in 0..count {
        let manifest = image(&config, part, n);
        let tag = format!("v{n}").parse().expect("the tag is well formed");
        session
            .put_manifest(&package, &manifest, &PutManifest::tagged(vec![tag]))
            .expect("the registry takes it");
    }
}

fn config(session: &Session, package: &PackageRef) -> BlobInfo {
    let options = UploadOptions::default();
    let mut upload = session
        .begin_upload(package, options)
        .expect("the registry takes it");
    io::Write::write_all(&mut upload, b"{}").expect("two bytes fit");
    upload.finish(None).expect("the registry takes it")
}

fn image(config: &BlobInfo, part: u64, n: u64) -> Manifest {
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":{}}},"layers":[],"annotations":{{"n":"{part}.{n}"}}}}"#,
        MediaType::OCI_MANIFEST,
        MediaType::OCI_EMPTY,
        config.digest,
        config.size
    );
    Manifest::parse(text.into(), None, Algorithm::Sha256).expect("it is a manifest")
}
