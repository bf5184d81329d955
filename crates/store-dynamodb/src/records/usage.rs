//! Usage snapshots. They are written by whoever follows the table's stream; here they are read.

use std::collections::BTreeMap;

use zae_limiter_core::{
    EntityId, LimitName, Millitokens, Resource, StoreError, Timestamp, UsageQuery, UsageSnapshot, Window,
};

use crate::aws::{Attributes, Connection, Key, Malformed, Pages, integer, text};
use crate::schema::{self, COUNTERS, ENTITY_ID, EVENTS, RESOURCE, START, WINDOW};

impl Connection {
    pub(crate) async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageSnapshot>, StoreError> {
        let items = match (&query.entity_id, &query.resource) {
            (Some(id), resource) => {
                let prefix = match resource {
                    Some(resource) => schema::usage_sk_prefix(resource, query.window),
                    None => schema::USAGE_SK.to_owned(),
                };
                self.list(Pages::of(self.ns.entity(id), prefix)).await?
            }
            (None, Some(resource)) => {
                let prefix = schema::usage_gsi2_sk_prefix(query.window);
                let listed =
                    self.list(Pages::of_index(schema::GSI2, self.ns.resource(resource), prefix)).await?;
                let keys: Vec<Key> = listed.iter().filter_map(crate::aws::key_of).collect();
                self.get_items(&keys).await?.into_values().collect()
            }
            (None, None) => self.scan(self.ns.entities(), schema::USAGE_SK).await?,
        };
        let mut found = Vec::new();
        for item in items {
            let snapshot = read(&item).map_err(|malformed| {
                let (pk, sk) = crate::aws::key_of(&item).unwrap_or_default();
                malformed.of(format!("the usage snapshot {pk} {sk}"))
            })?;
            let nothing =
                snapshot.total_events == 0 && snapshot.counters.values().all(|amount| amount.is_zero());
            if !nothing && answers(&query, &snapshot) {
                found.push(snapshot);
            }
        }
        let order = |s: &UsageSnapshot| (s.entity_id.clone(), s.resource.clone(), s.window_start);
        found.sort_by_cached_key(order);
        Ok(found)
    }
}

fn answers(query: &UsageQuery, snapshot: &UsageSnapshot) -> bool {
    snapshot.window == query.window
        && (query.from..query.to).contains(&snapshot.window_start)
        && query.entity_id.as_ref().is_none_or(|id| *id == snapshot.entity_id)
        && query.resource.as_ref().is_none_or(|resource| *resource == snapshot.resource)
}

fn read(item: &Attributes) -> Result<UsageSnapshot, Malformed> {
    let required = |name| text(item, name)?.ok_or_else(|| Malformed::new(name, "is missing"));
    let number = |name: &str| item.get(name).map_or(Ok(0), |value| integer(name, value));
    let entity_id =
        EntityId::new(required(ENTITY_ID)?).map_err(|_| Malformed::new(ENTITY_ID, "is not an entity id"))?;
    let resource =
        Resource::new(required(RESOURCE)?).map_err(|_| Malformed::new(RESOURCE, "is not a resource"))?;
    let window: Window = required(WINDOW)?.parse().map_err(|_| Malformed::new(WINDOW, "is not a window"))?;
    let start = u64::try_from(number(START)?).map_err(|_| Malformed::new(START, "is not an instant"))?;
    let start = Timestamp::from_millis(start);
    let mut counters = BTreeMap::new();
    if let Some(value) = item.get(COUNTERS) {
        for (name, value) in value.as_m().map_err(|_| Malformed::new(COUNTERS, "is not a map"))? {
            let limit = LimitName::new(name).map_err(|_| Malformed::new(COUNTERS, "names no limit"))?;
            let amount = i64::try_from(integer(COUNTERS, value)?);
            let amount = amount.map_err(|_| Malformed::new(COUNTERS, "has too large a number"))?;
            counters.insert(limit, Millitokens::new(amount));
        }
    }
    let events =
        i64::try_from(number(EVENTS)?).map_err(|_| Malformed::new(EVENTS, "is too large a number"))?;
    Ok(UsageSnapshot::new(entity_id, resource, window, start, counters, events))
}
