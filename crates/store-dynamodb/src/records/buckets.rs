//! The buckets of a resource.

use smallvec::SmallVec;
use zae_limiter_core::{EntityId, Level, LimitSet, Reading, Resource, StoreError};

use crate::aws::{Connection, Key, Pages, bucket};
use crate::item::Known;
use crate::schema::{BUCKET_GSI2_SK, GSI2};
use crate::table::BucketKey;

impl Connection {
    /// Every recorded bucket of a resource, by entity. Which there are is told by an index, which may lag behind by a
    /// moment; the states are exact.
    pub(crate) async fn buckets(&self, resource: Resource) -> Result<(Vec<Level>, Reading), StoreError> {
        let pages = Pages::of_index(GSI2, self.ns.resource(&resource), BUCKET_GSI2_SK.to_owned());
        let listed = self.list(pages).await?;
        let keys: Vec<Key> = listed.iter().filter_map(crate::aws::key_of).collect();
        let items = self.get_items(&keys).await?;
        let entities = self.ns.entities();
        let mut found = Vec::with_capacity(items.len());
        for ((pk, _), attributes) in items {
            let Some(entity_id) = pk.strip_prefix(&entities).and_then(|id| EntityId::new(id).ok()) else {
                continue;
            };
            let key = BucketKey { entity_id, resource: resource.clone() };
            let item = bucket(&attributes, &key)?;
            // One that has only counted acquires of nothing has no limits to tell of.
            let Ok(limits) = LimitSet::new(item.limits.values().map(|held| held.limit.clone())) else {
                continue;
            };
            found.push((Level { entity_id: key.entity_id, resource: resource.clone(), limits }, item));
        }
        found.sort_by(|(a, _), (b, _)| a.entity_id.cmp(&b.entity_id));
        let at = self.clock.now();
        let mut full_at = SmallVec::new();
        let levels = found.into_iter().map(|(level, item)| {
            full_at.extend(Known { item: Some(item), at }.reading(&level.limits, at).full_at);
            level
        });
        let levels = levels.collect();
        Ok((levels, Reading { at, full_at }))
    }
}
