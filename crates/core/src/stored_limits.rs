//! Limits that are kept in the store, on four levels, most specific first.

use std::fmt;

use crate::{EntityId, LimitSet, Resource};

/// Where a set of limits is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LimitScope {
    /// For one entity on one resource.
    EntityResource(EntityId, Resource),
    /// For one entity, on every resource without limits of its own.
    Entity(EntityId),
    /// For every entity without limits of its own, on one resource.
    Resource(Resource),
    /// For everything else.
    System,
}

impl fmt::Display for LimitScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EntityResource(entity, resource) => write!(f, "entity {entity} on {resource}"),
            Self::Entity(entity) => write!(f, "entity {entity}"),
            Self::Resource(resource) => write!(f, "resource {resource}"),
            Self::System => f.write_str("the system"),
        }
    }
}

/// All that is stored about how an entity is limited on a resource: one read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntityConfig {
    /// The entity above, if the entity has a record that names one.
    pub parent_id: Option<EntityId>,
    /// Limits at [`LimitScope::EntityResource`].
    pub entity_resource: Option<LimitSet>,
    /// Limits at [`LimitScope::Entity`].
    pub entity: Option<LimitSet>,
    /// Limits at [`LimitScope::Resource`].
    pub resource: Option<LimitSet>,
    /// Limits at [`LimitScope::System`].
    pub system: Option<LimitSet>,
}

impl EntityConfig {
    /// The limits that the entity has for itself: for the resource, else by default.
    pub fn own_limits(&self) -> Option<&LimitSet> {
        self.entity_resource.as_ref().or(self.entity.as_ref())
    }

    /// The most specific stored limits of all.
    pub fn limits(&self) -> Option<&LimitSet> {
        self.own_limits().or(self.resource.as_ref()).or(self.system.as_ref())
    }
}
