//! `artifact inspect`

use artifact::{Annotations, ManifestRef, transfer::Place};
use clap::Args;
use serde::Serialize;

use crate::{
    content::NamedDocument,
    context::Context,
    desk::{Desk, Source},
    failure::{At as _, Failure},
    moment::Moment,
    output::{Report, print, printable, table},
    reference::{GRAMMAR, Reference},
    size::bytes,
};

/// Show what an artifact is: its manifest, its tag, what refers to it
#[derive(Args, Debug)]
#[command(after_help = format!("\
Examples:
  artifact inspect team/app:v1
  artifact inspect team/app:v1 --manifest | jq .layers
  artifact inspect team/app:v1 --as-of 41
  artifact inspect oci://registry.example/team/app:v1 --json

{GRAMMAR}"))]
pub(crate) struct InspectArgs {
    /// The artifact
    reference: Reference,
    /// Print the bytes of the manifest as they are, and nothing else
    #[arg(long)]
    manifest: bool,
    /// As it was: a revision, a time, or how long ago
    #[arg(long, value_name = "MOMENT")]
    as_of: Option<Moment>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inspected {
    reference: String,
    digest: String,
    size: u64,
    media_type: String,
    artifact_type: Option<String>,
    subject: Option<String>,
    annotations: Annotations,
    content: Vec<NamedDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<Here>,
    referrers: Vec<Referrer>,
}

/// What the registry here knows beside the manifest.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Here {
    package: String,
    repository: String,
    revision: u64,
    first_seen_at: String,
    published_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<TagHere>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TagHere {
    name: String,
    generation: u64,
    revision: u64,
    changed_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Referrer {
    digest: String,
    artifact_type: Option<String>,
    annotations: Annotations,
}

impl From<&artifact::Descriptor> for Referrer {
    fn from(descriptor: &artifact::Descriptor) -> Self {
        Self {
            digest: descriptor.digest.to_string(),
            artifact_type: descriptor.artifact_type.as_ref().map(ToString::to_string),
            annotations: descriptor.annotations.clone(),
        }
    }
}

impl Report for Inspected {
    fn text(&self) -> String {
        let mut rows = vec![
            ["digest", &self.digest].map(str::to_owned),
            [
                "type".to_owned(),
                printable(self.artifact_type.as_ref().unwrap_or(&self.media_type)),
            ],
            [
                "manifest".to_owned(),
                format!("{} of {}", bytes(self.size), printable(&self.media_type)),
            ],
        ];
        if let Some(subject) = &self.subject {
            rows.push(["refers to", subject].map(str::to_owned));
        }
        if let Some(here) = &self.registry {
            rows.extend(here.rows());
        }
        let notes = self.annotations.iter();
        rows.extend(notes.map(|(key, value)| [printable(key), printable(value)]));
        let mut text = table(&rows);
        text.push_str(&table(
            &self
                .content
                .iter()
                .map(NamedDocument::row)
                .collect::<Vec<_>>(),
        ));
        if !self.referrers.is_empty() {
            text.push_str("referred to by\n");
            let row = |referrer: &Referrer| {
                let kind = referrer
                    .artifact_type
                    .as_deref()
                    .map(printable)
                    .unwrap_or_default();
                [format!("  {}", referrer.digest), kind]
            };
            text.push_str(&table(&self.referrers.iter().map(row).collect::<Vec<_>>()));
        }
        text
    }
}

impl Here {
    fn rows(&self) -> Vec<[String; 2]> {
        let mut rows = vec![
            ["repository".to_owned(), self.repository.clone()],
            [
                "first seen".to_owned(),
                format!("{} (revision {})", self.first_seen_at, self.revision),
            ],
        ];
        if let Some(time) = &self.published_at {
            rows.push(["published", time].map(str::to_owned));
        }
        if let Some(tag) = &self.tag {
            let since = format!(
                "{} since {} (revision {}), generation {}",
                tag.name, tag.changed_at, tag.revision, tag.generation
            );
            rows.push(["tag".to_owned(), since]);
        }
        rows
    }
}

pub(crate) async fn run(context: &Context, args: InspectArgs) -> Result<(), Failure> {
    let mut desk = Desk::new(context, true);
    let source = desk.source(&args.reference, args.as_of).await?;
    let wanted = source.wanted();
    let manifest = source.manifest().await?;
    if args.manifest {
        print(manifest.bytes())?;
        return Ok(());
    }
    let registry = here(&source, &wanted).await?;
    let referrers = source.place.referrers(&manifest.digest()).await;
    let referrers = referrers.at(&source.shown)?;
    context.output.show(&Inspected {
        reference: source.shown.clone(),
        digest: manifest.digest().to_string(),
        size: manifest.size(),
        media_type: manifest.media_type().to_string(),
        artifact_type: manifest.artifact_type().map(ToString::to_string),
        subject: manifest.subject().map(|subject| subject.digest.to_string()),
        annotations: manifest.annotations().clone(),
        content: NamedDocument::of(&manifest),
        registry,
        referrers: referrers.iter().map(Referrer::from).collect(),
    })
}

async fn here(source: &Source, wanted: &ManifestRef) -> Result<Option<Here>, Failure> {
    let Place::Local(local) = &source.place else {
        return Ok(None);
    };
    let found = local
        .session
        .get_manifest(local.at, &local.package.at(wanted.clone()))
        .await;
    let found = found.at(&source.shown)?;
    let tag = found.tag.map(|tag| TagHere {
        name: tag.tag.to_string(),
        generation: tag.generation.get(),
        revision: tag.revision.get(),
        changed_at: tag.changed_at.to_string(),
    });
    Ok(Some(Here {
        package: local.package.oci_name(),
        repository: local.package.repository.to_string(),
        revision: found.record.revision.get(),
        first_seen_at: found.record.first_seen_at.to_string(),
        published_at: found.record.published_at.map(|time| time.to_string()),
        tag,
    }))
}
