//! `upgrade`: brings what is deployed to this release.

use clap::Args;
use serde::Serialize;
use zae_limiter::Block;
use zae_limiter_deploy::Upgrade;

use super::{PackageArgs, StackArgs, progress};
use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  zae-limiter upgrade --table-name rate_limits --region eu-central-1
  zae-limiter upgrade --lambda-only
  zae-limiter upgrade --force

First the stack and its function, last the version record: what was interrupted is finished by the same command.";

/// Bring the stack, the function and the version record to this release. What was chosen stays.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UpgradeArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Only the function and its version, not the rest of the stack.
    #[arg(long)]
    lambda_only: bool,
    /// Even if all is of this release already.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    package: PackageArgs,
}

#[derive(Serialize)]
struct Done {
    changed: bool,
    from_lambda_version: Option<String>,
    lambda_version: Option<String>,
    schema_version: String,
}

pub(crate) fn execute(args: UpgradeArgs, global: &Global) -> Result<Exit, Failure> {
    let package = args.package.package()?;
    let upgrade = Upgrade::new(package).lambda_only(args.lambda_only).force(args.force);
    let stacks = args.stack.connect(global)?;
    let upgraded = stacks.upgrade(upgrade, progress::shown()).wait()?;
    let done = Done {
        changed: upgraded.changed,
        from_lambda_version: upgraded.from.lambda_version,
        lambda_version: upgraded.to.lambda_version,
        schema_version: upgraded.to.schema_version,
    };
    output::show(global.json, &done, |done| {
        let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".to_owned());
        let (from, to) = (version(&done.from_lambda_version), version(&done.lambda_version));
        if done.changed {
            format!("function: {from} to {to}\n")
        } else {
            format!("nothing to do: the function has version {to} (--force does it all the same)\n")
        }
    })?;
    Ok(Exit::Success)
}
