//! Referrers: what refers to a manifest, also where a client kept the list itself.

use super::{permit::Missing, session::Session};
use crate::{
    contract::{
        policy::Action,
        record::{AsOf, ManifestSummary, Page},
    },
    error::{Error, What},
    guard,
    model::{
        digest::Digest,
        manifest::{Manifest, ManifestKind},
        media_type::MediaType,
        name::{PackageRef, Tag},
    },
};

impl Session {
    /// Lists the manifests of a package that refer to `subject`, by digest; of one artifact type
    /// where it is given. The subject need not be there.
    ///
    /// A list that clients kept under the subject's fallback tag, before there was this one, is
    /// merged in.
    ///
    /// Source: OCI distribution specification 1.1, "Listing referrers" and "Enabling the Referrers
    /// API".
    ///
    /// # Errors
    /// [`Error::HistoryForgotten`]; refusals; and where the index fails.
    pub async fn referrers(
        &self,
        at: AsOf,
        package: &PackageRef,
        subject: &Digest,
        artifact_type: Option<&MediaType>,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, Error> {
        let missing = Missing::new(What::Package, package);
        guard!(319, self)
            .permit(Action::Read, package, &missing)
            .await?;
        let (limit, after) = (page.limit.get() as usize, page.after);
        let index = self.inner().index();
        let mut found = index
            .referrers(at, package, subject, artifact_type, page)
            .await?;
        let adopted = self.fallback(at, package, subject).await?;
        let fits = |summary: &ManifestSummary| {
            let kind = summary.descriptor.artifact_type.as_ref();
            artifact_type.is_none_or(|wanted| kind == Some(wanted))
                && after.is_none_or(|after| summary.descriptor.digest > after)
        };
        found.extend(adopted.into_iter().filter(fits));
        found.sort_by_key(|summary| summary.descriptor.digest);
        found.dedup_by_key(|summary| summary.descriptor.digest);
        found.truncate(limit);
        Ok(found)
    }

    /// Returns what the index under the subject's fallback tag lists, if there is one.
    async fn fallback(
        &self,
        at: AsOf,
        package: &PackageRef,
        subject: &Digest,
    ) -> Result<Vec<ManifestSummary>, Error> {
        let Ok(tag) = format!("{}-{}", subject.algorithm(), subject.hex()).parse::<Tag>() else {
            return Ok(Vec::new()); // A sha512 digest is too long for a tag.
        };
        let index = self.inner().index();
        let Some(tag) = index.tag(at, package, &tag).await? else {
            return Ok(Vec::new());
        };
        let Some(record) = index.manifest(at, package, &tag.digest).await? else {
            return Ok(Vec::new());
        };
        let (bytes, kind) = (record.bytes, &record.media_type);
        let Ok(list) = Manifest::parse(bytes, Some(kind), tag.digest.algorithm()) else {
            return Ok(Vec::new());
        };
        if list.kind() != ManifestKind::Index {
            return Ok(Vec::new());
        }
        let summary = |reference: &crate::model::manifest::Reference| {
            let descriptor = reference.descriptor.clone();
            ManifestSummary::new(descriptor, tag.revision, tag.changed_at)
        };
        Ok(list.references().iter().map(summary).collect())
    }
}
