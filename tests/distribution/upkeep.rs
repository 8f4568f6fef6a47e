//! What a served registry does by itself: it collects what nothing wants, and finds what has rotted.

use std::{sync::Arc, time::Duration};

use artifact::AsOf;
use artifact_proto::server::{MaintenanceOptions, maintain};

use crate::support::{TestServer, noise, server};

const HOUR: Duration = Duration::from_secs(3_600);

/// A registry whose clock the test moves, and which looks after itself each hour.
struct Kept {
    server: TestServer,
    task: tokio::task::JoinHandle<()>,
    runs: u64,
}

impl Kept {
    async fn new() -> Self {
        let server = server().await;
        let mut options = MaintenanceOptions::default();
        (options.collect_every, options.scrub_every) = (HOUR, HOUR);
        let registry = (*server.registry).clone();
        let metrics = Arc::clone(&server.metrics);
        let task = tokio::spawn(maintain(registry, options, metrics));
        Self {
            server,
            task,
            runs: 0,
        }
    }

    /// Returns what a counter or gauge shows.
    async fn shows(&self, name: &str) -> u64 {
        let reply = self.server.client().get("/metrics").await.expect(200);
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit(' ').next());
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Lets an hour go by, and waits until both tasks were done once more.
    async fn hour(&mut self) {
        self.runs += 1;
        self.server.clock.advance(HOUR);
        for task in ["collect", "scrub"] {
            let name =
                format!("artifact_maintenance_runs_total{{task=\"{task}\",result=\"done\"}}");
            let done = async {
                while self.shows(&name).await != self.runs {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            let waited = tokio::time::timeout(Duration::from_secs(60), done).await;
            assert!(waited.is_ok(), "no {task} in hour {}", self.runs);
        }
    }
}

/// I8, I9: what nothing wants is freed, and what an artifact names is not, without anybody's asking.
#[tokio::test]
async fn i9_what_nothing_wants_goes_by_itself() {
    let mut kept = Kept::new().await;
    let client = kept.server.client();
    let image = client.image("team/app", "v1").await;
    let (left, size) = (client.push("team/app", noise(4, 900_000)).await, 900_000);
    // Its lease is of a day.
    for _ in 0..23 {
        kept.hour().await;
    }
    let path = format!("/v2/team/app/blobs/{left}");
    // Not HEAD, by which who may push renews the lease.
    client.get(&path).await.expect(200);
    let freed = "artifact_maintenance_bytes_total{task=\"collect\"}";
    assert_eq!(kept.shows(freed).await, 0);
    for _ in 0..4 {
        kept.hour().await;
    }
    client.head(&path).await.expect(404);
    assert_eq!(kept.shows(freed).await, size);
    let package = artifact::PackageRef::in_default(&"team/app".parse().unwrap());
    let tag: artifact::Tag = "v1".parse().unwrap();
    let there = kept.server.embedder();
    let found = there.get_manifest(AsOf::Now, &package.at(tag)).await;
    assert_eq!(found.unwrap().record.digest.to_string(), image.digest);
    kept.task.abort();
}

/// I9: what has rotted is found before anybody reads it, and told.
#[tokio::test]
async fn i9_what_has_rotted_is_found_by_itself() {
    let mut kept = Kept::new().await;
    let client = kept.server.client();
    let bytes = noise(5, 1_500_000);
    let digest = client.push("team/app", bytes.clone()).await;
    kept.hour().await;
    assert_eq!(kept.shows("artifact_maintenance_corrupt").await, 0);
    kept.server.rot(&bytes);
    kept.hour().await;
    assert_eq!(kept.shows("artifact_maintenance_corrupt").await, 1);
    let path = format!("/v2/team/app/blobs/{digest}");
    client.get(&path).await.expect(500);
    kept.task.abort();
}
