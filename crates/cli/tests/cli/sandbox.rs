//! The command in a directory of its own, away from the user's files and settings.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process;

use snapbox::cmd::Command;
use tempfile::TempDir;

pub(crate) struct Sandbox {
    directory: TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A new file.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// `zae-limiter` with these arguments, separated by blanks. The store is the default one, inside the sandbox.
    pub(crate) fn zae(&self, arguments: &str) -> Command {
        self.zae_with(&arguments.split_whitespace().collect::<Vec<_>>())
    }

    /// The same with arguments that may contain blanks.
    pub(crate) fn zae_with(&self, arguments: &[&str]) -> Command {
        Command::from_std(self.process(arguments))
    }

    /// The same as a process of the standard library.
    pub(crate) fn process(&self, arguments: &[&str]) -> process::Command {
        let mut command = self.program(snapbox::cmd::cargo_bin!("zae-limiter"));
        command.args(arguments);
        command
    }

    /// Any program inside the sandbox.
    pub(crate) fn program(&self, program: impl AsRef<OsStr>) -> process::Command {
        let mut command = process::Command::new(program);
        command.current_dir(self.directory.path()).env_remove("ZAE_LIMITER_STORE");
        command.env("XDG_DATA_HOME", self.path("data")).env("HOME", self.directory.path());
        command
    }

    /// The JSON that a command prints when it succeeds.
    pub(crate) fn json(&self, arguments: &str) -> serde_json::Value {
        let output = self.zae(arguments).arg("--json").output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn default_store(&self) -> PathBuf {
        self.path("data/zae-limiter/limits.db")
    }
}

/// The root of the workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
