//! An emulator of AWS, and the command line that is used on it.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use snapbox::cmd::Command as Checked;
use tempfile::TempDir;
use zae_limiter::dynamodb::version::InfrastructureVersion;
use zae_limiter::dynamodb::{DynamoDbOptions, TableAdmin};
use zae_limiter::{Block, SystemClock};
use zae_limiter_conformance::engine::table_name;

/// A table of its own on an emulator.
pub(crate) struct Cloud {
    pub(crate) endpoint: String,
    pub(crate) table: String,
    pub(crate) stack: String,
    python: OsString,
    release: PathBuf,
    directory: TempDir,
    pub(crate) keys: (String, String),
}

impl Cloud {
    /// The emulator that lets everybody do everything. `None`, and said so, where there is none.
    pub(crate) fn open() -> Option<Self> {
        Self::at("ZAE_LIMITER_TEST_AWS")
    }

    /// The emulator that holds everybody to what IAM allows them; to begin with, everything.
    pub(crate) fn guarded() -> Option<Self> {
        Self::at("ZAE_LIMITER_TEST_AWS_GUARDED")
    }

    fn at(variable: &str) -> Option<Self> {
        let Ok(endpoint) = std::env::var(variable) else {
            assert!(std::env::var_os("ZAE_LIMITER_TEST_COMPLETE").is_none(), "there is no {variable}");
            // Not by a macro, whose output tests that pass do not show.
            std::io::stderr()
                .write_all(b"SKIPPED: there is no emulator of AWS (cargo xtask test starts it)\n")
                .unwrap();
            return None;
        };
        let table = table_name();
        Some(Self {
            endpoint,
            stack: format!("zae-limiter-{}", table.replace('_', "-")),
            table,
            python: std::env::var_os("ZAE_LIMITER_TEST_PYTHON").unwrap(),
            release: std::env::var_os("ZAE_LIMITER_TEST_RELEASE").unwrap().into(),
            directory: TempDir::new().unwrap(),
            keys: ("test".to_owned(), "test".to_owned()),
        })
    }

    /// A new user with these policies, and everything from now on as that user.
    pub(crate) fn as_user(&mut self, name: &str, policies: &[&str]) {
        let user = format!("{name}-{}", self.table);
        let keys = self.ask("user", &[&[user.as_str()], policies].concat());
        self.keys = (keys["id"].as_str().unwrap().to_owned(), keys["secret"].as_str().unwrap().to_owned());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `zae-limiter` with these arguments, away from the user's settings, and with nothing said about the place.
    pub(crate) fn bare(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.release);
        command.args(arguments.split_whitespace()).current_dir(self.directory.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command.env_remove("ZAE_LIMITER_STORE").env("HOME", self.directory.path());
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// The same at the emulator, with keys.
    pub(crate) fn process(&self, arguments: &str) -> Command {
        let mut command = self.bare(arguments);
        command.env("AWS_ENDPOINT_URL", &self.endpoint).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", &self.keys.0).env("AWS_SECRET_ACCESS_KEY", &self.keys.1);
        command
    }

    pub(crate) fn zae(&self, arguments: &str) -> Checked {
        Checked::from_std(self.process(arguments))
    }

    /// A command about the table.
    pub(crate) fn on_table(&self, arguments: &str) -> Checked {
        self.zae(&format!("{arguments} --table-name {}", self.table))
    }

    /// A command of limiting, on the table.
    pub(crate) fn on_store(&self, arguments: &str, options: &str) -> Checked {
        self.zae(&format!("{arguments} --store dynamodb://{}?region=us-east-1{options}", self.table))
    }

    /// The JSON that a command about the table prints when it succeeds.
    pub(crate) fn json(&self, arguments: &str) -> Value {
        let output = self.on_table(arguments).arg("--json").output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What only the emulator can tell, see `aws.py`.
    pub(crate) fn ask(&self, action: &str, arguments: &[&str]) -> Value {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aws/aws.py");
        let mut command = Command::new(&self.python);
        command.arg(script).arg(&self.endpoint).arg(action).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{action}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn inventory(&self) -> Value {
        self.ask("inventory", &[&self.table, &self.stack])
    }

    /// Has the table remember other versions.
    pub(crate) fn set_version(&self, change: impl FnOnce(&mut InfrastructureVersion)) {
        let mut options = DynamoDbOptions::new(self.table.parse().unwrap());
        options.endpoint_url = Some(self.endpoint.clone());
        options.region = Some("us-east-1".to_owned());
        let admin =
            TableAdmin::connect(options, Arc::new(SystemClock), Arc::new(|most| most)).wait().unwrap();
        let mut version = admin.version().wait().unwrap().unwrap();
        change(&mut version);
        admin.set_version(version).wait().unwrap();
    }
}
