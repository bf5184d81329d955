//! A store that fails when it is told to.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zae_limiter_core::store::{StoreAnswer, Task};
use zae_limiter_core::{
    Answer, Change, Decision, Entity, EntityConfig, EntityId, Level, LimitScope, LimitSet, Reading, Resource,
    Store, StoreError, StoreErrorKind, UsageQuery, UsageSnapshot,
};

/// The methods of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "named like the methods of `Store`")]
pub enum Call {
    Take,
    Apply,
    Read,
    Config,
    CreateEntity,
    Entity,
    DeleteEntity,
    Entities,
    Children,
    PutLimits,
    Limits,
    DeleteLimits,
    Buckets,
    Usage,
}

/// How a call fails. The caller is told [`Unavailable`](StoreErrorKind::Unavailable) either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is lost: nothing happens in the store.
    Request,
    /// The response is lost: the store does what it is asked, but the caller cannot know.
    Response,
}

/// A store that loses requests and responses by script, and counts its calls.
///
/// ```
/// use std::sync::Arc;
/// use zae_limiter_conformance::{Call, Fault, FaultyStore};
/// use zae_limiter_core::{Change, Store};
///
/// fn test(store: Arc<dyn Store>, take: Change<'_>) {
///     let store = FaultyStore::new(store);
///     // The first take goes well, the response to the second is lost, all others go well.
///     store.script(Call::Take, [None, Some(Fault::Response)]);
///     assert!(pollster::block_on(store.take(take)).is_ok());
///     assert!(pollster::block_on(store.take(take)).unwrap_err().is_unavailable());
///     assert!(pollster::block_on(store.take(take)).is_ok());
///     assert_eq!(store.calls(Call::Take), 3);
/// }
/// ```
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    outage: Option<Fault>,
    scripts: HashMap<Call, VecDeque<Option<Fault>>>,
    calls: HashMap<Call, usize>,
}

impl FaultyStore {
    /// A wrapper around `inner` that does not fail yet.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, plan: Mutex::default() }
    }

    /// What becomes of the next calls of a method, one after the other: `None` goes well. Added to what was
    /// scripted before; once the script has ended, all calls go well.
    pub fn script(&self, call: Call, outcomes: impl IntoIterator<Item = Option<Fault>>) {
        self.plan().scripts.entry(call).or_default().extend(outcomes);
    }

    /// Makes every call of every method fail from now on, or with `None` no longer. An outage leaves the
    /// scripts where they are.
    pub fn set_outage(&self, outage: Option<Fault>) {
        self.plan().outage = outage;
    }

    /// How often a method was called.
    pub fn calls(&self, call: Call) -> usize {
        self.plan().calls.get(&call).copied().unwrap_or(0)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        // A plan is whole after every change: a panic elsewhere leaves nothing half done.
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_fault(&self, call: Call) -> Option<Fault> {
        let mut plan = self.plan();
        *plan.calls.entry(call).or_default() += 1;
        match plan.outage {
            Some(fault) => Some(fault),
            None => plan.scripts.get_mut(&call).and_then(VecDeque::pop_front).flatten(),
        }
    }

    fn answer<'a, T: Send + 'a>(
        &'a self,
        call: Call,
        ask: impl FnOnce(&'a dyn Store) -> StoreAnswer<'a, T>,
    ) -> StoreAnswer<'a, T> {
        match self.next_fault(call) {
            None => ask(&*self.inner),
            Some(Fault::Request) => Answer::ready(Err(unavailable(call, "request"))),
            Some(Fault::Response) => match ask(&*self.inner).into_ready() {
                Ok(_) => Answer::ready(Err(unavailable(call, "response"))),
                Err(answer) => Answer::pending(async move {
                    // Whatever it was: nobody will know.
                    drop(answer.await);
                    Err(unavailable(call, "response"))
                }),
            },
        }
    }
}

fn unavailable(call: Call, lost: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, format!("the {lost} of {call:?} was lost"))
}

impl Store for FaultyStore {
    fn take<'a>(&'a self, take: Change<'a>) -> StoreAnswer<'a, Decision> {
        self.answer(Call::Take, |store| store.take(take))
    }

    fn apply<'a>(&'a self, change: Change<'a>) -> StoreAnswer<'a, ()> {
        self.answer(Call::Apply, |store| store.apply(change))
    }

    fn read<'a>(&'a self, levels: &'a [Level]) -> StoreAnswer<'a, Reading> {
        self.answer(Call::Read, |store| store.read(levels))
    }

