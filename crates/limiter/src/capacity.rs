//! How much of a resource is left, over all entities.

use zae_limiter_core::{EntityId, LimitName, Resource};

use crate::{Error, Limiter};

/// How one entity stands with a limit of a resource.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EntityCapacity {
    /// Whose bucket.
    pub entity_id: EntityId,
    /// The limit's capacity, in tokens.
    pub capacity: u64,
    /// What the bucket holds, in whole tokens rounded down; negative in debt.
    pub available: i64,
    /// (capacity − available) / capacity, in per cent; above 100 in debt, below 0 in burst.
    pub utilization_pct: f64,
}

/// How all entities together stand with a limit of a resource. Only buckets that have a record count: a bucket that
/// has been full for a while has none.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ResourceCapacity {
    /// The resource.
    pub resource: Resource,
    /// The limit.
    pub limit_name: LimitName,
    /// The sum of the capacities, in tokens.
    pub total_capacity: u64,
    /// The sum of what the buckets hold, in tokens; saturates in debts beyond all measure.
    pub total_available: i64,
    /// (capacity − available) / capacity over the sums, in per cent; 0 if there is no bucket.
    pub utilization_pct: f64,
    /// One entry for each entity with a bucket, by id.
    pub entities: Vec<EntityCapacity>,
}

impl Limiter {
    /// How the entities that use `resource` stand with `limit_name`; with `parents_only`, those without a parent.
    ///
    /// ```
    /// # use zae_limiter::{Block, Limiter, LimitSet};
    /// # let limiter = Limiter::open("memory:").wait().unwrap();
    /// let limits: LimitSet = "tpm=1k/h".parse().unwrap();
    /// for (key, tokens) in [("key-1", 100), ("key-2", 500)] {
    ///     limiter.acquire(key, "gpt-4", &limits).consume("tpm", tokens).wait().unwrap().commit().wait().unwrap();
    /// }
    /// let capacity = limiter.resource_capacity("gpt-4", "tpm", false).wait().unwrap();
    /// assert_eq!((capacity.total_capacity, capacity.total_available), (2_000, 1_400));
    /// assert_eq!(capacity.entities[1].utilization_pct, 50.0);
    /// ```
    pub async fn resource_capacity(
        &self,
        resource: &str,
        limit_name: &str,
        parents_only: bool,
    ) -> Result<ResourceCapacity, Error> {
        let (resource, limit_name) = (Resource::new(resource)?, LimitName::new(limit_name)?);
        let (levels, reading) = self.0.store.buckets(&resource).await?;
        let mut balances = reading.balances(&levels);
        let mut entities = Vec::new();
        for level in &levels {
            for (limit, balance) in level.limits.iter().zip(balances.by_ref()) {
                if *limit.name() == limit_name {
                    entities.push(EntityCapacity {
                        entity_id: level.entity_id.clone(),
                        capacity: limit.capacity(),
                        available: balance.whole_tokens(),
                        utilization_pct: utilization_pct(limit.capacity(), balance.whole_tokens()),
                    });
                }
            }
        }
        if parents_only {
            let all = self.0.store.entities().await?;
            let children: std::collections::HashSet<_> =
                all.iter().filter(|entity| entity.is_child()).map(|entity| &entity.id).collect();
            entities.retain(|entity| !children.contains(&entity.entity_id));
        }
        let total_capacity = entities.iter().map(|entity| entity.capacity).sum();
        let total_available = entities.iter().map(|entity| entity.available).fold(0, i64::saturating_add);
        let utilization_pct = utilization_pct(total_capacity, total_available);
        Ok(ResourceCapacity {
            resource,
            limit_name,
            total_capacity,
            total_available,
            utilization_pct,
            entities,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
fn utilization_pct(capacity: u64, available: i64) -> f64 {
    if capacity == 0 { 0.0 } else { 100.0 * (capacity as f64 - available as f64) / capacity as f64 }
}
