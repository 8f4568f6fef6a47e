//! The door of the command line: the program, run anew for each call.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    ask::{Answer, Ask, Outcome, What},
    goods::{GOODS, STOCK, image_of},
    setup::Setup,
};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_artifact");
/// Its exit code for what is not there.
const ABSENT: i32 = 3;
/// That of a collection beside another, which does nothing.
const BUSY: i32 = 7;

/// Somebody at a command line.
#[derive(Debug)]
pub(crate) struct Program {
    setup: Arc<Setup>,
    /// Where copies are put.
    scratch: TempDir,
    copies: usize,
}

impl Program {
    pub(crate) fn new(setup: &Arc<Setup>) -> Self {
        Self {
            setup: Arc::clone(setup),
            scratch: tempfile::tempdir().unwrap(),
            copies: 0,
        }
    }

    /// Makes a call; a run that has not ended within `patience` is killed.
    pub(crate) fn ask(&mut self, ask: &Ask, patience: Option<Duration>) -> Outcome {
        let at =
            |package: &str, image: usize| format!("{package}@{}", STOCK[image].manifest.digest());
        let arguments = match ask {
            Ask::Push {
                package,
                tag,
                image,
            } => {
                let from = self.setup.image(*image);
                vec!["cp".to_owned(), from, format!("{package}:{tag}")]
            }
            Ask::Tag {
                package,
                tag,
                image,
            } => vec!["tag".to_owned(), at(package, *image), tag.clone()],
            Ask::Untag { package, tag } => vec!["untag".to_owned(), format!("{package}:{tag}")],
            Ask::Delete { package, image } => vec!["rm".to_owned(), at(package, *image)],
            Ask::Collect => vec!["gc".to_owned(), "--allow-mass-delete".to_owned()],
            Ask::Read { package, what } => return Outcome::Told(self.read(package, what)),
            Ask::Mount { .. } => return Outcome::Told(Answer::Absent),
        };
        let output = self.run(&arguments, patience);
        match output.status.code() {
            Some(0) => Outcome::Told(Answer::Done),
            Some(ABSENT) => Outcome::Told(Answer::Absent),
            Some(BUSY) if matches!(ask, Ask::Collect) => Outcome::Told(Answer::Done),
            None if patience.is_some() => Outcome::Unknown,
            _ => Outcome::Told(Answer::Failed(format!("{output:?}"))),
        }
    }

    fn run(&self, arguments: &[String], patience: Option<Duration>) -> Output {
        let begun = Instant::now();
        let mut process = Command::new(PROGRAM)
            .args(arguments)
            .arg("--json")
            .env("ARTIFACT_REGISTRY", &self.setup.registry)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while let Some(patience) = patience
            && process.try_wait().unwrap().is_none()
        {
            if begun.elapsed() > patience {
                process.kill().unwrap();
                break;
            }
            thread::sleep(Duration::from_micros(500));
        }
        process.wait_with_output().unwrap()
    }

    fn read(&mut self, package: &str, what: &What) -> Answer {
        let (reference, moment) = match what {
            What::Tag(tag) => (format!("{package}:{tag}"), None),
            What::Image(image) => {
                let digest = STOCK[*image].manifest.digest();
                (format!("{package}@{digest}"), None)
            }
            What::Then(tag, then) => (format!("{package}:{tag}"), Some(then)),
        };
        let moment = moment.map(|then| vec!["--as-of".to_owned(), then.to_string()]);
        let moment = moment.unwrap_or_default();
        self.copies += 1;
        let place = self.scratch.path().join(self.copies.to_string());
        let to = format!("oci:{}:copy", place.display());
        let words = [vec!["cp".to_owned(), reference, to], moment].concat();
        let output = self.run(&words, None);
        match output.status.code() {
            Some(0) => {}
            Some(ABSENT) => return Answer::Absent,
            _ => return Answer::Broken(format!("{output:?}")),
        }
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let digest = said["digest"].as_str().unwrap_or_default();
        let Some(image) = image_of(digest) else {
            return Answer::Broken(format!("a manifest that nobody pushed: {said}"));
        };
        let answer = compare(&place, image);
        fs::remove_dir_all(&place).unwrap();
        answer
    }
}

fn compare(place: &Path, image: usize) -> Answer {
    for content in STOCK[image].contents.map(|number| &GOODS[number]) {
        let path = place.join("blobs/sha256").join(content.digest.hex());
        match fs::read(&path) {
            Ok(bytes) if bytes == content.bytes => {}
            Ok(_) => return Answer::Broken(format!("{} is wrong", content.digest)),
            Err(error) => return Answer::Broken(format!("{}: {error}", path.display())),
        }
    }
    Answer::Found(image, None)
}
