//! A store that reports what it is asked.

mod call;
#[cfg(feature = "tracing")]
mod events;
#[cfg(feature = "metrics")]
mod meters;

use zae_limiter_core::store::{StoreAnswer, Task};
use zae_limiter_core::{
    Change, Decision, Entity, EntityConfig, EntityId, Level, LimitScope, LimitSet, Reading, Resource, Store,
    UsageQuery, UsageSnapshot,
};

use self::call::Call;

/// Wraps a store, and reports every call to `tracing` and `metrics`, whichever features are on.
///
/// **Feature `tracing`.** Each call ends with an event of target `zae_limiter::store` and the fields `call` (the
/// method), `entity` and `resource` where there is one, `outcome` (`admitted`, `denied`, `ok`, the kind of an error, or
/// `cancelled`), `duration_us`, and `error` if there was one. The level is debug; for errors that a correct call can
/// meet, like [`Unavailable`](crate::StoreErrorKind::Unavailable), it is warn. A call that has to be waited for also runs
/// in a debug span `store_call`, so that what a store behind a network reports is found below it.
///
/// **Feature `metrics`.**
///
/// | metric | kind | labels |
/// |---|---|---|
/// | `zae_limiter_takes_total` | counter | `resource`, `decision` (`admitted`, `denied`) |
/// | `zae_limiter_store_call_seconds` | histogram | `call` |
/// | `zae_limiter_store_errors_total` | counter | `call`, `kind` (as `outcome` above, `cancelled` too) |
///
/// There is a time series for each resource: where resources are named by clients, check them first.
///
/// An embedded store stays as it is: its answers are ready when the call returns, and no task or runtime is involved.
///
/// ```
/// use std::sync::Arc;
/// use zae_limiter::{Block, Limiter, Observed, StoreUrl, SystemClock, SystemJitter};
///
/// let clock = Arc::new(SystemClock);
/// let store = "memory:".parse::<StoreUrl>()?.open(clock.clone(), Arc::new(SystemJitter)).wait()?;
/// let limiter = Limiter::builder().clock(clock).build(Arc::new(Observed::new(store)));
/// # limiter.entities().wait()?;
/// # Ok::<(), zae_limiter::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Observed<S> {
    store: S,
}

impl<S> Observed<S> {
    /// Reports what `store` is asked from here on.
    pub fn new(store: S) -> Self {
        #[cfg(feature = "metrics")]
        meters::describe();
        Self { store }
    }

    /// The store inside.
    pub const fn get_ref(&self) -> &S {
        &self.store
    }

    /// The store inside, unobserved.
    pub fn into_inner(self) -> S {
        self.store
    }
}

impl<S: Store> Store for Observed<S> {
    fn take<'a>(&'a self, take: Change<'a>) -> StoreAnswer<'a, Decision> {
        Call::on_levels("take", take.levels).observe_take(|| self.store.take(take))
    }

    fn apply<'a>(&'a self, change: Change<'a>) -> StoreAnswer<'a, ()> {
        Call::on_levels("apply", change.levels).observe(|| self.store.apply(change))
    }

    fn read<'a>(&'a self, levels: &'a [Level]) -> StoreAnswer<'a, Reading> {
        Call::on_levels("read", levels).observe(|| self.store.read(levels))
    }

    fn config<'a>(&'a self, entity: &'a EntityId, resource: &'a Resource) -> StoreAnswer<'a, EntityConfig> {
        Call::on("config", Some(entity), Some(resource)).observe(|| self.store.config(entity, resource))
    }

    fn create_entity<'a>(&'a self, entity: &'a Entity) -> StoreAnswer<'a, ()> {
        Call::on("create_entity", Some(&entity.id), None).observe(|| self.store.create_entity(entity))
    }

    fn entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, Option<Entity>> {
        Call::on("entity", Some(id), None).observe(|| self.store.entity(id))
    }

    fn delete_entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, ()> {
        Call::on("delete_entity", Some(id), None).observe(|| self.store.delete_entity(id))
    }

    fn entities(&self) -> StoreAnswer<'_, Vec<Entity>> {
        Call::on("entities", None, None).observe(|| self.store.entities())
    }

    fn children<'a>(&'a self, parent: &'a EntityId) -> StoreAnswer<'a, Vec<Entity>> {
        Call::on("children", Some(parent), None).observe(|| self.store.children(parent))
    }

    fn put_limits<'a>(&'a self, scope: &'a LimitScope, limits: &'a LimitSet) -> StoreAnswer<'a, ()> {
        Call::on_scope("put_limits", scope).observe(|| self.store.put_limits(scope, limits))
    }

    fn limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, Option<LimitSet>> {
        Call::on_scope("limits", scope).observe(|| self.store.limits(scope))
    }

    fn delete_limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, ()> {
        Call::on_scope("delete_limits", scope).observe(|| self.store.delete_limits(scope))
    }

    fn buckets<'a>(&'a self, resource: &'a Resource) -> StoreAnswer<'a, (Vec<Level>, Reading)> {
        Call::on("buckets", None, Some(resource)).observe(|| self.store.buckets(resource))
    }

    fn usage<'a>(&'a self, query: &'a UsageQuery) -> StoreAnswer<'a, Vec<UsageSnapshot>> {
        Call::on("usage", query.entity_id.as_ref(), query.resource.as_ref())
            .observe(|| self.store.usage(query))
    }

    fn spawn(&self, task: Task) {
        self.store.spawn(task);
    }
}
