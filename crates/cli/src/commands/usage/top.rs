//! Who consumed most of a resource.

use std::collections::BTreeMap;

use serde::Serialize;
use zae_limiter::core::usage_sums::{Total, top, totals};
use zae_limiter::{EntityId, LimitName, Resource, UsageSnapshot};

use crate::exit::Failure;
use crate::output::{self, Align, Table, bar_in, grouped};

#[derive(Serialize)]
struct Listed<'a> {
    entity_id: &'a EntityId,
    resource: &'a Resource,
    /// Whole tokens by limit.
    counters: BTreeMap<&'a LimitName, i64>,
    total_events: i64,
}

impl<'a> From<&'a Total> for Listed<'a> {
    fn from(total: &'a Total) -> Self {
        Self {
            entity_id: &total.entity_id,
            resource: &total.resource,
            counters: total.counters.iter().map(|(name, amount)| (name, amount.whole_tokens())).collect(),
            total_events: total.total_events,
        }
    }
}

/// Shows the `count` entities that consumed most of `by`, or acquired most often if no limit is named.
pub(super) fn show(
    snapshots: &[UsageSnapshot],
    by: Option<&LimitName>,
    count: usize,
    json: bool,
) -> Result<(), Failure> {
    let top = top(totals(snapshots), by, count);
    let listed: Vec<Listed<'_>> = top.iter().map(Listed::from).collect();
    output::show(json, &listed, |_| table(&top, by))
}

fn table(top: &[Total], by: Option<&LimitName>) -> String {
    if top.is_empty() {
        return "no usage\n".to_owned();
    }
    let what = by.map_or_else(|| "ACQUIRES".to_owned(), |limit| format!("TOKENS OF {limit}"));
    let mut table = Table::new([("ENTITY", Align::Left), (&*what, Align::Right), ("", Align::Left)]);
    let amount =
        |total: &Total| by.map_or(total.total_events, |limit| total.of(limit.as_str()).whole_tokens());
    let most = top.iter().map(amount).max().unwrap_or_default();
    for total in top {
        table.row([
            total.entity_id.to_string().into(),
            grouped(amount(total)).into(),
            bar_in(amount(total), most),
        ]);
    }
    table.render()
}
