//! The crate `oci-client`: push and pull from memory, chunked streams, mounts, indexes, referrers.

use std::fs;

use ::oci_client::client::{
    BlobResponse, Certificate, CertificateEncoding, ClientConfig, ClientProtocol, Config,
    ImageLayer,
};
use ::oci_client::manifest::{OciDescriptor, OciImageIndex};
use ::oci_client::secrets::RegistryAuth;
use ::oci_client::{Client, Reference};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use crate::image::{INDEX, MANIFEST, digest_of, noise};
use crate::mode::{Mode, in_each_mode};
use crate::workbench::Workbench;

in_each_mode!(
    lists_referrers,
    mounts_a_blob,
    pulls_the_platform_it_chooses,
    pushes_and_pulls_an_image,
    streams_a_blob_in_chunks,
);

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

fn pushes_and_pulls_an_image(mode: Mode) {
    let bench = Workbench::new(mode);
    let image = reference(&bench, "team/app", "v1");
    let contents = [noise(1, 700_000), noise(2, 100)];
    wait_for(async {
        let client = client(&bench).await;
        push(&client, &bench, &image, &contents).await;
        let (digest, _) = bench_check(&bench, "team/app", "v1");
        let pulled = client
            .pull(&image, &user(&bench), vec![LAYER])
            .await
            .unwrap();
        assert_eq!(pulled.digest.unwrap(), digest);
        let mut layers: Vec<_> = pulled
            .layers
            .iter()
            .map(|layer| layer.data.to_vec())
            .collect();
        layers.sort_by_key(|layer| std::cmp::Reverse(layer.len()));
        assert_eq!(layers, contents);
        let fetched = client
            .fetch_manifest_digest(&image, &user(&bench))
            .await
            .unwrap();
        assert_eq!(fetched, digest);
        let listed = client
            .list_tags(&image, &user(&bench), None, None)
            .await
            .unwrap();
        assert_eq!(listed.tags, ["v1"]);
    });
    bench.finish();
}

/// The crate sends chunks of 4 MiB, each with its `Content-Range`.
fn streams_a_blob_in_chunks(mode: Mode) {
    let bench = Workbench::new(mode);
    let image = reference(&bench, "team/blobs", "v1");
    let content = noise(3, 9_000_000);
    let digest = digest_of(&content);
    wait_for(async {
        let client = client(&bench).await;
        let pieces: Vec<_> = content
            .chunks(100_000)
            .map(|c| Ok(c.to_vec().into()))
            .collect();
        let pushed = client
            .push_blob_stream_chunked(&image, stream::iter(pieces))
            .await
            .unwrap();
        assert_eq!(pushed.blob_digest, digest);
        assert_eq!(pushed.size, 9_000_000);
        assert!(client.blob_exists(&image, &digest).await.unwrap());
        assert!(
            !client
                .blob_exists(&image, &digest_of(b"nowhere"))
                .await
                .unwrap()
        );

        let described = descriptor(LAYER, &content);
        let whole = client.pull_blob_stream(&image, &described).await.unwrap();
        let whole: Vec<_> = whole.stream.try_collect().await.unwrap();
        assert_eq!(whole.concat(), content);
        let range = client.pull_blob_stream_partial(&image, &described, 8_000_000, Some(1000));
        let BlobResponse::Partial(part) = range.await.unwrap() else {
            panic!("the server answered a range with the whole blob");
        };
        let part: Vec<_> = part.stream.map(Result::unwrap).collect().await;
        assert_eq!(part.concat(), content[8_000_000..8_001_000]);
    });
    bench.finish();
}

fn mounts_a_blob(mode: Mode) {
    let bench = Workbench::new(mode);
    let (from, to) = (
        reference(&bench, "team/from", "v1"),
        reference(&bench, "team/to", "v1"),
    );
    let content = noise(4, 50_000);
    let digest = digest_of(&content);
    wait_for(async {
        let client = client(&bench).await;
        client
            .push_blob(&from, content.clone(), &digest)
            .await
            .unwrap();
        assert!(!client.blob_exists(&to, &digest).await.unwrap());
        client.mount_blob(&to, &from, &digest).await.unwrap();
        let mut pulled = Vec::new();
        client
            .pull_blob(&to, &descriptor(LAYER, &content), &mut pulled)
            .await
            .unwrap();
        assert_eq!(pulled, content);
        let unknown = digest_of(b"nowhere");
        client.mount_blob(&to, &from, &unknown).await.unwrap_err();
    });
    bench.finish();
}

