//! The buckets behind one lock, and the usage that has left them.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use std::hash::BuildHasher;
use zae_limiter_core::usage::{HourOfUsage, hour_of};
use zae_limiter_core::{
    EntityId, FullAt, Level, Millitokens, Resource, StoreError, StoreErrorKind, Timestamp,
};

use crate::record::Record;

/// Changes after which a shard is tidied, besides those in proportion to its size.
const TIDY_EVERY: usize = 1_024;

/// A bucket and whose it is. Boxed in the table, so that a table that grows moves pointers only.
#[derive(Debug)]
pub(super) struct Bucket {
    entity_id: EntityId,
    resource: Resource,
    pub(super) record: Record,
}

#[derive(Debug, Default)]
pub(super) struct Shard {
    buckets: HashTable<Box<Bucket>>,
    /// Usage of past hours, by bucket.
    history: BTreeMap<(EntityId, Resource), Vec<HourOfUsage>>,
    changes_until_tidy: usize,
}

impl Shard {
    pub(super) fn find(&mut self, hash: u64, entity: &EntityId, resource: &Resource) -> Option<&mut Bucket> {
        let is_it = |bucket: &Box<Bucket>| bucket.entity_id == *entity && bucket.resource == *resource;
        self.buckets.find_mut(hash, is_it).map(Box::as_mut)
    }

    /// The bucket of `level`, made if there is none, holding the level's limits.
    pub(super) fn bucket(
        &mut self,
        hash: u64,
        level: &Level,
        now: Timestamp,
        hasher: &RandomState,
    ) -> Result<&mut Bucket, StoreError> {
        let is_it =
            |bucket: &Box<Bucket>| bucket.entity_id == level.entity_id && bucket.resource == level.resource;
        let rehash = |bucket: &Box<Bucket>| hash_of(hasher, bucket);
        let bucket = self.buckets.entry(hash, is_it, rehash).or_insert_with(|| {
            // A new bucket brings the next tidying nearer than a change does: see `tidy`.
            self.changes_until_tidy = self.changes_until_tidy.saturating_sub(3);
            Box::new(Bucket {
                entity_id: level.entity_id.clone(),
                resource: level.resource.clone(),
                record: Record::new(&level.limits, now),
            })
        });
        let bucket = bucket.into_mut();
        bucket.record.adopt(&level.limits, now).map_err(|error| {
            let bucket = format!("bucket of {} on {}", level.entity_id, level.resource);
            StoreError::new(StoreErrorKind::Invalid, format!("{bucket}: {error}")).with_source(error)
        })?;
        Ok(bucket)
    }

    /// Writes the states after an admitted take.
    pub(super) fn settle(
        &mut self,
        hash: u64,
        level: &Level,
        amounts: &[Millitokens],
        acquires: i64,
        after: &[FullAt],
        now: Timestamp,
    ) {
        self.change(hash, level, now, |record| record.settle(level, amounts, acquires, after));
    }

    /// Applies signed amounts unconditionally.
    pub(super) fn apply(
        &mut self,
        hash: u64,
        level: &Level,
        amounts: &[Millitokens],
        acquires: i64,
        now: Timestamp,
    ) {
        self.change(hash, level, now, |record| record.apply(level, amounts, acquires, now));
    }

    /// Changes a record, handing the usage of its last hour to the history if a new hour has begun.
    fn change(&mut self, hash: u64, level: &Level, now: Timestamp, change: impl FnOnce(&mut Record)) {
        let Some(bucket) = self.find(hash, &level.entity_id, &level.resource) else { return };
        let past = bucket.record.turn_hour(now, &level.entity_id, &level.resource);
        change(&mut bucket.record);
        if let Some(past) = past {
            remember(&mut self.history, past);
        }
    }

    /// Now and then drops what says nothing any more: records of full buckets, and usage past its retention.
    ///
    /// A bucket that is visited here was paid for by at least a quarter of a change or one new bucket, so the
    /// cost per change is bounded, and so is the number of records: live ones and as many again.
    pub(super) fn tidy(&mut self, now: Timestamp, retention_hours: u32, hasher: &RandomState) {
        if self.changes_until_tidy > 0 {
            self.changes_until_tidy -= 1;
            return;
        }
        let history = &mut self.history;
        self.buckets.retain(|bucket| {
            let in_use = bucket.record.full_at_ms() > now.as_millis();
            if !in_use && let Some(usage) = bucket.record.usage(&bucket.entity_id, &bucket.resource) {
                remember(history, usage);
            }
            in_use
        });
        let oldest = hour_of(now).saturating_sub(retention_hours);
        history.retain(|_, hours| {
            hours.retain(|usage| usage.hour >= oldest);
            !hours.is_empty()
        });
        if self.buckets.capacity() > 4 * self.buckets.len() {
            self.buckets.shrink_to(2 * self.buckets.len(), |bucket| hash_of(hasher, bucket));
        }
        self.changes_until_tidy = TIDY_EVERY + 4 * self.buckets.len();
    }

    /// Every bucket of `resource`, with its states.
    pub(super) fn on_resource(
        &self,
        resource: &Resource,
    ) -> impl Iterator<Item = (Level, SmallVec<[FullAt; 4]>)> {
        self.buckets.iter().filter(move |bucket| bucket.resource == *resource).map(|bucket| {
            let level = Level {
                entity_id: bucket.entity_id.clone(),
                resource: bucket.resource.clone(),
                limits: bucket.record.limits().clone(),
            };
            (level, bucket.record.states().collect())
        })
    }

    /// Usage from hour `oldest` on, of one entity or of all.
    pub(super) fn usage(&self, entity: Option<&EntityId>, oldest: u32) -> Vec<HourOfUsage> {
        let wanted = |id: &EntityId| entity.is_none_or(|entity| entity == id);
        let past = self.history.iter().filter(|((id, _), _)| wanted(id)).flat_map(|(_, hours)| hours.clone());
        let present = self.buckets.iter().filter(|bucket| wanted(&bucket.entity_id));
        let present = present.filter_map(|bucket| bucket.record.usage(&bucket.entity_id, &bucket.resource));
        past.chain(present).filter(|usage| usage.hour >= oldest).collect()
    }

    /// Drops everything of an entity.
    pub(super) fn forget(&mut self, entity: &EntityId) {
        self.buckets.retain(|bucket| bucket.entity_id != *entity);
        self.history.retain(|(id, _), _| id != entity);
    }
}

fn hash_of(hasher: &RandomState, bucket: &Bucket) -> u64 {
    hasher.hash_one((bucket.entity_id.as_str(), bucket.resource.as_str()))
}

/// Adds usage to the history: to the same hour if that is there already.
fn remember(history: &mut BTreeMap<(EntityId, Resource), Vec<HourOfUsage>>, usage: HourOfUsage) {
    let hours = history.entry((usage.entity_id.clone(), usage.resource.clone())).or_default();
    match hours.iter_mut().find(|known| known.hour == usage.hour) {
        Some(known) => {
            known.acquires += usage.acquires;
            for (name, amount) in usage.counters {
                *known.counters.entry(name).or_default() += amount;
            }
        }
        None => hours.push(usage),
    }
}
