//! `check`: whether this client and what is deployed go together.

use clap::Args;
use serde::Serialize;
use zae_limiter::Block;
use zae_limiter::dynamodb::version::{Compatibility, check_compatibility};

use super::{TableArgs, connect};
use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  zae-limiter check --table-name rate_limits --region eu-central-1
  zae-limiter check && ./start-gateway.sh

Exits with 0 if they go together, also if the function could be newer, and with 1 if they do not.";

/// Check whether this client and what is deployed go together.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    table: TableArgs,
}

#[derive(Serialize)]
struct Checked {
    compatible: bool,
    requires_lambda_update: bool,
    requires_schema_migration: bool,
    message: String,
}

pub(crate) fn execute(args: CheckArgs, global: &Global) -> Result<Exit, Failure> {
    let stacks = connect(args.table, global)?;
    let found = stacks.versions().wait()?.ok_or_else(|| {
        Failure::other(
            "the table has no version record: run `zae-limiter deploy` or `zae-limiter table create`",
        )
    })?;
    let client = env!("CARGO_PKG_VERSION");
    let compatibility =
        check_compatibility(client, &found).map_err(|error| Failure::other(error.to_string()))?;
    let (compatible, message) = match &compatibility {
        Compatibility::UpdateLambda(message) => (true, message.clone()),
        Compatibility::UpgradeClient(problem) | Compatibility::MigrateSchema(problem) => {
            return Err(incompatible(&compatibility, problem, global)?);
        }
        _ => (true, format!("client {client} and schema {} go together", found.schema_version)),
    };
    let checked = Checked {
        compatible,
        requires_lambda_update: matches!(compatibility, Compatibility::UpdateLambda(_)),
        requires_schema_migration: false,
        message,
    };
    output::show(global.json, &checked, |checked| format!("{}\n", checked.message))?;
    Ok(Exit::Success)
}

/// Scripts that read JSON get it in any case.
fn incompatible(found: &Compatibility, problem: &str, global: &Global) -> Result<Failure, Failure> {
    if global.json {
        output::print_json(&Checked {
            compatible: false,
            requires_lambda_update: false,
            requires_schema_migration: matches!(found, Compatibility::MigrateSchema(_)),
            message: problem.to_owned(),
        })?;
    }
    Ok(Failure::other(problem))
}
