//! Reading what is there.

use artifact_core::{AsOf, BlobRange, Digest, PackageRef, Revision, Tag};
use futures::StreamExt as _;

use super::base::{Client, all, as_of};
use crate::oracle::{Answer, Ask};

impl Client {
    pub(super) async fn stat(&self) {
        let package = self.package().clone();
        let digest = self.blob_of(&package).digest;
        let (request, session) = self.ask(Ask::Stat(package.clone(), digest));
        let outcome = session.stat_blob(AsOf::Now, &package, &digest).await;
        self.tell(&request, outcome, |info| {
            Answer::Blob(info.digest, info.size)
        });
    }

    pub(super) async fn read(&self) {
        let (at, package) = (self.at(), self.package().clone());
        let blob = self.blob_of(&package);
        let size = blob.bytes.len() as u64;
        let first = self.memory.chance.below(size);
        let range = match self.memory.chance.below(6) {
            0 if size > 0 => BlobRange::From(first),
            1 if size > 0 => BlobRange::Bounded(first, first + self.memory.chance.below(size)),
            2 if size > 0 => BlobRange::Last(1 + self.memory.chance.below(size)),
            _ => BlobRange::All,
        };
        self.read_range(at, &package, &blob.digest, range).await;
    }

    /// Reads a part of a blob.
    pub(crate) async fn read_range(
        &self,
        at: Option<Revision>,
        package: &PackageRef,
        digest: &Digest,
        range: BlobRange,
    ) {
        let (request, session) = self.ask(Ask::Read(at, package.clone(), *digest));
        let outcome = async {
            let mut body = session.read_blob(as_of(at), package, digest, range).await?;
            let (offset, length) = (body.offset(), body.length());
            let mut bytes = Vec::new();
            while let Some(chunk) = body.next().await {
                bytes.extend_from_slice(&chunk?);
            }
            if bytes.len() as u64 != length {
                self.place.oracle.fail(format!(
                    "I3 a read that ends well is whole: {} of {length} bytes of {digest} came",
                    bytes.len()
                ));
            }
            Ok((bytes, offset))
        };
        let outcome = outcome.await;
        self.tell(&request, outcome, |(bytes, offset)| {
            Answer::Bytes(bytes.clone(), *offset)
        });
    }

    /// Reads something small.
    pub(super) async fn look(&self) {
        let (at, package) = (self.at(), self.package().clone());
        match self.memory.chance.below(4) {
            0 => self.look_at_tag(at, &package, &self.tag().clone()).await,
            1 => {
                self.look_at_manifest(at, &package, &self.manifest_of(&package))
                    .await
            }
            2 => self.list_tags(at, &package).await,
            _ => {
                self.list_referrers(at, &package, &self.manifest_of(&package))
                    .await
            }
        }
    }

    pub(crate) async fn look_at_tag(&self, at: Option<Revision>, package: &PackageRef, tag: &Tag) {
        let (request, session) = self.ask(Ask::Tag(at, package.clone(), tag.clone()));
        let outcome = session.tag(as_of(at), package, tag).await;
        self.tell(&request, outcome, |tag| {
            Answer::Tag(tag.digest, tag.generation, tag.revision)
        });
    }

    pub(crate) async fn look_at_manifest(
        &self,
        at: Option<Revision>,
        package: &PackageRef,
        digest: &Digest,
    ) {
        let (request, session) = self.ask(Ask::Manifest(at, package.clone(), *digest));
        let outcome = session.get_manifest(as_of(at), &package.at(*digest)).await;
        self.tell(&request, outcome, |found| {
            Answer::Manifest(found.record.digest, found.record.bytes.to_vec())
        });
    }

    pub(crate) async fn list_tags(&self, at: Option<Revision>, package: &PackageRef) {
        let (request, session) = self.ask(Ask::Tags(at, package.clone()));
        let outcome = session.list_tags(as_of(at), package, all()).await;
        self.tell(&request, outcome, |tags| {
            let tags = tags
                .iter()
                .map(|tag| (tag.tag.clone(), tag.digest, tag.generation));
            Answer::Tags(tags.collect())
        });
    }

    pub(crate) async fn list_referrers(
        &self,
        at: Option<Revision>,
        package: &PackageRef,
        subject: &Digest,
    ) {
        let (request, session) = self.ask(Ask::Referrers(at, package.clone(), *subject));
        let outcome = session
            .referrers(as_of(at), package, subject, None, all())
            .await;
        self.tell(&request, outcome, |found| {
            Answer::Digests(
                found
                    .iter()
                    .map(|summary| summary.descriptor.digest)
                    .collect(),
            )
        });
    }
}
