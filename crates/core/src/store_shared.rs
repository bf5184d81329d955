//! A shared store is a store.

use std::sync::Arc;

use crate::store::{StoreAnswer, Task};
use crate::{
    Change, Decision, Entity, EntityConfig, EntityId, Level, LimitScope, LimitSet, Reading, Resource, Store,
    UsageQuery, UsageSnapshot,
};

/// So that a wrapper, generic over the store that it wraps, also wraps one that was opened by URL.
impl<S: Store + ?Sized> Store for Arc<S> {
    fn take<'a>(&'a self, take: Change<'a>) -> StoreAnswer<'a, Decision> {
        (**self).take(take)
    }

    fn apply<'a>(&'a self, change: Change<'a>) -> StoreAnswer<'a, ()> {
        (**self).apply(change)
    }

    fn read<'a>(&'a self, levels: &'a [Level]) -> StoreAnswer<'a, Reading> {
        (**self).read(levels)
    }

    fn config<'a>(&'a self, entity: &'a EntityId, resource: &'a Resource) -> StoreAnswer<'a, EntityConfig> {
        (**self).config(entity, resource)
    }

    fn create_entity<'a>(&'a self, entity: &'a Entity) -> StoreAnswer<'a, ()> {
        (**self).create_entity(entity)
    }

    fn entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, Option<Entity>> {
        (**self).entity(id)
    }

    fn delete_entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, ()> {
        (**self).delete_entity(id)
    }

    fn entities(&self) -> StoreAnswer<'_, Vec<Entity>> {
        (**self).entities()
    }

    fn children<'a>(&'a self, parent: &'a EntityId) -> StoreAnswer<'a, Vec<Entity>> {
        (**self).children(parent)
    }

    fn put_limits<'a>(&'a self, scope: &'a LimitScope, limits: &'a LimitSet) -> StoreAnswer<'a, ()> {
        (**self).put_limits(scope, limits)
    }

    fn limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, Option<LimitSet>> {
        (**self).limits(scope)
    }

    fn delete_limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, ()> {
        (**self).delete_limits(scope)
    }

    fn buckets<'a>(&'a self, resource: &'a Resource) -> StoreAnswer<'a, (Vec<Level>, Reading)> {
        (**self).buckets(resource)
    }

    fn usage<'a>(&'a self, query: &'a UsageQuery) -> StoreAnswer<'a, Vec<UsageSnapshot>> {
        (**self).usage(query)
    }

    fn spawn(&self, task: Task) {
        (**self).spawn(task);
    }
}
