//! `available`: what the buckets hold.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use zae_limiter::{Block, EntityId, LimitName, Resource};

use super::status::{Status, table};
use crate::args::{Amount, Global, LimitArgs, by_name};
use crate::exit::{Exit, Failure};
use crate::{output, store};

const EXAMPLES: &str = "\
Examples:
  zae-limiter available key-1 gpt-4 --limit rpm=100/min
  zae-limiter available key-1 gpt-4 --cascade --need tpm=5k
  zae-limiter available key-1 gpt-4 --json | jq .available.rpm";

/// Show what the buckets of an entity hold; takes nothing.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AvailableArgs {
    /// Whose buckets.
    entity: EntityId,
    /// On which resource.
    resource: Resource,
    #[command(flatten)]
    limits: LimitArgs,
    /// Also show how long it takes until so many tokens of a limit are there; repeat for more.
    #[arg(long, value_name = "NAME=N", value_delimiter = ',')]
    need: Vec<Amount>,
    /// Also show the ancestors of the entity.
    #[arg(long)]
    cascade: bool,
}

#[derive(Serialize)]
struct Report {
    entity_id: EntityId,
    resource: Resource,
    /// Of the entity itself, by limit.
    available: BTreeMap<LimitName, i64>,
    limits: Vec<Status>,
}

pub(crate) fn execute(args: AvailableArgs, global: &Global) -> Result<Exit, Failure> {
    let limits = args.limits.into_limits()?;
    let limiter = store::open(global)?;
    let acquire = limiter.acquire(args.entity.as_str(), args.resource.as_str(), limits);
    let bucket = acquire.cascade(args.cascade).prepare().wait()?;
    let statuses = bucket.statuses(&by_name(&args.need)).wait()?;
    let own = bucket.own_level().limits.len();
    let limits: Vec<Status> = statuses.into_iter().map(Status::asked).collect();
    let available =
        limits.iter().take(own).map(|limit| (limit.limit_name().clone(), limit.available())).collect();
    let report = Report { entity_id: args.entity, resource: args.resource, available, limits };
    output::show(global.json, &report, |report| table(&report.limits))?;
    Ok(Exit::Success)
}
