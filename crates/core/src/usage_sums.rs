//! Sums of usage snapshots: over windows, and of each entity.

use std::collections::BTreeMap;

use crate::{EntityId, LimitName, Millitokens, Resource, Timestamp, UsageSnapshot, Window};

/// Sums snapshots into windows of kind `window`, in the order of entity, resource and start. Those of longer windows count
/// for the window that they start in.
pub fn in_windows(window: Window, snapshots: impl IntoIterator<Item = UsageSnapshot>) -> Vec<UsageSnapshot> {
    let mut sums: BTreeMap<(EntityId, Resource, Timestamp), UsageSnapshot> = BTreeMap::new();
    for snapshot in snapshots {
        let start = window.start(snapshot.window_start);
        let UsageSnapshot { entity_id, resource, counters, total_events, .. } = snapshot;
        let sum = sums.entry((entity_id, resource, start)).or_insert_with_key(|(id, resource, _)| {
            UsageSnapshot::new(id.clone(), resource.clone(), window, start, BTreeMap::new(), 0)
        });
        add(&mut sum.counters, counters);
        sum.total_events = sum.total_events.saturating_add(total_events);
    }
    sums.into_values().collect()
}

/// What an entity consumed of a resource in a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Total {
    /// Who consumed.
    pub entity_id: EntityId,
    /// What was consumed.
    pub resource: Resource,
    /// Net consumption by limit.
    pub counters: BTreeMap<LimitName, Millitokens>,
    /// Acquires, net of those rolled back.
    pub total_events: i64,
}

impl Total {
    /// Net consumption of one limit.
    pub fn of(&self, limit: &str) -> Millitokens {
        self.counters.get(limit).copied().unwrap_or_default()
    }
}

/// Sums the snapshots of each entity on each resource, whatever their windows.
pub fn totals<'a>(snapshots: impl IntoIterator<Item = &'a UsageSnapshot>) -> Vec<Total> {
    let mut totals: BTreeMap<(&EntityId, &Resource), Total> = BTreeMap::new();
    for snapshot in snapshots {
        let total = totals.entry((&snapshot.entity_id, &snapshot.resource)).or_insert_with(|| Total {
            entity_id: snapshot.entity_id.clone(),
            resource: snapshot.resource.clone(),
            counters: BTreeMap::new(),
            total_events: 0,
        });
        add(&mut total.counters, snapshot.counters.clone());
        total.total_events = total.total_events.saturating_add(snapshot.total_events);
    }
    totals.into_values().collect()
}

/// The `count` entities that consumed most of `limit`, or that acquired most often if no limit is named; the first is
/// the greatest.
pub fn top(mut totals: Vec<Total>, limit: Option<&LimitName>, count: usize) -> Vec<Total> {
    let rank = |total: &Total| limit.map_or(total.total_events, |limit| total.of(limit.as_str()).get());
    // Stable: those that are equal stay in the order of their names.
    totals.sort_by_key(|total| std::cmp::Reverse(rank(total)));
    totals.truncate(count);
    totals
}

fn add(sums: &mut BTreeMap<LimitName, Millitokens>, counters: BTreeMap<LimitName, Millitokens>) {
    for (name, amount) in counters {
        *sums.entry(name).or_default() += amount;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::HOUR_MS;

    fn hour(entity: &str, hour: u64, events: i64, tokens: i64) -> UsageSnapshot {
        UsageSnapshot::new(
            EntityId::new(entity).unwrap(),
            Resource::new("r").unwrap(),
            Window::Hourly,
            Timestamp::from_millis(hour * HOUR_MS),
            [(LimitName::new("tpm").unwrap(), Millitokens::from_tokens(tokens))].into(),
            events,
        )
    }

    #[test]
    fn hours_add_up_to_days() {
        let days =
            in_windows(Window::Daily, [hour("a", 23, 1, 5), hour("a", 24, 2, 7), hour("a", 47, -1, -3)]);
        assert_eq!(days.iter().map(|day| day.total_events).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(days[1].counters["tpm"], Millitokens::from_tokens(4));
        assert_eq!(days[1].window_end.as_millis(), 48 * HOUR_MS);
    }

    #[test]
    fn the_top_is_by_limit_or_by_acquires() {
        let snapshots = [hour("a", 0, 1, 5), hour("b", 0, 9, 1), hour("a", 1, 1, 5), hour("c", 5, 2, 2)];
        let names =
            |top: Vec<Total>| top.into_iter().map(|total| total.entity_id.to_string()).collect::<Vec<_>>();
        let tpm = LimitName::new("tpm").unwrap();
        assert_eq!(names(top(totals(&snapshots), Some(&tpm), 2)), ["a", "c"]);
        assert_eq!(names(top(totals(&snapshots), None, 9)), ["b", "a", "c"], "equal ones by name");
    }
}
