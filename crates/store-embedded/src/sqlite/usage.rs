//! Usage of past hours, and its retention.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};
use zae_limiter_core::usage::{HourOfUsage, hour_of, roll_up};
use zae_limiter_core::{EntityId, LimitName, Millitokens, Resource, Timestamp, UsageQuery, UsageSnapshot};

use super::bucket;
use super::failure::Failure;
use super::transaction::Transaction;

/// How many old hours make way for each new one: more than one, so that the table shrinks to what is to be kept.
const REMOVED_PER_HOUR: i64 = 4;

/// How long usage is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention(pub(super) Duration);

impl Retention {
    /// The first hour that is still kept at `now`.
    fn first_hour(self, now: Timestamp) -> u32 {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        hour_of(Timestamp::from_millis(now.as_millis().saturating_sub(millis)))
    }
}

type Consumed = BTreeMap<LimitName, Millitokens>;

/// Adds `hour` to what is recorded of the same bucket and hour: the clock may have gone backwards.
pub(super) fn add(
    transaction: &Transaction<'_>,
    hour: &HourOfUsage,
    now: Timestamp,
    retention: Retention,
) -> Result<(), Failure> {
    let HourOfUsage { entity_id, resource, hour, counters, acquires } = hour;
    let key = params![entity_id.as_str(), resource.as_str(), hour];
    let found = transaction
        .prepare_cached(
            "SELECT acquires, consumed FROM usage WHERE entity_id = ?1 AND resource = ?2 AND hour = ?3",
        )?
        .query_row(key, |row| Ok((row.get::<_, i64>(0)?, decode(row, 1))))
        .optional()?;
    let Some((acquires_so_far, consumed)) = found else {
        let key_and_values =
            params![entity_id.as_str(), resource.as_str(), hour, acquires, encode(counters)?];
        transaction
            .prepare_cached("INSERT INTO usage VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(key_and_values)?;
        return remove_old(transaction, retention.first_hour(now));
    };
    let mut consumed = consumed.map_err(|error| damaged(entity_id.as_str(), resource.as_str(), error))?;
    for (name, amount) in counters {
        *consumed.entry(name.clone()).or_default() += *amount;
    }
    let acquires = acquires.saturating_add(acquires_so_far);
    let key_and_values = params![entity_id.as_str(), resource.as_str(), hour, acquires, encode(&consumed)?];
    transaction
        .prepare_cached(
            "UPDATE usage SET acquires = ?4, consumed = ?5 WHERE entity_id = ?1 AND resource = ?2 AND hour = ?3",
        )?
        .execute(key_and_values)?;
    Ok(())
}

fn remove_old(transaction: &Transaction<'_>, first_hour: u32) -> Result<(), Failure> {
    transaction
        .prepare_cached(
            "DELETE FROM usage WHERE (entity_id, resource, hour) IN
             (SELECT entity_id, resource, hour FROM usage WHERE hour < ?1 ORDER BY hour LIMIT ?2)",
        )?
        .execute(params![first_hour, REMOVED_PER_HOUR])?;
    Ok(())
}

/// The snapshots that `query` asks for: from the hours recorded here, and those still in the rows of buckets.
pub(super) fn snapshots(
    transaction: &Transaction<'_>,
    query: &UsageQuery,
) -> Result<Vec<UsageSnapshot>, Failure> {
    let mut hours = recorded(transaction, query)?;
    hours.extend(bucket::usage(transaction, query.entity_id.as_ref(), query.resource.as_ref())?);
    Ok(roll_up(query, hours))
}

fn recorded(transaction: &Transaction<'_>, query: &UsageQuery) -> Result<Vec<HourOfUsage>, Failure> {
    let of_entity = if query.entity_id.is_some() { "entity_id = ?1" } else { "?1 IS NULL" };
    let on_resource = if query.resource.is_some() { "resource = ?2" } else { "?2 IS NULL" };
    let sql = format!(
        "SELECT entity_id, resource, hour, acquires, consumed FROM usage
         WHERE {of_entity} AND {on_resource} AND hour BETWEEN ?3 AND ?4"
    );
    // The last window asked for may start just before `to`, and reaches beyond it.
    let last_hour = hour_of(query.window.end(query.window.start(query.to)));
    let mut select = transaction.prepare_cached(&sql)?;
    let mut rows = select.query(params![
        query.entity_id.as_ref().map(EntityId::as_str),
        query.resource.as_ref().map(Resource::as_str),
        hour_of(query.from),
        last_hour,
    ])?;
    let mut hours = Vec::new();
    while let Some(row) = rows.next()? {
        let (entity_id, resource): (String, String) = (row.get(0)?, row.get(1)?);
        hours.push(read(row).map_err(|error| damaged(&entity_id, &resource, error))?);
    }
    Ok(hours)
}

fn read(row: &Row<'_>) -> Result<HourOfUsage, Box<dyn Error + Send + Sync>> {
    Ok(HourOfUsage {
        entity_id: EntityId::new(row.get_ref(0)?.as_str()?)?,
        resource: Resource::new(row.get_ref(1)?.as_str()?)?,
        hour: row.get(2)?,
        counters: decode(row, 4)?,
        acquires: row.get(3)?,
    })
}

fn encode(consumed: &Consumed) -> Result<String, Failure> {
    serde_json::to_string(consumed)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()).into())
}

fn decode(row: &Row<'_>, column: usize) -> Result<Consumed, Box<dyn Error + Send + Sync>> {
    Ok(serde_json::from_str(row.get_ref(column)?.as_str()?)?)
}

fn damaged(entity_id: &str, resource: &str, error: Box<dyn Error + Send + Sync>) -> Failure {
    Failure::row(format!("the usage of {entity_id:?} on {resource:?}"), error)
}
