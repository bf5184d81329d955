//! What is deployed in AWS: the stack with the table and the function that counts usage.

mod cfn_template;
mod check;
mod delete;
mod deploy;
mod lambda_export;
mod progress;
mod status;
mod upgrade;
mod version;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use zae_limiter::{Block, Jitter, SystemClock, SystemJitter};
use zae_limiter_deploy::{DeployError, Package, StackManager, StackName};

use self::cfn_template::CfnTemplateArgs;
use self::check::CheckArgs;
use self::delete::DeleteArgs;
use self::deploy::DeployArgs;
use self::lambda_export::LambdaExportArgs;
use self::status::StatusArgs;
use self::upgrade::UpgradeArgs;
use self::version::VersionArgs;
use super::table::TableArgs;
use crate::args::Global;
use crate::exit::{Exit, Failure};

#[derive(Debug, Subcommand)]
pub(crate) enum StackCommand {
    Deploy(DeployArgs),
    Delete(DeleteArgs),
    Status(StatusArgs),
    Version(VersionArgs),
    Check(CheckArgs),
    Upgrade(UpgradeArgs),
    CfnTemplate(CfnTemplateArgs),
    LambdaExport(LambdaExportArgs),
}

/// Does what was asked.
pub(crate) fn execute(command: StackCommand, global: &Global) -> Result<Exit, Failure> {
    match command {
        StackCommand::Deploy(args) => deploy::execute(args, global),
        StackCommand::Delete(args) => delete::execute(args, global),
        StackCommand::Status(args) => status::execute(args, global),
        StackCommand::Version(args) => version::execute(args, global),
        StackCommand::Check(args) => check::execute(args, global),
        StackCommand::Upgrade(args) => upgrade::execute(args, global),
        StackCommand::CfnTemplate(args) => cfn_template::execute(&args),
        StackCommand::LambdaExport(args) => lambda_export::execute(&args, global),
    }
}

/// Which stack.
#[derive(Args, Debug)]
struct StackArgs {
    #[command(flatten)]
    table: TableArgs,
    /// The stack [default: `zae-limiter-` and the table's name, with `-` for what stack names cannot have]
    #[arg(long, value_name = "STACK")]
    stack_name: Option<StackName>,
}

impl StackArgs {
    fn connect(self, global: &Global) -> Result<StackManager, Failure> {
        let stacks = connect(self.table, global)?;
        Ok(match self.stack_name {
            Some(name) => stacks.with_name(name),
            None => stacks,
        })
    }
}

fn connect(table: TableArgs, global: &Global) -> Result<StackManager, Failure> {
    let options = table.options(global)?;
    let jitter = Arc::new(|most| SystemJitter.up_to(most));
    Ok(StackManager::connect(options, Arc::new(SystemClock), jitter).wait()?)
}

/// What the function is to run.
#[derive(Args, Debug)]
struct PackageArgs {
    /// The executable that becomes the function: this release's for Linux, for example that for arm64 [default: the one
    /// that is running]
    #[arg(long, value_name = "FILE")]
    executable: Option<PathBuf>,
}

impl PackageArgs {
    fn package(&self) -> Result<Package, Failure> {
        let package = match &self.executable {
            Some(path) => Package::of_executable(path),
            None => Package::of_this_executable(),
        };
        package.map_err(|error| {
            let elsewhere = if self.executable.is_none() && !cfg!(target_os = "linux") {
                " (--executable FILE)"
            } else {
                ""
            };
            Failure::other(format!("{error}{elsewhere}"))
        })
    }
}

/// To wait for AWS, or not.
#[derive(Args, Debug)]
struct WaitArgs {
    /// Wait until AWS is done (the default).
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Do not wait until AWS is done.
    #[arg(long)]
    no_wait: bool,
}

impl From<DeployError> for Failure {
    fn from(error: DeployError) -> Self {
        Self::other(error.to_string())
    }
}
