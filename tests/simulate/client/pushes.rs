//! Pushing blobs and artifacts in one go.

use artifact_core::{BlobInfo, Error, PackageRef, PutManifest, Upload, UploadOptions};
use bytes::Bytes;

use super::base::Client;
use crate::{
    goods::Blob,
    oracle::{Answer, Ask},
};

impl Client {
    pub(super) async fn push_one(&self) {
        let (package, blob) = (self.package().clone(), self.blob().clone());
        self.push(&package, &blob).await;
    }

    /// Sends bytes, and says that they are others (I3).
    pub(super) async fn lie(&self) {
        let (package, blob) = (self.package().clone(), self.blob().clone());
        let mut bytes = blob.bytes.to_vec();
        let at = self.memory.chance.index(bytes.len());
        match bytes.get_mut(at) {
            Some(byte) if self.memory.chance.one_in(2) => *byte ^= 1,
            Some(_) => bytes.truncate(at),
            None => bytes.push(0),
        }
        let (request, session) = self.ask(Ask::Lie(package.clone(), blob.digest));
        let outcome = async {
            let options = self.announced(&blob);
            let mut upload = session.begin_upload(&package, options).await?;
            self.write(&mut upload, &bytes.into()).await?;
            upload.finish(Some(&blob.digest)).await
        };
        let outcome = outcome.await;
        self.tell(&request, outcome, |info| {
            Answer::Blob(info.digest, info.size)
        });
    }

    /// Draws what a client says of the length of what it sends; it may say wrong.
    pub(super) fn announced(&self, blob: &Blob) -> UploadOptions {
        let size = blob.bytes.len() as u64;
        let announced = match self.memory.chance.below(10) {
            0..6 => Some(size),
            6 => Some(size / 2),
            7 => Some(size + 5_000),
            _ => None,
        };
        UploadOptions::default().sized(announced)
    }

    /// Pushes a blob in one go.
    pub(crate) async fn push(&self, package: &PackageRef, blob: &Blob) -> bool {
        let (request, session) = self.ask(Ask::Push(package.clone(), blob.digest));
        let outcome = async {
            let mut upload = session.begin_upload(package, self.announced(blob)).await?;
            self.write(&mut upload, &blob.bytes).await?;
            self.finish(upload, blob).await
        };
        let outcome = outcome.await;
        self.tell(&request, outcome, |info| {
            Answer::Blob(info.digest, info.size)
        })
        .is_some()
    }

    pub(super) async fn finish(&self, upload: Upload, blob: &Blob) -> Result<BlobInfo, Error> {
        let expected = (!self.memory.chance.one_in(3)).then_some(&blob.digest);
        upload.finish(expected).await
    }

    pub(super) async fn write(&self, upload: &mut Upload, bytes: &Bytes) -> Result<(), Error> {
        let pieces = 1 + self.memory.chance.index(3);
        let length = bytes.len().div_ceil(pieces).max(1);
        for start in (0..bytes.len()).step_by(length) {
            upload
                .write(bytes.slice(start..bytes.len().min(start + length)))
                .await?;
        }
        Ok(())
    }

    /// Pushes an artifact as clients do: what is missing, then the manifest.
    pub(super) async fn publish(&self) {
        let goods = &self.place.goods;
        let package = self.package().clone();
        let digest = self.manifest();
        let Some(manifest) = goods.manifest(&digest) else {
            return;
        };
        for reference in manifest.references() {
            let digest = reference.descriptor.digest;
            let there = self
                .place
                .oracle
                .model(|model| model.has_link_at(model.head, &package, &digest));
            if there && !self.memory.chance.one_in(5) {
                continue;
            }
            if let Some(blob) = goods.blobs.iter().find(|blob| blob.digest == digest)
                && !self.push(&package, blob).await
            {
                return;
            }
        }
        let tag = self.tag().clone();
        let tags = if self.memory.chance.one_in(4) {
            Vec::new()
        } else {
            vec![tag.clone()]
        };
        let condition = self.condition(&package, &tag);
        let ask = Ask::PutManifest(package.clone(), digest, tags.clone(), condition.clone());
        let (request, session) = self.ask(ask);
        let options = PutManifest::tagged(tags).on(condition);
        let outcome = session.put_manifest(&package, manifest, &options).await;
        self.tell(&request, outcome, |published| {
            Answer::Committed(published.committed.clone())
        });
    }
}
