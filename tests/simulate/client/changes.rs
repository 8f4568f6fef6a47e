//! Changing what is there.

use artifact_core::{AsOf, ManifestRef, Mode, Principal, RequestContext};

use super::base::Client;
use crate::oracle::{Answer, Ask};

impl Client {
    pub(super) async fn mount(&self) {
        let (package, from) = (self.package().clone(), self.package().clone());
        let digest = self.blob_of(&from).digest;
        let (request, session) = self.ask(Ask::Mount(package.clone(), digest, from.clone()));
        let outcome = session.mount(&package, &digest, Some(&from)).await;
        self.tell(&request, outcome, |found| match found {
            Some(info) => Answer::Blob(info.digest, info.size),
            None => Answer::Nothing,
        });
    }

    pub(super) async fn move_tag(&self) {
        let (package, tag) = (self.package().clone(), self.tag().clone());
        let digest = self.manifest_of(&package);
        let condition = self.condition(&package, &tag);
        let ask = Ask::PutTag(package.clone(), tag.clone(), digest, condition.clone());
        let (request, session) = self.ask(ask);
        let outcome = session.put_tag(&package, &tag, &digest, &condition).await;
        self.tell(&request, outcome, |committed| {
            Answer::Committed(committed.clone())
        });
    }

    pub(super) async fn delete(&self) {
        let (package, tag) = (self.package().clone(), self.tag().clone());
        match self.memory.chance.below(4) {
            0 | 1 => {
                let condition = self.condition(&package, &tag);
                let ask = Ask::DeleteTag(package.clone(), tag.clone(), condition.clone());
                let (request, session) = self.ask(ask);
                let outcome = session.delete_tag(&package, &tag, &condition).await;
                self.tell(&request, outcome, |committed| {
                    Answer::Committed(committed.clone())
                });
            }
            2 => {
                let digest = self.manifest_of(&package);
                let (request, session) = self.ask(Ask::DeleteManifest(package.clone(), digest));
                let outcome = session.delete_manifest(&package, &digest).await;
                self.tell(&request, outcome, |committed| {
                    Answer::Committed(committed.clone())
                });
            }
            _ => {
                let digest = self.blob_of(&package).digest;
                let (request, session) = self.ask(Ask::DeleteBlob(package.clone(), digest));
                let outcome = session.delete_blob(&package, &digest).await;
                self.tell(&request, outcome, |()| Answer::Done);
            }
        }
    }

    /// Undeletes, or copies.
    pub(super) async fn bring(&self) {
        let (from, tag) = (self.package().clone(), self.tag().clone());
        let past = self.at().filter(|_| self.memory.chance.one_in(2));
        let to = if past.is_some() {
            from.clone()
        } else {
            self.package().clone()
        };
        let condition = self.condition(&to, &tag);
        let by_tag = self.memory.chance.one_in(2);
        let digest = (!by_tag).then(|| self.manifest_of(&from));
        let reference = digest.map_or(ManifestRef::Tag(tag.clone()), ManifestRef::Digest);
        let tag = (by_tag || past.is_none()).then_some(tag);
        let ask = Ask::Bring {
            at: past,
            from: from.clone(),
            digest,
            to: to.clone(),
            tag: tag.clone(),
            condition: condition.clone(),
        };
        let (request, session) = self.ask(ask);
        let outcome = match past {
            Some(at) => {
                session
                    .undelete(AsOf::Revision(at), &from.at(reference.clone()), &condition)
                    .await
            }
            None => {
                session
                    .copy(&from.at(reference.clone()), &to, tag.as_ref(), &condition)
                    .await
            }
        };
        self.tell(&request, outcome, |committed| {
            Answer::Committed(committed.clone())
        });
    }

    pub(super) async fn set_mode(&self) {
        self.set_mode_to(if self.memory.chance.one_in(3) {
            Mode::ReadOnly("as the seed wants".into())
        } else {
            Mode::ReadWrite
        })
        .await;
    }

    pub(crate) async fn set_mode_to(&self, mode: Mode) {
        let (request, session) = self.ask(Ask::SetMode);
        let context = RequestContext::with_request(request.clone());
        let session = session.registry().session(Principal::System, context);
        let outcome = session.set_mode(&mode).await;
        self.tell(&request, outcome, |committed| {
            Answer::Committed(committed.clone())
        });
    }
}
