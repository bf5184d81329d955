//! The buckets behind one lock.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use zae_limiter_core::usage::{HourOfUsage, hour_of};
use zae_limiter_core::{EntityId, FullAt, Level, Resource, StoreError, StoreErrorKind, Timestamp};

use super::history::History;
use super::key::Key;
use crate::record::Record;

/// Changes after which a shard is tidied, besides those in proportion to its size.
const TIDY_EVERY: usize = 1_024;

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

    fn usage(&self) -> Option<HourOfUsage> {
        let (entity, resource) = self.key.names()?;
        self.record.usage(&entity, &resource)
    }
}

impl Table {
    pub(super) fn find(&self, hash: u64, entity: &EntityId, resource: &Resource) -> Option<&Bucket> {
        self.buckets.find(hash, |bucket| bucket.key.is(entity, resource))
    }

    /// The bucket of `level`, made if there is none, holding the level's limits.
    #[inline]
    pub(super) fn bucket(
        &mut self,
        hash: u64,
        level: &Level,
        now: Timestamp,
        hasher: &RandomState,
    ) -> Result<&mut Bucket, StoreError> {
        let is_it = |bucket: &Bucket| bucket.key.is(&level.entity_id, &level.resource);
        let entry = self.buckets.entry(hash, is_it, |bucket| bucket.key.hash(hasher));
        let bucket = entry.or_insert_with(|| {
            // A new bucket brings the next tidying nearer than a change does: see `tidy`.
            self.changes_until_tidy = self.changes_until_tidy.saturating_sub(3);
            Bucket {
                key: Key::new(&level.entity_id, &level.resource),
                record: Record::new(&level.limits, now),
            }
        });
        let bucket = bucket.into_mut();
        bucket.record.adopt(&level.limits, now).map_err(|error| {
            let bucket = format!("bucket of {} on {}", level.entity_id, level.resource);
            StoreError::new(StoreErrorKind::Invalid, format!("{bucket}: {error}")).with_source(error)
        })?;
        Ok(bucket)
    }
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
    pub(super) fn on_resource(&self, resource: &Resource) -> Vec<(Level, SmallVec<[FullAt; 4]>)> {
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
