//! `artifact doctor`

use std::path::PathBuf;

use artifact::ErrorKind;
use clap::Args;
use serde::Serialize;

use crate::{
    checkup::{
        check::{Check, Outcome},
        directory, machine, server,
    },
    context::Context,
    desk::options,
    failure::Failure,
    find,
    names::plural,
    output::{Report, table},
    reference::{Reference, Shelf},
};

/// Look what is wrong with a directory, this machine, or a server, hop by hop
///
/// Each check says what was found, and what to do where it is not good. It changes nothing but what every
/// open of the directory mends.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact doctor                                    the registry that the other commands use
  artifact doctor /srv/registry
  artifact doctor oci://registry.example             name, connection, TLS, protocol, login
  artifact doctor oci://registry.example/team/app    and one package of it
")]
pub(crate) struct DoctorArgs {
    /// A registry's directory, or a server: oci://HOST[:PORT][/NAME]
    patient: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Findings {
    healthy: bool,
    checks: Vec<Check>,
}

impl Report for Findings {
    fn text(&self) -> String {
        let mut rows = Vec::new();
        for check in &self.checks {
            let [subject, name] = [check.subject, check.name].map(str::to_owned);
            rows.push([
                check.outcome.word().to_owned(),
                subject,
                name,
                check.finding.clone(),
            ]);
            if let Some(remedy) = &check.remedy {
                let blank = String::new;
                rows.push([blank(), blank(), blank(), format!("try: {remedy}")]);
            }
        }
        table(&rows)
    }
}

pub(crate) async fn run(context: &Context, args: DoctorArgs) -> Result<(), Failure> {
    let checks = match args.patient.as_deref().filter(|text| text.contains("://")) {
        Some(url) => server_checks(context, url).await?,
        None => directory_checks(context, args.patient.map(PathBuf::from)).await?,
    };
    let failed = checks
        .iter()
        .filter(|check| check.outcome == Outcome::Failed)
        .count();
    let healthy = failed == 0;
    context.output.show(&Findings { healthy, checks })?;
    if healthy {
        return Ok(());
    }
    let what = format!("{} failed", plural(failed, "check", "checks"));
    Err(Failure::new(ErrorKind::Unknown, what).remedy("do what stands beside each"))
}

async fn directory_checks(
    context: &Context,
    named: Option<PathBuf>,
) -> Result<Vec<Check>, Failure> {
    let path = match find::registry(context.directory(named)) {
        Ok(path) => path,
        // Without a registry there is the machine to look at.
        Err(failure) if failure.is_absence() => {
            context
                .output
                .note("no registry is here or above: only the machine is looked at");
            return Ok(machine::look(None, None).all);
        }
        Err(failure) => return Err(failure),
    };
    let (directory, newest) = directory::look(&path, &options()?).await;
    let place = path.is_dir().then_some(path.as_path());
    let machine = machine::look(place, newest);
    Ok(directory.all.into_iter().chain(machine.all).collect())
}

async fn server_checks(context: &Context, url: &str) -> Result<Vec<Check>, Failure> {
    // A browser's way to write it is understood, too.
    let url = match url.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => format!("oci+{scheme}://{rest}"),
        _ => url.to_owned(),
    };
    let url = url
        .strip_suffix("/v2/")
        .or_else(|| url.strip_suffix("/v2"))
        .unwrap_or(&url);
    let (origin, name) = match url.parse::<Shelf>().map_err(Failure::usage)? {
        Shelf::Host(origin) => (origin, None),
        Shelf::Of(Reference::Remote(origin, name, _)) => (origin, Some(name)),
        Shelf::Of(_) => return Err(Failure::usage("it is no server").at(url)),
    };
    Ok(server::look(&context.common, &origin, name.as_ref())
        .await
        .all)
}
