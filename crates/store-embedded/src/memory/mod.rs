//! The store for one process: striped locks over hash tables.

mod directory;
mod held;
mod history;
mod key;
mod shard;

use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use parking_lot::{Mutex, MutexGuard, RwLock};
use smallvec::SmallVec;
use zae_limiter_core::store::{StoreAnswer, Task};
use zae_limiter_core::take::limits_of;
use zae_limiter_core::usage::{HourOfUsage, hour_of, roll_up};
use zae_limiter_core::{
    Answer, Change, Clock, Decision, Entity, EntityConfig, EntityId, FullAt, Level, LimitScope, LimitSet,
    Reading, Resource, Store, StoreError, StoreErrorKind, Timestamp, UsageQuery, UsageSnapshot,
};

use self::directory::Directory;
use self::held::Held;
use self::shard::{Shard, States};
use crate::MEMORY_RETENTION;
use crate::record::full_admits;

/// Locks over which the buckets are spread: enough that threads on different buckets seldom meet.
const SHARDS: usize = 256;

/// Keeps everything in this process. Nothing survives it.
///
/// Records of buckets that have been full for a while are dropped, so memory follows the number of buckets in
/// use; usage is kept for [`MEMORY_RETENTION`] unless told otherwise.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    retention_hours: u32,
    hasher: RandomState,
    shards: Box<[Padded]>,
    directory: RwLock<Directory>,
}

/// A shard on cache lines of its own, so that two locks in use do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(Mutex<Shard>);

impl MemoryStore {
    /// An empty store that reads the time from `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            retention_hours: 0,
            hasher: RandomState::default(),
            shards: (0..SHARDS).map(|_| Padded::default()).collect(),
            directory: RwLock::default(),
        }
        .with_retention(MEMORY_RETENTION)
    }

    /// Keeps usage for `retention`, in whole hours rounded up.
    #[must_use]
    pub fn with_retention(mut self, retention: Duration) -> Self {
        let hours = retention.as_secs().div_ceil(3600);
        self.retention_hours = u32::try_from(hours).unwrap_or(u32::MAX);
        self
    }

    #[inline]
    fn hash(&self, level: &Level) -> u64 {
        key::hash(&self.hasher, &level.entity_id, &level.resource)
    }

    /// The shard of a hash: by bits that the tables inside the shards do not look at.
    const fn shard_of(hash: u64) -> usize {
        (hash >> 40) as usize % SHARDS
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard].0.lock()
    }

    fn try_take(&self, take: Change<'_>) -> Result<Decision, StoreError> {
        let now = self.clock.now();
        let mut full_at = States::new();
        let admitted = match take.levels {
            [level] => self.take_from_one(level, take, now, &mut full_at)?,
            _ => self.take_from_all(take, now, &mut full_at)?,
        };
        let reading = Reading { at: now, full_at };
        Ok(if admitted { Decision::Admitted(reading) } else { Decision::Denied(reading) })
    }

    /// The common case: one lock, one look-up.
    #[inline]
    fn take_from_one(
        &self,
        level: &Level,
        take: Change<'_>,
        now: Timestamp,
        states: &mut States,
    ) -> Result<bool, StoreError> {
        let hash = self.hash(level);
        let mut shard = self.lock(Self::shard_of(hash));
        let admitted = shard.take(hash, (level, take.amounts, take.acquires), now, &self.hasher, states)?;
        if admitted {
            shard.count_change(now, self.retention_hours, &self.hasher);
        }
        Ok(admitted)
    }

    #[inline(never)]
    fn take_from_all(
        &self,
        take: Change<'_>,
        now: Timestamp,
        states: &mut States,
    ) -> Result<bool, StoreError> {
        let mut held = self.lock_all(take.levels);
        for (place, (level, amounts)) in take.by_level().enumerate() {
            let admitted = match held.bucket(place) {
                Some(bucket) => bucket.record.admits(level, amounts, now, states),
                None => full_admits(level, amounts, now, states),
            };
            if !admitted {
                *states = held.read(take.levels, now);
                return Ok(false);
            }
        }
        held.prepare(take.levels, now, &self.hasher)?;
        let mut after: &[FullAt] = states;
        for (place, (level, amounts)) in take.by_level().enumerate() {
            let (own, others) = after.split_at(level.limits.len());
            after = others;
            if let Some(bucket) = held.bucket_mut(place, now) {
                bucket.record.settle(level, amounts, take.acquires, own);
            }
        }
        held.count_changes(now, self.retention_hours, &self.hasher);
        Ok(true)
    }

    fn try_apply(&self, change: Change<'_>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut held = self.lock_all(change.levels);
        held.prepare(change.levels, now, &self.hasher)?;
        for (place, (level, amounts)) in change.by_level().enumerate() {
            if let Some(bucket) = held.bucket_mut(place, now) {
                bucket.record.apply(level, amounts, change.acquires, now);
            }
        }
        held.count_changes(now, self.retention_hours, &self.hasher);
        Ok(())
    }

    fn lock_all(&self, levels: &[Level]) -> Held<'_> {
        Held::lock(levels, |level| self.hash(level), Self::shard_of, |shard| self.lock(shard))
    }

    /// Runs `visit` over every shard, one lock at a time.
    fn each_shard(&self, mut visit: impl FnMut(&mut Shard)) {
        for shard in &self.shards {
            visit(&mut shard.0.lock());
        }
    }
}

