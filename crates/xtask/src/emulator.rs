//! The emulator of AWS that the tests of stacks and functions run on, and what they need beside it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::engine::{Running, free_port};
use crate::python;
use crate::steps::{cargo, command, root, run};

/// The emulator, the linter of templates, and what the tests speak to the emulator with.
const PACKAGES: [&str; 3] = ["ministack==1.5.33", "cfn-lint==1.58.0", "botocore==1.43.106"];

/// Emulators that run for as long as this is kept.
pub(crate) struct Emulators {
    /// Lets everybody do everything.
    open: Running,
    /// Holds everybody to what IAM allows them.
    guarded: Running,
    python: PathBuf,
}

impl Emulators {
    /// Installs and starts the emulators, and builds the command line as it is shipped: it is the function that they run.
    /// `None` where there is no Python: then their tests are left out.
    pub(crate) fn start() -> Result<Option<Self>, String> {
        if !python::is_there("what is deployed in AWS is")? {
            return Ok(None);
        }
        let python = installed()?;
        cargo(&["build", "--release", "--package", "zae-limiter-cli"])?;
        let (open, guarded) = (ministack(&python, false)?, ministack(&python, true)?);
        Ok(Some(Self { open, guarded, python }))
    }

    /// How the tests find them.
    pub(crate) fn environment(&self) -> [(&'static str, OsString); 4] {
        [
            ("ZAE_LIMITER_TEST_AWS", self.open.endpoint().into()),
            ("ZAE_LIMITER_TEST_AWS_GUARDED", self.guarded.endpoint().into()),
            ("ZAE_LIMITER_TEST_PYTHON", self.python.clone().into()),
            ("ZAE_LIMITER_TEST_RELEASE", target().join("release/zae-limiter").into()),
        ]
    }
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The Python of an environment that has all packages.
fn installed() -> Result<PathBuf, String> {
    let place = target().join("engines/ministack");
    let python = place.join("bin/python");
    let done = place.join("installed.txt");
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    run(command("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(command_of(&python).args(pip).args(PACKAGES))?;
    fs::write(&done, wanted).map_err(|error| format!("{} cannot be written: {error}", done.display()))?;
    Ok(python)
}

fn command_of(program: &Path) -> std::process::Command {
    command(&program.to_string_lossy())
}

fn ministack(python: &Path, guarded: bool) -> Result<Running, String> {
    let port = free_port()?;
    let mut server = command_of(&python.with_file_name("ministack"));
    server
        .env("GATEWAY_PORT", port.to_string())
        .env("BIND_HOST", "127.0.0.1")
        .env("IOT_MTLS_ENABLED", "0")
        // Functions that it starts would call the real AWS otherwise.
        .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"))
        .env("AUTH", guarded.to_string())
        // The one key that may do everything.
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Running::start(&mut server, port, if guarded { "ministack (with IAM)" } else { "ministack" })
}
