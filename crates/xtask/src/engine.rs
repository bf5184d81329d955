//! Engines that the tests of the DynamoDB store run on.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::steps::{cargo, command, root, run, say};

/// The package that Amazon's DynamoDB Local comes in. It is fetched when asked for, and never kept in the repository: its
/// licence forbids to pass it on.
const DYNAMODB_LOCAL: &str = "amplify-dynamodb-simulator@2.9.30";
/// Java's collector works only when memory is short, and not beside the engine: on a machine of two cores, one that does
/// keeps requests waiting. A large young generation makes that rare.
const COLLECTOR: [&str; 3] = ["-XX:+UseSerialGC", "-Xms1g", "-Xmn512m"];
/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// What stands in for DynamoDB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// In memory, started by the tests themselves.
    #[default]
    Dynoxide,
    /// Amazon's own; needs npm and Java.
    DynamodbLocal,
}

/// An engine that runs for as long as this is kept.
pub(crate) struct Running {
    process: Child,
    endpoint: String,
}

impl Running {
    /// Starts a server, and waits until it listens on `port`.
    pub(crate) fn start(server: &mut Command, port: u16, name: &str) -> Result<Self, String> {
        let process = server.spawn().map_err(|error| format!("{name} could not be started: {error}"))?;
        let mut running = Self { process, endpoint: format!("http://127.0.0.1:{port}") };
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Ok(Some(status)) = running.process.try_wait() {
                return Err(format!("{name} ended at once ({status})"));
            }
            if started.elapsed() > START_TIMEOUT {
                return Err(format!("{name} did not start within {START_TIMEOUT:?}"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        say(&format!("{name} listens at {}", running.endpoint));
        Ok(running)
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Builds the engine that the tests start, so that none of them waits for that. It is a workspace of its own, whose
/// dependencies do not agree with those of this one.
pub(crate) fn build_dynoxide() -> Result<(), String> {
    let manifest = ["build", "--quiet", "--locked", "--manifest-path", "engines/dynoxide/Cargo.toml"];
    cargo(&[&manifest[..], &["--target-dir", "target/engines"]].concat())
}

/// Starts DynamoDB Local on a free port, and fetches it first if need be.
pub(crate) fn dynamodb_local() -> Result<Running, String> {
    let emulator = fetched()?;
    let port = free_port()?;
    let mut java = Command::new("java");
    java.current_dir(&emulator)
        .args(COLLECTOR)
        .args(["-Djava.library.path=./DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar"])
        .args(["-inMemory", "-disableTelemetry", "-port", &port.to_string()])
        .stdout(Stdio::null());
    Running::start(&mut java, port, "DynamoDB Local")
}

/// The folder of DynamoDB Local, unpacked.
fn fetched() -> Result<PathBuf, String> {
    let place = root().join("target/engines/dynamodb-local");
    let emulator = place.join("package/emulator");
    if emulator.join("DynamoDBLocal.jar").exists() {
        return Ok(emulator);
    }
    fs::create_dir_all(&place).map_err(|error| format!("{} cannot be made: {error}", place.display()))?;
    run(command("npm").current_dir(&place).args(["pack", "--silent", DYNAMODB_LOCAL]))?;
    let archive = archive_in(&place)?;
    run(command("tar").current_dir(&place).arg("-xzf").arg(archive))?;
    if emulator.join("DynamoDBLocal.jar").exists() {
        Ok(emulator)
    } else {
        Err(format!("{DYNAMODB_LOCAL} does not hold DynamoDB Local any more"))
    }
}

fn archive_in(place: &Path) -> Result<PathBuf, String> {
    let entries = fs::read_dir(place).map_err(|error| error.to_string())?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let archive = paths.find(|path| path.extension().is_some_and(|extension| extension == "tgz"));
    archive.ok_or_else(|| format!("npm left no archive in {}", place.display()))
}

pub(crate) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    Ok(listener.local_addr().map_err(|error| error.to_string())?.port())
}
