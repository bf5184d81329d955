//! Removing the rows of buckets that are full: they say nothing that their absence does not.
//!
//! Every new row pays for looking at a few old ones, so the table grows no further than the buckets in use, no write
//! does much more than its own work, and a process that makes one call and ends still does its share.

use rusqlite::params;
use zae_limiter_core::usage::HOUR_MS;
use zae_limiter_core::{EntityId, Resource, Timestamp};

use super::bucket;
use super::failure::Failure;
use super::transaction::Transaction;
use super::usage::{self, Retention};
use crate::record::Record;

/// Rows are looked at whenever this many were added ...
const ADDED: i64 = 4;
/// ... and then this many, so that the search comes round faster than the table grows.
const LOOKED_AT: i64 = 8;
/// How long a full bucket keeps its row: one that is used now and then is not made and removed every time.
const GRACE_MS: u64 = HOUR_MS;

/// Does the share of the new row `id`. Any other bucket may lose its row in this.
pub(super) fn after_insert(
    transaction: &Transaction<'_>,
    id: i64,
    now: Timestamp,
    retention: Retention,
) -> Result<(), Failure> {
    if id % ADDED != 0 {
        return Ok(());
    }
    let looked_at: i64 =
        transaction.prepare_cached("SELECT looked_at FROM eviction")?.query_row([], |row| row.get(0))?;
    let (last, full) = look(transaction, looked_at, now)?;
    for row in &full {
        remove(transaction, row, now, retention)?;
    }
    transaction.prepare_cached("UPDATE eviction SET looked_at = ?1")?.execute([last])?;
    Ok(())
}

/// The row of a bucket that has long been full.
struct FullRow {
    id: i64,
    entity_id: EntityId,
    resource: Resource,
    record: Record,
}

/// Where the next search goes on, and the full buckets among the next rows after `looked_at`.
fn look(
    transaction: &Transaction<'_>,
    looked_at: i64,
    now: Timestamp,
) -> Result<(i64, Vec<FullRow>), Failure> {
    let mut select = transaction.prepare_cached(
        "SELECT id, full_at_ms, entity_id, resource, state FROM bucket WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = select.query([looked_at, LOOKED_AT])?;
    let (mut last, mut count, mut full) = (looked_at, 0, Vec::new());
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        count += 1;
        let is_full = |full_at_ms: u64| full_at_ms.saturating_add(GRACE_MS) <= now.as_millis();
        if !u64::try_from(row.get::<_, i64>(1)?).is_ok_and(is_full) {
            continue;
        }
        // A damaged row is left to whoever asks for that bucket; here it is nobody's error.
        let (Ok(entity_id), Ok(resource), Ok(record)) = (
            EntityId::new(row.get::<_, String>(2)?),
            Resource::new(row.get::<_, String>(3)?),
            bucket::decode(row, 4),
        ) else {
            continue;
        };
        if is_full(record.full_at_ms()) {
            full.push(FullRow { id: last, entity_id, resource, record });
        }
    }
    Ok((if count < LOOKED_AT { 0 } else { last }, full))
}

/// Removes a row, once its usage is recorded elsewhere.
fn remove(
    transaction: &Transaction<'_>,
    row: &FullRow,
    now: Timestamp,
    retention: Retention,
) -> Result<(), Failure> {
    if let Some(hour) = row.record.usage(&row.entity_id, &row.resource) {
        match usage::add(transaction, &hour, now, retention) {
            Err(Failure::Row { .. }) => return Ok(()),
            added => added?,
        }
    }
    transaction.prepare_cached("DELETE FROM bucket WHERE id = ?1")?.execute(params![row.id])?;
    Ok(())
}
