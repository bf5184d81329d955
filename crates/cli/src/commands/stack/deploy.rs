//! `deploy`: creates the stack, or brings it to what is asked for.

use clap::Args;
use serde::Serialize;
use zae_limiter::Block;
use zae_limiter_deploy::{Deployment, SnapshotWindows, StackParameters};

use super::{PackageArgs, StackArgs, WaitArgs, progress};
use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  zae-limiter deploy --table-name rate_limits --region eu-central-1
  zae-limiter deploy --snapshot-windows hourly,daily,monthly --retention-days 365
  zae-limiter deploy --no-aggregator
  zae-limiter deploy --parameter DeletionProtection=true --parameter AlarmTopicArn=arn:aws:sns:…:alarms
  zae-limiter deploy --endpoint-url http://localhost:4566

What is not given stays as the stack has it. The function is this executable itself: nothing is built or downloaded.
Parameters: EnableAlarms, AlarmTopicArn, PermissionsBoundary, PointInTimeRecovery, DeletionProtection, LambdaMemorySize,
LambdaTimeout, LogRetentionDays (`cfn-template` describes them).";

/// Create the table, the function that counts usage and all that they need as a CloudFormation stack, or update them.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeployArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// The windows that usage is counted in [default in a new stack: hourly,daily]
    #[arg(long, value_name = "WINDOWS")]
    snapshot_windows: Option<SnapshotWindows>,
    /// Days that usage is kept [default in a new stack: 90]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    retention_days: Option<u32>,
    /// Count usage with a function (the default in a new stack).
    #[arg(long, overrides_with = "no_aggregator")]
    enable_aggregator: bool,
    /// Do not count usage with a function.
    #[arg(long, overrides_with = "enable_aggregator")]
    no_aggregator: bool,
    /// Set another parameter of the stack; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    parameter: Vec<(String, String)>,
    /// Tag the stack and all that is in it; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    tag: Vec<(String, String)>,
    #[command(flatten)]
    package: PackageArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Serialize)]
struct Done {
    stack_name: String,
    stack_id: String,
    status: String,
    created: bool,
    finished: bool,
    function_version: Option<String>,
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE"),
    }
}

impl DeployArgs {
    fn parameters(&self) -> Result<StackParameters, Failure> {
        let mut parameters = StackParameters::default();
        for (name, value) in &self.parameter {
            parameters.set(name, value).map_err(|error| Failure::bad_input(error.to_string()))?;
        }
        if let Some(windows) = &self.snapshot_windows {
            parameters.snapshot_windows = Some(windows.clone());
        }
        if let Some(days) = self.retention_days {
            parameters.snapshot_retention_days = Some(days);
        }
        if self.enable_aggregator || self.no_aggregator {
            parameters.enable_aggregator = Some(self.enable_aggregator);
        }
        parameters.tags = self.tag.iter().cloned().collect();
        Ok(parameters)
    }
}

pub(crate) fn execute(args: DeployArgs, global: &Global) -> Result<Exit, Failure> {
    let parameters = args.parameters()?;
    // A package that will not do is better told before anything is created.
    let mut deployment = Deployment::without_function();
    if parameters.enable_aggregator != Some(false) {
        deployment.package = Some(args.package.package()?);
    }
    let deployment = deployment.with_parameters(parameters).waiting(!args.wait.no_wait);
    let stacks = args.stack.connect(global)?;
    let deployed = stacks.deploy(deployment, progress::shown()).wait()?;
    let done = Done {
        stack_name: deployed.stack_name,
        stack_id: deployed.stack_id,
        status: deployed.status,
        created: deployed.created,
        finished: deployed.finished,
        function_version: deployed.function_version,
    };
    output::show(global.json, &done, |done| {
        let next =
            if done.finished { "" } else { "; deploy again when that is done, to finish the function" };
        format!("stack {}: {}{next}\n", done.stack_name, done.status)
    })?;
    Ok(Exit::Success)
}