    fn config<'a>(&'a self, entity: &'a EntityId, resource: &'a Resource) -> StoreAnswer<'a, EntityConfig> {
        self.answer(Call::Config, |store| store.config(entity, resource))
    }

    fn create_entity<'a>(&'a self, entity: &'a Entity) -> StoreAnswer<'a, ()> {
        self.answer(Call::CreateEntity, |store| store.create_entity(entity))
    }

    fn entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, Option<Entity>> {
        self.answer(Call::Entity, |store| store.entity(id))
    }

    fn delete_entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, ()> {
        self.answer(Call::DeleteEntity, |store| store.delete_entity(id))
    }

    fn entities(&self) -> StoreAnswer<'_, Vec<Entity>> {
        self.answer(Call::Entities, Store::entities)
    }

    fn children<'a>(&'a self, parent: &'a EntityId) -> StoreAnswer<'a, Vec<Entity>> {
        self.answer(Call::Children, |store| store.children(parent))
    }

    fn put_limits<'a>(&'a self, scope: &'a LimitScope, limits: &'a LimitSet) -> StoreAnswer<'a, ()> {
        self.answer(Call::PutLimits, |store| store.put_limits(scope, limits))
    }

    fn limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, Option<LimitSet>> {
        self.answer(Call::Limits, |store| store.limits(scope))
    }

    fn delete_limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, ()> {
        self.answer(Call::DeleteLimits, |store| store.delete_limits(scope))
    }

    fn buckets<'a>(&'a self, resource: &'a Resource) -> StoreAnswer<'a, (Vec<Level>, Reading)> {
        self.answer(Call::Buckets, |store| store.buckets(resource))
    }

    fn usage<'a>(&'a self, query: &'a UsageQuery) -> StoreAnswer<'a, Vec<UsageSnapshot>> {
        self.answer(Call::Usage, |store| store.usage(query))
    }

    fn spawn(&self, task: Task) {
        self.inner.spawn(task);
    }
}

#[cfg(test)]
mod tests {
    use zae_limiter_core::{Clock, ManualClock, Millitokens};

    use super::*;
    use crate::reference::{PendingStore, ReferenceStore};
    use crate::shorthand::{bucket, tokens};

    fn balance(store: &FaultyStore) -> Millitokens {
        let levels = [bucket("a", "n=10/day")];
        let reading = pollster::block_on(store.inner.read(&levels)).unwrap();
        reading.balances(&levels).next().unwrap()
    }

    fn take(store: &FaultyStore) -> Result<Decision, StoreError> {
        let (levels, amounts) = ([bucket("a", "n=10/day")], tokens([1]));
        pollster::block_on(store.take(Change { levels: &levels, amounts: &amounts, acquires: 1 }))
    }

    fn around(inner: impl Store + 'static) -> FaultyStore {
        FaultyStore::new(Arc::new(inner))
    }

    #[test]
    fn a_lost_request_does_nothing_and_a_lost_response_hides_what_was_done() {
        let clock = Arc::new(ManualClock::default());
        for store in [around(ReferenceStore::new(clock.clone())), around(PendingStore::new(clock))] {
            store.script(Call::Take, [Some(Fault::Request), None, Some(Fault::Response)]);
            assert!(take(&store).unwrap_err().is_unavailable());
            assert_eq!(balance(&store), Millitokens::from_tokens(10));
            assert!(take(&store).is_ok());
            assert!(take(&store).unwrap_err().is_unavailable());
            assert_eq!(balance(&store), Millitokens::from_tokens(8));
            assert!(take(&store).is_ok(), "the script has ended");
            assert_eq!((store.calls(Call::Take), store.calls(Call::Apply)), (4, 0));
        }
    }

    #[test]
    fn an_outage_covers_every_method_and_leaves_the_script_for_later() {
        let clock = Arc::new(ManualClock::default());
        let store = around(ReferenceStore::new(clock.clone()));
        store.script(Call::Take, [None, Some(Fault::Request)]);
        store.set_outage(Some(Fault::Request));
        assert!(take(&store).is_err());
        assert!(pollster::block_on(store.entities()).is_err());
        let entity = Entity::new(bucket("a", "n=1/s").entity_id, clock.now());
        assert!(pollster::block_on(store.create_entity(&entity)).unwrap_err().is_unavailable());
        store.set_outage(None);
        assert_eq!(pollster::block_on(store.entities()).unwrap(), []);
        assert!(take(&store).is_ok());
        assert!(take(&store).is_err());
    }

    #[test]
    fn answers_stay_as_ready_as_those_of_the_store_inside() {
        let store = around(ReferenceStore::new(Arc::default()));
        store.script(Call::Entities, [None, Some(Fault::Request), Some(Fault::Response)]);
        for _ in 0..3 {
            assert!(store.entities().into_ready().is_ok());
        }
    }

    #[test]
    fn an_error_of_the_store_inside_is_lost_with_the_response() {
        let store = around(ReferenceStore::new(Arc::default()));
        let entity = Entity::new(bucket("a", "n=1/s").entity_id, zae_limiter_core::Timestamp::EPOCH);
        pollster::block_on(store.create_entity(&entity)).unwrap();
        store.script(Call::CreateEntity, [Some(Fault::Response)]);
        let error = pollster::block_on(store.create_entity(&entity)).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
}