fn pulls_the_platform_it_chooses(mode: Mode) {
    let bench = Workbench::new(mode);
    let index = reference(&bench, "team/multi", "v1");
    wait_for(async {
        let client = client(&bench).await;
        let mut entries = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let image = reference(&bench, "team/multi", architecture);
            push(&client, &bench, &image, &[architecture.as_bytes().to_vec()]).await;
            let (digest, manifest) = bench_check(&bench, "team/multi", architecture);
            entries.push(json!({
                "mediaType": MANIFEST, "digest": digest, "size": manifest.len(),
                "platform": {"architecture": architecture, "os": "linux"},
            }));
        }
        let list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        let list: OciImageIndex = serde_json::from_value(list).unwrap();
        client
            .push_manifest_list(&index, &user(&bench), list)
            .await
            .unwrap();
        bench_check(&bench, "team/multi", "v1");
        // The client is configured to choose the last platform of an index.
        let pulled = client
            .pull(&index, &user(&bench), vec![LAYER])
            .await
            .unwrap();
        assert_eq!(pulled.layers[0].data, "arm64");
    });
    bench.finish();
}

fn lists_referrers(mode: Mode) {
    let bench = Workbench::new(mode);
    let image = reference(&bench, "team/app", "v1");
    let referring = "application/vnd.example.attestation";
    wait_for(async {
        let client = client(&bench).await;
        push(&client, &bench, &image, &[noise(5, 1_000)]).await;
        let (digest, manifest) = bench_check(&bench, "team/app", "v1");
        let by_digest: Reference = format!("{}/team/app@{digest}", bench.server.host())
            .parse()
            .unwrap();
        let none = client.pull_referrers(&by_digest, None).await.unwrap();
        assert!(none.manifests.is_empty());

        let mut subject = serde_json::to_value(descriptor(MANIFEST, &manifest)).unwrap();
        subject["digest"] = digest.into();
        let empty = b"{}".to_vec();
        let empty_type = "application/vnd.oci.empty.v1+json";
        client
            .push_blob(&image, empty.clone(), &digest_of(&empty))
            .await
            .unwrap();
        let attestation = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": referring,
            "config": descriptor(empty_type, &empty), "layers": [descriptor(empty_type, &empty)],
            "subject": subject, "annotations": {"org.example.key": "value"},
        })
        .to_string();
        let attested = digest_of(attestation.as_bytes());
        let target: Reference = format!("{}/team/app@{attested}", bench.server.host())
            .parse()
            .unwrap();
        let media_type = MANIFEST.parse().unwrap();
        client
            .push_manifest_raw(&target, attestation, media_type)
            .await
            .unwrap();

        let found = client
            .pull_referrers(&by_digest, Some(referring))
            .await
            .unwrap();
        assert_eq!(found.manifests.len(), 1);
        assert_eq!(found.manifests[0].digest, attested);
        assert_eq!(found.manifests[0].artifact_type.as_deref(), Some(referring));
        let annotations = found.manifests[0].annotations.as_ref().unwrap();
        assert_eq!(annotations["org.example.key"], "value");
        let other = client
            .pull_referrers(&by_digest, Some("application/other"))
            .await
            .unwrap();
        assert!(other.manifests.is_empty());
    });
    bench.finish();
}

async fn push(client: &Client, bench: &Workbench, image: &Reference, contents: &[Vec<u8>]) {
    let layers: Vec<_> = contents
        .iter()
        .map(|bytes| ImageLayer::oci_v1(bytes.clone(), None))
        .collect();
    let config = Config::oci_v1(br#"{"architecture":"amd64","os":"linux"}"#.as_slice(), None);
    client
        .push(image, &layers, config, &user(bench), None)
        .await
        .unwrap();
}

/// Returns a client of the crate that trusts the server and knows the user.
async fn client(bench: &Workbench) -> Client {
    let mut config = ClientConfig {
        platform_resolver: Some(Box::new(|list| {
            list.last().map(|entry| entry.digest.clone())
        })),
        ..ClientConfig::default()
    };
    match bench.server.certificate() {
        None => config.protocol = ClientProtocol::Http,
        Some(files) => {
            let data = fs::read(&files.authority).unwrap();
            let encoding = CertificateEncoding::Pem;
            config.tls_certs_only = vec![Certificate { encoding, data }];
        }
    }
    let client = Client::try_from(config).unwrap();
    client
        .store_auth_if_needed(&bench.server.host(), &user(bench))
        .await;
    client
}

fn user(bench: &Workbench) -> RegistryAuth {
    match bench.server.user() {
        None => RegistryAuth::Anonymous,
        Some((name, password)) => RegistryAuth::Basic(name.to_owned(), password.to_owned()),
    }
}

fn reference(bench: &Workbench, package: &str, tag: &str) -> Reference {
    bench.image(package, tag).parse().unwrap()
}

fn descriptor(media_type: &str, bytes: &[u8]) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.to_owned(),
        digest: digest_of(bytes),
        size: i64::try_from(bytes.len()).unwrap(),
        ..OciDescriptor::default()
    }
}

/// The workbench's own client blocks, and may not do so on a thread that polls futures.
fn bench_check(bench: &Workbench, package: &str, reference: &str) -> (String, Vec<u8>) {
    std::thread::scope(|scope| {
        scope
            .spawn(|| bench.check(package, reference))
            .join()
            .expect("the check passes")
    })
}

fn wait_for(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work);
}
