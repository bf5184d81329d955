//! Takes from, changes of and looks at the buckets of one call.

use rusqlite::Connection;
use smallvec::SmallVec;
use zae_limiter_core::{
    Change, Clock, Decision, EntityId, Level, Reading, Resource, StoreError, StoreErrorKind, Timestamp,
};

use super::bucket::{self, Bucket};
use super::eviction;
use super::failure::Failure;
use super::transaction::Transaction;
use super::usage::{self, Retention};
use crate::record::Record;

/// Takes from every level, or from none. What it decides on cannot change before it is written: no other process
/// writes meanwhile. The clock is read under that lock: a take that had to wait does not act on the time before it.
pub(super) fn take(
    transaction: Transaction<'_>,
    change: Change<'_>,
    clock: &dyn Clock,
    retention: Retention,
) -> Result<Decision, Failure> {
    let now = clock.now();
    let mut buckets = load(&transaction, change.levels, now)?;
    let mut after = SmallVec::new();
    let admitted = buckets
        .iter()
        .zip(change.by_level())
        .all(|(bucket, (level, amounts))| bucket.record.admits(level, amounts, now, &mut after));
    if !admitted {
        return Ok(Decision::Denied(reading(&buckets, change.levels, now)));
    }
    let mut states = after.as_slice();
    for (bucket, (level, amounts)) in buckets.iter_mut().zip(change.by_level()) {
        let own = states.split_off(..amounts.len()).unwrap_or_default();
        turn_hour(&transaction, bucket, level, now, retention)?;
        bucket.record.settle(level, amounts, change.acquires, own);
    }
    save(transaction, &buckets, change.levels, now, retention)?;
    Ok(Decision::Admitted(Reading { at: now, full_at: after }))
}

/// Applies signed amounts to every level, whatever the balances.
pub(super) fn apply(
    transaction: Transaction<'_>,
    change: Change<'_>,
    clock: &dyn Clock,
    retention: Retention,
) -> Result<(), Failure> {
    let now = clock.now();
    let mut buckets = load(&transaction, change.levels, now)?;
    for (bucket, (level, amounts)) in buckets.iter_mut().zip(change.by_level()) {
        turn_hour(&transaction, bucket, level, now, retention)?;
        bucket.record.apply(level, amounts, change.acquires, now);
    }
    save(transaction, &buckets, change.levels, now, retention)
}

/// The states of the levels, all at one instant.
pub(super) fn read(
    transaction: &Transaction<'_>,
    levels: &[Level],
    clock: &dyn Clock,
) -> Result<Reading, Failure> {
    let now = clock.now();
    let found = levels.iter().map(|level| Bucket::load(transaction, level, now));
    let buckets: Buckets = found.collect::<Result<_, _>>()?;
    Ok(reading(&buckets, levels, now))
}

type Buckets = SmallVec<[Bucket; 2]>;

/// The buckets of the levels, holding the limits of the levels.
fn load(transaction: &Transaction<'_>, levels: &[Level], now: Timestamp) -> Result<Buckets, Failure> {
    let mut buckets = Buckets::with_capacity(levels.len());
    for level in levels {
        let mut bucket = Bucket::load(transaction, level, now)?;
        bucket.record.adopt(&level.limits, now).map_err(|error| {
            let Level { entity_id, resource, .. } = level;
            let message =
                format!("the bucket of {entity_id} on {resource} cannot hold these limits: {error}");
            StoreError::new(StoreErrorKind::Invalid, message).with_source(error)
        })?;
        buckets.push(bucket);
    }
    Ok(buckets)
}

fn reading(buckets: &[Bucket], levels: &[Level], now: Timestamp) -> Reading {
    let states =
        buckets.iter().zip(levels).flat_map(|(bucket, level)| bucket.record.states_of(&level.limits, now));
    Reading { at: now, full_at: states.collect() }
}

/// Moves the usage of the hour before to where past hours are kept, in the transaction of the first change after it.
fn turn_hour(
    transaction: &Transaction<'_>,
    bucket: &mut Bucket,
    level: &Level,
    now: Timestamp,
    retention: Retention,
) -> Result<(), Failure> {
    if bucket.record.is_in_hour_of(now) {
        return Ok(());
    }
    let usage = bucket.record.usage(&level.entity_id, &level.resource);
    bucket.record.start_hour(now);
    usage.map_or(Ok(()), |hour| usage::add(transaction, &hour, now, retention))
}

fn save(
    transaction: Transaction<'_>,
    buckets: &[Bucket],
    levels: &[Level],
    now: Timestamp,
    retention: Retention,
) -> Result<(), Failure> {
    let mut added = SmallVec::<[i64; 2]>::new();
    for (bucket, level) in buckets.iter().zip(levels) {
        added.extend(bucket.save(&transaction, level)?);
    }
    // Not earlier: an eviction may remove rows that were still to be updated.
    for id in added {
        eviction::after_insert(&transaction, id, now, retention)?;
    }
    transaction.commit()
}

/// Every bucket of `resource`, by entity id.
pub(super) fn of_resource(
    connection: &Connection,
    resource: &Resource,
    clock: &dyn Clock,
) -> Result<(Vec<Level>, Reading), Failure> {
    let mut buckets = bucket::of_resource(connection, resource)?;
    buckets.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let at = clock.now();
    let full_at = buckets.iter().flat_map(|(_, record)| record.states()).collect();
    let level = |(entity_id, record): (EntityId, Record)| Level {
        entity_id,
        resource: resource.clone(),
        limits: record.limits().clone(),
    };
    Ok((buckets.into_iter().map(level).collect(), Reading { at, full_at }))
}
