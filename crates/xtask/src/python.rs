//! The Python package: built as a wheel, and tested in an environment of its own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::emulator::Emulators;
use crate::engine::{Engine, build_dynoxide, dynamodb_local};
use crate::steps::{command, root, run, say, works};

#[derive(Args)]
pub(crate) struct Python {
    /// Also starts the emulator of AWS, on which the tests of stacks run.
    #[arg(long)]
    aws: bool,
    /// Passed on to pytest, for example `-k fork`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

impl Python {
    pub(crate) fn run(&self) -> Result<(), String> {
        build_dynoxide()?;
        let emulators = if self.aws { Emulators::start()? } else { None };
        test(&self.rest, emulators.iter().flat_map(Emulators::environment))
    }
}

/// With this set, no test may be left out.
const COMPLETE: &str = "ZAE_LIMITER_TEST_COMPLETE";

/// Whether there is a Python to test with. Without one, what is `untested` is left out, and said so.
pub(crate) fn is_there(untested: &str) -> Result<bool, String> {
    if works(command("python3").args(["-c", "import ensurepip, venv"])) {
        return Ok(true);
    }
    let missing = format!("Python 3 with venv is missing: {untested} NOT TESTED");
    say(&missing);
    if std::env::var_os(COMPLETE).is_some() { Err(missing) } else { Ok(false) }
}

/// Where the engine is that the tests start, for them to know.
const DYNOXIDE: &str = "ZAE_LIMITER_TEST_DYNOXIDE";

/// A virtual environment that has the wheel of this workspace and all that its tests need.
pub(crate) struct Environment(PathBuf);

impl Environment {
    /// The environment `target/NAME`, made by the first run: with the packages that `requirements` (below `crates/python`)
    /// lists, and the wheel of this workspace, built in `profile`.
    pub(crate) fn with_wheel(name: &str, requirements: &str, profile: &str) -> Result<Self, String> {
        let this = Self::of(name, requirements)?;
        let wheels = this.0.join("wheels");
        // What was built before may have another name.
        let _ = fs::remove_dir_all(&wheels);
        run(this
            .command("maturin")
            .args(["build", "--quiet", "--profile", profile, "--interpreter"])
            .arg(this.program("python"))
            .args(["--manifest-path", "crates/python/Cargo.toml", "--out"])
            .arg(&wheels))?;
        run(this
            .command("pip")
            .args([
                "install",
                "--quiet",
                "--no-index",
                "--no-deps",
                "--force-reinstall",
                "zae-limiter",
                "--find-links",
            ])
            .arg(&wheels))?;
        Ok(this)
    }

    /// The environment `target/NAME` with the packages alone.
    fn of(name: &str, requirements: &str) -> Result<Self, String> {
        let this = Self(root().join("target").join(name));
        if !this.program("python").exists() {
            run(command("python3").args(["-m", "venv"]).arg(&this.0))?;
        }
        this.install(&root().join("crates/python").join(requirements))?;
        Ok(this)
    }

    /// Installs what a file of requirements lists, unless that was done.
    fn install(&self, requirements: &Path) -> Result<(), String> {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let installed = self.0.join("installed.txt");
        if read(&installed) == read(requirements) {
            return Ok(());
        }
        run(self
            .command("pip")
            .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(requirements))?;
        fs::copy(requirements, &installed).map(drop).map_err(|error| error.to_string())
    }

    fn program(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }

    /// A command of the environment, in the root of the workspace.
    pub(crate) fn command(&self, program: &str) -> std::process::Command {
        let mut command = command(&self.program(program).to_string_lossy());
        command.env("VIRTUAL_ENV", &self.0);
        command
    }
}

/// Runs the tests of the package on memory, `SQLite` and the engines that there are, of which the environment tells.
pub(crate) fn test(
    rest: &[String],
    engines: impl IntoIterator<Item = (&'static str, OsString)>,
) -> Result<(), String> {
    if !is_there("the Python package is")? {
        return Ok(());
    }
    let environment = Environment::with_wheel("python", "tests/requirements.txt", "dev")?;
    run(environment
        .command("python")
        .current_dir(root().join("crates/python"))
        // What is left out is told.
        .args(["-m", "pytest", "--quiet", "-rs"])
        .args(rest)
        .env(DYNOXIDE, dynoxide())
        .envs(engines))
}

/// Measures the package beside others of its kind, which an environment of their own has.
pub(crate) fn bench(engine: Engine, rest: &[String]) -> Result<(), String> {
    let environment = Environment::with_wheel("python-bench", "bench/requirements.txt", "wheel")?;
    let rivals = Environment::of("python-rivals", "bench/rivals.txt")?;
    let store = ["--package", "zae-limiter-bench", "--features", "dynamodb"];
    run(command("cargo").args(["build", "--profile", "bench"]).args(store))?;
    let mut bench = environment.command("python");
    bench.arg("crates/python/bench/compare.py").arg("--rivals").arg(rivals.program("python"));
    bench.arg("--store").arg(root().join("target/release/bench")).args(rest);
    match engine {
        Engine::Dynoxide => {
            build_dynoxide()?;
            run(bench.env(DYNOXIDE, dynoxide()))
        }
        Engine::DynamodbLocal => {
            let running = dynamodb_local()?;
            run(bench.env("ZAE_LIMITER_TEST_ENDPOINT", running.endpoint()))
        }
    }
}

fn dynoxide() -> PathBuf {
    root().join("target/engines/debug/zae-limiter-engine-dynoxide")
}
