//! A linked program: this test again, which has the registry open in its own process and does what it
//! is told, line by line.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use artifact::{
    AsOf, BlobRange, CollectOptions, Condition, Error, ErrorKind, OciName, PackageRef, PutManifest,
    Registry, Revision, Tag, UploadOptions, blocking::Session,
};

use super::{
    ask::{Answer, Ask, Outcome, What},
    goods::{GOODS, STOCK, image_of},
    server::memory_of,
};

const ROLE: &str = "ARTIFACT_SOAK_REGISTRY";
/// What begins a line that is meant for the parent; the harness writes others.
const MARK: &str = "@";
/// How long a call may take on a machine that does much else.
const LONG: Duration = Duration::from_secs(120);

/// Not a test of its own: what the other process runs.
#[test]
fn role() {
    let Some(directory) = std::env::var_os(ROLE) else {
        return;
    };
    let registry = Registry::open(Path::new(&directory)).unwrap();
    let session = registry.blocking();
    println!("{MARK}ready");
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let ask: Ask = serde_json::from_str(&line).unwrap();
        let answer = answer(&session, &ask).unwrap_or_else(|error| match error.kind() {
            ErrorKind::NotFound => Answer::Absent,
            _ => Answer::Failed(format!("{error:?}")),
        });
        println!("{MARK}{}", serde_json::to_string(&answer).unwrap());
    }
}

fn answer(session: &Session, ask: &Ask) -> Result<Answer, Error> {
    match ask {
        Ask::Push {
            package,
            tag,
            image,
        } => push(session, &resolve(session, package)?, tag, *image),
        Ask::Mount {
            package,
            from,
            content,
        } => {
            let (package, from) = (resolve(session, package)?, resolve(session, from)?);
            let mounted = session.mount(&package, &GOODS[*content].digest, Some(&from))?;
            Ok(mounted.map_or(Answer::Absent, |_| Answer::Done))
        }
        Ask::Tag {
            package,
            tag,
            image,
        } => {
            let (package, tag) = (resolve(session, package)?, named(tag));
            let digest = STOCK[*image].manifest.digest();
            session.put_tag(&package, &tag, &digest, &Condition::Any)?;
            Ok(Answer::Done)
        }
        Ask::Untag { package, tag } => {
            let package = resolve(session, package)?;
            session.delete_tag(&package, &named(tag), &Condition::Any)?;
            Ok(Answer::Done)
        }
        Ask::Delete { package, image } => {
            let package = resolve(session, package)?;
            session.delete_manifest(&package, &STOCK[*image].manifest.digest())?;
            Ok(Answer::Done)
        }
        Ask::Read { package, what } => read(session, &resolve(session, package)?, what),
        Ask::Collect => {
            session.collect(&CollectOptions::default().allowing_mass_delete())?;
            Ok(Answer::Done)
        }
    }
}

fn resolve(session: &Session, package: &str) -> Result<PackageRef, Error> {
    let name: OciName = package.parse().unwrap();
    session.resolve(AsOf::Now, &name)
}

fn named(tag: &str) -> Tag {
    tag.parse().unwrap()
}

fn push(session: &Session, package: &PackageRef, tag: &str, image: usize) -> Result<Answer, Error> {
    let image = &STOCK[image];
    for content in image.contents.map(|number| &GOODS[number]) {
        match session.stat_blob(AsOf::Now, package, &content.digest) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut upload = session.begin_upload(package, UploadOptions::default())?;
                let written = upload.write_all(&content.bytes);
                if let Err(error) = written {
                    return Ok(Answer::Failed(format!("the upload broke: {error}")));
                }
                upload.finish(Some(&content.digest))?;
            }
            Err(error) => return Err(error),
        }
    }
    let options = PutManifest::tagged(vec![named(tag)]);
    let published = session.put_manifest(package, &image.manifest, &options);
    match published {
        Ok(_) => Ok(Answer::Done),
        // Here nothing may be absent: all of it was pushed.
        Err(error) => Ok(Answer::Failed(format!("{error:?}"))),
    }
}

fn read(session: &Session, package: &PackageRef, what: &What) -> Result<Answer, Error> {
    let revision = session.revision()?.revision;
    let (at, coordinate) = match what {
        What::Tag(tag) => (AsOf::Now, package.at(named(tag))),
        What::Image(image) => (AsOf::Now, package.at(STOCK[*image].manifest.digest())),
        What::Then(tag, then) => (AsOf::Revision(Revision::new(*then)), package.at(named(tag))),
    };
    let found = session.get_manifest(at, &coordinate)?;
    let Some(image) = image_of(&found.record.digest.to_string()) else {
        return Ok(Answer::Broken("a manifest that nobody pushed".to_owned()));
    };
    for content in STOCK[image].contents.map(|number| &GOODS[number]) {
        let mut bytes = Vec::new();
        let read = session
            .read_blob(at, package, &content.digest, BlobRange::All)
            .map_err(|error| format!("{error:?}"))
            .and_then(|mut blob| {
                blob.read_to_end(&mut bytes)
                    .map_err(|error| error.to_string())
            });
        if let Err(error) = read {
            return Ok(Answer::Broken(format!("{}: {error}", content.digest)));
        }
        if bytes != content.bytes {
            return Ok(Answer::Broken(format!("{} is wrong", content.digest)));
        }
    }
    Ok(Answer::Found(image, Some(revision.get())))
}

/// The other process, as its parent has it. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Linked {
    process: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Linked {
    pub(crate) fn start(registry: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "linked::role", "--nocapture"])
            .env(ROLE, registry)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some((_, said)) = line.split_once(MARK)
                    && send.send(said.to_owned()).is_err()
                {
                    return;
                }
            }
        });
        let input = process.stdin.take().unwrap();
        let linked = Self {
            process,
            input,
            lines,
        };
        let ready = linked.lines.recv_timeout(LONG);
        assert_eq!(
            ready.as_deref(),
            Ok("ready"),
            "a crash left a registry that does not open (I24)"
        );
        linked
    }

    /// Makes a call; one that is not answered within `patience` is killed under the caller.
    pub(crate) fn ask(&mut self, ask: &Ask, patience: Option<Duration>) -> Outcome {
        let line = serde_json::to_string(ask).unwrap();
        writeln!(self.input, "{line}").unwrap();
        let said = match self.lines.recv_timeout(patience.unwrap_or(LONG)) {
            Err(RecvTimeoutError::Timeout) if patience.is_some() => {
                self.kill();
                // What it said before it died was said.
                self.lines.recv().ok()
            }
            said => Some(said.unwrap_or_else(|error| panic!("{ask:?}: {error}"))),
        };
        said.map_or(Outcome::Unknown, |said| {
            Outcome::Told(serde_json::from_str(&said).unwrap())
        })
    }

    /// Returns the most memory that it had, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        memory_of(self.process.id())
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Linked {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _killed = self.process.kill();
        let _status = self.process.wait();
    }
}
