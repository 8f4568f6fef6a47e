//! Lists of what there is: packages, tags, manifests; from the registry and from elsewhere.

use artifact::{
    AsOf, Digest, ManifestSummary, OciName, Scope, TagRecord,
    layout::{LayoutEntry, LayoutError, OciLayout},
};
use artifact_proto::client::{ClientError, OciClient, Origin, RemotePackage};
use futures::TryStreamExt as _;
use serde::Serialize;

use crate::{
    failure::{At as _, Failure},
    names::PackageDocument,
    open::{Opened, page},
    output::{Report, printable, table},
};

#[derive(Serialize)]
pub(crate) struct Packages {
    packages: Vec<PackageDocument>,
}

impl Report for Packages {
    fn text(&self) -> String {
        self.packages
            .iter()
            .map(|package| format!("{}\n", package.name))
            .collect()
    }
}

#[derive(Serialize)]
pub(crate) struct Names {
    registry: String,
    packages: Vec<String>,
}

impl Report for Names {
    fn text(&self) -> String {
        self.packages
            .iter()
            .map(|name| format!("{name}\n"))
            .collect()
    }
}

#[derive(Serialize)]
pub(crate) struct Tags {
    package: String,
    tags: Vec<TagDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TagDocument {
    tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_at: Option<String>,
}

impl From<&TagRecord> for TagDocument {
    fn from(record: &TagRecord) -> Self {
        Self {
            tag: Some(record.tag.to_string()),
            digest: Some(record.digest.to_string()),
            generation: Some(record.generation.get()),
            revision: Some(record.revision.get()),
            changed_at: Some(record.changed_at.to_string()),
        }
    }
}

impl TagDocument {
    fn row(&self) -> [String; 4] {
        let generation = self.generation.map(|number| format!("g{number}"));
        [
            self.tag
                .as_deref()
                .map_or_else(|| "-".to_owned(), printable),
            self.digest.clone().unwrap_or_default(),
            generation.unwrap_or_default(),
            self.changed_at.clone().unwrap_or_default(),
        ]
    }
}

impl Report for Tags {
    fn text(&self) -> String {
        table(&self.tags.iter().map(TagDocument::row).collect::<Vec<_>>())
    }
}

#[derive(Serialize)]
pub(crate) struct Manifests {
    package: String,
    manifests: Vec<ManifestDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ManifestDocument {
    digest: String,
    size: u64,
    media_type: String,
    artifact_type: Option<String>,
    subject: Option<String>,
    tags: Vec<String>,
    revision: u64,
    first_seen_at: String,
}

impl Report for Manifests {
    fn text(&self) -> String {
        let row = |manifest: &ManifestDocument| {
            let kind = manifest
                .artifact_type
                .as_ref()
                .unwrap_or(&manifest.media_type);
            let tags = if manifest.tags.is_empty() {
                "-".to_owned()
            } else {
                manifest.tags.join(" ")
            };
            [
                manifest.digest.clone(),
                kind.clone(),
                tags,
                manifest.first_seen_at.clone(),
            ]
        };
        table(&self.manifests.iter().map(row).collect::<Vec<_>>())
    }
}

impl Packages {
    /// Lists the packages whose name begins so.
    pub(crate) async fn below(opened: &Opened, at: AsOf, prefix: &str) -> Result<Self, Failure> {
        let mut packages = Vec::new();
        let mut after = (!prefix.is_empty()).then(|| prefix.to_owned());
        loop {
            let found = opened
                .session
                .list_packages(at, &Scope::all(), page(after))
                .await;
            let found = found.at(opened.path.display())?;
            let Some(last) = found.last() else { break };
            let ends = !last.oci_name().starts_with(prefix);
            after = Some(last.oci_name());
            let here = found.iter().map(PackageDocument::from);
            packages.extend(here.filter(|package| package.name.starts_with(prefix)));
            if ends {
                break;
            }
        }
        Ok(Self { packages })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packages.is_empty()
    }
}

impl Names {
    /// Lists the packages of a remote registry.
    pub(crate) async fn of(client: &OciClient, origin: &Origin) -> Result<Self, Failure> {
        let names = client.catalog(origin).map_ok(|name| name.to_string());
        let packages = names.try_collect().await.at(origin)?;
        Ok(Self {
            registry: origin.to_string(),
            packages,
        })
    }
}

impl Tags {
    /// Lists the tags of a package.
    pub(crate) async fn of_package(
        opened: &Opened,
        at: AsOf,
        name: &OciName,
    ) -> Result<Self, Failure> {
        let tags = tags(opened, at, name).await?;
        Ok(Self {
            package: name.to_string(),
            tags: tags.iter().map(TagDocument::from).collect(),
        })
    }

