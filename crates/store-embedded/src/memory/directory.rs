//! Entities and stored limits.

use std::collections::{BTreeMap, HashMap};

use zae_limiter_core::{Entity, EntityConfig, EntityId, LimitScope, LimitSet, Resource};

#[derive(Debug, Default)]
pub(super) struct Directory {
    entities: BTreeMap<EntityId, Entity>,
    limits: HashMap<LimitScope, LimitSet>,
}

impl Directory {
    /// Whether there was no such entity before.
    pub(super) fn create(&mut self, entity: &Entity) -> bool {
        match self.entities.entry(entity.id.clone()) {
            std::collections::btree_map::Entry::Occupied(_) => false,
            std::collections::btree_map::Entry::Vacant(vacant) => {
                vacant.insert(entity.clone());
                true
            }
        }
    }

    pub(super) fn entity(&self, id: &EntityId) -> Option<&Entity> {
        self.entities.get(id)
    }

    pub(super) fn entities(&self, wanted: impl Fn(&Entity) -> bool) -> Vec<Entity> {
        self.entities.values().filter(|entity| wanted(entity)).cloned().collect()
    }

    /// Removes an entity and the limits stored for it.
    pub(super) fn delete(&mut self, id: &EntityId) {
        self.entities.remove(id);
        self.limits.retain(|scope, _| match scope {
            LimitScope::EntityResource(entity, _) | LimitScope::Entity(entity) => entity != id,
            LimitScope::Resource(_) | LimitScope::System => true,
        });
    }

    pub(super) fn put_limits(&mut self, scope: &LimitScope, limits: &LimitSet) {
        self.limits.insert(scope.clone(), limits.clone());
    }

    pub(super) fn limits(&self, scope: &LimitScope) -> Option<&LimitSet> {
        self.limits.get(scope)
    }

    pub(super) fn delete_limits(&mut self, scope: &LimitScope) {
        self.limits.remove(scope);
    }

    pub(super) fn config(&self, entity: &EntityId, resource: &Resource) -> EntityConfig {
        let limits = |scope| self.limits.get(&scope).cloned();
        let mut config = EntityConfig::default();
        config.parent_id = self.entities.get(entity).and_then(|entity| entity.parent_id.clone());
        config.entity_resource = limits(LimitScope::EntityResource(entity.clone(), resource.clone()));
        config.entity = limits(LimitScope::Entity(entity.clone()));
        config.resource = limits(LimitScope::Resource(resource.clone()));
        config.system = limits(LimitScope::System);
        config
    }
}
