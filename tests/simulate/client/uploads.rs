//! Uploads in several sittings.

use artifact_core::{Clock as _, Error, Principal, RequestContext, UploadId};

use super::{base::Client, memory::Pending};
use crate::{
    goods::INLINE_MAX,
    oracle::{Answer, Ask},
};

/// How long an upload is kept that nobody goes on with, in milliseconds (1 h).
const IDLE: u64 = 60 * 60 * 1000;

impl Client {
    /// Begins an upload, sends a part of it, and goes away.
    pub(super) async fn begin(&self) {
        let package = self.package().clone();
        let blob = self.memory.chance.index(self.place.goods.blobs.len());
        let bytes = self.place.goods.blobs[blob].bytes.clone();
        let since = self.place.clock.boot();
        let (request, session) = self.ask(Ask::Upload);
        // Often so little that the index keeps it.
        let most = match self.memory.chance.one_in(2) {
            true => bytes.len().min(INLINE_MAX),
            false => bytes.len(),
        };
        let part = bytes.slice(..self.memory.chance.index(most + 1));
        let outcome = async {
            let mut upload = session
                .begin_upload(&package, self.announced(&self.place.goods.blobs[blob]))
                .await?;
            self.write(&mut upload, &part).await?;
            upload.suspend().await
        };
        let outcome = outcome.await;
        if let Some(status) = self.tell(&request, outcome, |_| Answer::Done) {
            if status.offset != part.len() as u64 {
                self.place.oracle.fail(format!(
                    "I1 what is acknowledged is kept: {} bytes were sent, and {} acknowledged",
                    part.len(),
                    status.offset
                ));
            }
            self.memory.uploads.lock().push(Pending {
                package,
                id: status.id,
                blob,
                offset: status.offset,
                at: since,
                doubtful: false,
                went_on: false,
            });
        }
    }

    pub(super) fn take_upload(&self) -> Option<Pending> {
        let uploads = self.memory.uploads.lock();
        if uploads.is_empty() {
            return None;
        }
        let which = self.memory.chance.index(uploads.len());
        let taken = uploads[which].clone();
        Some(taken)
    }

    pub(super) fn put_upload(&self, changed: &Pending) {
        let mut uploads = self.memory.uploads.lock();
        for pending in uploads
            .iter_mut()
            .filter(|pending| pending.id == changed.id)
        {
            *pending = changed.clone();
        }
    }

    pub(super) fn end_upload(&self, id: &UploadId) {
        self.memory
            .uploads
            .lock()
            .retain(|pending| pending.id != *id);
    }

    /// Goes on with an upload, and ends it or goes away once more.
    pub(super) async fn go_on(&self) {
        let Some(mut pending) = self.take_upload() else {
            return self.begin().await;
        };
        if !self.find_offset(&mut pending).await {
            return;
        }
        let blob = self.place.goods.blobs[pending.blob].clone();
        let rest = blob.bytes.slice(pending.offset as usize..);
        // Who hangs up or dies in the middle may have brought it further, and has lost nothing.
        let going_on = Pending {
            went_on: true,
            ..pending.clone()
        };
        self.put_upload(&going_on);
        let package = pending.package.clone();
        if self.memory.chance.one_in(3) {
            let part = rest.slice(..self.memory.chance.index(rest.len() + 1));
            let since = self.place.clock.boot();
            let (request, session) = self.ask(Ask::Upload);
            let outcome = async {
                let mut upload = session
                    .resume_upload(&package, &pending.id, Some(pending.offset))
                    .await?;
                self.write(&mut upload, &part).await?;
                upload.suspend().await
            };
            let outcome = outcome.await;
            if let Some(status) = self.tell(&request, outcome, |_| Answer::Done) {
                pending.offset += part.len() as u64;
                if status.offset != pending.offset {
                    self.place.oracle.fail(format!(
                        "I1 what is acknowledged is kept: {} bytes were sent, and {} acknowledged",
                        pending.offset, status.offset
                    ));
                }
                pending.at = since;
                pending.doubtful = false;
                pending.went_on = false;
                self.put_upload(&pending);
            }
            return;
        }
        let ending = Pending {
            doubtful: true,
            ..pending.clone()
        };
        self.put_upload(&ending);
        let (request, session) = self.ask(Ask::Finish(package.clone(), blob.digest));
        let outcome = async {
            let mut upload = session
                .resume_upload(&package, &pending.id, Some(pending.offset))
                .await?;
            self.write(&mut upload, &rest).await?;
            self.finish(upload, &blob).await
        };
        let outcome = outcome.await;
        if self
            .tell(&request, outcome, |info| {
                Answer::Blob(info.digest, info.size)
            })
            .is_some()
        {
            self.end_upload(&pending.id);
        }
    }

    /// Asks where an upload stands: where it was acknowledged, unless its time is over or nobody can
    /// say (I1, I13).
    pub(super) async fn find_offset(&self, pending: &mut Pending) -> bool {
        let (request, session) = self.ask(Ask::Upload);
        let outcome = session.upload_status(&pending.package, &pending.id).await;
        let missing = matches!(outcome, Err(Error::NotFound { .. }));
        let found = self.tell(&request, outcome, |_| Answer::Done);
        let now = self.place.clock.boot();
        let is_kept = now.boot == pending.at.boot && now.millis - pending.at.millis < IDLE;
        let oracle = &self.place.oracle;
        if missing {
            // One that holds nothing may be begun again at no cost.
            if is_kept && !pending.doubtful && pending.offset > 0 {
                oracle.fail(format!(
                    "I1 a suspended upload is kept for its hour: {} of {} is gone",
                    pending.id, pending.package
                ));
            }
            self.end_upload(&pending.id);
            return false;
        }
        let Some(status) = found else {
            self.put_upload(pending);
            return false;
        };
        let fits = match pending.went_on {
            true => status.offset >= pending.offset,
            false => status.offset == pending.offset,
        };
        if !fits && !pending.doubtful {
            oracle.fail(format!(
                "I1 what is acknowledged is kept: upload {} stands at {}, and {} was acknowledged",
                pending.id, status.offset, pending.offset
            ));
        }
        if status.offset > self.place.goods.blobs[pending.blob].bytes.len() as u64 {
            oracle.fail(format!(
                "I3 an upload holds what was sent: {} stands at {}",
                pending.id, status.offset
            ));
            return false;
        }
        pending.offset = status.offset;
        true
    }

    pub(super) async fn cancel(&self) {
        let Some(pending) = self.take_upload() else {
            return;
        };
        self.put_upload(&Pending {
            doubtful: true,
            ..pending.clone()
        });
        let (request, session) = self.ask(Ask::Upload);
        let outcome = session.cancel_upload(&pending.package, &pending.id).await;
        if self.tell(&request, outcome, |()| Answer::Done).is_some() {
            self.end_upload(&pending.id);
        }
    }

    /// Tries to go on with an upload of one's own as somebody else (I15).
    pub(super) async fn trespass(&self) {
        let Some(pending) = self.memory.uploads.lock().first().cloned() else {
            return;
        };
        let (request, session) = self.ask(Ask::Trespass);
        let other = Principal::User("user9".parse().unwrap());
        let session = session
            .registry()
            .session(other, RequestContext::with_request(request.clone()));
        let outcome = session.upload_status(&pending.package, &pending.id).await;
        self.tell(&request, outcome, |_| Answer::Done);
    }
}