    /// Lists the tags of a package of a remote registry, which tells no more than their names.
    pub(crate) async fn of_remote(package: &RemotePackage) -> Result<Self, ClientError> {
        let tags = package
            .tags()
            .map_ok(|tag| TagDocument::named(Some(tag.to_string()), None));
        Ok(Self {
            package: package.to_string(),
            tags: tags.try_collect().await?,
        })
    }

    /// Lists what a layout lists.
    pub(crate) async fn of_layout(layout: &OciLayout) -> Result<Self, LayoutError> {
        let tag =
            |entry: LayoutEntry| TagDocument::named(entry.name, Some(entry.descriptor.digest));
        let tags = layout.entries().await?.into_iter().map(tag).collect();
        Ok(Self {
            package: format!("oci:{}", layout.path().display()),
            tags,
        })
    }
}

impl TagDocument {
    fn named(tag: Option<String>, digest: Option<Digest>) -> Self {
        let digest = digest.map(|digest| digest.to_string());
        Self {
            tag,
            digest,
            generation: None,
            revision: None,
            changed_at: None,
        }
    }
}

impl Manifests {
    /// Lists the manifests of a package with the tags that point at each.
    pub(crate) async fn of(opened: &Opened, at: AsOf, name: &OciName) -> Result<Self, Failure> {
        let tags = tags(opened, at, name).await?;
        let package = opened.package(at, name).await?;
        let mut manifests = Vec::new();
        let mut after = None;
        loop {
            let found = opened
                .session
                .list_manifests(at, &package, page(after))
                .await
                .at(name)?;
            let Some(last) = found.last() else { break };
            after = Some(last.descriptor.digest);
            manifests.extend(
                found
                    .iter()
                    .map(|summary| ManifestDocument::new(summary, &tags)),
            );
        }
        Ok(Self {
            package: name.to_string(),
            manifests,
        })
    }
}

impl ManifestDocument {
    fn new(summary: &ManifestSummary, tags: &[TagRecord]) -> Self {
        let descriptor = &summary.descriptor;
        let own = tags.iter().filter(|tag| tag.digest == descriptor.digest);
        Self {
            digest: descriptor.digest.to_string(),
            size: descriptor.size,
            media_type: descriptor.media_type.to_string(),
            artifact_type: descriptor.artifact_type.as_ref().map(ToString::to_string),
            subject: summary.subject.map(|subject| subject.to_string()),
            tags: own.map(|tag| tag.tag.to_string()).collect(),
            revision: summary.revision.get(),
            first_seen_at: summary.first_seen_at.to_string(),
        }
    }
}

/// Reads all tags of a package.
async fn tags(opened: &Opened, at: AsOf, name: &OciName) -> Result<Vec<TagRecord>, Failure> {
    let package = opened.package(at, name).await?;
    let mut tags: Vec<TagRecord> = Vec::new();
    loop {
        let after = tags.last().map(|last| last.tag.clone());
        let found = opened
            .session
            .list_tags(at, &package, page(after))
            .await
            .at(name)?;
        if found.is_empty() {
            return Ok(tags);
        }
        tags.extend(found);
    }
}
