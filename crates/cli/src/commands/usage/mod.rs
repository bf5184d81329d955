//! `usage`: what an entity consumed, window by window.

mod chart;
mod csv;
mod top;

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use zae_limiter::{Block, EntityId, LimitName, Resource, Timestamp, UsageQuery, UsageSnapshot, Window};

use crate::args::{Global, Instant, PlotArg, one_of};
use crate::exit::{Exit, Failure};
use crate::output::{Align, Table, bar_in, grouped, minute};
use crate::{output, plot, store};

const EXAMPLES: &str = "\
Examples:
  zae-limiter usage key-1
  zae-limiter usage key-1 --resource gpt-4 --window daily --from -30d
  zae-limiter usage key-1 --from 2024-05-01 --to 2024-06-01 --plot may.svg
  zae-limiter usage key-1 --json | jq '.[] | [.window_start, .counters.tpm]'
  zae-limiter usage --resource gpt-4 --top 10 --by tpm --from -7d

Windows are aligned to UTC; those that start from --from (rounded down to a window) up to, not including, --to are
shown. Tokens are net of what was returned. The line in a chart is what the limit refills in such a window.";

/// Show what an entity consumed.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UsageArgs {
    /// Who consumed.
    #[arg(required_unless_present = "top")]
    entity: Option<EntityId>,
    /// Only on this resource.
    #[arg(long)]
    resource: Option<Resource>,
    /// The length of the windows.
    #[arg(long, value_parser = one_of::<Window, 3>(Window::ALL.map(Window::as_str)), default_value_t = Window::Hourly)]
    window: Window,
    /// From then on, for example 2024-05-01, 2024-05-01T12:30:00Z or -7d.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<Instant>,
    /// Until then.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<Instant>,
    /// In place of one entity's windows, show that many entities that consumed most of the resource.
    #[arg(long, value_name = "COUNT", requires = "resource", conflicts_with_all = ["entity", "plot", "csv"])]
    top: Option<usize>,
    /// The limit that --top goes by [default: the number of acquires]
    #[arg(long, value_name = "LIMIT", requires = "top")]
    by: Option<LimitName>,
    /// Print CSV, a line for each limit of each window.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    plot: PlotArg,
}

#[derive(Serialize)]
struct Snapshot<'a> {
    entity_id: &'a EntityId,
    resource: &'a Resource,
    window_type: Window,
    window_start: String,
    window_end: String,
    /// Whole tokens by limit.
    counters: BTreeMap<&'a LimitName, i64>,
    total_events: i64,
}

impl<'a> From<&'a UsageSnapshot> for Snapshot<'a> {
    fn from(snapshot: &'a UsageSnapshot) -> Self {
        Self {
            entity_id: &snapshot.entity_id,
            resource: &snapshot.resource,
            window_type: snapshot.window,
            window_start: snapshot.window_start.to_string(),
            window_end: snapshot.window_end.to_string(),
            counters: snapshot.counters.iter().map(|(name, amount)| (name, amount.whole_tokens())).collect(),
            total_events: snapshot.total_events,
        }
    }
}

pub(crate) fn execute(args: UsageArgs, global: &Global) -> Result<Exit, Failure> {
    let limiter = store::open(global)?;
    let now = limiter.clock().now();
    let query = UsageQuery {
        entity_id: args.entity,
        resource: args.resource,
        window: args.window,
        from: args.from.map_or(Timestamp::EPOCH, |from| args.window.start(from.resolve(now))),
        to: args.to.map_or(Timestamp::MAX, |to| to.resolve(now)),
    };
    let snapshots = limiter.usage(&query).wait()?;
    if let Some(count) = args.top {
        top::show(&snapshots, args.by.as_ref(), count, global.json)?;
        return Ok(Exit::Success);
    }
    if let Some(path) = &args.plot.plot {
        plot::write(path, &chart::panels(&limiter, &snapshots)?)?;
    }
    if args.csv {
        csv::print(&snapshots)?;
        return Ok(Exit::Success);
    }
    let listed: Vec<Snapshot<'_>> = snapshots.iter().map(Snapshot::from).collect();
    output::show(global.json, &listed, |_| table(&snapshots))?;
    Ok(Exit::Success)
}

type Series<'a> = (&'a Resource, &'a LimitName);

/// A line for each limit of each window, with bars that compare the windows of one limit.
fn table(snapshots: &[UsageSnapshot]) -> String {
    if snapshots.is_empty() {
        return "no usage\n".to_owned();
    }
    let mut most: BTreeMap<Series<'_>, i64> = BTreeMap::new();
    for snapshot in snapshots {
        for (name, amount) in &snapshot.counters {
            let most = most.entry((&snapshot.resource, name)).or_default();
            *most = (*most).max(amount.get());
        }
    }
    let mut table = Table::new([
        ("FROM (UTC)", Align::Left),
        ("RESOURCE", Align::Left),
        ("ACQUIRES", Align::Right),
        ("LIMIT", Align::Left),
        ("TOKENS", Align::Right),
        ("", Align::Left),
    ]);
    for snapshot in snapshots {
        let head =
            [minute(snapshot.window_start), snapshot.resource.to_string(), grouped(snapshot.total_events)];
        let blank = [const { String::new() }; 3];
        // A window in which only acquires were counted still has its line.
        let heads = std::iter::once(&head).chain(std::iter::repeat(&blank));
        let mut counters = snapshot.counters.iter().peekable();
        if counters.peek().is_none() {
            table.row(head.iter().map(Into::into));
        }
        for (head, (name, amount)) in heads.zip(counters) {
            let most = most.get(&(&snapshot.resource, name)).copied().unwrap_or_default();
            table.row(head.iter().map(Into::into).chain([
                name.into(),
                grouped(amount.whole_tokens()).into(),
                bar_in(amount.get(), most),
            ]));
        }
    }
    table.render()
}
