//! The store for one process: striped locks over hash tables.

mod directory;
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
use self::shard::{Shard, States};
use crate::MEMORY_RETENTION;
use crate::record::Record;

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

    #[inline]
    fn try_take(&self, take: Change<'_>) -> Result<Decision, StoreError> {
        match take.levels {
            [level] => self.take_from_one(level, take),
            _ => self.take_from_all(take),
        }
    }

    /// The common case: one lock, one look-up.
    #[inline]
    fn take_from_one(&self, level: &Level, take: Change<'_>) -> Result<Decision, StoreError> {
        let now = self.clock.now();
        let hash = self.hash(level);
        let mut shard = self.lock(Self::shard_of(hash));
        let Shard { table, history } = &mut *shard;
        let decision = table.take(hash, (level, take.amounts, take.acquires), now, &self.hasher, history)?;
        if let Decision::Admitted(_) = decision {
            shard.count_change(now, self.retention_hours, &self.hasher);
        }
        Ok(decision)
    }

    fn take_from_all(&self, take: Change<'_>) -> Result<Decision, StoreError> {
        let now = self.clock.now();
        let mut held = self.lock_all(take.levels);
        let mut after = States::new();
        for (place, (level, amounts)) in take.by_level().enumerate() {
            let (hash, shard) = held.shard(place);
            if !shard.table.admits(hash, level, amounts, now, &mut after) {
                return Ok(Decision::Denied(held.read(take.levels, now)));
            }
        }
        self.prepare(&mut held, take.levels, now)?;
        let mut states: &[FullAt] = &after;
        for (place, (level, amounts)) in take.by_level().enumerate() {
            let (own, others) = states.split_at(level.limits.len());
            states = others;
            self.change(&mut held, place, level, now, |record| {
                record.settle(level, amounts, take.acquires, own);
            })?;
        }
        Ok(Decision::Admitted(Reading { at: now, full_at: after }))
    }

    fn try_apply(&self, change: Change<'_>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut held = self.lock_all(change.levels);
        self.prepare(&mut held, change.levels, now)?;
        for (place, (level, amounts)) in change.by_level().enumerate() {
            self.change(&mut held, place, level, now, |record| {
                record.apply(level, amounts, change.acquires, now);
            })?;
        }
        Ok(())
    }

    /// Makes every level's bucket hold its limits before any is changed, so that an error leaves all balances as they
    /// were.
    fn prepare(&self, held: &mut Held<'_>, levels: &[Level], now: Timestamp) -> Result<(), StoreError> {
        for (place, level) in levels.iter().enumerate() {
            let (hash, shard) = held.shard(place);
            shard.table.bucket(hash, level, now, &self.hasher)?;
        }
        Ok(())
    }

    /// Changes the record of the level at `place`.
    fn change(
        &self,
        held: &mut Held<'_>,
        place: usize,
        level: &Level,
        now: Timestamp,
        change: impl FnOnce(&mut Record),
    ) -> Result<(), StoreError> {
        let (hash, shard) = held.shard(place);
        let bucket = shard.table.bucket(hash, level, now, &self.hasher)?;
        bucket.turn_hour(now, &mut shard.history);
        change(&mut bucket.record);
        shard.count_change(now, self.retention_hours, &self.hasher);
        Ok(())
    }

    /// Locks the shards of all `levels`, in ascending order, so that no two calls wait for each other.
    fn lock_all(&self, levels: &[Level]) -> Held<'_> {
        let hashes: SmallVec<[u64; 4]> = levels.iter().map(|level| self.hash(level)).collect();
        let mut order: SmallVec<[usize; 4]> = hashes.iter().map(|hash| Self::shard_of(*hash)).collect();
        order.sort_unstable();
        order.dedup();
        Held { hashes, shards: order.into_iter().map(|shard| (shard, self.lock(shard))).collect() }
    }

    /// Runs `visit` over every shard, one lock at a time.
    fn each_shard(&self, mut visit: impl FnMut(&mut Shard)) {
        for shard in &self.shards {
            visit(&mut shard.0.lock());
        }
    }
}

/// The locked shards of a call over several buckets, and the hashes of the buckets.
struct Held<'s> {
    hashes: SmallVec<[u64; 4]>,
    shards: SmallVec<[(usize, MutexGuard<'s, Shard>); 4]>,
}

impl Held<'_> {
    /// The hash of the bucket of the level at `place`, and its shard.
    fn shard(&mut self, place: usize) -> (u64, &mut Shard) {
        let hash = self.hashes[place];
        let wanted = MemoryStore::shard_of(hash);
        // `lock_all` locked the shard of every hash.
        let held = self.shards.iter().position(|(shard, _)| *shard == wanted).unwrap_or(0);
        (hash, &mut self.shards[held].1)
    }

    fn read(&mut self, levels: &[Level], now: Timestamp) -> Reading {
        let mut full_at = SmallVec::new();
        for (place, level) in levels.iter().enumerate() {
            let (hash, shard) = self.shard(place);
            match shard.table.find(hash, &level.entity_id, &level.resource) {
                Some(bucket) => full_at.extend(bucket.record.states_of(&level.limits, now)),
                None => full_at.extend(level.limits.iter().map(|_| FullAt::ALWAYS)),
            }
        }
        Reading { at: now, full_at }
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
        Answer::ready(Ok(self.lock_all(levels).read(levels, now)))
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
