//! `version`: the versions of this client and of what is deployed.

use clap::Args;
use serde::Serialize;
use zae_limiter::Block;
use zae_limiter::dynamodb::version::SCHEMA_VERSION;
use zae_limiter_deploy::DeployErrorKind;

use super::{TableArgs, connect};
use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  zae-limiter version --table-name rate_limits --region eu-central-1
  zae-limiter version --json | jq -r .lambda_version

`zae-limiter --version` prints that of the client alone, without asking AWS.";

/// Show the versions of this client, of the table and of the function.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VersionArgs {
    #[command(flatten)]
    table: TableArgs,
}

#[derive(Serialize)]
struct Versions {
    client_version: &'static str,
    client_schema_version: &'static str,
    deployed: bool,
    schema_version: Option<String>,
    lambda_version: Option<String>,
    template_version: Option<String>,
    client_min_version: Option<String>,
}

pub(crate) fn execute(args: VersionArgs, global: &Global) -> Result<Exit, Failure> {
    let stacks = connect(args.table, global)?;
    let found = match stacks.versions().wait() {
        Err(error) if error.kind() == DeployErrorKind::Missing => None,
        found => found?,
    };
    let mut versions = Versions {
        client_version: env!("CARGO_PKG_VERSION"),
        client_schema_version: SCHEMA_VERSION,
        deployed: found.is_some(),
        schema_version: None,
        lambda_version: None,
        template_version: None,
        client_min_version: None,
    };
    if let Some(found) = found {
        versions.schema_version = Some(found.schema_version);
        versions.lambda_version = found.lambda_version;
        versions.template_version = found.template_version;
        versions.client_min_version = Some(found.client_min_version);
    }
    output::show(global.json, &versions, text)?;
    Ok(Exit::Success)
}

fn text(versions: &Versions) -> String {
    let own = format!("client    {} (schema {})\n", versions.client_version, versions.client_schema_version);
    if !versions.deployed {
        return own + "deployed  nothing: run `zae-limiter deploy`\n";
    }
    let or_none = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".to_owned());
    own + &format!(
        "schema    {}\nfunction  {}\nstack     {}\nclients   {} or later\n",
        or_none(&versions.schema_version),
        or_none(&versions.lambda_version),
        or_none(&versions.template_version),
        or_none(&versions.client_min_version)
    )
}
