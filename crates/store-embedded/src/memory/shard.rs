//! The buckets behind one lock.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use zae_limiter_core::usage::{HourOfUsage, hour_of};
use zae_limiter_core::{
    EntityId, FullAt, Level, LimitError, Millitokens, Resource, StoreError, StoreErrorKind, Timestamp,
};

use super::history::History;
use super::key::Key;
use crate::record::{Record, full_admits};

/// Changes after which a shard is tidied, besides those in proportion to its size.
const TIDY_EVERY: usize = 1_024;

/// One state for each limit of each level.
pub(super) type States = SmallVec<[FullAt; 4]>;

#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) table: Table,
    pub(super) history: History,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    buckets: HashTable<Bucket>,
    changes_until_tidy: usize,
}

/// A bucket and whose it is. Lies in the table itself: a look-up touches no further memory.
#[derive(Debug)]
pub(super) struct Bucket {
    key: Key,
    pub(super) record: Record,
}

impl Bucket {
    /// Starts counting for the hour of `now`; the usage of an hour that is over goes to the history.
    #[inline]
    fn turn_hour(&mut self, now: Timestamp, history: &mut History) {
        if !self.record.is_in_hour_of(now) {
            if let Some(usage) = self.usage() {
                history.add(usage);
            }
            self.record.start_hour(now);
        }
    }

    #[inline]
    fn is_of(&self, level: &Level) -> bool {
        self.key.is(&level.entity_id, &level.resource)
    }

    /// Makes the record hold the limits of `level`.
    #[inline(always)]
    pub(super) fn hold(&mut self, level: &Level, now: Timestamp) -> Result<(), StoreError> {
        match self.record.adopt(&level.limits, now) {
            Ok(()) => Ok(()),
            Err(error) => Err(unfit(level, error)),
        }
    }

    fn usage(&self) -> Option<HourOfUsage> {
        let (entity, resource) = self.key.names()?;
        self.record.usage(&entity, &resource)
    }
}

impl Table {
    /// Where the bucket of `level` is, until the table is changed.
    pub(super) fn index_of(&self, hash: u64, level: &Level) -> Option<usize> {
        self.buckets.find_bucket_index(hash, |bucket| bucket.is_of(level))
    }

    /// The bucket at an index.
    pub(super) fn at(&self, index: usize) -> Option<&Bucket> {
        self.buckets.get_bucket(index)
    }

    /// Makes the bucket of `level`, which there is not. It brings the next tidying nearer than a change does: see
    /// [`Shard::count_change`].
    #[inline(never)]
    pub(super) fn make(
        &mut self,
        hash: u64,
        level: &Level,
        now: Timestamp,
        hasher: &RandomState,
    ) -> &mut Bucket {
        self.changes_until_tidy = self.changes_until_tidy.saturating_sub(3);
        let key = Key::new(&level.entity_id, &level.resource);
        let bucket = Bucket { key, record: Record::new(&level.limits, now) };
        self.buckets.insert_unique(hash, bucket, |bucket| bucket.key.hash(hasher)).into_mut()
    }
}

#[cold]
fn unfit(level: &Level, error: LimitError) -> StoreError {
    let bucket = format!("bucket of {} on {}", level.entity_id, level.resource);
    StoreError::new(StoreErrorKind::Invalid, format!("{bucket}: {error}")).with_source(error)
}

impl Shard {
    /// Takes `amounts` from the bucket of `level`, if they are there: then `states`, which is empty, gets the states
    /// after it, else those found. A denial makes no bucket and changes none.
    #[inline]
    pub(super) fn take(
        &mut self,
        hash: u64,
        (level, amounts, acquires): (&Level, &[Millitokens], i64),
        now: Timestamp,
        hasher: &RandomState,
        states: &mut States,
    ) -> Result<bool, StoreError> {
        let bucket = if let Some(bucket) = self.table.buckets.find_mut(hash, |bucket| bucket.is_of(level)) {
            if !bucket.record.admits(level, amounts, now, states) {
                states.clear();
                bucket.record.read(&level.limits, now, states);
                return Ok(false);
            }
            bucket
        } else {
            if !full_admits(level, amounts, now, states) {
                states.clear();
                states.extend(level.limits.iter().map(|_| FullAt::ALWAYS));
                return Ok(false);
            }
            self.table.make(hash, level, now, hasher)
        };
        bucket.hold(level, now)?;
        bucket.turn_hour(now, &mut self.history);
        bucket.record.settle(level, amounts, acquires, states);
        Ok(true)
    }

    /// The bucket at an index, for a change at `now`.
    pub(super) fn bucket_mut(&mut self, index: usize, now: Timestamp) -> Option<&mut Bucket> {
        let bucket = self.table.buckets.get_bucket_mut(index)?;
        bucket.turn_hour(now, &mut self.history);
        Some(bucket)
    }

    /// Counts a change, and now and then drops what says nothing any more: records of buckets that are full and
    /// were not changed in this hour, and usage past its retention.
    ///
    /// A bucket that is visited here was paid for by a quarter of a change or by a new bucket, so the cost per change
    /// is bounded, and so is the number of records: those in use, and as many again.
    #[inline]
    pub(super) fn count_change(&mut self, now: Timestamp, retention_hours: u32, hasher: &RandomState) {
        match self.table.changes_until_tidy.checked_sub(1) {
            Some(left) => self.table.changes_until_tidy = left,
            None => self.tidy(now, retention_hours, hasher),
        }
    }

    #[cold]
    fn tidy(&mut self, now: Timestamp, retention_hours: u32, hasher: &RandomState) {
        let Self { table: Table { buckets, changes_until_tidy }, history } = self;
        buckets.retain(|bucket| {
            // What was used in this hour is counted in the record, which is smaller than an entry of the history.
            let in_use = bucket.record.is_in_hour_of(now) || bucket.record.full_at_ms() > now.as_millis();
            if !in_use && let Some(usage) = bucket.usage() {
                history.add(usage);
            }
            in_use
        });
        history.forget_before(hour_of(now).saturating_sub(retention_hours));
        if buckets.capacity() > 4 * buckets.len() {
            buckets.shrink_to(2 * buckets.len(), |bucket| bucket.key.hash(hasher));
        }
        *changes_until_tidy = TIDY_EVERY + 4 * buckets.len();
    }

    /// Every bucket of `resource`, with its states.
    pub(super) fn on_resource(&self, resource: &Resource) -> Vec<(Level, States)> {
        let buckets = self.table.buckets.iter().filter(|bucket| bucket.key.is_on(resource));
        let level = |bucket: &Bucket| {
            let (entity_id, resource) = bucket.key.names()?;
            let level = Level { entity_id, resource, limits: bucket.record.limits().clone() };
            Some((level, bucket.record.states().collect()))
        };
        buckets.filter_map(level).collect()
    }

    /// Usage from hour `oldest` on, of one entity or of all.
    pub(super) fn usage(&self, entity: Option<&EntityId>, oldest: u32) -> Vec<HourOfUsage> {
        let buckets = self.table.buckets.iter();
        let present = buckets.filter(|bucket| entity.is_none_or(|entity| bucket.key.is_of(entity)));
        let all = self.history.of(entity).chain(present.filter_map(Bucket::usage));
        all.filter(|usage| usage.hour >= oldest).collect()
    }

    /// Drops everything of an entity.
    pub(super) fn forget(&mut self, entity: &EntityId) {
        self.table.buckets.retain(|bucket| !bucket.key.is_of(entity));
        self.history.forget(entity);
    }
}
