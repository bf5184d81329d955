//! Deleting an entity with all that it has.

use zae_limiter_core::{EntityId, Resource, StoreError};

use crate::aws::{Attributes, Connection, Key, Pages, key_of};
use crate::schema::{BUCKET_SK, GSI2_PK, SK};

impl Connection {
    /// Deletes every record of the entity, and tells on which resources it had buckets.
    pub(crate) async fn delete_entity(&self, id: &EntityId) -> Result<Vec<Resource>, StoreError> {
        let items = self.list(Pages::of(self.ns.entity(id), String::new()).keys_only()).await?;
        let prefix = self.ns.resources();
        let resource = |item: &Attributes| {
            let text = |name| item.get(name)?.as_s().ok();
            text(SK)?.starts_with(BUCKET_SK).then_some(())?;
            Resource::new(text(GSI2_PK)?.strip_prefix(&prefix)?).ok()
        };
        let resources = items.iter().filter_map(resource).collect();
        let keys: Vec<Key> = items.iter().filter_map(key_of).collect();
        self.delete_items(keys).await?;
        Ok(resources)
    }
}
