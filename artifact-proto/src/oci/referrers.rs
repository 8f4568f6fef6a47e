//! Referrers of a manifest.
//!
//! Source: OCI distribution specification 1.1, "Listing Referrers".

use std::num::NonZeroU32;

use artifact_core::{
    Action, AsOf, Descriptor, Digest, MediaType, OciName, PackageRef, Page, guard,
};
use http::{HeaderValue, Response, StatusCode};

use super::{
    call::{Call, Failure, about},
    code::{Code, Noun},
    error::Refusal,
    model::ReferrersIndex,
    query::{PageQuery, artifact_type},
    reply::{FILTERS, json, link_next},
};
use crate::body::Body;

/// About how many bytes one answer has; annotations may be long, and a client reads an index whole.
const SIZE: usize = 1 << 20;

/// How many referrers are read first: what they are like tells how many come next.
const FIRST: u32 = 16;

/// Lists the referrers of a manifest, whether the manifest is there or not.
pub(super) async fn list(
    call: &Call,
    name: &OciName,
    subject: &Digest,
) -> Result<Response<Body>, Failure> {
    let query = call.query()?;
    let asked = PageQuery::read(&query)?;
    let filter = artifact_type(&query)?;
    let after = after(asked.last.as_deref())?;
    let package = call.package(name, Action::Read, Noun::Package).await?;
    let _reserved = call.reserve(SIZE).await?;
    let listing = Listing {
        call,
        package: &package,
        subject,
        limit: asked.limit.map_or(0, NonZeroU32::get),
    };
    let (manifests, next) = match &filter {
        // No artifact has a type that is no type; but who may not ask is not told even that.
        Some(None) => (listing.refused().await?, None),
        Some(Some(kind)) => listing.read(Some(kind), after).await?,
        None => listing.read(None, after).await?,
    };
    let mut response = json(MediaType::OCI_INDEX, &ReferrersIndex::new(manifests));
    if filter.is_some() {
        response
            .headers_mut()
            .insert(FILTERS, HeaderValue::from_static("artifactType"));
    }
    if let Some(next) = next {
        let (path, last) = (format!("/v2/{name}/referrers/{subject}"), next.to_string());
        let number = asked.limit.map_or(0, NonZeroU32::get).to_string();
        let mut query = vec![("last", last.as_str())];
        if asked.asked {
            query.push(("n", &number));
        }
        if let Some(Some(kind)) = &filter {
            query.push(("artifactType", kind.as_str()));
        }
        link_next(response.headers_mut(), &path, &query);
    }
    Ok(response)
}

fn after(last: Option<&str>) -> Result<Option<Digest>, Failure> {
    let digest = last
        .filter(|last| !last.is_empty())
        .map(str::parse)
        .transpose();
    digest.map_err(|_| {
        let words = "the parameter last is a digest";
        Refusal::new(StatusCode::BAD_REQUEST, Code::DigestInvalid, words).into()
    })
}

struct Listing<'a> {
    call: &'a Call,
    package: &'a PackageRef,
    subject: &'a Digest,
    limit: u32,
}

impl Listing<'_> {
    async fn refused(&self) -> Result<Vec<Descriptor>, Failure> {
        let checked = self.call.session.check(Action::Read, self.package).await;
        checked.map(|()| Vec::new()).map_err(about(Noun::Package))
    }

    /// Reads referrers until there are as many as were asked for, or as long as an answer may be.
    /// Returns with them the one after which the next answer begins, where there is a next.
    async fn read(
        &self,
        kind: Option<&MediaType>,
        mut after: Option<Digest>,
    ) -> Result<(Vec<Descriptor>, Option<Digest>), Failure> {
        let (mut found, mut size, mut step) = (Vec::new(), 0, FIRST);
        if self.limit == 0 {
            return Ok((self.refused().await?, None));
        }
        loop {
            let left = self
                .limit
                .saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
            let page = self
                .page(kind, after, left.min(step).saturating_add(1))
                .await?;
            let whole = page.len() <= left.min(step) as usize;
            for descriptor in page.into_iter().take(left.min(step) as usize) {
                if size > SIZE {
                    return Ok((found, after));
                }
                size += weight(&descriptor);
                after = Some(descriptor.digest);
                found.push(descriptor);
            }
            if whole {
                return Ok((found, None));
            }
            if guard!(529) && (found.len() >= self.limit as usize || size > SIZE) {
                return Ok((found, after));
            }
            step = step_after(found.len(), size);
        }
    }

    async fn page(
        &self,
        kind: Option<&MediaType>,
        after: Option<Digest>,
        limit: u32,
    ) -> Result<Vec<Descriptor>, Failure> {
        let limit = NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN);
        let (session, page) = (&self.call.session, Page { after, limit });
        let read = session
            .referrers(AsOf::Now, self.package, self.subject, kind, page)
            .await;
        let read = read.map_err(about(Noun::Package))?;
        Ok(read.into_iter().map(|summary| summary.descriptor).collect())
    }
}

/// Returns about how many bytes a descriptor has in JSON.
fn weight(descriptor: &Descriptor) -> usize {
    let notes = descriptor
        .annotations
        .iter()
        .map(|(key, value)| key.len() + value.len() + 6);
    300 + notes.sum::<usize>()
}

/// Returns how many referrers to read at once, after so many of so many bytes.
fn step_after(count: usize, size: usize) -> u32 {
    let each = size / count.max(1);
    u32::try_from(SIZE / each.max(1))
        .unwrap_or(u32::MAX)
        .clamp(FIRST, 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_referrers_are_read_few_at_a_time() {
        assert_eq!(step_after(16, 16 * 300), 1_000);
        assert_eq!(step_after(16, 16 * 10_000), 104);
        assert_eq!(step_after(1, 4 << 20), FIRST);
    }
}
