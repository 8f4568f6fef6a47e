//! A directory to work in, as a user would have one, and the program in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{run::Run, tree};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_artifact");

/// A directory to work in. Nothing of the user who runs the tests is seen there.
#[derive(Debug)]
pub(crate) struct Bench {
    directory: TempDir,
}

impl Bench {
    /// Makes an empty directory.
    pub(crate) fn bare() -> Self {
        Self::bare_in(&std::env::temp_dir())
    }

    /// Makes an empty directory in another one.
    pub(crate) fn bare_in(place: &Path) -> Self {
        let directory = tempfile::tempdir_in(place).unwrap();
        fs::create_dir(directory.path().join("home")).unwrap();
        Self { directory }
    }

    /// Makes a directory with a registry in `registry` and a tree of files in `build`.
    pub(crate) fn new() -> Self {
        let bench = Self::bare();
        bench.ok(["init"]);
        tree::make(&bench.path("build"));
        bench
    }

    /// Makes one whose registry has the tree as `team/build:1`.
    pub(crate) fn stocked() -> Self {
        let bench = Self::new();
        bench.ok(["push", "build", "team/build:1"]);
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the program with its arguments, to be run here.
    pub(crate) fn command<S: AsRef<str>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        self.prepare(PROGRAM, arguments)
    }

    /// Returns a program with its arguments and the environment of a new user.
    pub(crate) fn prepare<S: AsRef<str>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(program);
        for argument in arguments {
            command.arg(argument.as_ref());
        }
        command.current_dir(self.root()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path("home"));
        // Which guard is left out, where `make prove` asks.
        let without = "ARTIFACT_PROVE_WITHOUT";
        command.envs(std::env::var_os(without).map(|number| (without, number)));
        command.env("XDG_RUNTIME_DIR", self.path("home"));
        command
    }

    pub(crate) fn run<S: AsRef<str>>(&self, arguments: impl IntoIterator<Item = S>) -> Run {
        Run::of(&mut self.command(arguments))
    }

    /// Runs it, expects success, and returns what it printed.
    #[track_caller]
    pub(crate) fn ok<S: AsRef<str>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        self.run(arguments).ok()
    }

    /// Runs it with `--json`, expects success, and returns the document.
    #[track_caller]
    pub(crate) fn json<S: AsRef<str>>(&self, arguments: impl IntoIterator<Item = S>) -> Value {
        Run::of(self.command(arguments).arg("--json")).json()
    }

    /// Runs it for a person and for a program, and expects both to be refused with the code, to say
    /// each of `words`, and what to do; nothing may have changed.
    #[track_caller]
    pub(crate) fn refuses<S: AsRef<str> + Clone, const N: usize>(
        &self,
        arguments: [S; N],
        code: i32,
        words: &[&str],
    ) {
        let before = self.state();
        let text = self.run(arguments.clone());
        assert_eq!(text.code, code, "{text:#?}");
        assert!(
            text.err.contains("error: ") && text.out.is_empty(),
            "{text:#?}"
        );
        let json = Run::of(self.command(arguments).arg("--json"));
        assert_eq!(json.code, code, "{json:#?}");
        let error = json.error();
        assert_eq!(error["exitCode"], code, "{error}");
        let said = error.to_string().replace("\\\"", "\"");
        for word in words {
            assert!(text.err.contains(word), "{word} is not said: {text:#?}");
            assert!(said.contains(word), "{word} is not said: {said}");
        }
        let message = error["message"].as_str().unwrap();
        // The parser writes `<TAGS>...` for what may be given several times.
        let ends = message.ends_with('.') && !message.ends_with("...");
        assert!(!message.is_empty() && !ends, "{error}");
        // A remedy stands for itself or in the message, after a colon.
        let remedy = error["remedy"].as_str().unwrap_or_default();
        assert!(
            !remedy.is_empty() || message.contains(": "),
            "no remedy: {error}"
        );
        assert_eq!(self.state(), before, "a refusal changes nothing");
    }

    /// Expects a refusal that nothing can be done about.
    #[track_caller]
    pub(crate) fn refuses_without_remedy<S: AsRef<str>, const N: usize>(
        &self,
        arguments: [S; N],
        code: i32,
        word: &str,
    ) {
        let before = self.state();
        let run = self.run(arguments);
        assert_eq!(run.code, code, "{run:#?}");
        assert!(run.err.contains(word) && run.out.is_empty(), "{run:#?}");
        assert_eq!(self.state(), before, "a refusal changes nothing");
    }

    /// Returns the newest revision of the registry here, and the names in the directory.
    fn state(&self) -> (Option<u64>, Vec<String>) {
        let has_registry = self.path("registry/artifact.toml").exists();
        let arguments = ["history", "--blobs", "--limit", "1", "--json"];
        let history = has_registry.then(|| self.run(arguments));
        let head = history.filter(|run| run.code == 0).map(|run| {
            let commit = &run.document()["commits"][0];
            commit["revision"].as_u64().unwrap_or_default()
        });
        (head, tree::names(self.root()))
    }

    /// Returns the newest revision.
    #[track_caller]
    pub(crate) fn head(&self) -> u64 {
        self.state().0.expect("there is a registry")
    }

    /// Returns the digest that a reference stands for.
    #[track_caller]
    pub(crate) fn digest(&self, reference: &str) -> String {
        let document = self.json(["inspect", reference]);
        document["digest"].as_str().unwrap().to_owned()
    }

    /// Expects an artifact to be the tree in `build`.
    #[track_caller]
    pub(crate) fn holds_the_tree(&self, reference: &str) {
        self.ok(["pull", reference, "compared"]);
        let pulled = self.path("compared");
        assert_eq!(tree::contents(&pulled), tree::contents(&self.path("build")));
        fs::remove_dir_all(pulled).unwrap();
    }
}
