//! Other registries as places: our own server, by way of our own client.

use std::{net::SocketAddr, sync::Arc};

use artifact::{
    AnonymousAccess, AsOf, Condition, ErrorKind, ManifestRef, Page, Tokio,
    directory::{PullOptions, PushOptions},
    transfer::{CopyOptions, Place, Transfer},
};
use artifact_proto::{
    auth::{DoorOptions, TokenKey},
    client::{ClientOptions, OciClient},
    metrics::Metrics,
    server::{App, Listener, Server, ServerLimits},
};
use tokio::{net::TcpListener, sync::oneshot};

use crate::support::{
    Here, by_tag, contents, image, index, package, place, referrer, session, tag, tree,
};

/// A registry that is served until the guard is dropped.
struct Served {
    session: Here,
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Served {
    async fn start() -> Self {
        // To make a registry waits for its threads, which a runtime's thread must not do.
        let session = tokio::task::spawn_blocking(session).await.unwrap();
        let options = DoorOptions::new(AnonymousAccess::Write);
        let key = TokenKey::new([7; 32]);
        let registry = session.registry().clone();
        let app = App::new(registry, options, key, Arc::new(Metrics::new()));
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = Server::new(app, ServerLimits::default());
        tokio::spawn(async move {
            // It ends with the guard.
            let until = async { drop(stopped.await) };
            server.serve(vec![Listener::plain(socket)], until).await
        });
        Self {
            session,
            address,
            _stop: stop,
        }
    }

    fn place(&self, name: &str) -> Place {
        let mut options = ClientOptions::default();
        // Small parts, so that a small test sends several.
        options.chunk_size = 300_000;
        let client = OciClient::new(options).unwrap();
        let origin = self.address.to_string().parse().unwrap();
        client.package(origin, name.parse().unwrap()).into()
    }
}

fn transfer() -> Transfer {
    Transfer::new(Arc::new(Tokio::current().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_goes_to_another_registry_and_back() {
    let directory = tempfile::tempdir().unwrap();
    let (source, target) = (
        directory.path().join("source"),
        directory.path().join("target"),
    );
    tree(&source);
    let served = Served::start().await;
    let to = served.place("team/files");
    let name = tag("v1");
    let transfer = transfer();
    let options = PushOptions::default();
    let pushed = transfer
        .push_directory(&source, &to, Some(&name), &options)
        .await
        .unwrap();
    assert_eq!(pushed.sent, 4);
    let again = transfer
        .push_directory(&source, &to, Some(&name), &options)
        .await
        .unwrap();
    assert_eq!((again.digest, again.sent), (pushed.digest, 0));
    let options = PullOptions::default();
    let pulled = transfer
        .pull_directory(&to, &by_tag("v1"), &target, &options)
        .await
        .unwrap();
    assert_eq!(pulled.digest, pushed.digest);
    assert_eq!(contents(&target), contents(&source));
    // The registry that serves has the same artifact.
    let here = place(&served.session, "team/files");
    let listed = transfer.list_directory(&here, &by_tag("v1")).await.unwrap();
    assert_eq!(listed.entries().len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_with_its_referrers_goes_to_another_registry_and_back() {
    let here = tokio::task::spawn_blocking(session).await.unwrap();
    let source = index(&here, &package("app"), "v1");
    let signature = referrer(&here, &package("app"), &source);
    let served = Served::start().await;
    let (transfer, name) = (transfer(), tag("v1"));
    let options = CopyOptions::default().with_referrers();
    let there = served.place("mirror/app");
    let from = place(&here, "app");
    let copied = transfer
        .copy(&from, &by_tag("v1"), &there, Some(&name), &options)
        .await
        .unwrap();
    assert_eq!((copied.digest, copied.sent), (source.digest(), 5));
    let page = Page::first(std::num::NonZeroU32::new(10).unwrap());
    let found = served
        .session
        .referrers(
            AsOf::Now,
            &package("mirror/app"),
            &source.digest(),
            None,
            page,
        )
        .await
        .unwrap();
    assert_eq!(found[0].descriptor.digest, signature.digest());
    // Back under another name, by digest.
    let back = place(&here, "back");
    let reference = ManifestRef::Digest(source.digest());
    let copied = transfer
        .copy(&there, &reference, &back, Some(&name), &options)
        .await
        .unwrap();
    assert_eq!(copied.digest, source.digest());
    // Inside the other registry blobs are mounted.
    let beside = served.place("beside");
    let copied = transfer
        .copy(
            &there,
            &by_tag("v1"),
            &beside,
            Some(&name),
            &CopyOptions::default(),
        )
        .await
        .unwrap();
    assert_eq!((copied.mounted, copied.sent), (4, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_hold_at_another_registry() {
    let here = tokio::task::spawn_blocking(session).await.unwrap();
    let first = image(&here, &package("app"), 1, Some("v1"));
    image(&here, &package("app"), 2, Some("v2"));
    let served = Served::start().await;
    let (transfer, name) = (transfer(), tag("stable"));
    let (from, there) = (place(&here, "app"), served.place("app"));
    let options = CopyOptions::default().on(Condition::Absent);
    transfer
        .copy(&from, &by_tag("v1"), &there, Some(&name), &options)
        .await
        .unwrap();
    let refused = transfer
        .copy(&from, &by_tag("v2"), &there, Some(&name), &options)
        .await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict);
    let options = CopyOptions::default().on(Condition::Digests(vec![first.digest()]));
    transfer
        .copy(&from, &by_tag("v2"), &there, Some(&name), &options)
        .await
        .unwrap();
    let missing = transfer
        .copy(&there, &by_tag("v9"), &from, Some(&name), &options)
        .await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
}
