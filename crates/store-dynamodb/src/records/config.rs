//! All that is stored about how an entity is limited on a resource, in one request.

use zae_limiter_core::{EntityConfig, EntityId, LimitScope, LimitSet, Resource, StoreError};

use super::{entity, limits};
use crate::aws::{Connection, Key};

impl Connection {
    pub(crate) async fn config(&self, id: EntityId, resource: Resource) -> Result<EntityConfig, StoreError> {
        let scopes = [
            LimitScope::EntityResource(id.clone(), resource.clone()),
            LimitScope::Entity(id.clone()),
            LimitScope::Resource(resource),
            LimitScope::System,
        ];
        let meta = self.entity_key(&id);
        let mut keys: Vec<Key> = scopes.iter().map(|scope| self.ns.limits(scope)).collect();
        keys.push(meta.clone());
        let items = self.get_items(&keys).await?;
        let stored = |scope: &LimitScope, key: &Key| -> Result<Option<LimitSet>, StoreError> {
            items.get(key).map(|item| limits::read(item, scope)).transpose()
        };
        let mut config = EntityConfig::default();
        if let Some(item) = items.get(&meta) {
            let parent = entity::parent_of(item);
            config.parent_id =
                parent.map_err(|malformed| malformed.of(format!("the record of entity {id}")))?;
        }
        config.entity_resource = stored(&scopes[0], &keys[0])?;
        config.entity = stored(&scopes[1], &keys[1])?;
        config.resource = stored(&scopes[2], &keys[2])?;
        config.system = stored(&scopes[3], &keys[3])?;
        Ok(config)
    }
}
