//! The buckets behind one lock.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::AbsentEntry;
use smallvec::SmallVec;
use zae_limiter_core::usage::{HourOfUsage, hour_of};
use zae_limiter_core::{
    Decision, EntityId, FullAt, Level, LimitError, Millitokens, Reading, Resource, StoreError,
    StoreErrorKind, Timestamp,
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
    pub(super) fn turn_hour(&mut self, now: Timestamp, history: &mut History) {
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
    #[inline]
    fn hold(&mut self, level: &Level, now: Timestamp) -> Result<(), StoreError> {
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
    pub(super) fn find(&self, hash: u64, entity: &EntityId, resource: &Resource) -> Option<&Bucket> {
        self.buckets.find(hash, |bucket| bucket.key.is(entity, resource))
    }

    /// Whether the bucket of `level` admits `amounts`; see [`Record::admits`]. Makes no bucket.
    pub(super) fn admits(
        &self,
        hash: u64,
        level: &Level,
        amounts: &[Millitokens],
        now: Timestamp,
        after: &mut States,
    ) -> bool {
        match self.find(hash, &level.entity_id, &level.resource) {
            Some(bucket) => bucket.record.admits(level, amounts, now, after),
            None => full_admits(level, amounts, now, after),
        }
    }

    /// Takes `amounts` from the bucket of `level`. A denial makes no bucket and changes none.
    #[inline]
    pub(super) fn take(
        &mut self,
        hash: u64,
        (level, amounts, acquires): (&Level, &[Millitokens], i64),
        now: Timestamp,
        hasher: &RandomState,
        history: &mut History,
    ) -> Result<Decision, StoreError> {
        let mut after = States::new();
        let bucket = match self.buckets.find_entry(hash, |bucket| bucket.is_of(level)) {
            Ok(present) => {
                let bucket = present.into_mut();
                if !bucket.record.admits(level, amounts, now, &mut after) {
                    let full_at = bucket.record.states_of(&level.limits, now).collect();
                    return Ok(Decision::Denied(Reading { at: now, full_at }));
                }
                bucket
            }
            Err(absent) => {
                if !full_admits(level, amounts, now, &mut after) {
                    let full_at = level.limits.iter().map(|_| FullAt::ALWAYS).collect();
                    return Ok(Decision::Denied(Reading { at: now, full_at }));
                }
                make(absent, &mut self.changes_until_tidy, level, now, hasher)
            }
        };
        bucket.hold(level, now)?;
        bucket.turn_hour(now, history);
        bucket.record.settle(level, amounts, acquires, &after);
        Ok(Decision::Admitted(Reading { at: now, full_at: after }))
    }

    /// The bucket of `level`, made if there is none, holding the level's limits.
    pub(super) fn bucket(
        &mut self,
        hash: u64,
        level: &Level,
        now: Timestamp,
        hasher: &RandomState,
    ) -> Result<&mut Bucket, StoreError> {
        let bucket = match self.buckets.find_entry(hash, |bucket| bucket.is_of(level)) {
            Ok(present) => present.into_mut(),
            Err(absent) => make(absent, &mut self.changes_until_tidy, level, now, hasher),
        };
        bucket.hold(level, now)?;
        Ok(bucket)
    }
}

/// Makes the bucket of `level`. It brings the next tidying nearer than a change does: see [`Shard::count_change`].
fn make<'t>(
    absent: AbsentEntry<'t, Bucket>,
    changes_until_tidy: &mut usize,
    level: &Level,
    now: Timestamp,
    hasher: &RandomState,
) -> &'t mut Bucket {
    *changes_until_tidy = changes_until_tidy.saturating_sub(3);
    let (key, hash) =
        (Key::new(&level.entity_id, &level.resource), |bucket: &Bucket| bucket.key.hash(hasher));
    let bucket = Bucket { key, record: Record::new(&level.limits, now) };
    let place = bucket.key.hash(hasher);
    absent.into_table().insert_unique(place, bucket, hash).into_mut()
}

#[cold]
fn unfit(level: &Level, error: LimitError) -> StoreError {
    let bucket = format!("bucket of {} on {}", level.entity_id, level.resource);
    StoreError::new(StoreErrorKind::Invalid, format!("{bucket}: {error}")).with_source(error)
}

impl Shard {
    /// Counts a change, and now and then drops what says nothing any more: records of full buckets, and usage past
    /// its retention.
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
            let in_use = bucket.record.full_at_ms() > now.as_millis();
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
