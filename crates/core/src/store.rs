//! The contract between the limiter and whatever keeps its state.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::take::{Change, Decision, Level, Reading};
use crate::{
    Answer, Entity, EntityConfig, EntityId, LimitScope, LimitSet, Resource, StoreError, UsageQuery,
    UsageSnapshot,
};

/// What every method of a store returns.
pub type StoreAnswer<'a, T> = Answer<'a, Result<T, StoreError>>;

/// A future that runs to its end on its own.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Keeps buckets, entities, stored limits and usage.
///
/// # Atomicity
///
/// A [`take`](Store::take) is all or nothing over all its levels, and concurrent takes and applies of one
/// bucket happen one after the other: each sees the state that the one before left. Time is the store's own
/// injected [`Clock`](crate::Clock), read no earlier than the call and no later than its answer.
///
/// # Cancellation
///
/// An answer that is pending does nothing before it is first polled. Dropping a pending [`take`](Store::take)
/// returns what it took, if anything; an [`apply`](Store::apply) that was polled is carried out even if its answer is
/// dropped.
///
/// # State
///
/// A bucket that has no record is full. When a level comes with other parameters for a limit than its record
/// has, the balance is carried over ([`Rate::rescaled`](crate::Rate::rescaled)). Limits of the record that the level does
/// not name stay as they are. Each change counts in the usage of its buckets, with the change itself.
///
/// Wrappers that are themselves stores compose.
pub trait Store: Send + Sync + fmt::Debug {
    /// Takes `take.amounts` (none negative) from all levels, or from none.
    fn take<'a>(&'a self, take: Change<'a>) -> StoreAnswer<'a, Decision>;

    /// Applies signed amounts unconditionally: charges may leave debt, returns never lift above burst.
    fn apply<'a>(&'a self, change: Change<'a>) -> StoreAnswer<'a, ()>;

    /// Reads the state of the levels. Changes nothing, not even a changed limit.
    fn read<'a>(&'a self, levels: &'a [Level]) -> StoreAnswer<'a, Reading>;

    /// Everything stored about how `entity` is limited on `resource`.
    fn config<'a>(&'a self, entity: &'a EntityId, resource: &'a Resource) -> StoreAnswer<'a, EntityConfig>;

    /// Makes a record of an entity; [`AlreadyExists`](crate::StoreErrorKind::AlreadyExists) if there is one.
    fn create_entity<'a>(&'a self, entity: &'a Entity) -> StoreAnswer<'a, ()>;

    /// The record of an entity.
    fn entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, Option<Entity>>;

    /// Deletes an entity with its buckets, stored limits and usage. Deleting what is not there is no error.
    fn delete_entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, ()>;

    /// All entities that have a record, by id.
    fn entities(&self) -> StoreAnswer<'_, Vec<Entity>>;

    /// The entities whose parent is `parent`, by id.
    fn children<'a>(&'a self, parent: &'a EntityId) -> StoreAnswer<'a, Vec<Entity>>;

    /// Stores `limits` at `scope`, in place of those stored there.
    fn put_limits<'a>(&'a self, scope: &'a LimitScope, limits: &'a LimitSet) -> StoreAnswer<'a, ()>;

    /// The limits stored at `scope`.
    fn limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, Option<LimitSet>>;

    /// Removes the limits stored at `scope`, if any.
    fn delete_limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, ()>;

    /// Every recorded bucket of `resource`, with the limits of its record, and their states: by entity id.
    fn buckets<'a>(&'a self, resource: &'a Resource) -> StoreAnswer<'a, (Vec<Level>, Reading)>;

    /// Usage snapshots, by entity, resource and start.
    fn usage<'a>(&'a self, query: &'a UsageQuery) -> StoreAnswer<'a, Vec<UsageSnapshot>>;

    /// Runs `task` to its end in the background, or at once if every answer of this store is ready.
    fn spawn(&self, task: Task);
}