impl Store for MemoryStore {
    fn take<'a>(&'a self, take: Change<'a>) -> StoreAnswer<'a, Decision> {
        Answer::ready(self.try_take(take))
    }

    fn apply<'a>(&'a self, change: Change<'a>) -> StoreAnswer<'a, ()> {
        Answer::ready(self.try_apply(change))
    }

    fn read<'a>(&'a self, levels: &'a [Level]) -> StoreAnswer<'a, Reading> {
        let now = self.clock.now();
        let full_at = self.lock_all(levels).read(levels, now);
        Answer::ready(Ok(Reading { at: now, full_at }))
    }

    fn config<'a>(&'a self, entity: &'a EntityId, resource: &'a Resource) -> StoreAnswer<'a, EntityConfig> {
        Answer::ready(Ok(self.directory.read().config(entity, resource)))
    }

    fn create_entity<'a>(&'a self, entity: &'a Entity) -> StoreAnswer<'a, ()> {
        let created = self.directory.write().create(entity);
        Answer::ready(created.then_some(()).ok_or_else(|| {
            StoreError::new(StoreErrorKind::AlreadyExists, format!("entity {} exists already", entity.id))
        }))
    }

    fn entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, Option<Entity>> {
        Answer::ready(Ok(self.directory.read().entity(id).cloned()))
    }

    fn delete_entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, ()> {
        self.directory.write().delete(id);
        self.each_shard(|shard| shard.forget(id));
        Answer::ready(Ok(()))
    }

    fn entities(&self) -> StoreAnswer<'_, Vec<Entity>> {
        Answer::ready(Ok(self.directory.read().entities(|_| true)))
    }

    fn children<'a>(&'a self, parent: &'a EntityId) -> StoreAnswer<'a, Vec<Entity>> {
        let below = |entity: &Entity| entity.parent_id.as_ref() == Some(parent);
        Answer::ready(Ok(self.directory.read().entities(below)))
    }

    fn put_limits<'a>(&'a self, scope: &'a LimitScope, limits: &'a LimitSet) -> StoreAnswer<'a, ()> {
        self.directory.write().put_limits(scope, limits);
        Answer::ready(Ok(()))
    }

    fn limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, Option<LimitSet>> {
        Answer::ready(Ok(self.directory.read().limits(scope).cloned()))
    }

    fn delete_limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, ()> {
        self.directory.write().delete_limits(scope);
        Answer::ready(Ok(()))
    }

    fn buckets<'a>(&'a self, resource: &'a Resource) -> StoreAnswer<'a, (Vec<Level>, Reading)> {
        let mut found = Vec::new();
        self.each_shard(|shard| found.extend(shard.on_resource(resource)));
        found.sort_by(|(a, _), (b, _)| a.entity_id.cmp(&b.entity_id));
        let full_at = found.iter().flat_map(|(_, states)| states.iter().copied()).collect();
        let levels: Vec<Level> = found.into_iter().map(|(level, _)| level).collect();
        debug_assert_eq!(limits_of(&levels).count(), SmallVec::len(&full_at));
        Answer::ready(Ok((levels, Reading { at: self.clock.now(), full_at })))
    }

    fn usage<'a>(&'a self, query: &'a UsageQuery) -> StoreAnswer<'a, Vec<UsageSnapshot>> {
        let oldest = hour_of(self.clock.now()).saturating_sub(self.retention_hours);
        let mut hours: Vec<HourOfUsage> = Vec::new();
        self.each_shard(|shard| hours.extend(shard.usage(query.entity_id.as_ref(), oldest)));
        Answer::ready(Ok(roll_up(query, hours)))
    }

    fn spawn(&self, task: Task) {
        pollster::block_on(task);
    }
}
