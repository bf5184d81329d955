//! The reference store: one lock around everything.

use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use zae_limiter_core::store::{StoreAnswer, Task};
use zae_limiter_core::usage::roll_up;
use zae_limiter_core::{
    Answer, Change, Clock, Decision, Entity, EntityConfig, EntityId, Level, LimitScope, LimitSet,
    ManualClock, Reading, Resource, Store, StoreError, StoreErrorKind, Timestamp, UsageQuery, UsageSnapshot,
};

use super::Flaw;
use super::state::State;

#[derive(Debug)]
pub(crate) struct ReferenceStore {
    clock: Arc<ManualClock>,
    state: Mutex<State>,
    /// Taken by the flaw of locking bucket after bucket.
    bucket_locks: Vec<Mutex<()>>,
}

impl ReferenceStore {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock, state: Mutex::default(), bucket_locks: (0..256).map(|_| Mutex::default()).collect() }
    }

    pub(crate) fn with(flaw: Flaw, clock: Arc<ManualClock>) -> Self {
        let state = Mutex::new(State::with(flaw));
        Self { state, ..Self::new(clock) }
    }

    /// The locks of the buckets, in the order in which they are listed.
    fn lock_buckets(&self, levels: &[Level]) -> Vec<MutexGuard<'_, ()>> {
        let mut places: Vec<usize> = Vec::new();
        for level in levels {
            let place =
                level.entity_id.as_str().bytes().map(usize::from).sum::<usize>() % self.bucket_locks.len();
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let lock = |place: usize| {
            thread::yield_now();
            self.bucket_locks[place].lock().unwrap()
        };
        places.into_iter().map(lock).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn decide(&self, take: Change<'_>) -> Decision {
        let flawed = self.state().has(Flaw::LocksInLevelOrder);
        let _held = flawed.then(|| self.lock_buckets(take.levels));
        let mut state = self.state();
        let now = self.clock.now();
        let admitted = state.admitted(take, now);
        if state.has(Flaw::DecidesThenWrites) {
            drop(state);
            thread::yield_now();
            state = self.state();
        }
        if admitted == take.amounts.len() {
            state.apply(take, now);
            Decision::Admitted(state.read(take.levels, now))
        } else {
            state.refuse(take, admitted, now);
            Decision::Denied(state.read(take.levels, now))
        }
    }

    fn sorted(state: &State, wanted: impl Fn(&Entity) -> bool) -> Vec<Entity> {
        let mut entities: Vec<_> = state.entities.values().filter(|entity| wanted(entity)).cloned().collect();
        if state.has(Flaw::DoesNotSort) {
            entities.sort_by_key(|entity| entity.name.clone());
        }
        entities
    }
}

fn ready<'a, T>(value: T) -> StoreAnswer<'a, T> {
    Answer::ready(Ok(value))
}

impl Store for ReferenceStore {
    fn take<'a>(&'a self, take: Change<'a>) -> StoreAnswer<'a, Decision> {
        ready(self.decide(take))
    }

    fn apply<'a>(&'a self, change: Change<'a>) -> StoreAnswer<'a, ()> {
        let mut state = self.state();
        state.apply(change, self.clock.now());
        ready(())
    }

    fn read<'a>(&'a self, levels: &'a [Level]) -> StoreAnswer<'a, Reading> {
        ready(self.state().read(levels, self.clock.now()))
    }

    fn config<'a>(&'a self, entity: &'a EntityId, resource: &'a Resource) -> StoreAnswer<'a, EntityConfig> {
        let state = self.state();
        let limits = |scope| {
            let hidden = state.has(Flaw::NeedsRecordForLimits) && !state.entities.contains_key(entity);
            if hidden { None } else { state.limits.get(&scope).cloned() }
        };
        let mut config = EntityConfig::default();
        config.parent_id = state.entities.get(entity).and_then(|entity| entity.parent_id.clone());
        config.entity_resource = limits(LimitScope::EntityResource(entity.clone(), resource.clone()));
        config.entity = limits(LimitScope::Entity(entity.clone()));
        config.resource = limits(LimitScope::Resource(resource.clone()));
        config.system = limits(LimitScope::System);
        ready(config)
    }

    fn create_entity<'a>(&'a self, entity: &'a Entity) -> StoreAnswer<'a, ()> {
        let mut state = self.state();
        if state.entities.contains_key(&entity.id) && !state.has(Flaw::OverwritesEntity) {
            let message = format!("entity {} exists already", entity.id);
            return Answer::ready(Err(StoreError::new(StoreErrorKind::AlreadyExists, message)));
        }
        state.entities.insert(entity.id.clone(), entity.clone());
        ready(())
    }

    fn entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, Option<Entity>> {
        ready(self.state().entities.get(id).cloned())
    }

    fn delete_entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, ()> {
        self.state().delete(id);
        ready(())
    }

    fn entities(&self) -> StoreAnswer<'_, Vec<Entity>> {
        ready(Self::sorted(&self.state(), |_| true))
    }

    fn children<'a>(&'a self, parent: &'a EntityId) -> StoreAnswer<'a, Vec<Entity>> {
        ready(Self::sorted(&self.state(), |entity| entity.parent_id.as_ref() == Some(parent)))
    }

    fn put_limits<'a>(&'a self, scope: &'a LimitScope, limits: &'a LimitSet) -> StoreAnswer<'a, ()> {
        let mut state = self.state();
        if state.has(Flaw::MixesScopes)
            && let LimitScope::Resource(resource) = scope
        {
            let same = EntityId::new(resource.as_str()).unwrap();
            state.limits.insert(LimitScope::Entity(same), limits.clone());
        }
        state.limits.insert(scope.clone(), limits.clone());
        ready(())
    }

    fn limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, Option<LimitSet>> {
        ready(self.state().limits.get(scope).cloned())
    }

    fn delete_limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, ()> {
        self.state().limits.remove(scope);
        ready(())
    }

    fn buckets<'a>(&'a self, resource: &'a Resource) -> StoreAnswer<'a, (Vec<Level>, Reading)> {
        let mut state = self.state();
        let levels = state.levels_on(resource);
        let reading = state.read(&levels, self.clock.now());
        ready((levels, reading))
    }

    fn usage<'a>(&'a self, query: &'a UsageQuery) -> StoreAnswer<'a, Vec<UsageSnapshot>> {
        let state = self.state();
        let mut query = query.clone();
        if state.has(Flaw::ShiftsUsageRange) {
            query.from = Timestamp::from_millis(query.from.as_millis() + 1);
            query.to = Timestamp::from_millis(query.to.as_millis() + 1);
        }
        ready(roll_up(&query, state.hours.values().cloned()))
    }

    fn spawn(&self, task: Task) {
        pollster::block_on(task);
    }
}
