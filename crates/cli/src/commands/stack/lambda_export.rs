//! `lambda-export`: the function's package, for whoever deploys by other means.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use zae_limiter_deploy::Package;

use super::PackageArgs;
use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::output::{self, grouped};

const EXAMPLES: &str = "\
Examples:
  zae-limiter lambda-export
  zae-limiter lambda-export -o build/lambda.zip -f
  zae-limiter lambda-export --info --json
  zae-limiter lambda-export --executable ./zae-limiter-arm64 -o lambda-arm64.zip

The package holds the executable of this command as `bootstrap`, for the runtime provided.al2023.";

/// Write the package of the function that counts usage.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LambdaExportArgs {
    /// Write it into this file.
    #[arg(short, long, value_name = "FILE", default_value = "lambda.zip")]
    output: PathBuf,
    /// Only tell what it would be.
    #[arg(long)]
    info: bool,
    /// Replace a file that is there.
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    package: PackageArgs,
}

#[derive(Serialize)]
struct Info {
    file: Option<PathBuf>,
    version: &'static str,
    runtime: &'static str,
    architecture: &'static str,
    glibc: Option<String>,
    bytes: usize,
    executable_bytes: usize,
    sha256: String,
}

impl Info {
    fn of(package: &Package, file: Option<PathBuf>) -> Self {
        Self {
            file,
            version: env!("CARGO_PKG_VERSION"),
            runtime: "provided.al2023",
            architecture: package.architecture().as_str(),
            glibc: package.glibc().map(|version| version.to_string()),
            bytes: package.zip().len(),
            executable_bytes: package.executable_bytes(),
            sha256: package.sha256_hex(),
        }
    }
}

pub(crate) fn execute(args: &LambdaExportArgs, global: &Global) -> Result<Exit, Failure> {
    let package = args.package.package()?;
    if !args.info {
        write(args, package.zip())?;
    }
    let info = Info::of(&package, (!args.info).then(|| args.output.clone()));
    output::show(global.json, &info, text)?;
    Ok(Exit::Success)
}

fn write(args: &LambdaExportArgs, zip: &[u8]) -> Result<(), Failure> {
    let path = &args.output;
    let mut options = OpenOptions::new();
    options.write(true).truncate(true).create(args.force).create_new(!args.force);
    let written = options.open(path).and_then(|mut file| file.write_all(zip));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::other(format!(
            "{} is there already: -f replaces it, -o names another file",
            path.display()
        )),
        _ => Failure::file("write", path, &error),
    })
}

fn text(info: &Info) -> String {
    let glibc = info.glibc.as_deref().unwrap_or("none");
    let file =
        info.file.as_ref().map(|file| format!("file          {}\n", file.display())).unwrap_or_default();
    format!(
        "{file}version       {}\nruntime       {}\narchitecture  {}\nneeds glibc   {glibc}\nbytes         {} (executable \
         {})\nsha256        {}\n",
        info.version,
        info.runtime,
        info.architecture,
        grouped(info.bytes as u64),
        grouped(info.executable_bytes as u64),
        info.sha256
    )
}
