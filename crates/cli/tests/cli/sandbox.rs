//! The command in a directory of its own, away from the user's files and settings.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process;

use snapbox::cmd::Command;
use tempfile::TempDir;

pub(crate) struct Sandbox {
    directory: TempDir,
    store: Option<String>,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), store: None }
    }

    /// One whose store, unless `--store` names another, is a table of its own.
    #[cfg(feature = "aws")]
    pub(crate) fn on_dynamodb() -> Self {
        use zae_limiter_conformance::engine::{endpoint, table_name};
        let store =
            format!("dynamodb://{}?region=us-east-1&endpoint_url={}&create=true", table_name(), endpoint());
        Self { store: Some(store), ..Self::new() }
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

    /// `zae-limiter` with these arguments, separated by blanks. The store is the sandbox's, else the default one, inside it.
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
        if let Some(store) = &self.store {
            command.env("ZAE_LIMITER_STORE", store);
        }
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

/// Makes two tests of a function that takes a sandbox: with a SQLite store, and with a DynamoDB table.
#[cfg(feature = "sqlite")]
macro_rules! on_each_store {
    ($($case:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[test]
            fn $case() {
                super::$case(&super::Sandbox::new());
            })*
        }

        #[cfg(feature = "aws")]
        mod on_dynamodb {
            $(#[test]
            fn $case() {
                super::$case(&super::Sandbox::on_dynamodb());
            })*
        }
    };
}
#[cfg(feature = "sqlite")]
pub(crate) use on_each_store;
