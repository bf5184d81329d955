//! `capacity`: how much of a resource is left, over all entities.

use clap::Args;
use serde::Serialize;
use zae_limiter::{Block, EntityId, LimitName, Resource};

use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Align, Meter, Table, bar, grouped};
use crate::{output, store};

const EXAMPLES: &str = "\
Examples:
  zae-limiter capacity gpt-4 tpm
  zae-limiter capacity gpt-4 tpm --parents-only --json | jq .utilization_pct

Only buckets that have a record count: one that has been full for a while has none.";

/// Show how the entities that use a resource stand with one of its limits.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CapacityArgs {
    /// The resource.
    resource: Resource,
    /// The limit.
    limit: LimitName,
    /// Count only entities without a parent.
    #[arg(long)]
    parents_only: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    resource: &'a Resource,
    limit_name: &'a LimitName,
    total_capacity: u64,
    total_available: i64,
    utilization_pct: f64,
    entities: Vec<EntityReport<'a>>,
}

#[derive(Serialize)]
struct EntityReport<'a> {
    entity_id: &'a EntityId,
    capacity: u64,
    available: i64,
    utilization_pct: f64,
}

pub(crate) fn execute(args: &CapacityArgs, global: &Global) -> Result<Exit, Failure> {
    let limiter = store::open(global)?;
    let (resource, limit) = (args.resource.as_str(), args.limit.as_str());
    let capacity = limiter.resource_capacity(resource, limit, args.parents_only).wait()?;
    let entities = capacity.entities.iter().map(|entity| EntityReport {
        entity_id: &entity.entity_id,
        capacity: entity.capacity,
        available: entity.available,
        utilization_pct: entity.utilization_pct,
    });
    let report = Report {
        resource: &capacity.resource,
        limit_name: &capacity.limit_name,
        total_capacity: capacity.total_capacity,
        total_available: capacity.total_available,
        utilization_pct: capacity.utilization_pct,
        entities: entities.collect(),
    };
    output::show(global.json, &report, Report::text)?;
    Ok(Exit::Success)
}

impl Report<'_> {
    fn text(&self) -> String {
        if self.entities.is_empty() {
            return format!("no bucket of {} with a limit {} is in use\n", self.resource, self.limit_name);
        }
        let mut table = Table::new([
            ("ENTITY", Align::Left),
            ("", Align::Left),
            ("USED", Align::Right),
            ("AVAILABLE", Align::Right),
            ("CAPACITY", Align::Right),
        ]);
        let entities = self.entities.iter().map(|entity| {
            (entity.entity_id.as_str(), entity.utilization_pct, entity.available, entity.capacity)
        });
        let total = (self.entities.len() > 1).then_some((
            "total",
            self.utilization_pct,
            self.total_available,
            self.total_capacity,
        ));
        for (name, percent, available, capacity) in entities.chain(total) {
            table.row([
                name.into(),
                bar(percent / 100.0, Meter::Used),
                format!("{percent:.1} %").into(),
                grouped(available).into(),
                grouped(capacity).into(),
            ]);
        }
        table.render()
    }
}
