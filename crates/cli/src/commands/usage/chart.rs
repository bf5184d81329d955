//! Usage over time, beside what the limits allow.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use zae_limiter::{Block, EntityId, Limit, LimitName, LimitSet, Limiter, Resource, UsageSnapshot};

use super::Series;
use crate::exit::Failure;
use crate::plot::{Panel, Reference};

/// One panel for each limit of each resource, as limits differ by orders of magnitude.
pub(super) fn panels(limiter: &Limiter, snapshots: &[UsageSnapshot]) -> Result<Vec<Panel>, Failure> {
    let mut panels: BTreeMap<Series<'_>, Panel> = BTreeMap::new();
    let mut limits: BTreeMap<&Resource, Option<LimitSet>> = BTreeMap::new();
    for snapshot in snapshots {
        let limits = match limits.entry(&snapshot.resource) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                unknown.insert(limits_of(limiter, &snapshot.entity_id, &snapshot.resource)?)
            }
        };
        for (name, amount) in &snapshot.counters {
            let panel = panels.entry((&snapshot.resource, name)).or_insert_with(|| {
                let panel =
                    Panel::bars(format!("{name} on {}, tokens {}", snapshot.resource, snapshot.window));
                match limits.as_ref().and_then(|limits| limits.named(name.as_str())) {
                    Some(limit) => panel.with_reference(capacity(name, limit)),
                    None => panel,
                }
            });
            panel.bar(snapshot.window_start, snapshot.window_end, &[tokens(amount.whole_tokens())]);
        }
    }
    Ok(panels.into_values().collect())
}

/// What the entity is held to: by the limits stored, and otherwise, at the price of a look at all buckets of the resource, by
/// its bucket, if it has a record.
fn limits_of(
    limiter: &Limiter,
    entity: &EntityId,
    resource: &Resource,
) -> Result<Option<LimitSet>, zae_limiter::Error> {
    let stored = limiter.store().config(entity, resource).wait()?;
    if let Some(limits) = stored.limits() {
        return Ok(Some(limits.clone()));
    }
    let (buckets, _) = limiter.store().buckets(resource).wait()?;
    let own = buckets.into_iter().find(|bucket| bucket.entity_id == *entity);
    Ok(own.map(|bucket| bucket.limits))
}

/// What a limit refills, in the course of time.
#[expect(clippy::cast_precision_loss, reason = "the height of a line")]
fn capacity(name: &LimitName, limit: &Limit) -> Reference {
    let text = limit.to_string();
    let rate = text.strip_prefix(&format!("{name}=")).unwrap_or(&text);
    Reference {
        name: format!("capacity {rate}"),
        per_ms: limit.refill_amount() as f64 / limit.refill_period().as_millis() as f64,
    }
}

#[expect(clippy::cast_precision_loss, reason = "the height of a bar")]
fn tokens(tokens: i64) -> f64 {
    tokens as f64
}
